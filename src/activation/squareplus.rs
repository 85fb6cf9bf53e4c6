use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Squareplus, an algebraic softplus.
///
/// ```text
/// squareplus(x)  = (x + √(x² + b)) / 2
/// squareplus'(x) = (1 + x / √(x² + b)) / 2
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Barron, 2021](https://arxiv.org/abs/2112.11687)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squareplus {
    /// The square of twice the value at 0.
    pub b: f64,
}

impl Default for Squareplus {
    fn default() -> Self {
        Self { b: 4.0 }
    }
}

impl Squareplus {
    /// From its parameter.
    pub const fn new(b: f64) -> Self {
        Self { b }
    }
}

impl Spec for Squareplus {
    const NAME: &'static str = "squareplus";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Squareplus {
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
