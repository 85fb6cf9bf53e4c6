use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Shrinkage with a bias, as ONNX.
///
/// ```text
/// shrink(x)  = x − bias for x > lambda, x + bias for x < −lambda, else 0
/// shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
    /// What the rest is moved towards 0 by.
    pub bias: f64,
}

impl Default for Shrink {
    fn default() -> Self {
        Self { lambda: 0.5, bias: 0.0 }
    }
}

impl Shrink {
    /// From its parameters.
    pub const fn new(lambda: f64, bias: f64) -> Self {
        Self { lambda, bias }
    }
}

impl Spec for Shrink {
    const NAME: &'static str = "shrink";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Shrink {
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
