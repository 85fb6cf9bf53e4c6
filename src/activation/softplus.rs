use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Softplus, a smooth ReLU.
///
/// ```text
/// softplus(x)  = ln(1 + e^(beta · x)) / beta
/// softplus'(x) = σ(beta · x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softplus {
    /// The sharpness.
    pub beta: f64,
}

impl Default for Softplus {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Softplus {
    /// From its parameter.
    pub const fn new(beta: f64) -> Self {
        Self { beta }
    }
}

impl Spec for Softplus {
    const NAME: &'static str = "softplus";
    const ALIASES: &'static [&'static str] = &["smoothrelu"];
}

impl Elementwise for Softplus {
    const COST: Cost = Cost::Heavy;
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
