use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Square of the rectified linear unit.
///
/// ```text
/// relu_squared(x)  = max(x, 0)²
/// relu_squared'(x) = 2 max(x, 0)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.5 ULP | exact | 0 | +∞ | NaN |
/// | f64     | 0.5 ULP | exact | 0 | +∞ | NaN |
///
/// [So et al., 2021](https://arxiv.org/abs/2109.08668)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReluSquared;

impl Spec for ReluSquared {
    const NAME: &'static str = "relu_squared";
    const ALIASES: &'static [&'static str] = &["relu2", "squaredrelu", "sqrrelu", "relusqr"];
}

impl Elementwise for ReluSquared {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.5, f64: 0.5, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = usize::MAX;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        let positive = x.at_least(x.splat(0.0));
        positive * positive
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let positive = x.at_least(x.splat(0.0));
        positive + positive
    }
}
