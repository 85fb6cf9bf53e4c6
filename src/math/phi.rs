//! The tail of the normal distribution, `Φ(−a)` for `a >= 0`, and GELU.

use super::Pair;
use super::exp::{Q_SHORT_SINGLE, split_careful};
use super::poly::{double, horner, horner_on, monic, paired};
use crate::lane::{Half, Lane, Mask, Octaves};

/// `Φ(−a) = e^(-a²/2) TAIL_FACTOR N(a) / D(a)` for `a` in `[0, 14.5]`, for `f32` values in `f64` lanes, made by
/// `tools/rational.py gelu`: degrees 4 over 5, leading coefficients 1, relative error 2^-27.26.
const TAIL_TOP: [f64; 4] =
    [121.4373276608842, 106.45606129451471, 44.507413110074324, 9.870299225521645];
const TAIL_BOTTOM: [f64; 5] = [
    96.89409184647256,
    162.25097409856158,
    116.52222240687067,
    45.493432032058905,
    9.871038063745644,
];
/// `TAIL_FACTOR e^(-u/2)` for `|u| <= ln 2`, by the same: degree 6, relative error 2^-29.
const TAIL_POWER: [f64; 7] = [
    0.3989469068962041,
    -0.19947346058547896,
    0.04986835537802742,
    -0.00831127098877462,
    0.001038963581330813,
    -0.00010440952630267361,
    8.62455324521519e-06,
];

/// `−½ e^(a²/2) Φ(−a) = c₁ + d p(d)` with `d = a − c₀`, for `f32`: a column for each half octave of
/// `a + 1`, in it `c₀`, `c₁`, which is the value there to 2^-30, and the coefficients of `p`, made by
/// `tools/octaves.py gelu 7`: relative error 2^-27.7.
const TAIL_SINGLE: [[f32; 8]; 10] = [
    [1.4999838, 2.4999752, 4.0000443, 6.0000467, 9.000083, 12.749891, 0.25000232, 0.7500087],
    [
        -0.102891065,
        -0.07066623,
        -0.04720485,
        -0.032389417,
        -0.021899197,
        -0.015550411,
        -0.20701571,
        -0.15011548,
    ],
    [
        0.04513621,
        0.022807315,
        0.010649652,
        0.0051331227,
        0.0023765475,
        0.0012050866,
        0.14771673,
        0.086883225,
    ],
    [
        -0.01759374,
        -0.0068242555,
        -0.002302881,
        -0.00079521997,
        -0.00025503416,
        -9.284398e-5,
        -0.08504309,
        -0.042476147,
    ],
    [
        0.006248668,
        0.0019155977,
        0.00047935522,
        0.00012059071,
        2.7074217e-5,
        7.112066e-6,
        0.042152073,
        0.018342294,
    ],
    [
        -0.0020552592,
        -0.0005088125,
        -9.637611e-5,
        -1.7920975e-5,
        -2.8439622e-6,
        -5.4172335e-7,
        -0.018626556,
        -0.007180109,
    ],
    [
        0.0006326761,
        0.00012883515,
        1.872611e-5,
        2.60767e-6,
        2.9465457e-7,
        4.097446e-8,
        0.0074938284,
        0.0025793575,
    ],
    [
        -0.00018394562,
        -3.1203268e-5,
        -3.540433e-6,
        -3.733561e-7,
        -3.032461e-8,
        -3.0860732e-9,
        -0.0027836903,
        -0.0008657496,
    ],
    [
        5.321713e-5,
        7.1090462e-6,
        7.049627e-7,
        5.682719e-8,
        3.419451e-9,
        2.477672e-10,
        0.0010276667,
        0.00038741226,
    ],
    [
        -1.4425304e-5,
        -1.5725163e-6,
        -1.2692043e-7,
        -7.8646964e-9,
        -3.4659942e-10,
        -1.857492e-11,
        -0.00038865866,
        -0.00014662064,
    ],
];

/// What the first half of `f32` [`gelu`] needs: `c₀` and the last coefficients.
static FIRST_HALF: Octaves<5> = Octaves::of(&TAIL_SINGLE, [0, 6, 7, 8, 9]);
/// What the second needs besides `c₀`.
static SECOND_HALF: Octaves<5> = Octaves::of(&TAIL_SINGLE, [1, 2, 3, 4, 5]);
/// `c₀`.
static CENTRE: Octaves<1> = Octaves::of(&TAIL_SINGLE, [0]);
/// `q` in `−2 e^(−v/2) = −2 + v + v² q(v)` for `|v| <= ln 2`: that of the exponential of `−v / 2`, exactly.
const POWER_SINGLE: [f32; 5] = [
    Q_SHORT_SINGLE[0] * -0.5,
    Q_SHORT_SINGLE[1] * 0.25,
    Q_SHORT_SINGLE[2] * -0.125,
    Q_SHORT_SINGLE[3] * 0.0625,
    Q_SHORT_SINGLE[4] * -0.03125,
];

/// `H` in `e^(a²/2) Φ(−a) (1 + 9/8 a) = 1/2 + s H(s − 1)`, `s = 2a / (a + 5)`, for `a` in `[0, 38.9]`, made by
/// `tools/erf.py half 22`: degree 22, error 2^-58.3 of the whole. The first 6 coefficients, 8 more, then the rest.
const H_FIRST: [f64; 6] = [
    0.00959039545941671,
    -0.09465451811467526,
    0.11505508110813356,
    -0.09369195001674688,
    0.05800885764414459,
    -0.027478036433661705,
];
const H_LOW: [f64; 8] = [
    0.009287397786875701,
    -0.0016527914964752349,
    -0.00026023373413465206,
    0.0002522147181999903,
    -3.9535349977034495e-05,
    -2.089353969649842e-05,
    8.929737749972512e-06,
    1.4218957561647656e-06,
];
const H_HIGH: [f64; 9] = [
    -1.4161248168754582e-06,
    -8.618739791456932e-08,
    2.1923769795198362e-07,
    7.49327653128764e-09,
    -3.413191897622679e-08,
    -1.8218456965497186e-09,
    4.533882834084472e-09,
    3.7013461520798415e-10,
    -3.037678818061323e-10,
];

/// The slope of `s H(s − 1)` by s, by the same: degree 5, error 2^-10, for what is left out of s.
const H_SLOPE: [f64; 6] = [
    -0.08450813274680827,
    0.03576306915634615,
    0.050723491155229755,
    -0.10570929093398575,
    0.20425354387556088,
    -0.16754715066298623,
];

/// `Φ(−a)` as a product of two factors, of an `f32` value in `f64` lanes, for `a` in `[0, 14.5]` and its square: error
/// 2^-26.9. The division runs beside the exponential.
#[inline(always)]
pub(crate) fn tail_wide<W: Lane>(a: W, square: W) -> (W, W) {
    let n = monic(a, square, &TAIL_TOP);
    let d = monic(a, square, &TAIL_BOTTOM);
    let (k, power) = square.split_scale(a.splat(-0.5 * core::f64::consts::LOG2_E), 0);
    let u = k.mul_add(a.splat(2.0 * core::f64::consts::LN_2), square);
    (paired(u, u * u, &TAIL_POWER), n * power / d)
}

/// `a e^(a²/2) Φ(−a)` of an `f64` value in `[0, 38.9]`, with a relative error of about 2^-55.
#[inline(always)]
fn scaled_tail<V: Lane>(a: V) -> Pair<V> {
    let one = a.splat(1.0);
    // What the two sums leave out is exact: the constants have few digits.
    let d = a + 5.0;
    let d_low = a - (d - 5.0);
    let slope = a.splat(1.125);
    let l = a.mul_add(slope, one);
    let l_low = a.mul_add(slope, one - l);
    // One division for 1 / d and 1 / l.
    let inverse = one / (d * l);
    let (over_d, over_l) = (l * inverse, d * inverse);
    let twice = a + a;
    let s = twice * over_d;
    let s_low = s.neg_mul_add(d_low, s.neg_mul_add(d, twice)) * over_d;
    // What is missing in v takes part with the slope only, beside the long chain: of it the rounding of s − 1 does not
    // change the factor s.
    let v = s - 1.0;
    let rounding = s - (v + 1.0);
    let v_low = rounding + s_low;
    let v4 = v * v * (v * v);
    let mut sum = double(v, &H_HIGH).mul_add(v4 * v4, double(v, &H_LOW));
    // The terms of the first coefficients are larger than h: Horner's rule has the fewest roundings, and what the last
    // two steps leave out goes into the low part.
    for &c in H_FIRST[2..].iter().rev() {
        sum = sum.mul_add(v, a.splat(c));
    }
    let (h_0, h_1) = (a.splat(H_FIRST[0]), a.splat(H_FIRST[1]));
    let p = v.mul_add(sum, h_1);
    let p_low = v.mul_add(sum, h_1 - p);
    let h = v.mul_add(p, h_0);
    let h_low = v.mul_add(p_low, v.mul_add(p, h_0 - h));
    // s h is at most a quarter of the whole, so that 1/2 − g is exact.
    let half = a.splat(0.5);
    let g = s.mul_add(h, half);
    let g_low = s.mul_add(h_low, s.mul_add(h, half - g));
    let g_low = rounding.neg_mul_add(h, g_low);
    let g = Pair { high: g, low: v_low.mul_add(double(v, &H_SLOPE), g_low) };
    let q = a * over_l;
    let q = Pair { high: q, low: q.neg_mul_add(l_low, q.neg_mul_add(l, a)) * over_l };
    q.times_pair(g)
}

/// `|x|` where it matters to `x Φ(x)`, its square, and `−a²/2` as a multiple of ln 2, with two to that power.
#[inline(always)]
fn gauss_single<V: Lane>(x: V) -> (V, V, V, V) {
    let a = x.abs().at_most(x.splat(14.5));
    let square = a * a;
    let (k, scale) = square.split_scale(x.splat(-0.5 * core::f64::consts::LOG2_E), OFFSET);
    (a, square, k, scale)
}

/// The power of two that numbers stand above the result, so that they are normal numbers.
const OFFSET: i32 = 64;

/// `x Φ(x)` of `f32` values, within 0.87 ULP: everything but the last steps in pairs of `f32`. Here
/// `−2 e^(−a²/2) = (high + low) 2^k`, and the sum of the last terms of the polynomial.
#[inline(always)]
pub(crate) fn begin_gelu<V: Lane>(x: V) -> Half<V> {
    begin_at(x).0
}

/// The same, and the argument of the polynomial.
#[inline(always)]
fn begin_at<V: Lane>(x: V) -> (Half<V>, V) {
    let (a, square, k, _) = gauss_single(x);
    let square_low = a.mul_sub(a, square);
    // Twice ln 2, its first part so short that the difference is exact.
    let v_high = k.mul_add(x.splat(2.0 * 0.69314575), square);
    let v_low = k.mul_add(x.splat(2.0 * 1.4286068e-6), square_low);
    let v = v_high + v_low;
    let rest = (v * v).mul_add(v.poly(&POWER_SINGLE, &[0.0]), v_low);
    let high = v_high - 2.0;
    let low = (v_high - (high + 2.0)) + rest;
    let [centre, c @ ..] = (a + 1.0).pick_by_half_octave(&FIRST_HALF);
    let d = a - centre;
    ([high, low, horner(d, &c)], d)
}

/// The rest of [`begin_gelu`].
#[inline(always)]
pub(crate) fn finish_gelu<V: Lane>(x: V, half: Half<V>) -> V {
    let (a, ..) = gauss_single(x);
    let [centre] = (a + 1.0).pick_by_half_octave(&CENTRE);
    finish_at(x, half, a - centre)
}

#[inline(always)]
fn finish_at<V: Lane>(x: V, [high, low, sum]: Half<V>, d: V) -> V {
    let (a, _, _, scale) = gauss_single(x);
    let above = x.at_least(x.splat(0.0));
    // −½ e^(a²/2) Φ(−a) = m + m_low.
    let [first, c @ ..] = (a + 1.0).pick_by_half_octave(&SECOND_HALF);
    let p = horner_on(sum, d, &c);
    let m = d.mul_add(p, first);
    let m_low = d.mul_add(p, first - m);
    let y = high * m;
    let y_low = low.mul_add(m, high.mul_add(m_low, high.mul_sub(m, y)));
    let y = a.mul_add(y, a * y_low) * scale;
    // One rounding, also where the result is subnormal.
    y.neg_mul_add(x.splat(2f64.powi(-OFFSET)), above)
}

/// `x Φ(x)`, within 0.87 ULP (f32), 0.9 ULP (f64) over the whole line, subnormal results included; −0 at −∞.
#[inline(always)]
pub(crate) fn gelu<V: Lane>(x: V) -> V {
    if V::SINGLE {
        let (half, d) = begin_at(x);
        return finish_at(x, half, d);
    }
    let a = x.abs().at_most(x.splat(38.8));
    let square = Pair::product(a * 0.5, a);
    let e = split_careful::<V, true>(-square.high, Some(-square.low), 0);
    let gauss = Pair::sum(x.splat(1.0), e.p).plus_low(e.low);
    let m = scaled_tail(a).times_pair(gauss);
    // x − 2^k m or −2^k m. It is at least half of x where x is positive, so that y − above is exact; the sign is that
    // of x also where the last subtraction of subnormal numbers gives zero.
    let above = x.at_least(x.splat(0.0));
    let y = m.high.neg_mul_add(e.scale, above);
    let y = (y - m.low.mul_add(e.scale, m.high.mul_add(e.scale, y - above))).copysign(x);
    // Out there 2^k may be subnormal, or x infinite.
    let far = x.abs().gt(x.splat(37.5));
    if far.any() {
        const OFFSET: i32 = 256;
        let (_, scale) = (-square.high).split_scale(x.splat(core::f64::consts::LOG2_E), OFFSET);
        let below = -(m.round() * scale * 2f64.powi(-OFFSET));
        return V::select(far, V::select(x.gt(x.splat(0.0)), x, below), y);
    }
    y
}
