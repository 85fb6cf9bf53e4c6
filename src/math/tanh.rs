//! The hyperbolic tangent, its slope, and what it leaves of its argument.

use super::Pair;
use super::exp::{Split, split, split_careful};
use super::gate::{HALVES_OFFSET, halves};
use super::poly::{self, double, monic_horner};
use super::wide::{Grade, wide};
use crate::lane::{Half, Lane};

/// The argument of the exponential in `tanh(x)`, `−2 |x|`, limited to where the result is not 1.
#[inline(always)]
fn argument<V: Lane>(x: V) -> V {
    let a = x.abs().at_most(x.splat(20.0));
    -(a + a)
}

/// `(1 − e) / (1 + e)` for an exponential `e <= 1` as a quotient, the inverse of the divisor and the
/// remainder.
#[inline(always)]
fn divided<V: Lane>(e: Split<V>) -> (V, V, V) {
    let one = e.p.splat(1.0);
    let two = e.p.splat(2.0);
    // e = 2^k (1 + p + low): the power of two first, exact in minus and lost.
    let minus = one - e.scale;
    let lost = (one - minus) - e.scale;
    let n = e.scale.neg_mul_add(e.p, minus);
    let n_low = e.scale.neg_mul_add(e.p, (minus - n) + lost);
    let n_low = e.scale.neg_mul_add(e.low, n_low);
    // 1 + e = 2 − (1 − e): additions, since multiplications have enough to do; 2 − d is exact.
    let d = two - n;
    let d_low = ((two - d) - n) - n_low;
    let inverse = one / d;
    let quotient = n * inverse;
    let remainder = quotient.neg_mul_add(d_low, quotient.neg_mul_add(d, n) + n_low);
    (quotient, inverse, remainder)
}

/// `tanh(|x| + low)` as a pair, for any `x`; relative error about 2^-57.
#[inline(always)]
pub(crate) fn tanh_pair<V: Lane>(x: V, low: Option<V>) -> Pair<V> {
    let e = split_careful::<V, true>(argument(x), low.map(|low| low * -2.0), 0);
    let (quotient, inverse, remainder) = divided(e);
    Pair { high: quotient, low: inverse * remainder }
}

/// `tanh(x) = x N(x²) / D(x²)` for `|x| <= 9.2`, for `f32` values in `f64` lanes, made by `tools/rational.py tanh`:
/// degrees 5 over 4, leading coefficient of the divisor 1, relative error 2^-29.13.
const TOP: [f64; 6] = [
    786022.5874137834,
    107459.53379486059,
    3032.115954254991,
    21.843830281238347,
    0.02363215075402904,
    -9.29179038767185e-06,
];
const BOTTOM: [f64; 4] =
    [786022.5887472042, 369467.05085605656, 21384.807622386088, 308.0919388519131];

/// `tanh(x)` of `f32` values in `f64` lanes; ±1 within 2^-29 from 9.2 on.
#[inline(always)]
pub(crate) fn tanh_wide<W: Lane>(x: W) -> W {
    let limit = x.splat(9.2);
    let x = x.at_least(-limit).at_most(limit);
    let z = x * x;
    x * double(z, &TOP) / monic_horner(z, &BOTTOM)
}

/// `c` in `tanh x = x + x³ c(x²)` for `|x| <= 1`, in `f32`: degree 6, error 2^-27.67, made by `tools/tanh.py`.
const NEAR: [f32; 7] =
    [-0.33333296, 0.13332346, -0.053879846, 0.021486683, -0.007946037, 0.002301254, -0.00035840677];
/// `g` in `eʳ = 1 + r g(r)` for `|r| <= ln 2 / 2`, in `f32`: degree 5, error 2^-28.23 of `eʳ`, made by `tools/tanh.py`.
const G: [f32; 6] = [1.0, 0.49999994, 0.1666652, 0.041668236, 0.008368824, 0.0013823519];

/// The hyperbolic tangent, within 0.94 ULP (f32), 0.84 ULP (f64) over the whole line; keeps the sign of zero.
#[inline(always)]
pub fn tanh<V: Lane>(x: V) -> V {
    finish(x, begin(x))
}

/// The exponential in [`tanh`].
#[inline(always)]
pub(crate) fn begin<V: Lane>(x: V) -> Half<V> {
    if V::SINGLE {
        let half = divisor(x);
        return [half, half, half];
    }
    let e = split(argument(x), None, 0);
    [e.p, e.low, e.scale]
}

/// The quotient in [`tanh`].
#[inline(always)]
pub(crate) fn finish<V: Lane>(x: V, half: Half<V>) -> V {
    let [p, low, scale] = half;
    if V::SINGLE {
        return near_or_far(x, p);
    }
    let (quotient, inverse, remainder) = divided(Split { p, low, scale });
    inverse.mul_add(remainder, quotient).copysign(x)
}

/// `(1 + e^|2x|) / 2` of an `f32` value.
#[inline(always)]
fn divisor<V: Lane>(x: V) -> V {
    // Beyond, the quotient is 1.
    let a = x.abs().at_most(x.splat(10.0));
    let twice = a + a;
    let (k, scale) = twice.split_scale(x.splat(core::f64::consts::LOG2_E), -1);
    // One product with the nearest ln 2: what it lacks is small beside 1 where this is used.
    let r = k.neg_mul_add(x.splat(core::f64::consts::LN_2), twice);
    scale.mul_add(r * r.poly(&G, &[0.0]), scale + 0.5)
}

/// Tanh of an `f32` value: `1 − 1 / divisor` from 1 on, where less than a third of an error in the quotient is
/// left, and below 1 a polynomial, of which the same is true.
#[inline(always)]
fn near_or_far<V: Lane>(x: V, divisor: V) -> V {
    let one = x.splat(1.0);
    let far = one - one / divisor;
    let square = x * x;
    let near = (square * x).mul_add(square.poly(&NEAR, &[0.0]), x);
    V::select(x.abs().lt(one), near, far).copysign(x)
}

/// The same to 2^-31, and nearer to ±1 beyond 9.2: for the square and for `x − tanh(x)`.
#[inline(always)]
pub(crate) fn tanh_full_wide<W: Lane>(x: W) -> W {
    let limit = x.splat(10.0);
    let x = x.at_least(-limit).at_most(limit);
    let e = wide(x + x, Grade::Relative);
    e.minus_one() / e.plus(1.0)
}

/// `1 − tanh²(|x| + low)`, within 1 ULP over the whole line.
#[inline(always)]
pub(crate) fn tanh_slope<V: Lane>(x: V, low: Option<V>) -> V {
    // 4 σ(2x) σ(−2x): no difference of close numbers.
    let a = x.abs().at_most(x.splat(400.0));
    let h = halves(a * 2.0, low.map(|low| low * 2.0));
    let y = h.small.times_pair(h.large).round();
    y * h.scale * (4.0 * 2f64.powi(-HALVES_OFFSET))
}

/// `1 − tanh²(x)` of `f32` values in `f64` lanes.
#[inline(always)]
pub(crate) fn tanh_slope_wide<W: Lane>(x: W) -> W {
    let a = x.abs().at_most(x.splat(60.0));
    let e = wide(a * -2.0, Grade::Value);
    let d = e.plus(1.0);
    e.value() * 4.0 / (d * d)
}

/// `c` in `x − tanh x = x³ / (3 + x² c(x²))` for `|x| <= 1`: degree 8, error 2^-62.88 relative to
/// the divisor, made by `tools/tanh.py`.
const REST: [f64; 9] = [
    1.2,
    -0.005714285714283965,
    0.0002539682539445875,
    -1.220366918970659e-05,
    5.987657246207709e-07,
    -2.9563789583309237e-08,
    1.4609274832099236e-09,
    -7.080993113408126e-11,
    2.801652497134585e-12,
];
/// The same for `|x| <= 0.6`: degree 3, error 2^-38.62.
const REST_WIDE: [f64; 4] =
    [1.1999999993578103, -0.005714268051108786, 0.0002538176250420963, -1.1696472488531564e-05];

/// `x − tanh(x)`, within 1 ULP over the whole line.
#[inline(always)]
pub(crate) fn tanh_rest<V: Lane>(x: V) -> V {
    let a = x.abs();
    // x³ / (3 + x² c): no difference of close numbers, where they would be close.
    let b = a.at_most(x.splat(1.5));
    let square = Pair::product(b, b);
    let cube = square.times(b);
    let term = square.times(poly::nested(square.high, &REST));
    let near = cube.divide(term.under(x.splat(3.0))).round();
    // Beyond, at least a fifth of x is left.
    let t = tanh_pair(x, None);
    let far = Pair::sum(a, -t.high);
    let far = far.high + (far.low - t.low);
    let far = V::select(a.gt(x.splat(1e17)), a, far);
    V::select(a.lt(x.splat(1.0)), near, far).copysign(x)
}

/// `x − tanh(x)` of `f32` values in `f64` lanes.
#[inline(always)]
pub(crate) fn tanh_rest_wide<W: Lane>(x: W) -> W {
    // Of the absolute value, since the exponential's errors at x and −x differ.
    let a = x.abs();
    let square = x * x;
    let near = square * a / square.mul_add(double(square, &REST_WIDE), x.splat(3.0));
    W::select(a.lt(x.splat(0.6)), near, a - tanh_full_wide(a)).copysign(x)
}
