use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;
use crate::math::Pair;

const SIXTH: f64 = 1.0 / 6.0;
/// 1/6 less its rounded value, in f32 and f64; rounded up, so that the line is not above 0 at −3.
const SIXTH_LOW: (f32, f64) = (-4.9670534e-9, 9.251858538542972e-18);

/// Piecewise linear sigmoid.
///
/// ```text
/// hard_sigmoid(x)  = min(max(slope · x + offset, 0), 1)
/// hard_sigmoid'(x) = slope inside, 0 at and outside of the ends
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.7 ULP | 0.34 ULP | 0 | 1 | NaN |
/// | f64     | 0.7 ULP | 0.34 ULP | 0 | 1 | NaN |
///
/// The default slope, `1.0 / 6.0`, stands for 1/6 exactly; any other is rounded once to the element type. The derivative
/// at both kinks is 0. Frameworks differ: x / 6 + 0.5 in PyTorch, JAX and Keras 3 (the default here), 0.2 x + 0.5 in
/// ONNX and Keras 2.
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

    /// The slope of Keras 2, 0.2.
    pub const fn keras2() -> Self {
        Self { slope: 0.2, offset: 0.5 }
    }

    /// The default slope of ONNX, 0.2.
    pub const fn onnx() -> Self {
        Self { slope: 0.2, offset: 0.5 }
    }

    /// `slope · x + base`, with what the rounding of 1/6 left out put back. Its sign is exact: the fused step rounds
    /// once, and a rounded number is 0 only where the exact one is.
    #[inline(always)]
    fn line<V: Lane>(self, x: V, base: V) -> V {
        let low =
            if self.slope == SIXTH { x.constant(SIXTH_LOW.0, SIXTH_LOW.1) } else { x.splat(0.0) };
        // Infinity times a low part of 0 or of the other sign would be NaN.
        let x = x.at_least(x.constant(f32::MIN, f64::MIN)).at_most(x.constant(f32::MAX, f64::MAX));
        x.mul_add(low, x.mul_add(x.splat(self.slope), base))
    }
}

impl Spec for HardSigmoid {
    const NAME: &'static str = "hard_sigmoid";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.slope > 0.0 && self.slope.is_finite() && self.offset.is_finite() {
            Ok(())
        } else {
            Err("slope must be positive, both finite")
        }
    }
}

impl Elementwise for HardSigmoid {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.7, f64: 0.7, derivative_f32: 0.34, derivative_f64: 0.34 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        self.line(x, x.splat(self.offset)).at_least(x.splat(0.0)).at_most(x.splat(1.0))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        // The line less 1 is taken in one step: next to the upper end the line itself rounds to 1.
        let offset = x.splat(self.offset);
        let above_zero = self.line(x, offset).gt(x.splat(0.0));
        let base = Pair::two_sum(offset, x.splat(-1.0));
        let below_one = self.line(x, base.high).lt(-base.low);
        V::select(
            x.is_nan(),
            x,
            V::select(above_zero & below_one, x.splat(self.slope), x.splat(0.0)),
        )
    }
}
