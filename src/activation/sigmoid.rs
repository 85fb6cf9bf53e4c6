use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;
use crate::math::{self, gate};

/// Logistic sigmoid, `1 / (1 + e⁻ˣ)`.
///
/// ```text
/// sigmoid(x)  = 1 / (1 + e⁻ˣ)
/// sigmoid'(x) = σ(x) · (1 − σ(x))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sigmoid;

impl Spec for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const ALIASES: &'static [&'static str] = &["logistic"];
}

impl Elementwise for Sigmoid {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        math::sigmoid(x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        gate::sigmoid_slope(x)
    }
}
