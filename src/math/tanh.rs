//! The hyperbolic tangent, its slope, and what it leaves of its argument.

use super::Pair;
use super::exp::{Split, split, split_careful};
use super::gate::{HALVES_OFFSET, halves};
use super::poly::{self, double, horner, horner_on, monic_horner};
use super::wide::{Grade, wide};
use crate::lane::{Half, Lane, Octaves};

/// The argument of the exponential in `tanh(x)`, `−2 |x|`, limited to where the result is not 1.
#[inline(always)]
fn argument<V: Lane>(x: V) -> V {
    let a = x.abs().at_most(x.splat(20.0));
    -(a + a)
}

/// `1 − e` for an exponential `e <= 1`, rounded, what that left out, and the inverse of `1 + e`.
#[inline(always)]
fn terms<V: Lane>(e: Split<V>) -> Half<V> {
    let one = e.p.splat(1.0);
    // e = 2^k (1 + p + low): the power of two first, exact in minus and lost.
    let minus = one - e.scale;
    let lost = (one - minus) - e.scale;
    let n = e.scale.neg_mul_add(e.p, minus);
    let n_low = e.scale.neg_mul_add(e.p, (minus - n) + lost);
    // 1 + e = 2 − (1 − e): additions, since multiplications have enough to do.
    [n, e.scale.neg_mul_add(e.low, n_low), one / (n.splat(2.0) - n)]
}

/// `(1 − e) / (1 + e)` from [`terms`]: the quotient, the inverse of the divisor and the remainder.
#[inline(always)]
fn divided<V: Lane>([n, n_low, inverse]: Half<V>) -> (V, V, V) {
    let two = n.splat(2.0);
    // 2 − d is exact.
    let d = two - n;
    let d_low = ((two - d) - n) - n_low;
    let quotient = n * inverse;
    let remainder = quotient.neg_mul_add(d_low, quotient.neg_mul_add(d, n) + n_low);
    (quotient, inverse, remainder)
}

/// `tanh(|x| + low)` as a pair, for any `x`; relative error about 2^-57.
#[inline(always)]
pub(crate) fn tanh_pair<V: Lane>(x: V, low: Option<V>) -> Pair<V> {
    let e = split_careful(argument(x), low.map(|low| low * -2.0), 0);
    let (quotient, inverse, remainder) = divided(terms(e));
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

/// `tanh a = e + d p(d)` with `d = a − c₀` and `e = c₁ a + c₂`, for `a` in `[0, 9.08]` in `f32`: a column for each half
/// octave of `1 + 1.65 a`, in it `c₀`, `c₁`, `c₂` and the coefficients of `p`, made by `tools/octaves.py 7`. At the
/// lower end `e` is `a`, elsewhere `tanh c₀`, which is an `f32` number to 2^-32; relative error 2^-28.7.
const BY_OCTAVE: [[f32; 8]; 11] = [
    [0.9090864, 1.5151503, 2.4241836, 3.6358666, 5.4600663, 8.317766, 0.0, 0.4545474],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    [0.72069347, 0.9078488, 0.9844397, 0.99861115, 0.9999638, 0.9999999, 0.0, 0.4256298],
    [
        0.48060092,
        0.1758106,
        0.030878562,
        0.002775766,
        7.2350136e-5,
        2.384825e-7,
        -3.0263837e-11,
        0.81883925,
    ],
    [
        -0.34636596,
        -0.15960944,
        -0.030398095,
        -0.0027719114,
        -7.234825e-5,
        -2.3851294e-7,
        1.2957988e-8,
        -0.34852245,
    ],
    [
        0.08942381,
        0.08629738,
        0.019631136,
        0.0018428362,
        4.8316193e-5,
        1.5819808e-7,
        -0.33333424,
        -0.124596104,
    ],
    [
        0.05100927,
        -0.02514233,
        -0.009193144,
        -0.00091628113,
        -2.4154888e-5,
        -7.922953e-8,
        2.4460807e-5,
        0.16922918,
    ],
    [
        -0.055914946,
        -0.0020281437,
        0.0032035923,
        0.0003621275,
        9.4396e-6,
        3.404262e-8,
        0.13300508,
        -0.013036222,
    ],
    [
        0.015555917,
        0.006686957,
        -0.0007604943,
        -0.00011805321,
        -3.1427596e-6,
        -9.919947e-9,
        0.0024178412,
        -0.060537696,
    ],
    [
        0.008826592,
        -0.0038552766,
        1.1608315e-5,
        3.324852e-5,
        1.0975394e-6,
        1.0809978e-9,
        -0.06400538,
        0.04256021,
    ],
    [
        -0.009055253,
        0.00095970434,
        8.074822e-5,
        -7.3886986e-6,
        -2.7476202e-7,
        -2.1771898e-9,
        0.022414137,
        0.05274858,
    ],
];

/// What the middle part of [`tanh`] needs: `c₀` and the last coefficients.
static FIRST: Octaves<5> = Octaves::of(&BY_OCTAVE, [0, 7, 8, 9, 10]);
/// The rest; `c₁` is 1 in the first column and 0 elsewhere.
static LAST: Octaves<5> = Octaves::of(&BY_OCTAVE, [2, 3, 4, 5, 6]);

/// The hyperbolic tangent, within 0.67 ULP (f32), 0.84 ULP (f64) over the whole line; keeps the sign of zero.
#[inline(always)]
pub fn tanh<V: Lane>(x: V) -> V {
    finish(x, middle(begin(x)))
}

/// The exponential in [`tanh`] of `f64` lanes, half of the polynomial in `f32` ones.
#[inline(always)]
pub(crate) fn begin<V: Lane>(x: V) -> Half<V> {
    if V::SINGLE {
        return begin_single(x);
    }
    let e = split(argument(x), None, 0);
    [e.p, e.low, e.scale]
}

/// The division in [`tanh`] of `f64` lanes.
#[inline(always)]
pub(crate) fn middle<V: Lane>(half: Half<V>) -> Half<V> {
    if V::SINGLE {
        return middle_single(half);
    }
    let [p, low, scale] = half;
    terms(Split { p, low, scale })
}

/// The quotient in [`tanh`] of `f64` lanes, the other half of the polynomial in `f32` ones.
#[inline(always)]
pub(crate) fn finish<V: Lane>(x: V, half: Half<V>) -> V {
    if V::SINGLE {
        return finish_single(x, half);
    }
    let (quotient, inverse, remainder) = divided(half);
    inverse.mul_add(remainder, quotient).copysign(x)
}

/// [`tanh`] of `f32` values: one of eight polynomials, of which only the last step rounds where it counts. The absolute
/// value, beyond whose limit the last polynomial is 1, and what chooses the polynomial.
#[inline(always)]
fn begin_single<V: Lane>(x: V) -> Half<V> {
    let a = x.abs().at_most(x.splat(9.08));
    let place = a.mul_add(x.splat(1.65), x.splat(1.0));
    [a, place, place]
}

/// The argument of the polynomial, and the sum of its last terms.
#[inline(always)]
fn middle_single<V: Lane>([a, place, _]: Half<V>) -> Half<V> {
    let [centre, p @ ..] = place.pick_by_half_octave(&FIRST);
    let d = a - centre;
    [d, horner(d, &p), place]
}

#[inline(always)]
fn finish_single<V: Lane>(x: V, [d, sum, place]: Half<V>) -> V {
    let [start, p @ ..] = place.pick_by_half_octave(&LAST);
    // The first piece has its centre at 0 and starts from 0: there it starts from d, which is at most 0.31.
    let start = d.at_most(x.splat(0.375)).at_least(start);
    d.mul_add(horner_on(sum, d, &p), start).copysign(x)
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
