use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Soft shrinkage.
///
/// ```text
/// soft_shrink(x)  = x − lambda for x > lambda, x + lambda for x < −lambda, else 0
/// soft_shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.5 ULP | exact | −∞ | +∞ | NaN |
/// | f64     | 0.5 ULP | exact | −∞ | +∞ | NaN |
///
/// Odd: zeros have the sign of x. The derivative at ±lambda is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftShrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
}

impl Default for SoftShrink {
    fn default() -> Self {
        Self { lambda: 0.5 }
    }
}

impl SoftShrink {
    /// From its parameter.
    pub const fn new(lambda: f64) -> Self {
        Self { lambda }
    }
}

impl Spec for SoftShrink {
    const NAME: &'static str = "soft_shrink";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.lambda >= 0.0 && self.lambda.is_finite() {
            Ok(())
        } else {
            Err("lambda must be finite and at least 0")
        }
    }
}

impl Elementwise for SoftShrink {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.5, f64: 0.5, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        let lambda = x.splat(self.lambda);
        // The sign is that of x already, except on zeros.
        (x - x.at_least(-lambda).at_most(lambda)).copysign(x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(x.abs().gt(x.splat(self.lambda)), x.splat(1.0), x.splat(0.0)),
        )
    }
}
