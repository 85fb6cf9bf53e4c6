use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// With this magnitude the quotient is 1 and the square of its reciprocal 0; larger ones, infinity too, are cut down to it.
const LARGE: (f32, f64) = (f32::from_bits((127 + 120) << 23), f64::from_bits((1023 + 1000) << 52));

/// `1 / (1 + |x|)` and the relative error of that, for finite x.
#[inline(always)]
fn reciprocal<V: Lane>(x: V) -> (V, V) {
    let (one, size) = (x.splat(1.0), x.abs());
    // Fast two-sum: divisor + low = 1 + |x| without error.
    let (large, small) = (size.at_least(one), size.at_most(one));
    let divisor = large + small;
    let low = small - (divisor - large);
    let inverse = one / divisor;
    (inverse, low.neg_mul_add(inverse, divisor.neg_mul_add(inverse, one)))
}

/// Softsign, `x / (1 + |x|)`.
///
/// ```text
/// softsign(x)  = x / (1 + |x|)
/// softsign'(x) = 1 / (1 + |x|)²
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP | 1.04 ULP | −1 | 1 | NaN |
/// | f64     | 0.51 ULP | 1.04 ULP | −1 | 1 | NaN |
///
/// Odd: zeros keep their sign.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Softsign;

impl Spec for Softsign {
    const NAME: &'static str = "softsign";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Softsign {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.51, derivative_f32: 1.04, derivative_f64: 1.04 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        let x = x.at_least(x.constant(-LARGE.0, -LARGE.1)).at_most(x.constant(LARGE.0, LARGE.1));
        let (inverse, error) = reciprocal(x);
        // The first order of inverse · (1 + error) times x, in one rounding.
        x.mul_add(inverse, x * inverse * error)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let x = x.at_least(x.constant(-LARGE.0, -LARGE.1)).at_most(x.constant(LARGE.0, LARGE.1));
        let (inverse, error) = reciprocal(x);
        // The first order of (inverse · (1 + error))².
        inverse.mul_add(inverse, inverse * inverse * (error + error))
    }
}
