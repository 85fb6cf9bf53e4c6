//! The exponential: the base of most of the catalogue.
//!
//! `x = k ln 2 + r` with an integer `k` and `|r| <= ln 2 / 2`, then `eˣ = 2^k (1 + p + low)`, where
//! `p` is `eʳ − 1` rounded to one lane and `low` what that rounding left out.

use super::Pair;
use super::poly::Table;
use super::wide::{Grade, wide};
use crate::lane::{DoubleKernel, Lane, Mask};

/// `q` in `eʳ = 1 + r + r² q(r)` for `|r| <= ln 2 / 2`, made by `tools/exp.py`. Errors relative to
/// `eʳ − 1`: 2^-31.08 in f32 (degree 5), 2^-61.56 in f64 (degree 10).
const Q_SINGLE: [f32; 6] = [0.5, 0.16666666, 0.04166649, 0.008333556, 0.0013932682, 0.00019752566];
const Q_DOUBLE: [f64; 11] = [
    0.5,
    0.16666666666666677,
    0.04166666666666663,
    0.008333333333321445,
    0.0013888888888911976,
    0.00019841269886563837,
    2.480158726099683e-05,
    2.7557243784349195e-06,
    2.755733330197904e-07,
    2.5109182843205753e-08,
    2.0895374529460503e-09,
];
static Q: Table<6, 11> = Table::new(Q_SINGLE, Q_DOUBLE);

/// The same with errors relative to `eʳ`: 2^-28.23 in f32 (degree 4), 2^-57.88 in f64 (degree 9).
pub(crate) const Q_SHORT_SINGLE: [f32; 5] =
    [0.49999994, 0.1666652, 0.041668236, 0.008368825, 0.0013823535];
pub(crate) const Q_SHORT_DOUBLE: [f64; 10] = [
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
];
static Q_SHORT: Table<5, 10> = Table::new(Q_SHORT_SINGLE, Q_SHORT_DOUBLE);

/// `α 2^(j/8)` for `α = 1.0877149084811752`, which makes all eight `f32` numbers to 2^-28.4; made by `tools/gelu.py`.
pub(crate) const EIGHTHS: [f32; 8] =
    [1.0877149, 1.1861615, 1.2935183, 1.4105917, 1.5382612, 1.6774857, 1.8293111, 1.9948779];

/// 1.5 · 2²³: sums of it and an `f32` number are rounded to integers, which their lowest bits hold.
pub(crate) const LARGE: f32 = 12_582_912.0;

/// `eˣ = (1 + p + low) · 2^k` with `2^k = scale · 2^-offset`; `1 + p` is in about `[0.7, 1.42]`.
#[derive(Clone, Copy)]
pub(crate) struct Split<V> {
    /// `eʳ − 1`, rounded.
    pub(crate) p: V,
    /// What is missing in `p`: less than an ULP of `p` and what the caller's low part of `x` adds.
    pub(crate) low: V,
    /// `2^(k + offset)`.
    pub(crate) scale: V,
}

/// Cody and Waite's reduction: `x = k ln 2 + high − low` and `2^(k + offset)`.
#[inline(always)]
fn reduced<V: Lane>(x: V, offset: i32) -> (V, V, V) {
    let (k, scale) = x.split_scale(x.splat(core::f64::consts::LOG2_E), offset);
    // The high part of ln 2 has few enough bits that its products with k are exact.
    let high = k.neg_mul_add(x.constant(0.69314575, 0.6931471805592082), x);
    (high, k * x.constant(1.4286068e-6, 7.371002565167799e-13), scale)
}

/// Splits the exponential of `x + low`. `k = round(x / ln 2)`, and `k + offset` must be the
/// exponent of a normal number: with offset 0, `x` in `[-87, 88]` (f32), `[-708, 709]` (f64). The
/// error of `p + low` is about 2^-26 (f32), 2^-57 (f64) of `p`.
#[inline(always)]
pub(crate) fn split<V: Lane>(x: V, low: Option<V>, offset: i32) -> Split<V> {
    split_as::<V, false>(x, low, offset)
}

/// [`split`] that takes the rounding of `r` and of the polynomial (`f64` only) out of the small
/// terms too, where they are up to 2^-56 of `eʳ`: for differences that double the relative error.
#[inline(always)]
pub(crate) fn split_careful<V: Lane>(x: V, low: Option<V>, offset: i32) -> Split<V> {
    split_as::<V, true>(x, low, offset)
}

#[inline(always)]
fn split_as<V: Lane, const CAREFUL: bool>(x: V, low: Option<V>, offset: i32) -> Split<V> {
    let (high, ln_low, scale) = reduced(x, offset);
    let r = high - ln_low;
    // The low part of the reduction goes into the small terms: the rounding of r does not count.
    let q = if CAREFUL { Q.sooner(r) } else { Q.at(r) };
    let rest = (r * r).neg_mul_add(q, ln_low);
    let p = high - rest;
    let mut left = (high - p) - rest;
    if CAREFUL {
        left = ((high - r) - ln_low).mul_add(p, left);
    }
    if let Some(low) = low {
        // e^(r + low) = e^r + low (1 + p), short of squares.
        left = left + low.mul_add(p, low);
    }
    Split { p, low: left, scale }
}

/// `e^(x + low) = (1 + high − rest) · 2^k` with `2^k = scale · 2^-offset`.
#[derive(Clone, Copy)]
pub(crate) struct Terms<V> {
    /// Exact.
    pub(crate) high: V,
    /// Below 0.07, rounded.
    pub(crate) rest: V,
    /// `2^(k + offset)`.
    pub(crate) scale: V,
}

/// [`split`] with a shorter polynomial, before the terms are added: good for `1 + high − rest`, not for small values of
/// `high − rest`.
#[inline(always)]
pub(crate) fn terms<V: Lane>(x: V, low: Option<V>, offset: i32) -> Terms<V> {
    let (high, ln_low, scale) = reduced(x, offset);
    let ln_low = if let Some(low) = low { ln_low - low } else { ln_low };
    let r = high - ln_low;
    Terms { high, rest: (r * r).neg_mul_add(Q_SHORT.at(r), ln_low), scale }
}

/// `factor · (eˣ − 1)` for `x` in `[-40, 40]` and a power of two as `factor`, with fewer steps than [`exp_m1_pair`],
/// within 0.9 ULP; keeps the sign of zero.
#[inline(always)]
pub(crate) fn exp_m1_short<V: Lane>(x: V, factor: V) -> V {
    let (high, ln_low, scale) = reduced(x, 0);
    let r = high - ln_low;
    let p = high - (r * r).neg_mul_add(Q.at(r), ln_low);
    let scale = scale * factor;
    scale.mul_sub(p, factor - scale)
}

/// Puts the powers of two of subnormal results among the normal numbers.
const OFFSET: i32 = 64;

/// The smallest argument whose exponential is not certainly zero.
#[inline(always)]
pub(crate) fn floor<V: Lane>(x: V) -> V {
    x.at_least(x.constant(-104.0, -746.0))
}

/// `eˣ`, within 1 ULP over the whole line, subnormal results included; `+∞` from overflow on.
#[inline(always)]
pub fn exp<V: Lane>(x: V) -> V {
    let x = floor(x).at_most(x.constant(89.0, 710.0));
    // Two factors, since 2^k alone is out of range at the upper end.
    let Terms { high, rest, scale } = terms(x, None, -1);
    let p = high - rest;
    let y = scale.mul_add(p, scale) * 2.0;
    // Below the normal numbers the power of two needs an offset the other way.
    let tiny = x.lt(x.constant(-86.0, -707.0));
    if tiny.any() {
        let (_, scale) = x.split_scale(x.splat(core::f64::consts::LOG2_E), OFFSET);
        return V::select(tiny, scale.mul_add(p, scale) * 2f64.powi(-OFFSET), y);
    }
    y
}

/// `eˣ − 1` as a pair from [`split_careful`] with offset 0, for `x + low` in `[-700, 660]`. The relative error
/// is about 2^-57, also near 0.
#[inline(always)]
pub(crate) fn exp_m1_pair<V: Lane>(p: V, low: V, scale: V) -> Pair<V> {
    // (2^k − 1) + 2^k p: the first is zero or the larger one.
    let base = scale - 1.0;
    let high = scale.mul_add(p, base);
    let rest = scale.mul_add(p, base - high);
    Pair { high, low: scale.mul_add(low, rest) }
}

/// `eˣ − 1`, within 1 ULP over the whole line; `+∞` from overflow on; keeps the sign of zero.
#[inline(always)]
pub fn exp_m1<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let x = x.at_least(x.splat(-40.0)).at_most(x.splat(100.0));
            wide(x, Grade::Relative).minus_one()
        }
    }
    if V::SINGLE {
        return x.through_double(K);
    }
    let z = x.at_least(x.splat(-40.0)).at_most(x.splat(710.0));
    // Half of the result, since 2^k is out of range at the upper end.
    let e = split_careful(z, None, -1);
    let base = e.scale - 0.5;
    let high = e.scale.mul_add(e.p, base);
    let rest = e.scale.mul_add(e.p, base - high);
    let y = (high + e.scale.mul_add(e.low, rest)) * 2.0;
    // The half of a subnormal number would lose a digit; there the result is x.
    V::select(x.abs().lt(x.splat(1e-290)), z, y.copysign(x))
}
