use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Piecewise linear sigmoid.
///
/// ```text
/// hard_sigmoid(x)  = min(max(slope · x + offset, 0), 1)
/// hard_sigmoid'(x) = slope inside, 0 at and outside of the ends
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardSigmoid {
    /// The slope at 0.
    pub slope: f64,
    /// The value at 0.
    pub offset: f64,
}

impl Default for HardSigmoid {
    fn default() -> Self {
        Self { slope: 1.0 / 6.0, offset: 0.5 }
    }
}

impl HardSigmoid {
    /// From its parameters.
    pub const fn new(slope: f64, offset: f64) -> Self {
        Self { slope, offset }
    }
}

impl Spec for HardSigmoid {
    const NAME: &'static str = "hard_sigmoid";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for HardSigmoid {
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
