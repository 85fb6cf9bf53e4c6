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

/// `Φ(−a) − a φ(a) = e^(-a²/2) SLOPE_FACTOR (a − ROOT) N(a) / D(a)` for `a` in `[0, 15]`, for `f32` values in `f64` lanes, made
/// by `tools/rational.py slope`: degrees 5 over 5, leading coefficients 1, relative error 2^-33.04.
const SLOPE_TOP: [f64; 5] = [
    266.26820752681095,
    345.6756973780945,
    205.14677851799297,
    67.38571446949828,
    12.248273758591818,
];
const SLOPE_BOTTOM: [f64; 5] = [
    159.7190012000992,
    249.77445816160864,
    165.96944717966775,
    59.1783833965589,
    11.496445628864153,
];
/// Where it is 0, as a pair.
const ROOT: (f64, f64) = (0.751_791_524_693_564_5, -1.4956759177009883e-17);
/// `SLOPE_FACTOR e^(-u/2)` for `|u| <= ln 2`, by the same: degree 7, relative error 2^-34.51.
const SLOPE_POWER: [f64; 8] = [
    -0.39894208211032317,
    0.19947104111425043,
    -0.04986776130363261,
    0.008311292565266495,
    -0.00103890069347734,
    0.00010389417724795007,
    -8.69452827954454e-06,
    6.161458138417761e-07,
];

/// `α 2^(j/8)`.
static FACTORS: Eighths = Eighths::new(EIGHTHS, OFFSET);
/// `2 λ ln (e^(a²/2) Φ(−a) / α) + (1 − λ) a² = m EIGHTH + C + d (p₀ + d p(d))` with `d = a − c` and `λ = 4 EIGHTH / ln 2`,
/// for `a` in `[0, 14.4]` in `f32`: a column for each octave of `a² + SHIFT`, in it `c`, `m`, `C`, `p₀` and the coefficients
/// of `p`, made by `tools/gelu.py`. The exponent, which is half of this, has an error of 2^-27.1.
const TAIL_SINGLE: [[f32; 8]; 9] = [
    [0.9231358, 2.0398378, 3.1484332, 4.644389, 6.685867, 9.546608, 12.670173, 0.11804137],
    [-6.0, -12.0, -16.0, -20.0, -24.0, -28.0, -31.0, 0.0],
    [-1.7284393, -1.684372, -1.6930084, -1.694397, -1.6874847, -1.6834717, -1.7174377, -1.737793],
    [
        -1.0814456,
        -0.73719716,
        -0.5456086,
        -0.39726546,
        -0.28641653,
        -0.20424536,
        -0.15476796,
        -1.5128756,
    ],
    [
        0.2083597,
        0.111986384,
        0.06613232,
        0.03693639,
        0.019870676,
        0.010355082,
        0.0060535828,
        0.33847597,
    ],
    [
        -0.0410516,
        -0.019268475,
        -0.009600682,
        -0.004280293,
        -0.0017601426,
        -0.0006771966,
        -0.00030499307,
        -0.06815289,
    ],
    [
        0.006908466,
        0.0031897791,
        0.0014187153,
        0.0005255146,
        0.00016973041,
        4.909779e-5,
        1.72311e-5,
        0.0095058475,
    ],
    [
        -0.00081831217,
        -0.00047252642,
        -0.00020353218,
        -6.588645e-5,
        -1.7272208e-5,
        -3.8377693e-6,
        -1.0395705e-6,
        -0.00016723057,
    ],
    [
        2.6393367e-5,
        5.634969e-5,
        2.6847641e-5,
        7.93084e-6,
        1.7185672e-6,
        2.9707607e-7,
        5.996343e-8,
        -0.00029746818,
    ],
];
const SHIFT: f64 = 1.703125;
/// Two eighths of ln 2, or nearly so, with so few digits that its products with integers are exact, and sums of these with
/// `C` are, too: the polynomial makes up for what it is off.
const EIGHTH: f64 = 11356.0 / 65536.0;

/// The same with `m` in the lowest bits of a large number.
static TAIL: Octaves<9> = {
    let mut rows = TAIL_SINGLE;
    let mut i = 0;
    while i < 8 {
        rows[1][i] += LARGE;
        i += 1;
    }
    Octaves(rows)
};
/// `h` in `e^(v/(2 λ)) = 1 + v h(v)` for `|v| <= 0.13`, by the same: error 2^-29.7 of the exponential.
const POWER_SINGLE: [f32; 4] = [0.500023, 0.12501152, 0.020843219, 0.0026052701];

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

/// `Φ(−a) − a φ(a)` of an `f32` value in `f64` lanes, for `a` in `[0, 15]`: relative error 2^-32, also near its zero, since the
/// distance from that is a factor.
#[inline(always)]
pub(crate) fn slope_wide<W: Lane>(a: W) -> W {
    let square = a * a;
    let n = monic(a, square, &SLOPE_TOP);
    let d = monic(a, square, &SLOPE_BOTTOM);
    let (k, power) = square.split_scale(a.splat(-0.5 * core::f64::consts::LOG2_E), 0);
    let u = k.mul_add(a.splat(2.0 * core::f64::consts::LN_2), square);
    let distance = (a - ROOT.0) - ROOT.1;
    paired(u, u * u, &SLOPE_POWER) * distance * (n * power / d)
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

/// `x Φ(x)` of `f32` values, within 0.86 ULP. Here `|x|`, as far as it matters, and what chooses the polynomial.
#[inline(always)]
pub(crate) fn begin_gelu<V: Lane>(x: V) -> Half<V> {
    let a = x.abs().at_most(x.splat(14.5));
    let shifted = a.mul_add(a, x.splat(SHIFT));
    [a, shifted, shifted]
}

/// After [`begin_gelu`] the argument of the exponential, and its factor by number.
#[inline(always)]
pub(crate) fn middle_gelu<V: Lane>([a, shifted, _]: Half<V>) -> Half<V> {
    let [centre, m, value, slope, c @ ..] = shifted.pick_by_octave(&TAIL);
    let d = a - centre;
    // C is −SHIFT or nearly so: k is chosen by d p₀ − a² + C.
    let number = d.mul_sub(slope, shifted).mul_add(a.splat(1.0 / EIGHTH), m);
    let k = number - m;
    // C − k EIGHTH is exact, and so near to a² that the difference has one small rounding.
    let w = a.neg_mul_add(a, k.neg_mul_add(a.splat(EIGHTH), value));
    [(d * d).mul_add(horner(d, &c), d.mul_add(slope, w)), number, a]
}

/// The rest of [`middle_gelu`].
#[inline(always)]
pub(crate) fn finish_gelu<V: Lane>(x: V, [v, number, a]: Half<V>) -> V {
    // The exponential less 1, and α 2^((k + m)/8).
    let p = v * horner(
        v,
        &POWER_SINGLE.map(
            #[inline(always)]
            |c| x.splat(f64::from(c)),
        ),
    );
    let scale = number.scale_by_eighths(&FACTORS);
    // The first product is exact, the second small: its roundings hardly count.
    let y = a.mul_add(scale, a * scale * p);
    // One rounding, also where the result is subnormal.
    y.neg_mul_add(x.splat(2f64.powi(-OFFSET)), x.at_least(x.splat(0.0)))
}

/// `x Φ(x)`, within 0.86 ULP (f32), 0.83 ULP (f64) over the whole line, subnormal results included; −0 at −∞.
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

#[cfg(test)]
mod tests {
    use super::{EIGHTH, SHIFT, TAIL_SINGLE};

    /// What [`middle_gelu`](super::middle_gelu) takes for exact, for all integers that occur.
    #[test]
    fn sums_of_constants_and_eighths_are_exact() {
        let last = ((14.5f64 * 14.5 + 2.5) / EIGHTH) as i32;
        for value in TAIL_SINGLE[2].map(f64::from) {
            assert!((value + SHIFT).abs() < 0.035, "{value} is {SHIFT} below zero");
            for k in -8..last {
                let sum = value + f64::from(k) * EIGHTH;
                assert_eq!(f64::from(sum as f32), sum, "{value} and {k} eighths");
            }
        }
    }
}
