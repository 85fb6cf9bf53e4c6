//! The logarithm and what is made of it: `ln`, `ln_1p`, softplus.
//!
//! `ln(1 + f) = 2 atanh(s)` with `s = f / (2 + f)`, an odd series in `s` that needs few terms: `s` is at
//! most 1/3 for `f` in `[0, 1]`, and at most 0.172 after the exponent of a number is taken off.

use super::Pair;
use super::exp::split;
use super::gate::FLOOR_WIDE;
use super::poly::{Table, double};
use super::wide::exp_wide;
use crate::lane::{DoubleKernel, Half, Lane};

/// `A` in `atanh(s) / s = 1 + z A(z)`, `z = s²` in `[0, 1/9]`, made by `tools/ln.py`. Errors relative to
/// `atanh(s) / s`: 2^-32.98 in f32 (degree 4), 2^-64.49 in f64 (degree 10).
static A: Table<5, 11> = Table::new(
    [0.33333337, 0.19999476, 0.14307547, 0.10722696, 0.121195816],
    [
        0.33333333333333337,
        0.19999999999997686,
        0.14285714286167794,
        0.1111111106842809,
        0.09090911380887552,
        0.07692231368348112,
        0.06668317020574671,
        0.058588598948431304,
        0.05480589073127778,
        0.035179494562413045,
        0.08200783397724488,
    ],
);

/// The same for `f32` values in `f64` lanes: degree 4, error 2^-33.05.
const A_SHORT: [f64; 5] = [
    0.3333333778716849,
    0.19999441748146657,
    0.14308352293250717,
    0.10714872824340295,
    0.12146419270201761,
];

/// ln 2, the high part with few enough bits that its products with exponents are exact.
const LN_2: (Pair<f32>, Pair<f64>) = (
    Pair { high: 0.69314575, low: 1.4286068e-6 },
    Pair { high: 0.6931471805592082, low: 7.371002565167799e-13 },
);

/// `2 atanh(s)` for `|s| <= 1/3`; the error is a 30th of an ULP of a lane.
#[inline(always)]
fn twice_atanh<V: Lane>(s: Pair<V>) -> Pair<V> {
    let z = s.high * s.high;
    let (high, low) = (s.high + s.high, s.low + s.low);
    Pair { high, low: (high * z).mul_add(A.at(z), low.mul_add(z, low)) }
}

/// `ln(m) + k ln 2` for `m` in about `[√½, √2)` and an integer `k`.
#[inline(always)]
fn ln_split<V: Lane>(m: Pair<V>, k: V) -> Pair<V> {
    // m − 1 is exact; it is 0 or larger than the low part.
    let f = Pair::sum(m.high - 1.0, m.low);
    let y = twice_atanh(f.divide(f.under(k.splat(2.0))));
    let base = k * k.constant(LN_2.0.high, LN_2.1.high);
    let low = k.mul_add(k.constant(LN_2.0.low, LN_2.1.low), y.low);
    // The base is zero or larger than the rest.
    let sum = Pair::sum(base, y.high);
    Pair::sum(sum.high, sum.low + low)
}

/// The logarithm of a positive pair, as a pair with an error of about 2^-27 (f32), 2^-57 (f64) of
/// it. The high part must be in `[2^-120, 2^120]` (f32) or `[2^-1000, 2^1000]` (f64).
#[inline(always)]
pub(crate) fn ln_pair<V: Lane>(x: Pair<V>) -> Pair<V> {
    let (m, k) = x.high.split_exponent();
    ln_split(Pair { high: m, low: x.low * (-k).exp2_integer() }, k)
}

/// `ln(1 + x)` of a non-negative pair below 2^120 (f32) or 2^1000 (f64), as a pair with an error of
/// about 2^-27 (f32), 2^-57 (f64) of it, also for small `x`.
#[inline(always)]
pub(crate) fn ln_1p_pair<V: Lane>(x: Pair<V>) -> Pair<V> {
    ln_pair(Pair::two_sum(x.high.splat(1.0), x.high).plus_low(x.low))
}

/// `ln(m + low) + k ln 2` of an `f32` argument in `f64` lanes.
#[inline(always)]
fn ln_wide<W: Lane>(m: W, low: W, k: W) -> W {
    let f = (m - 1.0) + low;
    let s = f / (f + 2.0);
    let z = s * s;
    let y = (s + s) * z;
    k.mul_add(k.splat(core::f64::consts::LN_2), y.mul_add(double(z, &A_SHORT), s + s))
}

/// `ln(1 + part / whole)` for an `f32` result in `f64` lanes, with one division, also where the part is small; neither is
/// negative.
#[inline(always)]
pub(crate) fn ln_1p_ratio<W: Lane>(part: W, whole: W) -> W {
    let (_, k) = (part + whole).split_exponent();
    let (_, k_whole) = whole.split_exponent();
    // From 2 on nothing cancels when an exponent is taken off; below, `atanh` takes it all.
    let k = W::select(part.lt(whole), part.splat(0.0), k - k_whole);
    let scaled = whole * k.exp2_integer();
    let s = ((whole - scaled) + part) / ((whole + scaled) + part);
    let z = s * s;
    let y = (s + s) * z;
    k.mul_add(k.splat(core::f64::consts::LN_2), y.mul_add(double(z, &A_SHORT), s + s))
}

/// `A` for `z` in `[0, 0.02944]`, which is `m` in `[√½, √2]`: degree 4, error 2^-44.93.
const A_OF_MANTISSA: [f64; 5] = [
    0.33333333337888044,
    0.19999997815203574,
    0.14286054138162443,
    0.11088112088278636,
    0.09791830079036133,
];

/// `ln(sum / part)` for an `f32` result in `f64` lanes, of normal numbers with at least 1 + 2^-6 as quotient; error below 2^-39
/// of the result. NaN where the sum is. About half of the steps of [`ln_1p_ratio`] lie between the sum and the result, and the
/// logarithm of the part is there before.
#[inline(always)]
pub(crate) fn ln_ratio<W: Lane>(sum: W, part: W) -> W {
    let (m, k) = sum.split_exponent();
    let (m_part, k_part) = part.split_exponent();
    let ((first, rest), (first_part, rest_part)) = (of_mantissa(m), of_mantissa(m_part));
    // The mantissa of what is not a number is one: this product is not.
    let known = (k - k_part).mul_add(k.splat(core::f64::consts::LN_2), sum * 0.0 - first_part);
    (first + (known - rest_part)) + rest
}

/// `ln m` in two terms, the first of which is there sooner.
#[inline(always)]
fn of_mantissa<W: Lane>(m: W) -> (W, W) {
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let first = s + s;
    let [c0, c1, c2, c3, c4] = A_OF_MANTISSA;
    let (low, high) = (z.splat(c1).mul_add(z, z.splat(c0)), z.splat(c3).mul_add(z, z.splat(c2)));
    let square = z * z;
    let rest = z.splat(c4).mul_add(square, high).mul_add(square, low);
    (first, first * z * rest)
}

/// `y` where `from` is positive and finite; else the logarithm's limits, or NaN below 0.
#[inline(always)]
fn limits<V: Lane>(from: V, y: V) -> V {
    let zero = from.splat(0.0);
    let infinity = from.splat(f64::INFINITY);
    let edge = V::select(from.eq(zero), -infinity, from);
    let edge = V::select(from.lt(zero), from.splat(f64::NAN), edge);
    V::select(from.gt(zero) & from.lt(infinity), y, edge)
}

/// The natural logarithm, within 0.6 ULP; −∞ at ±0, NaN below.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{Elementwise, Lane, math, prelude::*};
///
/// /// The logit, `ln(p / (1 − p))`.
/// #[derive(Clone, Copy)]
/// struct Logit;
///
/// impl Elementwise for Logit {
///     #[inline(always)]
///     fn eval<V: Lane>(self, p: V) -> V {
///         math::ln(p) - math::ln_1p(-p)
///     }
///     #[inline(always)]
///     fn derivative<V: Lane>(self, p: V) -> V {
///         p.splat(1.0) / (p * (-p + 1.0))
///     }
/// }
///
/// assert_eq!(array![0.5f32].activate(Logit), array![0.0]);
/// ```
#[inline(always)]
pub fn ln<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let (m, k) = x.split_exponent();
            ln_wide(m, x.splat(0.0), k)
        }
    }
    if V::SINGLE {
        return limits(x, x.through_double(K));
    }
    // Subnormal numbers are lifted to normal ones.
    let tiny = x.lt(x.splat(f64::MIN_POSITIVE));
    let lift = (1u64 << 54) as f64;
    let (m, k) = V::select(tiny, x * lift, x).split_exponent();
    let k = k - V::select(tiny, x.splat(54.0), x.splat(0.0));
    limits(x, ln_split(Pair::exact(m), k).round())
}

/// `ln(1 + x)` without the rounding of `1 + x`, within 0.6 ULP; −∞ at −1, NaN below.
#[inline(always)]
pub fn ln_1p<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let u = Pair::two_sum(x.splat(1.0), x);
            let (m, k) = u.high.split_exponent();
            ln_wide(m, u.low * (-k).exp2_integer(), k)
        }
    }
    let y = if V::SINGLE {
        x.through_double(K)
    } else {
        let u = Pair::two_sum(x.splat(1.0), x);
        let (m, k) = u.high.split_exponent();
        // From 2^60 on the 1 is lost anyway; 2^-k stays a normal number.
        let low = u.low * (-k).at_least(x.splat(-1000.0)).exp2_integer();
        ln_split(Pair { high: m, low }, k).round()
    };
    // ln(1 + x) rounds to x here, and x keeps its sign and its last digit.
    let y = V::select(x.abs().lt(x.constant(1e-30, 1e-290)), x, y);
    limits(x + 1.0, y)
}

/// `q` in `ln(1 + eˣ) = ln 2 + x / 2 + z q(z)`, `z = x²` in `[0, 1/4]`, made by `tools/ln.py`: degree 7, error
/// 2^-60.92 relative to `q`.
const NEAR_ZERO: [f64; 8] = [
    0.125,
    -0.005208333333333315,
    0.000347222222220325,
    -2.6351686442178123e-05,
    2.135691158752256e-06,
    -1.8031346825709982e-07,
    1.5614204314070528e-08,
    -1.2710041395229138e-09,
];
/// ln 2 as the nearest `f64` and the rest.
const LN_2_NEAREST: (f64, f64) = (core::f64::consts::LN_2, 2.3190468138462996e-17);

/// Below this even softplus is zero (f32, f64), with room for a factor.
const FLOOR: (f64, f64) = (-112.0, -830.0);
/// Powers of two are carried with this exponent added, so that results down to the smallest
/// subnormal number are reached by one multiplication with a normal number.
const OFFSET: i32 = 256;

/// Softplus, `ln(1 + eˣ)`, within 0.78 ULP over the whole line, subnormal results included.
#[inline(always)]
pub fn softplus<V: Lane>(x: V) -> V {
    softplus_scaled(x, 1.0)
}

/// `ln(1 + e^(beta x)) / beta` for a positive `beta`, within 0.78 ULP for `beta` = 1 and within 1 ULP
/// else.
#[inline(always)]
pub(crate) fn softplus_scaled<V: Lane>(x: V, beta: f64) -> V {
    if V::SINGLE {
        return x.through_double(Scaled(f64::from(beta as f32)));
    }
    softplus_finish(x, beta, softplus_begin(x, beta))
}

/// `ln(1 + e) = e N(e) / D(e)` for `e` in `[0, 1]`, for `f32` values in `f64` lanes, made by `tools/rational.py ln`:
/// degrees 3 over 3, relative error 2^-29.98.
const LN_1P_TOP: [f64; 4] =
    [0.9999999990571025, 1.066216615508358, 0.2381565022472123, 0.003417253426122322];
const LN_1P_BOTTOM: [f64; 4] = [1.0, 1.566216484885324, 0.6879343387899758, 0.07528689575011102];

/// `ln(1 + eᶻ)` for `z <= 0`, of `f32` values in `f64` lanes.
#[inline(always)]
fn softplus_tail<W: Lane>(z: W) -> W {
    let e = exp_wide(z.at_least(z.splat(FLOOR_WIDE)));
    e * double(e, &LN_1P_TOP) / double(e, &LN_1P_BOTTOM)
}

/// [`softplus_scaled`] of `f32` values.
#[derive(Clone, Copy)]
struct Scaled(f64);

impl DoubleKernel for Scaled {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let above = x.at_least(x.splat(0.0));
        // The usual beta, without the two multiplications; the bits would be the same.
        if self.0 == 1.0 {
            return softplus_tail(-x.abs()) + above;
        }
        // The product of two f32 values is exact.
        softplus_tail(x.abs() * -self.0).mul_add(x.splat(1.0 / self.0), above)
    }
}

/// The exponential in [`softplus_scaled`] of `f64` values.
#[inline(always)]
pub(crate) fn softplus_begin<V: Lane>(x: V, beta: f64) -> Half<V> {
    let bound = (FLOOR.1 / beta).max(f64::MIN);
    let away = (-x.abs()).at_least(x.splat(bound));
    let product = Pair::product(away, x.splat(beta));
    let e = split(product.high.at_least(x.splat(FLOOR.1)), Some(product.low), OFFSET);
    [e.p, e.low, e.scale]
}

/// The logarithm in [`softplus_scaled`] of `f64` values, after [`softplus_begin`].
#[inline(always)]
pub(crate) fn softplus_finish<V: Lane>(x: V, beta: f64, [p, low, scale]: Half<V>) -> V {
    let power = scale * 2f64.powi(-OFFSET);
    // e^-|beta x| = mantissa · power; the quotient s is divided by the power too, until the end.
    let mantissa = Pair::sum(x.splat(1.0), p).plus_low(low);
    let t = mantissa.scale(power);
    let s = mantissa.divide(t.under(x.splat(2.0)));
    let small = s.high * power;
    let z = small * small;
    let (high, low) = (s.high + s.high, s.low + s.low);
    let low = (high * z).mul_add(A.at(z), low.mul_add(z, low));
    let quotient = Pair::quotient(high, beta);
    let y = Pair { high: quotient.high, low: low.mul_add(x.splat(1.0 / beta), quotient.low) };
    let below = y.round() * 2f64.powi(-OFFSET) * scale;
    // Infinity has no low part.
    let top = x.splat(1e300);
    let sum = Pair::two_sum(x.at_least(x.splat(0.0)).at_most(top), y.high * power);
    let above = sum.high + y.low.mul_add(power, sum.low);
    let above = V::select(x.gt(top), x, above);
    let y = V::select(x.lt(x.splat(0.0)), below, above);
    // Near 0 many neighbours share a result, and the errors of the quotient at two of them differ by more than their
    // distance. Here ln 2 + x / 2 is exact, and the error of the rest grows more slowly than x: nothing ever falls.
    let scaled = x * beta;
    let square = scaled * scaled;
    let ln_2 = Pair::quotient(x.splat(LN_2_NEAREST.0), beta);
    let tiny = x.splat(LN_2_NEAREST.1 / beta) + ln_2.low;
    let line = Pair::sum(ln_2.high, x * 0.5);
    let rest = (square * (1.0 / beta)).mul_add(double(square, &NEAR_ZERO), tiny);
    let around = line.high + (line.low + rest);
    V::select(scaled.abs().le(x.splat(0.5)), around, y)
}

#[cfg(test)]
mod tests {
    use fearless_simd::Simd;

    use super::ln_ratio;
    use crate::lane::{Doubles, Job, Kernel, LaneIo, Level, run, with_level};

    struct Ratios<'a>(&'a [f64], &'a [f64]);

    impl Kernel for Ratios<'_> {
        type Output = [f64; 8];
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> [f64; 8] {
            let mut logs = [0.0; 8];
            ln_ratio(Doubles::load(simd, self.0), Doubles::load(simd, self.1)).store(&mut logs);
            logs
        }
    }

    /// The logarithms on the best level, after a look that they are the same on all.
    fn logs(sums: &[f64], parts: &[f64]) -> [f64; 8] {
        let all = Level::available()
            .into_iter()
            .map(|level| with_level(level, || run(Job::new(), Ratios(sums, parts))));
        let all: Vec<_> = all.collect();
        assert!(all.iter().all(|logs| logs.map(f64::to_bits) == all[0].map(f64::to_bits)));
        all[0]
    }

    #[test]
    fn logarithms_of_ratios_are_within_their_bound() {
        for i in 0..4000 {
            // From 1 + 2^-6 to 2^24, beside exponentials of softmax.
            let exponent = -6.0 + 30.0 * f64::from(i) / 4000.0;
            let parts: [f64; 8] = core::array::from_fn(|j| 2f64.powi(80) * (0.7 + 0.11 * j as f64));
            let sums = parts.map(|part| part * (1.0 + exponent.exp2()));
            for ((log, sum), part) in logs(&sums, &parts).into_iter().zip(sums).zip(parts) {
                let exact = core_math::log1p((sum - part) / part);
                assert!((log - exact).abs() < 2f64.powi(-39) * exact, "{sum} / {part}: {log}");
            }
        }
    }

    #[test]
    fn a_sum_that_is_not_a_number_has_no_logarithm() {
        assert!(logs(&[f64::NAN; 8], &[1.5; 8]).iter().all(|log| log.is_nan()));
    }
}
