use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Shrinkage with a bias, as ONNX.
///
/// ```text
/// shrink(x)  = x − bias for x > lambda, x + bias for x < −lambda, else 0
/// shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | −∞ | +∞ | NaN |
/// | f64     | exact | exact | −∞ | +∞ | NaN |
///
/// Odd: zeros have the sign of x. The derivative at ±lambda is 0. The default bias is 0, as in ONNX; with
/// another one the difference is correctly rounded, within 0.5 ULP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
    /// What the rest is moved towards 0 by.
    pub bias: f64,
}

impl Default for Shrink {
    fn default() -> Self {
        Self { lambda: 0.5, bias: 0.0 }
    }
}

impl Shrink {
    /// From its parameters.
    pub const fn new(lambda: f64, bias: f64) -> Self {
        Self { lambda, bias }
    }

    /// The defaults of Burn: lambda 0.5, bias 0.5.
    pub const fn burn() -> Self {
        Self { lambda: 0.5, bias: 0.5 }
    }
}

impl Spec for Shrink {
    const NAME: &'static str = "shrink";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.lambda >= 0.0 && self.bias.is_finite() {
            Ok(())
        } else {
            Err("lambda must be at least 0 and bias finite")
        }
    }
}

impl Elementwise for Shrink {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        let moved = x.splat(1.0).copysign(x).neg_mul_add(x.splat(self.bias), x);
        V::select(x.abs().le(x.splat(self.lambda)), x.splat(0.0).copysign(x), moved)
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
