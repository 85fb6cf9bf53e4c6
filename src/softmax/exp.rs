//! The exponential of softmax: relative to a power of two instead of to the largest element.
//!
//! `e^x = (1 + r + tail) · 2^k` needs no maximum subtracted first: with `K` the `k` of the largest
//! element, `2^(k − K)` is an exact scaling, so the rounding of `x − max`, which costs other
//! softmaxes up to 65 ULP, never happens. Lanes whose maximum is so large that `k ln 2` would lose
//! digits are shifted by it; then `x − max` is exact wherever the result is not zero, because both
//! are within a factor of two of each other.

use core::f64::consts::{LN_2, LOG2_E};

use crate::element::Element;
use crate::lane::Lane;

/// `q` in `eʳ = 1 + r + r² q(r)` for `|r| <= ln 2 / 2`, made by `tools/exp.py`.
/// Errors relative to `eʳ`: 2^-28.23 in f32 (degree 4), 2^-57.88 in f64 (degree 9).
const Q: (&[f32; 5], &[f64; 10]) = (
    &[0.49999994, 0.1666652, 0.041668236, 0.008368825, 0.0013823535],
    &[
        0.5000000000000011,
        0.1666666666666643,
        0.041666666666526665,
        0.008333333333484376,
        0.0013888888944478118,
        0.00019841269527302066,
        2.480149226237874e-05,
        2.7557568372847547e-06,
        2.7630537645534996e-07,
        2.5005695411364497e-08,
    ],
);

/// Exponentials are kept times `2^LIFT`, so that those down to the smallest subnormal quotient are
/// normal numbers.
pub(crate) const LIFT: i32 = 80;
/// `2^-LIFT`.
pub(crate) const LOWER: f64 = 1.0 / (1u128 << LIFT) as f64;

/// Whether the elements are `f32`.
const fn single<A>() -> bool {
    size_of::<A>() == 4
}

/// Lanes whose maximum is beyond this are shifted by it. Twice the range of the exponential: then
/// `x − max` is exact where it matters.
pub(crate) const fn limit<A>() -> f64 {
    if single::<A>() { 256.0 } else { 2048.0 }
}

/// Binary exponents below the reference at which even 2²⁴ results together round to zero, but the
/// lifted exponential is still a normal number.
const fn depth<A>() -> i32 {
    if single::<A>() { 180 } else { 1100 }
}

/// What exponentials are relative to: `e^(shift + K ln 2)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference<A> {
    /// Subtracted from every element: 0, or the lane's maximum.
    pub(crate) shift: A,
    /// The part of the maximum that the factor of the scaling left over.
    pub(crate) shift_low: A,
    /// The binary exponent `K`.
    pub(crate) exponent: i32,
}

impl<A: Element> Reference<A> {
    /// For a largest element `max`.
    #[inline(always)]
    pub(crate) fn new(max: A, shift: A, shift_low: A) -> Self {
        let limit = limit::<A>();
        let distance = (max.to_f64() - shift.to_f64()).clamp(-limit, limit);
        // A maximum of +∞ or NaN gives NaN here, and 0 when cast; the sum is NaN anyway.
        Self { shift, shift_low, exponent: (distance * LOG2_E).round_ties_even() as i32 }
    }
}

/// The same in vectors.
#[derive(Clone, Copy)]
pub(crate) struct Origin<V> {
    shift: V,
    shift_low: V,
    floor: V,
    offset: V,
}

impl<V: Lane> Origin<V> {
    /// One origin for all lanes.
    #[inline(always)]
    pub(crate) fn new(shift: V, shift_low: V, exponent: i32) -> Self {
        let floor = shift.splat(floor::<V::Elem>(exponent));
        Self { shift, shift_low, floor, offset: shift.splat(f64::from(LIFT - exponent)) }
    }

    /// An origin for each lane; `exponent` is integer-valued, `floor` what [`floor`] makes of it.
    #[inline(always)]
    pub(crate) fn each(shift: V, shift_low: V, floor: V, exponent: V) -> Self {
        Self { shift, shift_low, floor, offset: exponent.splat(f64::from(LIFT)) - exponent }
    }
}

/// Arguments below this give results that round to zero, relative to `2^exponent`.
#[inline(always)]
pub(crate) fn floor<A>(exponent: i32) -> f64 {
    f64::from(exponent - depth::<A>()) * LN_2
}

/// `e^x · 2^LIFT` relative to the origin, as `high + low`; `|low|` is at most half an ULP.
#[derive(Clone, Copy)]
pub(crate) struct Exp<V> {
    pub(crate) high: V,
    pub(crate) low: V,
}

/// The exponential of `x + x_low`; `high` has a relative error below 1.1 · 2^-24 (f32) or 2^-53
/// (f64), the pair one below 2^-27 or 2^-56. `-∞` gives a number whose quotient rounds to zero.
#[inline(always)]
pub(crate) fn exp<V: Lane>(x: V, x_low: Option<V>, origin: Origin<V>) -> Exp<V> {
    let (x, x_low) = match x_low {
        None => ((x - origin.shift).at_least(origin.floor), None),
        Some(x_low) => {
            // Both differences are exact where they matter; their sum is normalised again.
            let (x, x_low) = (x - origin.shift, x_low - origin.shift_low);
            let sum = x + x_low;
            let low = x_low - (sum - x);
            let top = sum.at_least(origin.floor);
            (top, Some(V::select(sum.ge(origin.floor), low, x.splat(0.0))))
        }
    };
    let (k, scale) = x.split_scale_by(x.splat(LOG2_E), origin.offset);
    // Exact: both terms are multiples of 2^-25 (f64: 2^-54), and the difference is below ½.
    let r = k.neg_mul_add(x.constant(core::f32::consts::LN_2, LN_2), x);
    // ln 2 − the number above.
    let mut rest = k * x.constant(1.904_654_2e-9, -2.319_046_813_846_299_6e-17);
    if let Some(x_low) = x_low {
        rest = rest + x_low;
    }
    let s = r + rest;
    let tail = (s * s).mul_add(s.poly(Q.0, Q.1), rest);
    let one = x.splat(1.0);
    let first = one + r;
    let tail = (r - (first - one)) + tail;
    let e = first + tail;
    Exp { high: e * scale, low: (tail - (e - first)) * scale }
}
