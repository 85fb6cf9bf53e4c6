//! The vectors that formulas are written on, and the choice of SIMD level.
//!
//! A formula sees one type parameter, `V: Lane`: a handful of `f32` or `f64` values that move
//! together. It has the arithmetic operators (also with an `f64` constant on the right), a fused
//! multiply-add that is fused on every machine, comparisons and selects. Whether a vector is one
//! AVX-512 register or sixteen scalars is decided once per call, outside of every formula.

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use crate::element::Element;

mod io;
mod level;
mod tables;
mod vectors;

pub(crate) use io::SQUARE;
pub use io::{DoubleKernel, LaneIo};
pub(crate) use level::{Job, Kernel, run, run_fused, run_plainly};
pub use level::{Level, with_level};
pub use tables::{Eighths, Octaves};
pub use vectors::{Doubles, Singles};

/// What the first half of a formula hands to the second; see `Elementwise::begin`.
#[doc(hidden)]
pub type Half<V> = [V; 3];

/// The same for `f32` values in `f64` lanes; see `Elementwise::begin_wide`.
#[doc(hidden)]
pub type WideHalf<W> = [W; 2];

pub(crate) mod sealed {
    /// Nobody else implements the traits of this module.
    pub trait Sealed {}
}

/// Which lanes a condition holds for. Combine with `&`, `|` and `!`.
pub trait Mask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {
    /// Whether the condition holds for at least one lane.
    fn any(self) -> bool;
    /// Whether the condition holds for every lane.
    fn all(self) -> bool;
}

/// A vector of [`f32`] or [`f64`] values: what [`Elementwise`](crate::Elementwise) formulas compute on.
///
/// Every operation works on each lane by itself and is exactly rounded as IEEE 754 asks, so a
/// formula gives the same bits on every SIMD level. Constants are plain `f64` numbers and are
/// rounded to the element type. They stand on the right of an operator; elsewhere they are made vectors first:
///
/// ```
/// use ndarray_activations::{Lane, math};
/// fn silu<V: Lane>(x: V) -> V {
///     x / (math::exp(-x) + 1.0)
/// }
/// fn relu_up_to_one<V: Lane>(x: V) -> V {
///     let (zero, one) = (x.splat(0.0), x.splat(1.0));
///     V::select(x.gt(zero), x.at_most(one), zero)
/// }
/// ```
pub trait Lane:
    Copy
    + sealed::Sealed
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// The type of one lane.
    type Elem: Element;
    /// The result of a comparison.
    type Mask: Mask;
    /// The vector that [`through_double`](Lane::through_double) computes on.
    type Double: Lane<Elem = f64>;
    /// Whether the lanes are `f32`. A constant, so a branch on it costs nothing.
    const SINGLE: bool;
    /// Whether a loop has registers for all of its constants.
    #[doc(hidden)]
    const HAS_ROOM: bool;
    /// Whether a fused multiply-add is one instruction.
    #[doc(hidden)]
    const IS_FUSED: bool;

    /// A vector with `value` in every lane; of `self` only the type counts.
    fn splat(self, value: f64) -> Self;
    /// A vector of a constant that is given for each element type by itself.
    fn constant(self, single: f32, double: f64) -> Self;

    /// `self · a + b`, rounded once on every level.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// `self · a − b`, rounded once on every level.
    fn mul_sub(self, a: Self, b: Self) -> Self;
    /// `b − self · a`, rounded once on every level.
    fn neg_mul_add(self, a: Self, b: Self) -> Self;

    /// The absolute value: clears the sign bit, of NaN as well.
    fn abs(self) -> Self;
    /// The magnitude of `self` with the sign bit of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The nearest integer, ties to even.
    fn round(self) -> Self;

    /// The larger of `self` and `bound`; NaN in `self` stays NaN, also where both are. Else `bound` must not be NaN.
    /// Where both are zeros the result is `self`.
    fn at_least(self, bound: Self) -> Self;
    /// The smaller of `self` and `bound`; NaN in `self` stays NaN. `bound` must not be NaN.
    /// Where both are zeros the result is `self`.
    fn at_most(self, bound: Self) -> Self;

    /// `self < other`; false where either is NaN.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`; false where either is NaN.
    fn le(self, other: Self) -> Self::Mask;
    /// `self > other`; false where either is NaN.
    fn gt(self, other: Self) -> Self::Mask;
    /// `self >= other`; false where either is NaN.
    fn ge(self, other: Self) -> Self::Mask;
    /// `self == other`; false where either is NaN.
    fn eq(self, other: Self) -> Self::Mask;
    /// Whether the lane is NaN.
    fn is_nan(self) -> Self::Mask;
    /// `if_true` where the mask holds, else `if_false`.
    fn select(mask: Self::Mask, if_true: Self, if_false: Self) -> Self;

    /// Splits `x · scale` at its nearest integer `k`: returns `(k, 2^(k + offset))`.
    ///
    /// `k` must be small (below 2²² in magnitude) and `k + offset` an exponent of a normal number.
    /// This is the first step of every exponential: one fused multiply-add finds `k` in the low
    /// bits of a large number, and a shift moves the same bits into the exponent field.
    fn split_scale(self, scale: Self, offset: i32) -> (Self, Self);
    /// [`split_scale`](Lane::split_scale) with an integer-valued offset for each lane.
    fn split_scale_by(self, scale: Self, offset: Self) -> (Self, Self);
    /// `2^k` for integer-valued `self`, an exponent of a normal number.
    fn exp2_integer(self) -> Self;
    /// Splits a positive normal number into `(m, k)` with `self = m · 2^k` and `m` in `[√½, √2)`.
    fn split_exponent(self) -> (Self, Self);

    /// The polynomial `c[0] + c[1] x + c[2] x² + …` by Horner's rule with fused steps; `single`
    /// are the coefficients for `f32` lanes, `double` those for `f64` lanes.
    fn poly<const N: usize, const M: usize>(self, single: &[f32; N], double: &[f64; M]) -> Self;

    /// A constant that stands in memory once for each lane: there instructions take it as an operand.
    #[doc(hidden)]
    fn row(self, single: &[f32; 16], double: &[f64; 8]) -> Self;
    /// For lanes in `[1, 16)` the entries of each row for the half octave that the lane is in: `[2, 3)`, `[3, 4)`,
    /// `[4, 6)`, `[6, 8)`, `[8, 12)`, `[12, 16)`, `[1, 1.5)`, `[1.5, 2)`. Elsewhere, and for NaN, any entry.
    #[doc(hidden)]
    fn pick_by_half_octave<const N: usize>(self, table: &'static Octaves<N>) -> [Self; N];
    /// For lanes in `[1, 256)` the entries of each row for the octave that the lane is in: `[2, 4)`, `[4, 8)`, …,
    /// `[128, 256)`, `[1, 2)`. Elsewhere, and for NaN, any entry.
    #[doc(hidden)]
    fn pick_by_octave<const N: usize>(self, table: &'static Octaves<N>) -> [Self; N];
    /// `factors[j] · 2^n` with `8 n + j = k` for the integer `k`, which the lowest bits of `self` hold: `self` is
    /// `k + 1.5 · 2^23` (`f32`) or `k + 1.5 · 2^52` (`f64`). The result must be a normal number.
    #[doc(hidden)]
    fn scale_by_eighths(self, factors: &'static Eighths) -> Self;
    /// Evaluates `kernel` in double precision and rounds the result once to this element type.
    /// For `f64` lanes this is a plain call.
    fn through_double<K: DoubleKernel>(self, kernel: K) -> Self;
}
