use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{Half, Lane};
use crate::math::ln::{softplus_begin, softplus_finish};
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
/// | f64     | 0.78 ULP | 0.81 ULP | −∞ | −0 | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogSigmoid;

impl Spec for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for LogSigmoid {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.55, f64: 0.78, derivative_f32: 0.91, derivative_f64: 0.81 });
    const HALVED: Halved = Halved::Double;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        -softplus(-x)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        softplus_begin(-x, 1.0)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        -softplus_finish(-x, 1.0, half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        sigmoid(-x)
    }
}
