use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Continuously differentiable exponential linear unit.
///
/// ```text
/// celu(x)  = x for x > 0, else alpha · (e^(x/alpha) − 1)
/// celu'(x) = 1 for x > 0, else e^(x/alpha)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Barron, 2017](https://arxiv.org/abs/1704.07483)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Celu {
    /// The value at −∞, negated; also the width of the bend.
    pub alpha: f64,
}

impl Default for Celu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Celu {
    /// From its parameter.
    pub const fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Spec for Celu {
    const NAME: &'static str = "celu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Celu {
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
