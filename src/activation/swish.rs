use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Swish: SiLU with a scale inside the sigmoid.
///
/// ```text
/// swish(x)  = x · σ(beta · x)
/// swish'(x) = σ(βx) · (1 + βx · (1 − σ(βx)))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Ramachandran et al., 2017](https://arxiv.org/abs/1710.05941)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swish {
    /// The scale inside the sigmoid.
    pub beta: f64,
}

impl Default for Swish {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Swish {
    /// From its parameter.
    pub const fn new(beta: f64) -> Self {
        Self { beta }
    }
}

impl Spec for Swish {
    const NAME: &'static str = "swish";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Swish {
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
