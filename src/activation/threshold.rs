use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Replaces what does not exceed a threshold, as PyTorch.
///
/// ```text
/// threshold(x)  = x for x > threshold, else value
/// threshold'(x) = 1 for x > threshold, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | value | +∞ | NaN |
/// | f64     | exact | exact | value | +∞ | NaN |
///
/// The derivative at the threshold is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Inputs at or below it are replaced.
    pub threshold: f64,
    /// What they are replaced by.
    pub value: f64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { threshold: 0.0, value: 0.0 }
    }
}

impl Threshold {
    /// From its parameters.
    pub const fn new(threshold: f64, value: f64) -> Self {
        Self { threshold, value }
    }
}

impl Spec for Threshold {
    const NAME: &'static str = "threshold";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if !self.threshold.is_nan() { Ok(()) } else { Err("threshold must not be NaN") }
    }
}

impl Elementwise for Threshold {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // `at_least` leaves x alone where it is taken, and gives the select a computed value: on a loaded
        // one, in place, it becomes a masked store, which is slow.
        let threshold = x.splat(self.threshold);
        V::select(x.le(threshold), x.splat(self.value), x.at_least(threshold))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(x.gt(x.splat(self.threshold)), x.splat(1.0), x.splat(0.0)),
        )
    }
}
