use super::{Bounds, Cost, Elementwise, Halved, Spec, Whole};
use crate::lane::{DoubleKernel, Half, Lane, Mask, WideHalf};
use crate::math::Pair;
use crate::math::exp::split;
use crate::math::poly::from_root;
use crate::math::wide::{Grade, wide, wide_from, wide_reduced};

/// Below this (f32, f64) mish is zero.
const FLOOR: (f64, f64) = (-112.0, -830.0);
/// Above this mish is x and its derivative 1.
const TOP: f64 = 40.0;
/// Powers of two are carried with this exponent added, so that results down to the smallest
/// subnormal number are reached by one multiplication with a normal number.
const OFFSET: i32 = 256;
/// The same for x as a factor.
const LIFT: i32 = 200;

/// The zero of mish' and the slope of mish' there, as pairs.
const ROOT: (f64, f64) = (-1.1924312145154952, -4.8484829848031044e-17);
const ROOT_SLOPE: (f64, f64) = (0.2669479140495345, 1.5332816617135587e-17);
/// `rest` in `mish'(ROOT + t) = t (ROOT_SLOPE + t rest(t))` for `|t| <= 1/8`, made by `tools/ln.py`: degree 10,
/// relative error 2^-62.33.
const NEAR_ROOT: [f64; 11] = [
    0.20473126408010586,
    0.04190782104360987,
    -0.020271822716679787,
    -0.015821126561735063,
    -0.0033606849285105016,
    0.0010924055429409477,
    0.0009898183114089684,
    0.000254128920090473,
    -4.197514513690413e-05,
    -5.579325502683045e-05,
    -1.6918316710909353e-05,
];

/// Mish, `x · tanh(softplus(x))`.
///
/// ```text
/// mish(x)  = x · tanh(ln(1 + eˣ))
/// mish'(x) = tanh(s) + x · (1 − tanh²(s)) · σ(x), s = ln(1 + eˣ)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.54 ULP | 0.51 ULP | −0 | +∞ | NaN |
/// | f64     | 0.84 ULP | 0.84 ULP | −0 | +∞ | NaN |
///
/// [Misra, 2019](https://arxiv.org/abs/1908.08681)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mish;

impl Spec for Mish {
    const NAME: &'static str = "mish";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Mish {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.54, f64: 0.84, derivative_f32: 0.51, derivative_f64: 0.84 });
    const HALVED: Halved = Halved::Wide;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Whole(self));
        }
        self.finish(x, self.begin(x))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        let e = split(x.at_least(x.splat(FLOOR.1)).at_most(x.splat(TOP)), None, OFFSET);
        [e.p, e.low, e.scale]
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        // From 40 on, x itself; the bound gives the select a computed value and keeps infinity out.
        let x = x.at_least(x.splat(FLOOR.1));
        let top = x.splat(TOP);
        let z = x.at_most(top);
        let e = Exp::from(half);
        // n = e^x (e^x + 2) before its power of two, and n + 2.
        let n = e.mantissa.times_pair(plus(e.value, 2.0));
        let above = n.scale(e.power);
        let above = Pair::two_sum(above.high, x.splat(2.0)).plus_low(above.low);
        // The factor is lifted, so that the low parts of products with subnormal numbers are not lost.
        let y = n.divide(above).times(z * 2f64.powi(LIFT)).round();
        let y = (y * e.scale * 2f64.powi(-OFFSET - LIFT)).copysign(z);
        V::select(x.gt(top), x.at_least(top), y)
    }

    #[inline(always)]
    fn begin_wide<W: Lane<Elem = f64>>(self, x: W) -> WideHalf<W> {
        wide_reduced(x.at_least(x.splat(FLOOR.0)).at_most(x.splat(TOP)))
    }
    #[inline(always)]
    fn finish_wide<W: Lane<Elem = f64>>(self, x: W, half: WideHalf<W>) -> W {
        let e = wide_from(half, Grade::Value);
        let n = e.value() * e.plus(2.0);
        x.at_least(x.splat(FLOOR.0)) * n / (n + 2.0)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope);
        }
        let z = x.at_least(x.splat(FLOOR.1)).at_most(x.splat(TOP));
        let e = Exp::from(self.begin(z));
        // w = 4 (x + 1) + e^x (4x + 6 + e^x (4 + e^x)), d = 2 + e^x (2 + e^x), mish' = e^x w / d².
        let four = z * 4.0;
        let inner = add(Pair::two_sum(four, z.splat(6.0)), e.value.times_pair(plus(e.value, 4.0)));
        let w = add(Pair::two_sum(four, z.splat(4.0)), e.value.times_pair(inner));
        let d = add(Pair::exact(z.splat(2.0)), e.value.times_pair(plus(e.value, 2.0)));
        let y =
            e.mantissa.times_pair(w).divide(d.times_pair(d)).round() * e.scale * 2f64.powi(-OFFSET);
        let near = (x + 1.2).abs().lt(x.splat(0.115));
        if near.any() {
            return V::select(
                near,
                from_root(x - ROOT.0, x.splat(-ROOT.1), ROOT_SLOPE, &NEAR_ROOT),
                y,
            );
        }
        y
    }
}

/// `eˣ = mantissa · scale · 2^-OFFSET`, for `f64` lanes.
struct Exp<V> {
    mantissa: Pair<V>,
    scale: V,
    /// The power of two, rounded where it is subnormal.
    power: V,
    /// `mantissa · power`.
    value: Pair<V>,
}

impl<V: Lane> Exp<V> {
    #[inline(always)]
    fn from([p, low, scale]: Half<V>) -> Self {
        let mantissa = Pair::sum(p.splat(1.0), p).plus_low(low);
        let power = scale * 2f64.powi(-OFFSET);
        Self { mantissa, scale, power, value: mantissa.scale(power) }
    }
}

/// The sum of two pairs; the error is small beside the larger one.
#[inline(always)]
fn add<V: Lane>(a: Pair<V>, b: Pair<V>) -> Pair<V> {
    let sum = Pair::two_sum(a.high, b.high).plus_low(a.low + b.low);
    Pair::sum(sum.high, sum.low)
}

/// A pair plus a number.
#[inline(always)]
fn plus<V: Lane>(a: Pair<V>, b: f64) -> Pair<V> {
    Pair::two_sum(a.high, a.high.splat(b)).plus_low(a.low)
}

/// The derivative at `f32` values: enough digits are left near its zero.
#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let z = x.at_least(x.splat(FLOOR.0)).at_most(x.splat(TOP));
        let e = wide(z, Grade::Full).value();
        let four = z * 4.0;
        let w = e.mul_add(e.mul_add(e + 4.0, four + 6.0), four + 4.0);
        let d = e.mul_add(e + 2.0, z.splat(2.0));
        e * w / (d * d)
    }
}
