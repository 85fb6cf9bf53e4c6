use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Scaled exponential linear unit.
///
/// ```text
/// selu(x)  = λ x for x > 0, else λ α (eˣ − 1)
/// selu'(x) = λ for x > 0, else λ α eˣ
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Selu;

impl Spec for Selu {
    const NAME: &'static str = "selu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Selu {
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
