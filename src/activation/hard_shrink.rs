use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Hard shrinkage.
///
/// ```text
/// hard_shrink(x)  = x for |x| > lambda, else 0
/// hard_shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardShrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
}

impl Default for HardShrink {
    fn default() -> Self {
        Self { lambda: 0.5 }
    }
}

impl HardShrink {
    /// From its parameter.
    pub const fn new(lambda: f64) -> Self {
        Self { lambda }
    }
}

impl Spec for HardShrink {
    const NAME: &'static str = "hard_shrink";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for HardShrink {
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
