use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Exponential linear unit.
///
/// ```text
/// elu(x)  = x for x > 0, else alpha · (eˣ − 1)
/// elu'(x) = 1 for x > 0, else alpha · eˣ
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Clevert et al., 2015](https://arxiv.org/abs/1511.07289)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    /// The value at −∞, negated.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Elu {
    /// From its parameter.
    pub const fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Spec for Elu {
    const NAME: &'static str = "elu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Elu {
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
