use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// The identity, `x`: what the output layer of a regression uses.
///
/// ```text
/// identity(x)  = x
/// identity'(x) = 1
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | −∞ | +∞ | NaN |
/// | f64     | exact | exact | −∞ | +∞ | NaN |
#[doc(alias = "linear")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Identity;

impl Spec for Identity {
    const NAME: &'static str = "identity";
    const ALIASES: &'static [&'static str] = &["linear", "none"];
}

impl Elementwise for Identity {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = usize::MAX;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, x.splat(1.0))
    }
}
