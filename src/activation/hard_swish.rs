use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Piecewise quadratic swish.
///
/// ```text
/// hard_swish(x)  = x · min(max(x + 3, 0), 6) / 6
/// hard_swish'(x) = 0 for x <= −3, 1 for x >= 3, else x / 3 + 1/2
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Howard et al., 2019](https://arxiv.org/abs/1905.02244)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HardSwish;

impl Spec for HardSwish {
    const NAME: &'static str = "hard_swish";
    const ALIASES: &'static [&'static str] = &["hswish", "hardsilu"];
}

impl Elementwise for HardSwish {
    const COST: Cost = Cost::Light;
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
