use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Rectified linear unit, `max(x, 0)`.
///
/// ```text
/// relu(x)  = max(x, 0)
/// relu'(x) = 1 for x > 0, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | 0 | +∞ | NaN |
/// | f64     | exact | exact | 0 | +∞ | NaN |
///
/// Cheap, and its slope does not fade above 0, so that gradients pass many layers. Below 0 the slope is 0: a unit that is
/// always there learns nothing more, it is dead; [`LeakyRelu`](crate::LeakyRelu) leaves it a slope. Not centred on 0.
///
/// relu(−0) = −0; the derivative at 0 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Relu;

impl Spec for Relu {
    const NAME: &'static str = "relu";
    const ALIASES: &'static [&'static str] = &["rectifier"];
}

impl Elementwise for Relu {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = usize::MAX;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x.at_least(x.splat(0.0))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, V::select(x.gt(x.splat(0.0)), x.splat(1.0), x.splat(0.0)))
    }
}
