use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::{DoubleKernel, Lane};
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
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tanh;

impl Spec for Tanh {
    const NAME: &'static str = "tanh";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Tanh {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        math::tanh(x)
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
