use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::{self, tanh};

/// Hyperbolic tangent, `2 σ(2x) − 1`.
///
/// ```text
/// tanh(x)  = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)
/// tanh'(x) = 1 − tanh²(x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.67 ULP  | 0.54 ULP        | −1 | 1 | NaN |
/// | f64     | 0.84 ULP  | 0.78 ULP        | −1 | 1 | NaN |
///
/// Smooth, bounded and centred on 0, steeper than a sigmoid; its slope fades on both sides too, and gradients vanish
/// there. Odd, keeps the sign of zero.
#[doc(alias = "hyperbolic_tangent")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tanh;

impl Spec for Tanh {
    const NAME: &'static str = "tanh";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Tanh {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.67, f64: 0.84, derivative_f32: 0.54, derivative_f64: 0.78 });
    const HALVED: Halved = Halved::Tabled;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        math::tanh(x)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        tanh::begin(x)
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        tanh::middle(half)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        tanh::finish(x, half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE { x.through_double(Slope) } else { tanh::tanh_slope(x, None) }
    }
}

#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        tanh::tanh_slope_wide(x)
    }
}
