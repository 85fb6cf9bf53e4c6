//! The exponential of softmax: relative to a power of two instead of to the largest element.
//!
//! `e^x = (1 + r + tail) · 2^k` needs no maximum subtracted first: with `K` the `k` of the largest
//! element, `2^(k − K)` is an exact scaling, so the rounding of `x − max`, which costs other
//! softmaxes up to 65 ULP, never happens. Lanes whose maximum is so large that `k ln 2` would lose
//! digits are shifted by it; then `x − max` is exact wherever the result is not zero, because both
//! are within a factor of two of each other.

use core::f64::consts::{LN_2, LOG2_E};

use fearless_simd::Simd;

use super::total::WIDEST;
use crate::lane::{Lane, LaneIo};
use crate::math::exp::{Q_SHORT_DOUBLE, Q_SHORT_SINGLE};

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
const fn depth<A>() -> f64 {
    if single::<A>() { 180.0 } else { 1100.0 }
}

/// The constants of [`exp`], hidden from the compiler, which would otherwise load each of them anew
/// in every round of a loop and run out of registers: from memory they are operands of the
/// instructions that use them. Twice the speed.
#[derive(Clone, Copy)]
pub(crate) struct Constants<V> {
    log2_e: V,
    ln_2: V,
    ln_2_low: V,
    q: [V; 10],
    one: V,
}

impl<V: Lane> Constants<V> {
    #[inline(always)]
    pub(crate) fn new(like: V) -> Self {
        let q = core::array::from_fn(
            #[inline(always)]
            |i| like.constant(Q_SHORT_SINGLE[i.min(Q_SHORT_SINGLE.len() - 1)], Q_SHORT_DOUBLE[i]),
        );
        core::hint::black_box(Self {
            log2_e: like.splat(LOG2_E),
            ln_2: like.constant(core::f32::consts::LN_2, LN_2),
            // ln 2 − the number above.
            ln_2_low: like.constant(1.904_654_2e-9, -2.319_046_813_846_299_6e-17),
            q,
            one: like.splat(1.0),
        })
    }

    /// `q(s)` by Horner's rule.
    #[inline(always)]
    fn q(&self, s: V) -> V {
        let degree = if V::SINGLE { Q_SHORT_SINGLE.len() } else { Q_SHORT_DOUBLE.len() } - 1;
        let mut sum = self.q[degree];
        for &coefficient in self.q[..degree].iter().rev() {
            sum = sum.mul_add(s, coefficient);
        }
        sum
    }
}

/// What exponentials are relative to: `e^(shift + K ln 2)`, one for each lane of the vectors.
#[derive(Clone, Copy)]
pub(crate) struct Origin<V> {
    constants: Constants<V>,
    /// Subtracted from every element: the lane's maximum as a pair, or nothing.
    pub(crate) shift: Option<(V, V)>,
    /// Arguments below this give results that round to zero.
    floor: V,
    /// The binary exponent `K`.
    pub(crate) exponent: V,
    /// The lift without `K`.
    offset: V,
}

impl<V: Lane> Origin<V> {
    /// For a largest element `top`. NaN where that is NaN or +∞, and so is every exponential.
    #[inline(always)]
    pub(crate) fn new(constants: Constants<V>, top: V, shift: Option<(V, V)>) -> Self {
        let limit = top.splat(limit::<V::Elem>());
        let distance = match shift {
            None => top,
            Some((shift, _)) => top - shift,
        };
        let (exponent, _) =
            distance.at_least(-limit).at_most(limit).split_scale(top.splat(LOG2_E), 0);
        let floor = (exponent - depth::<V::Elem>()) * LN_2;
        let offset = -exponent + f64::from(LIFT);
        Self { constants, shift, floor, exponent, offset }
    }

    /// The same, for the compiler to see that there is no shift.
    #[inline(always)]
    pub(crate) fn without_shift(self) -> Self {
        Self { shift: None, ..self }
    }

    /// The same, for the compiler to see that all lanes have the one origin of the first.
    #[inline(always)]
    pub(crate) fn of_first<S: Simd>(self, simd: S) -> Self
    where
        V: LaneIo<S>,
    {
        Self {
            constants: self.constants,
            shift: self.shift.map(
                #[inline(always)]
                |(shift, low)| (of_first(simd, shift), of_first(simd, low)),
            ),
            floor: of_first(simd, self.floor),
            exponent: of_first(simd, self.exponent),
            offset: of_first(simd, self.offset),
        }
    }
}

/// The first lane in every lane.
#[inline(always)]
fn of_first<S: Simd, V: LaneIo<S>>(simd: S, v: V) -> V {
    let mut all = [V::Elem::default(); WIDEST];
    v.store(&mut all[..V::WIDTH]);
    V::fill(simd, all[0])
}

/// `e^x · 2^LIFT` relative to the origin, as `high + low`; `|low|` is at most about half an ULP.
#[derive(Clone, Copy)]
pub(crate) struct Exp<V> {
    pub(crate) high: V,
    pub(crate) low: V,
}

/// The exponential of `x + x_low`; `high` has a relative error below 1.1 · 2^-24 (f32) or 2^-53
/// (f64), the pair one below 2^-27 or 2^-56. `-∞` gives a number whose quotient rounds to zero.
#[inline(always)]
pub(crate) fn exp<V: Lane>(x: V, x_low: Option<V>, origin: Origin<V>) -> Exp<V> {
    let zero = x.splat(0.0);
    let (x, x_low) = match (x_low, origin.shift) {
        (None, None) => (x.at_least(origin.floor), None),
        (None, Some((shift, _))) => ((x - shift).at_least(origin.floor), None),
        (Some(x_low), shift) => {
            // Both differences are exact where they matter; their sum is normalised again.
            let (shift, shift_low) = shift.unwrap_or((zero, zero));
            let (x, x_low) = (x - shift, x_low - shift_low);
            let sum = x + x_low;
            let low = x_low - (sum - x);
            let top = sum.at_least(origin.floor);
            (top, Some(V::select(sum.ge(origin.floor), low, zero)))
        }
    };
    let constants = &origin.constants;
    let (k, scale) = x.split_scale_by(constants.log2_e, origin.offset);
    // Exact: both terms are multiples of 2^-25 (f64: 2^-54), and the difference is below ½.
    let r = k.neg_mul_add(constants.ln_2, x);
    let mut rest = k * constants.ln_2_low;
    if let Some(x_low) = x_low {
        rest = rest + x_low;
    }
    let s = r + rest;
    let tail = (s * s).mul_add(constants.q(s), rest);
    // The first rounding costs 0.35 · 2^-24 at most; what both lose together is in the low part:
    // 1 is taken off exactly, and what is left has the leading digits of r.
    let e = constants.one + (r + tail);
    let low = (r - (e - constants.one)) + tail;
    Exp { high: e * scale, low: low * scale }
}
