use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// 1/6 less its rounded value, in f32 and f64; rounded up, so that the low part of 3 / 6 is not below 0 and −0 keeps
/// its sign.
const SIXTH_LOW: (f32, f64) = (-4.9670534e-9, 9.251858538542972e-18);

/// Piecewise quadratic swish.
///
/// ```text
/// hard_swish(x)  = x · min(max(x + 3, 0), 6) / 6
/// hard_swish'(x) = 0 for x <= −3, 1 for x > 3, else x / 3 + 1/2
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP | 1.04 ULP | −0 | +∞ | NaN |
/// | f64     | 0.51 ULP | 1.04 ULP | −0 | +∞ | NaN |
///
/// The derivative at −3 is 0, at 3 it is 1.5: the limits from the left.
///
/// [Howard et al., 2019](https://arxiv.org/abs/1905.02244)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HardSwish;

impl Spec for HardSwish {
    const NAME: &'static str = "hard_swish";
    const ALIASES: &'static [&'static str] = &["hswish", "hardsilu"];
}

impl Elementwise for HardSwish {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.51, derivative_f32: 1.04, derivative_f64: 1.04 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // x · v with v = (x + 3) / 6 as high + low: x + 3 by a fast two-sum (|x| <= 3), 1/6 as two parts.
        let lifted = x.at_least(x.splat(-3.0));
        let inside = lifted.at_most(x.splat(3.0));
        let sum = inside + 3.0;
        let sum_low = inside - (sum - 3.0);
        let sixth = x.splat(1.0 / 6.0);
        let v = sum * sixth;
        let v_low = sum.mul_add(x.constant(SIXTH_LOW.0, SIXTH_LOW.1), sum.mul_sub(sixth, v));
        lifted.mul_add(v, inside * sum_low.mul_add(sixth, v_low))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let line = (x + 1.5) / 3.0;
        let above = V::select(x.gt(x.splat(3.0)), x.splat(1.0), line);
        V::select(x.le(x.splat(-3.0)), x.splat(0.0), above)
    }
}
