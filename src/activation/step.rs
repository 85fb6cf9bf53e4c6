use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Heaviside step, the activation of the perceptron.
///
/// ```text
/// step(x)  = 1 for x >= 0, else 0
/// step'(x) = 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | 0 | 1 | NaN |
/// | f64     | exact | exact | 0 | 1 | NaN |
///
/// step(±0) = 1. The derivative is 0 everywhere, at 0 too: nothing to train by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step;

impl Spec for Step {
    const NAME: &'static str = "step";
    const ALIASES: &'static [&'static str] = &["heaviside", "binarystep"];
}

impl Elementwise for Step {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // Zero for every number, NaN for NaN.
        let zero = x.at_least(x.splat(0.0)).at_most(x.splat(0.0));
        zero + V::select(x.ge(x.splat(0.0)), x.splat(1.0), x.splat(0.0))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, x.splat(0.0))
    }
}
