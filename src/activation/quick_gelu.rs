use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Sigmoid approximation of GELU.
///
/// ```text
/// quick_gelu(x)  = x · σ(1.702 x)
/// quick_gelu'(x) = σ(1.702 x) · (1 + 1.702 x · (1 − σ(1.702 x)))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuickGelu;

impl Spec for QuickGelu {
    const NAME: &'static str = "quick_gelu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for QuickGelu {
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
