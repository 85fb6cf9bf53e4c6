//! The error function and what is made of it: `erf`, `erfc`, GELU.
//!
//! The tail is `erfc(b) = e^(-b²) erfcx(b)` with the square split exactly. `(1 + 2b) erfcx(b)` lies between
//! 1 and 1.3 on the whole half-line and is a short polynomial in `v = (b − 2) / (b + 2)` (Shepherd and
//! Laframboise, 1981).

use super::Pair;
use super::exp::split_careful;
use super::phi::{slope_wide, tail_wide};
use super::poly::{double, from_root, monic_horner};
use crate::lane::{DoubleKernel, Lane, Mask};

/// `G` in `erfcx(b) = G(v) / (1 + 2b)`, `v = (b − 2) / (b + 2)`, for `b` in `[0, 27.5]`, made by
/// `tools/erf.py full 24`: degree 25, relative error 2^-57.81. The first coefficient, as a pair; 16 more; the rest.
const G_0: (f64, f64) = (1.2769783815525286, 8.964219101168592e-17);
const G_LOW: [f64; 16] = [
    -0.092763826585746,
    -0.16603039761529073,
    0.16405128003344138,
    -0.054220000991920335,
    -0.008034015082405078,
    0.008722653872151794,
    0.0012713389657288876,
    -0.001456813892109546,
    -0.0004543408292218115,
    0.0002063667120859654,
    0.0001510391505205669,
    -1.5069561156500125e-06,
    -3.642304649284286e-05,
    -1.35039238085432e-05,
    3.708808611221291e-06,
    5.252064934108512e-06,
];
const G_HIGH: [f64; 9] = [
    1.5111822407157373e-06,
    -7.43298765325779e-07,
    -8.516274313402069e-07,
    -2.1045101360269092e-07,
    1.6212334335488905e-07,
    1.2805875453225513e-07,
    6.641179988422219e-09,
    -2.158604564095997e-08,
    -6.188383302921942e-09,
];

/// 2/√π as a pair, and `E` in `erf(b) = b (2/√π + z E(z))`, `z = b²` in `[0, 1/4]`, made by `tools/erf.py
/// near`: degree 8, error 2^-64.01.
const TWO_OVER_SQRT_PI: (f64, f64) = (core::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17);
const NEAR: [f64; 9] = [
    -0.37612638903183754,
    0.11283791670955218,
    -0.026866170645137053,
    0.0052239776247239,
    -0.0008548326811766186,
    0.00012055305964563607,
    -1.4923762809612931e-05,
    1.63870309590502e-06,
    -1.475824577624635e-07,
];

/// `erf(x) = x N(x²) / D(x²)` for `|x| <= 3.95`, made by `tools/rational.py erf`: degrees 5 over 6, leading
/// coefficient of the divisor 1, relative error 2^-28.66.
const ERF_TOP: [f64; 6] = [
    4459412.489733924,
    761230.1754431832,
    219900.39797237085,
    16622.767719972024,
    1611.1682477233994,
    26.31886045364455,
];
const ERF_BOTTOM: [f64; 6] = [
    3952051.4107857174,
    1991973.5128668163,
    463665.31698932213,
    64191.8042278786,
    5581.860576252176,
    283.0387119254571,
];

/// √½ and 1/√(2π) as pairs.
const SQRT_HALF: (f64, f64) = (core::f64::consts::FRAC_1_SQRT_2, -4.833646656726457e-17);
const PHI_0: (f64, f64) = (0.3989422804014327, -2.49232720227773e-17);

/// The zero of gelu' and the slope of gelu' there, as pairs.
const ROOT: (f64, f64) = (-0.7517915246935645, 1.4956759177009883e-17);
const ROOT_SLOPE: (f64, f64) = (0.4314939923140469, 2.7308688141129613e-17);
/// `rest` in `gelu'(ROOT + t) = t (ROOT_SLOPE + t rest(t))` for `|t| <= 3/16`, made by `tools/erf.py near`: degree 11,
/// relative error 2^-59.95.
const NEAR_ROOT: [f64; 12] = [
    0.388284982990552,
    -0.018199676398671108,
    -0.11400823329720769,
    -0.014771522148231344,
    0.01942167983579911,
    0.004539228376818276,
    -0.00223953789655012,
    -0.0007448266660987304,
    0.00018633397858346302,
    8.615337521463523e-05,
    -1.1127591070309004e-05,
    -7.64946534717801e-06,
];

/// `G(v)` without its first coefficient, over `v`.
#[inline(always)]
fn g_rest<W: Lane>(v: W) -> W {
    let v2 = v * v;
    let v4 = v2 * v2;
    let v8 = v4 * v4;
    double(v, &G_HIGH).mul_add(v8 * v8, double(v, &G_LOW))
}

/// Powers of two are carried with this exponent added, so that results down to the smallest
/// subnormal number are reached by one multiplication with a normal number.
const OFFSET: i32 = 256;

/// `erfc(b) = mantissa · scale · 2^-OFFSET`.
struct Tail<V> {
    /// `e^(-b²)` before its power of two.
    gauss: Pair<V>,
    /// `erfcx(b)`.
    factor: Pair<V>,
    /// The power of two, times `2^OFFSET`.
    scale: V,
}

/// The tail at `b` in `[0, 27.5]` (f64), whose square is given too.
#[inline(always)]
fn tail<V: Lane>(b: Pair<V>, square: Pair<V>) -> Tail<V> {
    let (one, two) = (b.high.splat(1.0), b.high.splat(2.0));
    let v = Pair::two_sum(b.high, -two).plus_low(b.low);
    let v = v.divide(Pair::two_sum(b.high, two).plus_low(b.low));
    // All but the first term is below a fifth of it: that sum is the only one that needs a pair.
    let rest = g_rest(v.high);
    let product = Pair::product(v.high, rest);
    let g = Pair::sum(one * G_0.0, product.high);
    let g = g.plus_low(v.low.mul_add(rest, product.low) + G_0.1);
    let twice = b.scale(two);
    let factor = g.divide(Pair::two_sum(one, twice.high).plus_low(twice.low));
    let e = split_careful(-square.high, Some(-square.low), OFFSET);
    Tail { gauss: Pair::sum(one, e.p).plus_low(e.low), factor, scale: e.scale }
}

impl<V: Lane> Tail<V> {
    /// `2^k`, rounded where that is below the normal numbers.
    #[inline(always)]
    fn power(&self) -> V {
        self.scale * 2f64.powi(-OFFSET)
    }
}

/// `erf(b)` for `|b| <= 1/2` (f64), as a pair.
#[inline(always)]
fn erf_near<V: Lane>(b: Pair<V>) -> Pair<V> {
    let z = b.high * b.high;
    let first = b.high.splat(TWO_OVER_SQRT_PI.0);
    let product = Pair::product(b.high, first);
    let rest = z.mul_add(double(z, &NEAR), z.splat(TWO_OVER_SQRT_PI.1));
    product.plus_low(b.high.mul_add(rest, b.low * first))
}

/// The error function, within 0.7 ULP over the whole line; odd.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{Elementwise, Lane, math, prelude::*};
///
/// #[derive(Clone, Copy)]
/// struct Erf;
///
/// impl Elementwise for Erf {
///     #[inline(always)]
///     fn eval<V: Lane>(self, x: V) -> V {
///         math::erf(x)
///     }
///     #[inline(always)]
///     fn derivative<V: Lane>(self, x: V) -> V {
///         math::exp(-x * x) * core::f64::consts::FRAC_2_SQRT_PI
///     }
/// }
///
/// assert_eq!(array![0.0f32, 9.0].activate(Erf), array![0.0, 1.0]);
/// ```
#[inline(always)]
pub fn erf<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let limit = x.splat(3.95);
            let x = x.at_least(-limit).at_most(limit);
            let z = x * x;
            x * double(z, &ERF_TOP) / monic_horner(z, &ERF_BOTTOM)
        }
    }
    if V::SINGLE {
        return x.through_double(K);
    }
    let b = x.abs().at_most(x.splat(6.0));
    let near = erf_near(Pair::exact(b)).round();
    let t = tail(Pair::exact(b), Pair::product(b, b));
    let q = t.gauss.times_pair(t.factor).scale(t.power());
    let far = Pair::sum(x.splat(1.0), -q.high);
    let far = far.high + (far.low - q.low);
    V::select(b.lt(x.splat(0.5)), near, far).copysign(x)
}

/// `1 − erf(x)` without the cancellation, within 0.7 ULP over the whole line, subnormal results included.
#[inline(always)]
pub fn erfc<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let b = x.abs().at_most(x.splat(10.2));
            let (power, rest) = tail_wide(b * core::f64::consts::SQRT_2, b * b * 2.0);
            let q = power * (rest + rest);
            W::select(x.lt(x.splat(0.0)), -q + 2.0, q)
        }
    }
    if V::SINGLE {
        return x.through_double(K);
    }
    let b = x.abs().at_most(x.splat(27.4));
    let t = tail(Pair::exact(b), Pair::product(b, b));
    let m = t.gauss.times_pair(t.factor);
    let below = m.round() * t.scale * 2f64.powi(-OFFSET);
    let q = m.scale(t.power());
    let above = Pair::sum(x.splat(2.0), -q.high);
    let above = above.high + (above.low - q.low);
    let y = V::select(x.lt(x.splat(0.0)), above, below);
    // Nearer to 1 than the tail's polynomial is.
    let near = erf_near(Pair::exact(x));
    let around = Pair::sum(x.splat(1.0), -near.high);
    V::select(b.lt(x.splat(0.5)), around.high + (around.low - near.low), y)
}

/// `Φ(x) + x φ(x)`, within 1.26 ULP over the whole line, also near its zero.
#[inline(always)]
pub(crate) fn gelu_slope<V: Lane>(x: V) -> V {
    #[derive(Clone, Copy)]
    struct K;
    impl DoubleKernel for K {
        #[inline(always)]
        fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
            let y = slope_wide(x.abs().at_most(x.splat(15.0)));
            W::select(x.lt(x.splat(0.0)), y, -y + 1.0)
        }
    }
    if V::SINGLE {
        return x.through_double(K);
    }
    let a = x.abs().at_most(x.splat(39.0));
    let half = x.splat(0.5);
    let t = tail(Pair::constant(x, SQRT_HALF).times(a), Pair::product(a * half, a));
    let (r, s) = (t.factor.scale(half), Pair::constant(x, PHI_0).times(a));
    let difference = Pair::two_sum(r.high, -s.high).plus_low(r.low - s.low);
    let y = t.gauss.times_pair(difference);
    let below = y.round() * t.scale * 2f64.powi(-OFFSET);
    let y = y.scale(t.power());
    let above = Pair::sum(x.splat(1.0), -y.high);
    let above = above.high + (above.low - y.low);
    let y = V::select(x.lt(x.splat(0.0)), below, above);
    // Near 0, ½ + erf(x / √2) / 2 + x φ(x) is more accurate than the tail's polynomial; the power of two is 1 there.
    let phi = Pair::constant(x, PHI_0).times(x).times_pair(t.gauss);
    let odd = erf_near(Pair::constant(x, SQRT_HALF).times(x)).scale(half);
    let sum = Pair::two_sum(odd.high, phi.high).plus_low(odd.low + phi.low);
    let around = Pair::sum(half, sum.high);
    let around = around.high + (around.low + sum.low);
    let y = V::select(a.lt(x.splat(0.58)), around, y);
    let t = x - ROOT.0;
    let near = t.abs().lt(x.splat(0.187));
    if near.any() {
        return V::select(near, from_root(t, x.splat(-ROOT.1), ROOT_SLOPE, &NEAR_ROOT), y);
    }
    y
}
