use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Leaky rectified linear unit.
///
/// ```text
/// leaky_relu(x)  = x for x > 0, else negative_slope · x
/// leaky_relu'(x) = 1 for x > 0, else negative_slope
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu {
    /// The slope for negative inputs.
    pub negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { negative_slope: 0.01 }
    }
}

impl LeakyRelu {
    /// From its parameter.
    pub const fn new(negative_slope: f64) -> Self {
        Self { negative_slope }
    }
}

impl Spec for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const ALIASES: &'static [&'static str] = &["lrelu", "leaky"];
}

impl Elementwise for LeakyRelu {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        V::select(x.gt(x.splat(0.0)), x, x * self.negative_slope)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(x.gt(x.splat(0.0)), x.splat(1.0), x.splat(self.negative_slope)),
        )
    }
}
