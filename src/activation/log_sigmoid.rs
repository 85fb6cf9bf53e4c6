use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;
use crate::math::{sigmoid, softplus};

/// Logarithm of the sigmoid.
///
/// ```text
/// log_sigmoid(x)  = −ln(1 + e⁻ˣ)
/// log_sigmoid'(x) = σ(−x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.55 ULP | 0.91 ULP | −∞ | −0 | NaN |
/// | f64     | 0.77 ULP | 0.9 ULP | −∞ | −0 | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogSigmoid;

impl Spec for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for LogSigmoid {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.55, f64: 0.77, derivative_f32: 0.91, derivative_f64: 0.9 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        -softplus(-x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        sigmoid(-x)
    }
}
