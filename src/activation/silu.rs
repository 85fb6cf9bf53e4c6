use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::{self, gate};

/// Sigmoid linear unit, `x · σ(x)`.
///
/// ```text
/// silu(x)  = x / (1 + e⁻ˣ)
/// silu'(x) = σ(x) · (1 + x · (1 − σ(x)))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.83 ULP  | 0.51 ULP        | −0 | +∞ | NaN |
/// | f64     | 0.83 ULP  | 1.21 ULP       | −0 | +∞ | NaN |
///
/// Smooth, with a shallow dip below 0 and gradients that do not fade above it; one exponential dearer than ReLU. The
/// slope keeps its digits at its zero near −1.2785.
///
/// [Elfwing et al., 2017](https://arxiv.org/abs/1702.03118)
#[doc(alias = "swish")]
#[doc(alias = "sigmoid_linear_unit")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Silu;

impl Spec for Silu {
    const NAME: &'static str = "silu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Silu {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.83, f64: 0.83, derivative_f32: 0.51, derivative_f64: 1.21 });
    const HALVED: Halved = Halved::Thirds;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        math::silu(x)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        gate::sigmoid_begin::<V, false>(x)
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        gate::sigmoid_middle::<V, false>(half)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        gate::silu_finish(x, half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE { x.through_double(Slope) } else { gate::silu_slope(x, None) }
    }
}

#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        gate::silu_slope_wide(x)
    }
}
