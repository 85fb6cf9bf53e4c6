use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Rectified linear unit capped at 6.
///
/// ```text
/// relu6(x)  = min(max(x, 0), 6)
/// relu6'(x) = 1 for 0 < x < 6, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | 0 | 6 | NaN |
/// | f64     | exact | exact | 0 | 6 | NaN |
///
/// relu6(−0) = −0; the derivative at 0 and 6 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Relu6;

impl Spec for Relu6 {
    const NAME: &'static str = "relu6";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Relu6 {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x.at_least(x.splat(0.0)).at_most(x.splat(6.0))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(x.gt(x.splat(0.0)) & x.lt(x.splat(6.0)), x.splat(1.0), x.splat(0.0)),
        )
    }
}
