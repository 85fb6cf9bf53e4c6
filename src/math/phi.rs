//! The tail of the normal distribution, `Φ(−a)` for `a >= 0`, and GELU.

use super::Pair;
use super::exp::{EIGHTHS, LARGE, split_careful};
use super::poly::{double, horner, monic, paired};
use crate::lane::{Eighths, Half, Lane, Mask, Octaves};

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

/// `α 2^(j/8)`.
static FACTORS: Eighths = Eighths::new(EIGHTHS, OFFSET);
/// `2 ln (e^(a²/2) Φ(−a) / α) − m ln 2 / 4 = C + d (p₀ + d p(d))` with `d = a − c`, for `a` in `[0, 14.4]` in `f32`: a
/// column for each octave of `a² + SHIFT`, in it `c`, `m`, `C`, `p₀` and the coefficients of `p`, made by `tools/gelu.py`.
/// The exponent, which is half of this, has an error of 2^-27.0.
const TAIL_SINGLE: [[f32; 8]; 9] = [
    [1.0625, 2.0625, 3.1875, 4.625, 6.6875, 9.75, 12.8125, 0.25],
    [-16.0, -22.0, -26.0, -30.0, -34.0, -38.0, -41.0, -10.0],
    [
        -0.14248633,
        0.031572342,
        0.018097417,
        0.045123886,
        0.0427764,
        0.0038161636,
        -0.014122173,
        -0.19891374,
    ],
    [
        -1.0258337,
        -0.73237485,
        -0.5408038,
        -0.39914736,
        -0.2869813,
        -0.20102349,
        -0.15425125,
        -1.4271079,
    ],
    [
        0.19194226,
        0.11064525,
        0.06497684,
        0.037142176,
        0.019816874,
        0.009908111,
        0.005879604,
        0.3124519,
    ],
    [
        -0.037359685,
        -0.018982882,
        -0.009382446,
        -0.0043214555,
        -0.001759087,
        -0.00063882227,
        -0.00029540434,
        -0.06318093,
    ],
    [
        0.0063447333,
        0.0031362218,
        0.0013799977,
        0.000531991,
        0.00016961203,
        4.538285e-5,
        1.6509915e-5,
        0.009322796,
    ],
    [
        -0.0007963827,
        -0.00046400304,
        -0.00019736151,
        -6.68551e-5,
        -1.7270291e-5,
        -3.4747459e-6,
        -9.882922e-7,
        -0.00041245148,
    ],
    [
        3.307359e-5,
        5.770663e-5,
        2.6221558e-5,
        7.906548e-6,
        1.7106529e-6,
        2.9675354e-7,
        6.004348e-8,
        -0.00028932324,
    ],
];
const SHIFT: f64 = 1.625;

/// What the first half of `f32` [`gelu`] needs: `c`, `C` and the rest of the polynomial.
static FIRST_HALF: Octaves<8> = Octaves::of(&TAIL_SINGLE, [0, 2, 3, 4, 5, 6, 7, 8]);
/// What the second needs: `m`, in the lowest bits of a large number.
static SECOND_HALF: Octaves<1> = {
    let mut shifted = [TAIL_SINGLE[1]];
    let mut i = 0;
    while i < 8 {
        shifted[0][i] += LARGE;
        i += 1;
    }
    Octaves(shifted)
};
/// `h` in `e^(v/2) = 1 + v h(v)` for `|v| <= 0.16`: terms of the series.
const POWER_SINGLE: [f32; 4] = [0.5, 0.125, 1.0 / 48.0, 1.0 / 384.0];

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

/// The power of two that numbers stand above the result, so that they are normal numbers.
const OFFSET: i32 = 64;

/// `a²`, shifted and so rounded.
#[inline(always)]
fn shifted_square<V: Lane>(a: V) -> V {
    a.mul_add(a, a.splat(SHIFT))
}

/// `x Φ(x)` of `f32` values, within 0.87 ULP. Here `C + d p₀` and `d² p(d)`, and `a`, which is `|x|` where that matters.
#[inline(always)]
pub(crate) fn begin_gelu<V: Lane>(x: V) -> Half<V> {
    let a = x.abs().at_most(x.splat(14.5));
    let shifted = shifted_square(a);
    let [centre, value, slope, c @ ..] = shifted.pick_by_octave(&FIRST_HALF);
    let d = a - centre;
    // a² in two parts, the first with so few digits that the difference with k ln 2 / 4 is exact.
    let square_low = a.mul_sub(a, shifted - SHIFT);
    [d.mul_add(slope, value), (d * d).mul_sub(horner(d, &c), square_low), a]
}

/// What comes after [`begin_gelu`]: the rest of the argument of the exponential, and its factor by number.
#[inline(always)]
pub(crate) fn middle_gelu<V: Lane>([line, curve, a]: Half<V>) -> Half<V> {
    let shifted = shifted_square(a);
    let square = shifted - SHIFT;
    let [m] = shifted.pick_by_octave(&SECOND_HALF);
    let shifted = (square - line).mul_add(a.splat(-4.0 / core::f64::consts::LN_2), m);
    let k = shifted - m;
    let v = (line - k.mul_add(a.splat(0.173_286_676_406_860_35), square))
        + k.neg_mul_add(a.splat(1.187_331_259_7e-7), curve);
    [v, shifted, a]
}

/// The rest of [`middle_gelu`].
#[inline(always)]
pub(crate) fn finish_gelu<V: Lane>(x: V, [v, shifted, a]: Half<V>) -> V {
    // e^(v/2) − 1, and α 2^((k + m)/8).
    let p = v * horner(
        v,
        &POWER_SINGLE.map(
            #[inline(always)]
            |c| x.splat(f64::from(c)),
        ),
    );
    let scale = shifted.scale_by_eighths(&FACTORS);
    // The first product is exact, the second small: its roundings hardly count.
    let y = a.mul_add(scale, a * scale * p);
    // One rounding, also where the result is subnormal.
    y.neg_mul_add(x.splat(2f64.powi(-OFFSET)), x.at_least(x.splat(0.0)))
}

/// `x Φ(x)`, within 0.87 ULP (f32), 0.83 ULP (f64) over the whole line, subnormal results included; −0 at −∞.
#[inline(always)]
pub(crate) fn gelu<V: Lane>(x: V) -> V {
    if V::SINGLE {
        return finish_gelu(x, middle_gelu(begin_gelu(x)));
    }
    let a = x.abs().at_most(x.splat(38.8));
    let square = Pair::product(a * 0.5, a);
    let e = split_careful(-square.high, Some(-square.low), 0);
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
        let m = m.scale(scale);
        // Subnormal numbers are rounded once: what the first rounding leaves out is exact, and no more than their last bit.
        let first = m.high * 2f64.powi(-OFFSET);
        let left = (m.high - first * 2f64.powi(OFFSET)) + m.low;
        let once = first + left * 2f64.powi(-OFFSET);
        let is_subnormal = m.high.lt(x.splat(f64::MIN_POSITIVE * 2f64.powi(OFFSET)));
        let below = -V::select(is_subnormal, once, m.round() * 2f64.powi(-OFFSET));
        return V::select(far, V::select(x.gt(x.splat(0.0)), x, below), y);
    }
    y
}
