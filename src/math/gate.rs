//! The logistic function and what is multiplied by it: `n · σ(z)` and its slope.

use super::Pair;
use super::exp::{LARGE, Terms, split, split_careful, terms};
use super::poly::from_root;
use super::wide::{Grade, wide, wide_from, wide_reduced};
use crate::lane::{DoubleKernel, Eighths, Half, Lane, Mask, WideHalf};

/// Divisors are carried at `2^-OFFSET` (f32, f64), so that quotients reach far below the normal
/// numbers before one multiplication puts them there.
const OFFSET: (i32, i32) = (40, 192);

/// Below this (f32, f64) even `x · σ(x)` is zero.
const FLOOR: (f64, f64) = (-112.0, -830.0);
/// The same for `f32` values in `f64` lanes, where e^z is multiplied or divided by a parameter afterwards: e^-240 times the
/// largest `f32`, or over the least, is 0 in `f32`.
pub(crate) const FLOOR_WIDE: f64 = -240.0;
/// Above this σ is 1.
const TOP: (f64, f64) = (40.0, 60.0);

#[inline(always)]
fn pick<V: Lane>(values: (f64, f64)) -> f64 {
    if V::SINGLE { values.0 } else { values.1 }
}

/// Limits `z` to where σ(z) is neither certainly 0 nor certainly 1.
#[inline(always)]
pub(crate) fn clamp<V: Lane>(z: V) -> V {
    z.at_least(z.splat(pick::<V>(FLOOR))).at_most(z.splat(pick::<V>(TOP)))
}

/// `numerator · σ(z + low)` for a clamped `z`, within 0.93 ULP; `numerator` below 2^80 in magnitude.
#[inline(always)]
pub(crate) fn gate<V: Lane>(numerator: V, z: V, low: Option<V>) -> V {
    let e = split_careful(-z, low.map(|low| -low), -offset::<V>());
    gate_finish(numerator, gate_middle([e.p, e.low, e.scale]))
}

/// The exponential of [`gate`] with a little less care.
#[inline(always)]
pub(crate) fn gate_begin<V: Lane>(z: V, low: Option<V>) -> Half<V> {
    let e = split(-z, low.map(|low| -low), -offset::<V>());
    [e.p, e.low, e.scale]
}

/// The divisor after [`gate_begin`], for [`gate_finish`].
#[inline(always)]
pub(crate) fn gate_middle<V: Lane>([p, low, scale]: Half<V>) -> Half<V> {
    let one = unit::<V>(p);
    // 1 + 2^k + 2^k p. The two powers come first: their sum is larger than the third term.
    let powers = scale + one;
    let lost = one - (powers - scale);
    let divisor = scale.mul_add(p, powers);
    let left = scale.mul_add(p, powers - divisor) + scale.mul_add(low, lost);
    [p.splat(1.0) / divisor, divisor, left]
}

/// The quotient by a divisor, which is given with its inverse and with what its rounding left out.
#[inline(always)]
pub(crate) fn gate_finish<V: Lane>(numerator: V, half: Half<V>) -> V {
    divided(numerator, half) * 2f64.powi(-offset::<V>())
}

/// The exponential of [`gate`] with a shorter polynomial.
#[inline(always)]
pub(crate) fn gate_short_begin<V: Lane>(z: V, low: Option<V>) -> Half<V> {
    let Terms { high, rest, scale } = terms(-z, low.map(|low| -low), -offset::<V>());
    [high, rest, scale]
}

/// The same as [`gate_middle`] with fewer steps, after [`gate_short_begin`]: the quotient is within 0.83 ULP.
#[inline(always)]
pub(crate) fn gate_short_middle<V: Lane>([high, rest, scale]: Half<V>) -> Half<V> {
    let one = unit::<V>(high);
    // 1 + 2^k + 2^k (high − rest). The two powers come first: their sum is more than twice the others, so that
    // the difference to the divisor is exact.
    let powers = scale + one;
    let lost = one - (powers - scale);
    let divisor = scale.neg_mul_add(rest, scale.mul_add(high, powers));
    let left = scale.neg_mul_add(rest, scale.mul_add(high, powers - divisor)) + lost;
    [high.splat(1.0) / divisor, divisor, left]
}

/// `numerator / (divisor + left)` with one division: its exact remainder and the low part of the divisor correct the
/// quotient.
#[inline(always)]
fn divided<V: Lane>(numerator: V, [inverse, divisor, left]: Half<V>) -> V {
    let quotient = numerator * inverse;
    // Signs are such that a zero keeps its own.
    let excess = quotient.mul_add(left, quotient.mul_sub(divisor, numerator));
    inverse.neg_mul_add(excess, quotient)
}

/// The power of two that [`gate`] and the like multiply the divisor by.
#[inline(always)]
fn offset<V: Lane>() -> i32 {
    if V::SINGLE { OFFSET.0 } else { OFFSET.1 }
}

/// 1 at `2^-OFFSET`.
#[inline(always)]
fn unit<V: Lane>(like: V) -> V {
    like.splat(2f64.powi(-offset::<V>()))
}

/// `β 2^(j/8)` to 2^-27.48, `β = 0.9706415`; made by `tools/exp.py`. The last bit of the first is 0: so `1 + β` is exact,
/// `1 + β (1 + p(0))` rounds to 2, and the excess of the quotient of a tiny number is none.
static FACTORS: Eighths = Eighths::new(
    [0.9706415, 1.0584921, 1.1542938, 1.2587663, 1.3726944, 1.4969338, 1.6324179, 1.7801644],
    -OFFSET.0,
);
/// `p` in `eʳ = β (1 + p(r))` for `|r| <= HALF`, by the same: degree 4, error 2^-32.18 of `eʳ`.
const CENTERED: [f64; 5] = [0.030246494, 1.0302465, 0.51512295, 0.17172028, 0.043027036];
/// `p` in `e^(r − HALF) = β (1 + p(r))` for `r` from 0 to `2 HALF`: error 2^-32.59 of the left side. All but the first are
/// positive: so `p` never falls where `r` grows, in spite of its roundings.
const RISING: [f64; 5] = [-0.013432577, 0.9865674, 0.49328768, 0.16429637, 0.042882785];
/// Half of an eighth of ln 2.
const HALF: f64 = 0.0433217;
/// An eighth of ln 2 in two parts, for `f32`.
const EIGHTH: (f64, f64) = (core::f32::consts::LN_2 as f64 / 8.0, -1.904_654_2e-9 / 8.0);

/// The exponential of `-(z + low)` for `f32` and a clamped `z`, reduced: what is left beside eighths of ln 2, and their
/// number. By eighths of powers of two the polynomial is so small that its rounding hardly counts. `RISES`: no rounding
/// lets σ fall where `z` grows, at the cost of one more.
#[inline(always)]
pub(crate) fn single_begin<V: Lane, const RISES: bool>(z: V, low: Option<V>) -> Half<V> {
    let x = -z;
    let large = z.splat(f64::from(LARGE));
    let shifted = x.mul_add(z.splat(8.0 * core::f64::consts::LOG2_E), large);
    let k = shifted - large;
    let r = k.neg_mul_add(z.splat(EIGHTH.0), x);
    // The part with the low digits beside it.
    let r = match low {
        None if RISES => r + k.neg_mul_add(z.splat(EIGHTH.1), z.splat(HALF)),
        None => k.neg_mul_add(z.splat(EIGHTH.1), r),
        Some(low) => r - k.mul_add(z.splat(EIGHTH.1), low),
    };
    [r, shifted, r]
}

/// After [`single_begin`], at `2^-OFFSET`: `1 + e^-z` rounded, and the exponential as `(1 + p) · scale`.
#[inline(always)]
pub(crate) fn single_middle<V: Lane, const RISES: bool>([r, shifted, _]: Half<V>) -> Half<V> {
    let c = if RISES { RISING } else { CENTERED };
    let mut p = r.splat(c[4]);
    for &c in c[..4].iter().rev() {
        p = p.mul_add(r, r.splat(c));
    }
    let scale = shifted.scale_by_eighths(&FACTORS);
    [scale.mul_add(p, scale + unit::<V>(r)), p, scale]
}

/// `numerator / (1 + e^-z)` at `2^OFFSET` after [`single_middle`].
#[inline(always)]
fn single_divided<V: Lane>(numerator: V, [divisor, p, scale]: Half<V>) -> V {
    let one = unit::<V>(p);
    // The larger one first: where both differences are not exact, what they lose is far below the divisor's digits.
    let (large, small) = (scale.at_least(one), scale.at_most(one));
    let left = scale.mul_add(p, small - (divisor - large));
    divided(numerator, [p.splat(1.0) / divisor, divisor, left])
}

/// `x · σ(z)` after [`single_middle`], with `x` for all `x` from where σ(z) is 1 on: `z` has the sign of `x` and is limited
/// there. `x` is at least where the result is zero.
#[inline(always)]
pub(crate) fn single_finish<V: Lane>(x: V, half: Half<V>) -> V {
    // A number of all ones: of any larger x the difference to it can be added to it again without a trace.
    let top = x.splat(LARGEST);
    // The sign of a zero is that of the product.
    let above = (x - top).at_least(x.splat(-0.0));
    single_divided(x.at_most(top), half).mul_add(x.splat(2f64.powi(-OFFSET.0)), above)
}

/// The largest number below 2^80.
const LARGEST: f64 = (1u128 << 80) as f64 - (1u128 << 56) as f64;

/// The logistic function `σ(x) = 1 / (1 + e⁻ˣ)`, within 0.83 ULP (f32), 0.82 ULP (f64) over the whole line.
#[inline(always)]
pub fn sigmoid<V: Lane>(x: V) -> V {
    sigmoid_finish(sigmoid_middle::<V, true>(sigmoid_begin::<V, true>(x)))
}

/// The exponential of [`sigmoid`], and of [`silu`] where it need not [rise](single_begin).
#[inline(always)]
pub(crate) fn sigmoid_begin<V: Lane, const RISES: bool>(x: V) -> Half<V> {
    if V::SINGLE {
        single_begin::<V, RISES>(clamp(x), None)
    } else {
        gate_short_begin(clamp(x), None)
    }
}

/// The divisor of [`sigmoid`] and of [`silu`].
#[inline(always)]
pub(crate) fn sigmoid_middle<V: Lane, const RISES: bool>(half: Half<V>) -> Half<V> {
    if V::SINGLE { single_middle::<V, RISES>(half) } else { gate_short_middle(half) }
}

/// The quotient of [`sigmoid`].
#[inline(always)]
pub(crate) fn sigmoid_finish<V: Lane>(half: Half<V>) -> V {
    let one = half[0].splat(1.0);
    if V::SINGLE {
        return single_divided(one, half) * 2f64.powi(-OFFSET.0);
    }
    gate_finish(one, half)
}

/// `x · σ(x)`, within 0.83 ULP over the whole line; `−0` at `−∞`.
#[inline(always)]
pub fn silu<V: Lane>(x: V) -> V {
    silu_finish(x, sigmoid_middle::<V, false>(sigmoid_begin::<V, false>(x)))
}

/// The quotient of [`silu`].
#[inline(always)]
pub(crate) fn silu_finish<V: Lane>(x: V, half: Half<V>) -> V {
    let x = x.at_least(x.splat(pick::<V>(FLOOR)));
    if V::SINGLE {
        return single_finish(x, half);
    }
    V::select(x.gt(x.splat(TOP.1)), x, gate_finish(x, half))
}

/// `x · σ(z)` of `f32` values in `f64` lanes, from [`wide_reduced`] of `−z`.
#[inline(always)]
pub(crate) fn over_wide<W: Lane>(x: W, half: WideHalf<W>) -> W {
    x / wide_from(half, Grade::Value).plus(1.0)
}

/// The exponential in `x · σ(beta · x)`, for `f64` lanes and a positive `beta` given as a pair.
#[inline(always)]
pub(crate) fn swish_begin<V: Lane>(x: V, beta: (f64, f64)) -> Half<V> {
    let x = x.at_least(x.splat(FLOOR.1 / beta.0)).at_most(x.splat(TOP.1 / beta.0));
    let z = Pair::constant(x, beta).times(x);
    gate_begin(z.high, Some(z.low))
}

/// `x · σ(beta · x)` after [`swish_begin`], within 0.83 ULP.
#[inline(always)]
pub(crate) fn swish_finish<V: Lane>(x: V, beta: f64, half: Half<V>) -> V {
    let x = x.at_least(x.splat(FLOOR.1 / beta));
    V::select(x.gt(x.splat(TOP.1 / beta)), x, gate_finish(x, gate_middle(half)))
}

/// The first steps of `x · σ(beta · x)` of `f32` values in `f64` lanes, for a positive `beta`.
#[inline(always)]
pub(crate) fn swish_wide_begin<W: Lane>(x: W, beta: f64) -> WideHalf<W> {
    let x = x.at_least(x.splat(FLOOR_WIDE / beta));
    wide_reduced(-(x * beta).at_most(x.splat(TOP.0)))
}

/// The rest after [`swish_wide_begin`].
#[inline(always)]
pub(crate) fn swish_wide_finish<W: Lane>(x: W, beta: f64, half: WideHalf<W>) -> W {
    over_wide(x.at_least(x.splat(FLOOR_WIDE / beta)), half)
}

/// `σ(−|z|) = small · scale`, `σ(|z|) = large`, as pairs.
#[derive(Clone, Copy)]
pub(crate) struct Halves<V> {
    pub(crate) large: Pair<V>,
    pub(crate) small: Pair<V>,
    /// A power of two times `2^OFFSET`.
    pub(crate) scale: V,
    /// The same without the offset, rounded where that is subnormal.
    pub(crate) power: V,
}

/// Both halves of the logistic function, for `|z|` up to 830 (f64). `low` belongs to `z`.
#[inline(always)]
pub(crate) fn halves<V: Lane>(z: V, low: Option<V>) -> Halves<V> {
    let one = z.splat(1.0);
    let away = low.map(|low| V::select(z.lt(z.splat(0.0)), low, -low));
    let e = split(-z.abs(), away, HALVES_OFFSET);
    let power = e.scale * 2f64.powi(-HALVES_OFFSET);
    let powers = power + one;
    let lost = power - (powers - one);
    let high = power.mul_add(e.p, powers);
    let rest = power.mul_add(e.p, powers - high) + power.mul_add(e.low, lost);
    let inverse = one / high;
    let remainder = inverse.neg_mul_add(rest, inverse.neg_mul_add(high, one));
    let large = Pair { high: inverse, low: inverse * remainder };
    let mantissa = Pair::sum(one, e.p).plus_low(e.low);
    Halves { large, small: mantissa.times_pair(large), scale: e.scale, power }
}

/// Powers of two of [`Halves`] are carried with this exponent added.
pub(crate) const HALVES_OFFSET: i32 = 256;

/// σ'(z) = σ(z) (1 − σ(z)), within 1 ULP over the whole line.
#[inline(always)]
pub(crate) fn sigmoid_slope<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let e = wide((-x.abs()).at_least(x.splat(FLOOR.0)), Grade::Value);
            let d = e.plus(1.0);
            e.value() / (d * d)
        }
    }
    if V::SINGLE {
        x.through_double(K)
    } else {
        let h = halves((-x.abs()).at_least(x.splat(FLOOR.1)), None);
        let y = h.small.times_pair(h.large).round();
        y * h.scale * 2f64.powi(-HALVES_OFFSET)
    }
}

/// The zero of `1 + z (1 − σ(z))`, as a pair; made by `tools/slope.py`.
const ROOT: (f64, f64) = (-1.2784645427610737, -1.0946994183093437e-16);
/// The slope of the slope there, as a pair.
const ROOT_SLOPE: (f64, f64) = (0.2178117057198001, -3.974332795880862e-18);
/// `rest` in `d/dz (z σ(z)) = t (ROOT_SLOPE + t rest(t))`, `t = z − ROOT`, for `|t| <= 1/8`: degree 8,
/// relative error 2^-54.97, made by `tools/slope.py`.
const NEAR_ROOT: [f64; 9] = [
    0.14664879699694697,
    0.01887481422379434,
    -0.015222655223259605,
    -0.006606589145857013,
    0.00012662743084367747,
    0.0007985233355237228,
    0.0001857047951093398,
    -4.1016477686035226e-05,
    -2.960752597180793e-05,
];

/// `d/dx (x σ(beta x))` in `f64` lanes, for a positive `beta` given as a pair, within 2 ULP.
#[inline(always)]
pub(crate) fn swish_slope<V: Lane>(x: V, beta: (f64, f64)) -> V {
    let bound = x.splat(FLOOR.1 / beta.0);
    let z = Pair::constant(x, beta).times(x.at_least(bound).at_most(-bound));
    silu_slope(z.high, Some(z.low))
}

/// `d/dz (z σ(z)) = σ(z) (1 + z (1 − σ(z)))` at `z + low`, within 2 ULP over the whole line,
/// relative to the result also near its zero.
#[inline(always)]
pub(crate) fn silu_slope<V: Lane>(z: V, low: Option<V>) -> V {
    let z = z.at_least(z.splat(FLOOR.1)).at_most(z.splat(-FLOOR.1));
    let y = slope(z, low, Pair { high: z, low: low.unwrap_or(z.splat(0.0)) });
    // Close to the zero the two terms cancel: there a polynomial that has the zero as a factor.
    let near = (z + 1.28).abs().lt(z.splat(0.125));
    if near.any() {
        let rest = z.splat(-ROOT.1);
        let rest = if let Some(low) = low { rest + low } else { rest };
        return V::select(near, from_root(z - ROOT.0, rest, ROOT_SLOPE, &NEAR_ROOT), y);
    }
    y
}

/// `σ(z) (1 + v (1 − σ(z)))` at `z + low` for `|z|` up to 830; the error is small beside `σ(z)`.
#[inline(always)]
pub(crate) fn slope<V: Lane>(z: V, low: Option<V>, v: Pair<V>) -> V {
    let h = halves(z, low);
    let one = z.splat(1.0);
    let negative = z.lt(z.splat(0.0));
    let small = h.small.scale(h.power);
    let complement = Pair::select(negative, h.large, small);
    let product = v.times_pair(complement);
    let factor = Pair::two_sum(one, product.high).plus_low(product.low);
    let sigma = Pair::select(negative, h.small, h.large);
    let y = sigma.times_pair(factor).round();
    V::select(negative, y * h.scale * 2f64.powi(-HALVES_OFFSET), y)
}

/// [`silu_slope`] of `f32` values in `f64` lanes.
#[inline(always)]
pub(crate) fn silu_slope_wide<W: Lane>(z: W) -> W {
    let z = z.at_least(z.splat(FLOOR.0)).at_most(z.splat(-FLOOR.0));
    slope_wide(z, z)
}

/// `σ(z) (1 + v (1 − σ(z)))` for `|z|` up to 300.
#[inline(always)]
pub(crate) fn slope_wide<W: Lane>(z: W, v: W) -> W {
    let e = wide(-z, Grade::Full);
    let sigma = z.splat(1.0) / e.plus(1.0);
    let complement = e.value() * sigma;
    sigma * v.mul_add(complement, z.splat(1.0))
}
