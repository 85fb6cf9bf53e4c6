use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Softsign, `x / (1 + |x|)`.
///
/// ```text
/// softsign(x)  = x / (1 + |x|)
/// softsign'(x) = 1 / (1 + |x|)²
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Softsign;

impl Spec for Softsign {
    const NAME: &'static str = "softsign";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Softsign {
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
