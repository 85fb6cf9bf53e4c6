use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Soft capping of logits.
///
/// ```text
/// softcap(x)  = cap · tanh(x / cap)
/// softcap'(x) = 1 − tanh²(x / cap)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Gemma Team, 2024](https://arxiv.org/abs/2408.00118)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softcap {
    /// The bound of the values.
    pub cap: f64,
}

impl Default for Softcap {
    fn default() -> Self {
        Self { cap: 30.0 }
    }
}

impl Softcap {
    /// From its parameter.
    pub const fn new(cap: f64) -> Self {
        Self { cap }
    }
}

impl Spec for Softcap {
    const NAME: &'static str = "softcap";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Softcap {
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
