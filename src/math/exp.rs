//! The exponential: the base of most of the catalogue.

use super::Pair;
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

/// Powers of two are carried with this exponent added, so that results down to the smallest
/// subnormal number are reached by one multiplication with a normal number.
const OFFSET: i32 = 32;

/// `eˣ = (1 + r + tail) · 2^k` with `2^k = scale · 2^-OFFSET`.
pub(crate) struct Reduced<V> {
    pub(crate) r: V,
    pub(crate) tail: V,
    pub(crate) scale: V,
}

/// Cody and Waite's reduction by multiples of ln 2 for `x + low` in `[-150 ln 2, 90]` (f32) or
/// `[-1075 ln 2, 690]` (f64).
#[inline(always)]
pub(crate) fn reduce<V: Lane>(x: V, low: Option<V>) -> Reduced<V> {
    let (k, scale) = x.split_scale(x.splat(core::f64::consts::LOG2_E), OFFSET);
    // The high part of ln 2 has few enough bits that its products with k are exact.
    let high = k.neg_mul_add(x.constant(0.69314575, 0.6931471805592082), x);
    let ln2_low = x.constant(1.4286068e-6, 7.371002565167799e-13);
    let r = k.neg_mul_add(ln2_low, high);
    let mut rest = k.neg_mul_add(ln2_low, high - r);
    if let Some(low) = low {
        rest = rest + low;
    }
    let tail = (r * r).mul_add(r.poly(Q.0, Q.1), rest);
    Reduced { r, tail, scale }
}

impl<V: Lane> Reduced<V> {
    /// `(1 + r + tail)` as a pair: the mantissa of the exponential, in about `[0.7, 1.42]`.
    #[inline(always)]
    pub(crate) fn mantissa(&self) -> Pair<V> {
        let sum = Pair::sum(self.r.splat(1.0), self.r);
        Pair::sum(sum.high, sum.low + self.tail)
    }

    /// `2^k`, zero where that is below the normal numbers...
    #[inline(always)]
    pub(crate) fn power(&self) -> V {
        self.scale * OFFSET_INVERSE
    }

    /// The mantissa rounded to one lane.
    #[inline(always)]
    pub(crate) fn rounded(&self) -> V {
        let sum = Pair::sum(self.r.splat(1.0), self.r);
        sum.high + (sum.low + self.tail)
    }
}

/// `2^-OFFSET`.
pub(crate) const OFFSET_INVERSE: f64 = 1.0 / (1u64 << OFFSET) as f64;

/// The smallest argument whose exponential is not certainly zero.
#[inline(always)]
pub(crate) fn floor<V: Lane>(x: V) -> V {
    x.at_least(x.constant(-104.0, -746.0))
}

/// `eˣ`; below 0.6 ULP.
#[inline(always)]
pub fn exp<V: Lane>(x: V) -> V {
    let top = x.constant(89.0, 710.0);
    let clamped = floor(x).at_most(top);
    // e^x = e^(x/2)·e^(x/2) would lose digits; take x − 32·ln 2 worth of exponent apart instead.
    let e = reduce(clamped, None);
    // Two factors, since 2^k alone may be out of range at either end.
    e.rounded() * OFFSET_INVERSE * e.scale
}

/// `eˣ − 1` as a pair, for `x <= 0` above [`floor`].
#[inline(always)]
pub(crate) fn exp_m1_pair<V: Lane>(x: V) -> Pair<V> {
    let e = reduce(x, None);
    let power = e.power();
    // (2^k − 1) + 2^k r + 2^k tail; the first difference is exact or far from the rest.
    let sum = Pair::sum(power - 1.0, power * e.r);
    Pair::sum(sum.high, power.mul_add(e.tail, sum.low))
}

/// `eˣ − 1` for `x <= 0`.
#[inline(always)]
pub fn exp_m1<V: Lane>(x: V) -> V {
    exp_m1_pair(x.at_least(x.constant(-20.0, -40.0))).round()
}
