use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Piecewise linear tanh: x clamped to `[min, max]`.
///
/// ```text
/// hard_tanh(x)  = min(max(x, min), max)
/// hard_tanh'(x) = 1 for min < x < max, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | min | max | NaN |
/// | f64     | exact | exact | min | max | NaN |
///
/// The derivative at both ends is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardTanh {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Default for HardTanh {
    fn default() -> Self {
        Self { min: -1.0, max: 1.0 }
    }
}

impl HardTanh {
    /// From its parameters.
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }
}

impl Spec for HardTanh {
    const NAME: &'static str = "hard_tanh";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.min <= self.max { Ok(()) } else { Err("min must not exceed max") }
    }
}

impl Elementwise for HardTanh {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x.at_least(x.splat(self.min)).at_most(x.splat(self.max))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(
                x.gt(x.splat(self.min)) & x.lt(x.splat(self.max)),
                x.splat(1.0),
                x.splat(0.0),
            ),
        )
    }
}
