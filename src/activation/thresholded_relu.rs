use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Rectified linear unit with a threshold, as ONNX and Keras.
///
/// ```text
/// thresholded_relu(x)  = x for x > alpha, else 0
/// thresholded_relu'(x) = 1 for x > alpha, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | 0 | +∞ | NaN |
/// | f64     | exact | exact | 0 | +∞ | NaN |
///
/// The derivative at alpha is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdedRelu {
    /// Inputs at or below it become 0.
    pub alpha: f64,
}

impl Default for ThresholdedRelu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl ThresholdedRelu {
    /// From its parameter.
    pub const fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Spec for ThresholdedRelu {
    const NAME: &'static str = "thresholded_relu";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if !self.alpha.is_nan() { Ok(()) } else { Err("alpha must not be NaN") }
    }
}

impl Elementwise for ThresholdedRelu {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // `at_least` leaves x alone where it is taken, and gives the select a computed value: on a loaded
        // one, in place, it becomes a masked store, which is slow.
        let alpha = x.splat(self.alpha);
        V::select(x.le(alpha), x.splat(0.0), x.at_least(alpha))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, V::select(x.gt(x.splat(self.alpha)), x.splat(1.0), x.splat(0.0)))
    }
}
