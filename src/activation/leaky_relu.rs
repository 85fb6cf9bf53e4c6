use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Leaky rectified linear unit: [`Relu`](crate::Relu) with a small slope below 0, so that no unit dies.
///
/// ```text
/// leaky_relu(x)  = x for x > 0, else negative_slope · x
/// leaky_relu'(x) = 1 for x > 0, else negative_slope
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.5 ULP | exact | −∞ | +∞ | NaN |
/// | f64     | 0.5 ULP | exact | −∞ | +∞ | NaN |
///
/// At −∞ a slope of 0 gives NaN and one below 0 gives +∞. The slope is rounded once to the element type. The derivative at 0
/// is the slope. Frameworks differ in the slope: 0.01 in PyTorch, JAX and ONNX (the default here), 0.3 in the Keras layer, 0.2
/// in the Keras function.
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

    /// The slope of the layer `keras.layers.LeakyReLU`, 0.3.
    pub const fn keras() -> Self {
        Self { negative_slope: 0.3 }
    }

    /// The slope of the function `keras.activations.leaky_relu`, 0.2.
    pub const fn keras_function() -> Self {
        Self { negative_slope: 0.2 }
    }

    /// Whether the slope, rounded to the lanes' type, is above 0 and not above 1: then every `x > 0` is at least its product.
    #[inline(always)]
    fn is_gentle<V: Lane>(self) -> bool {
        let slope =
            if V::SINGLE { f64::from(self.negative_slope as f32) } else { self.negative_slope };
        slope > 0.0 && slope <= 1.0
    }
}

impl Spec for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const ALIASES: &'static [&'static str] = &["lrelu", "leaky"];

    fn check(&self) -> Result<(), &'static str> {
        if self.negative_slope.is_finite() { Ok(()) } else { Err("negative_slope must be finite") }
    }
}

impl Elementwise for LeakyRelu {
    const COST: Cost = Cost::Light;
    const PLAIN_UP_TO: usize = usize::MAX;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.5, f64: 0.5, derivative_f32: 0.0, derivative_f64: 0.0 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // No select on `x` itself: in place that becomes a masked store, which is slow.
        if self.is_gentle::<V>() {
            // The larger of the two, NaN where both are. A slope of 0 would make NaN of infinity, one below it turn the
            // signs of zeros.
            return (x * self.negative_slope).at_least(x);
        }
        // Both parts keep NaN; one of them is a zero, so the sum is rounded once, fused or not: to add -0 changes
        // nothing, not even what is rounded to a zero.
        let (below, above) = (x.at_most(x.splat(0.0)), x.at_least(x.splat(-0.0)));
        let slope = x.splat(self.negative_slope);
        if const { V::IS_FUSED } { below.mul_add(slope, above) } else { below * slope + above }
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
