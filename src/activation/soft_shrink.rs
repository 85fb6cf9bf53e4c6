use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Soft shrinkage.
///
/// ```text
/// soft_shrink(x)  = x − lambda for x > lambda, x + lambda for x < −lambda, else 0
/// soft_shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftShrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
}

impl Default for SoftShrink {
    fn default() -> Self {
        Self { lambda: 0.5 }
    }
}

impl SoftShrink {
    /// From its parameter.
    pub const fn new(lambda: f64) -> Self {
        Self { lambda }
    }
}

impl Spec for SoftShrink {
    const NAME: &'static str = "soft_shrink";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for SoftShrink {
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
