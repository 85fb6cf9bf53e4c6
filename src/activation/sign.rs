use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Sign, the bipolar step of the perceptron.
///
/// ```text
/// sign(x)  = −1, ±0 or 1 as x is negative, ±0 or positive
/// sign'(x) = 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sign;

impl Spec for Sign {
    const NAME: &'static str = "sign";
    const ALIASES: &'static [&'static str] = &["sgn", "signum"];
}

impl Elementwise for Sign {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        V::select(x.eq(x.splat(0.0)) | x.is_nan(), x, x.splat(1.0).copysign(x))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, x.splat(0.0))
    }
}
