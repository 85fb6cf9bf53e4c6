use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Gaussian error linear unit, tanh approximation.
///
/// ```text
/// gelu_tanh(x)  = x · σ(2u), u = √(2/π) · (x + 0.044715 x³)
/// gelu_tanh'(x) = σ(2u) + x · σ(2u) · (1 − σ(2u)) · 2u′
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeluTanh;

impl Spec for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const ALIASES: &'static [&'static str] =
        &["gelunew", "newgelu", "gelupytorchtanh", "gelupythontanh", "gelufast", "geluaccurate"];
}

impl Elementwise for GeluTanh {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        x
    }
}
