use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Heaviside step, the activation of the perceptron.
///
/// ```text
/// step(x)  = 1 for x >= 0, else 0
/// step'(x) = 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step;

impl Spec for Step {
    const NAME: &'static str = "step";
    const ALIASES: &'static [&'static str] = &["heaviside", "binarystep"];
}

impl Elementwise for Step {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, V::select(x.ge(x.splat(0.0)), x.splat(1.0), x.splat(0.0)))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, x.splat(0.0))
    }
}
