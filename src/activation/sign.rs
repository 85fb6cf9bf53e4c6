use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// 2^100, of which the square brings every nonzero `f32` above 1.
const TWO_100: f32 = f32::from_bits((127 + 100) << 23);
/// 2^600, of which the square brings every nonzero `f64` above 1.
const TWO_600: f64 = f64::from_bits((1023 + 600) << 52);

/// Sign, the bipolar step of the perceptron.
///
/// ```text
/// sign(x)  = −1, ±0 or 1 as x is negative, ±0 or positive
/// sign'(x) = 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | −1 | 1 | NaN |
/// | f64     | exact | exact | −1 | 1 | NaN |
///
/// sign(±0) = ±0. The derivative is 0 everywhere, at 0 too: nothing to train by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sign;

impl Spec for Sign {
    const NAME: &'static str = "sign";
    const ALIASES: &'static [&'static str] = &["sgn", "signum"];
}

impl Elementwise for Sign {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // The two factors lift the smallest subnormal number above 1 and leave zeros, infinities and NaN.
        let lift = x.constant(TWO_100, TWO_600);
        (x * lift * lift).at_least(x.splat(-1.0)).at_most(x.splat(1.0))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(x.is_nan(), x, x.splat(0.0))
    }
}
