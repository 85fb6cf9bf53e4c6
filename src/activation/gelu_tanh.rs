use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane, Mask};
use crate::math::poly;
use crate::math::{Pair, gate};

/// `2 √(2/π)` as the nearest `f64` and the rest.
const C1: (f64, f64) = (1.5957691216057308, -9.96930880911092e-17);
/// `0.044715 · C1`.
const C3: (f64, f64) = (0.07135481627260025, -6.175149918155315e-19);
/// Three times that, as the slope of the cubic has it.
const C3_TRIPLE: (f64, f64) = (0.21406444881780073, 1.2025242832367862e-17);
/// `C1` to 20 bits behind the point, so that a difference from its sum with a positive number is exact, and what
/// that leaves out; `C3` in `f32` and what that leaves out.
const C1_SINGLE: (f64, f64) = (1673285.0 / 1048576.0, C1.0 - 1673285.0 / 1048576.0);
const C3_SINGLE: (f64, f64) = (C3.0 as f32 as f64, C3.0 - C3.0 as f32 as f64);
/// Below this the result is zero in `f64`.
const FLOOR: f64 = -22.2;
/// Below this the result and the slope are zero in `f32`.
const FLOOR_WIDE: f64 = -12.0;
/// Above this the result is `x`.
const TOP: f64 = 10.0;
/// The same two in `f32` lanes.
const FLOOR_SINGLE: f64 = -10.9;
const TOP_SINGLE: f64 = 6.0;

/// The zero of the slope, as a pair; made by `tools/slope.py`.
const ROOT: (f64, f64) = (-0.7524614220710163, 3.635560509207687e-17);
/// The slope of the slope there, as a pair.
const ROOT_SLOPE: (f64, f64) = (0.4304000910248585, 2.028254970529195e-17);
/// `rest` in `gelu_tanh'(x) = t (ROOT_SLOPE + t rest(t))`, `t = x − ROOT`, for `|t| <= 1/16`: degree 7,
/// relative error 2^-54.66, made by `tools/slope.py`.
const NEAR_ROOT: [f64; 8] = [
    0.3875184461357868,
    -0.015782853521846982,
    -0.11394448307362197,
    -0.016619328342733768,
    0.01968230268353547,
    0.005261057437748817,
    -0.0024204156627977034,
    -0.0009265336904438613,
];

/// Gaussian error linear unit, tanh approximation.
///
/// ```text
/// gelu_tanh(x)  = x · σ(2u), u = √(2/π) · (x + 0.044715 x³)
/// gelu_tanh'(x) = σ(2u) + x · σ(2u) · (1 − σ(2u)) · 2u′
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.83 ULP  | 0.51 ULP        | −0 | +∞ | NaN |
/// | f64     | 0.82 ULP  | 0.91 ULP       | −0 | +∞ | NaN |
///
/// Up to 5e-4 away from the exact [`Gelu`](crate::Gelu), for networks trained with it (GPT-2 and others). Written with σ, the negative
/// tail keeps its digits. The slope keeps them at its zero near −0.7525.
///
/// [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)
#[doc(alias = "gelu_new")]
#[doc(alias = "gelu_approximate")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeluTanh;

impl Spec for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const ALIASES: &'static [&'static str] =
        &["gelunew", "newgelu", "gelupytorchtanh", "gelupythontanh", "gelufast", "geluaccurate"];
}

impl Elementwise for GeluTanh {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.83, f64: 0.82, derivative_f32: 0.51, derivative_f64: 0.91 });
    const HALVED: Halved = Halved::Thirds;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        self.finish(x, self.middle(x, self.begin(x)))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        let (floor, top) = limits::<V>();
        let x = x.at_least(x.splat(floor)).at_most(x.splat(top));
        if V::SINGLE {
            let w = twice_u_single(x);
            return gate::single_begin::<V, false>(w.high, Some(w.low));
        }
        let w = twice_u(x, C3);
        gate::gate_begin(w.high, Some(w.low))
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        if V::SINGLE { gate::single_middle::<V, false>(half) } else { gate::gate_middle(half) }
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        let (floor, top) = limits::<V>();
        let x = x.at_least(x.splat(floor));
        if V::SINGLE {
            return gate::single_finish(x, half);
        }
        V::select(x.gt(x.splat(top)), x, gate::gate_finish(x, half))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope);
        }
        let z = x.at_least(x.splat(FLOOR)).at_most(x.splat(TOP));
        let w = twice_u(z, C3);
        let y = gate::slope(w.high, Some(w.low), twice_u(z, C3_TRIPLE));
        // Close to the zero the two terms cancel: there a polynomial that has the zero as a factor.
        let near = (x + 0.7525).abs().lt(x.splat(0.0625));
        if near.any() {
            let close = poly::from_root(x - ROOT.0, x.splat(-ROOT.1), ROOT_SLOPE, &NEAR_ROOT);
            return V::select(near, close, y);
        }
        y
    }
}

/// Where the result is neither zero nor `x`.
#[inline(always)]
fn limits<V: Lane>() -> (f64, f64) {
    if V::SINGLE { (FLOOR_SINGLE, TOP_SINGLE) } else { (FLOOR, TOP) }
}

/// `x (C1 + C3 x²)` of an `f32` value as a pair.
#[inline(always)]
fn twice_u_single<V: Lane>(x: V) -> Pair<V> {
    let square = x * x;
    let square_low = x.mul_sub(x, square);
    let (c1, c3) = (x.splat(C1_SINGLE.0), x.splat(C3_SINGLE.0));
    let high = square.mul_add(c3, c1);
    let low = square.mul_add(x.splat(C3_SINGLE.1), x.splat(C1_SINGLE.1));
    let low = square.mul_add(c3, c1 - high) + square_low.mul_add(c3, low);
    let y = x * high;
    Pair { high: y, low: x.mul_add(low, x.mul_sub(high, y)) }
}

/// `x (C1 + c3 x²)` as a pair.
#[inline(always)]
fn twice_u<V: Lane>(x: V, c3: (f64, f64)) -> Pair<V> {
    let cubic = Pair::product(x, x).times_pair(Pair::constant(x, c3));
    let sum = Pair::two_sum(x.splat(C1.0), cubic.high).plus_low(cubic.low + C1.1);
    sum.times(x)
}

/// The same in one lane.
#[inline(always)]
fn twice_u_wide<W: Lane>(x: W, c3: f64) -> W {
    x * (x * x).mul_add(x.splat(c3), x.splat(C1.0))
}

#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let x = x.at_least(x.splat(FLOOR_WIDE)).at_most(x.splat(TOP));
        gate::slope_wide(twice_u_wide(x, C3.0), twice_u_wide(x, C3_TRIPLE.0))
    }
}
