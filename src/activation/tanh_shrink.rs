use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::{DoubleKernel, Lane};
use crate::math::tanh;

/// What tanh leaves of its argument.
///
/// ```text
/// tanh_shrink(x)  = x − tanh(x)
/// tanh_shrink'(x) = tanh²(x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP  | 0.51 ULP        | −∞ | +∞ | NaN |
/// | f64     | 0.84 ULP  | 1.24 ULP        | −∞ | +∞ | NaN |
///
/// Small inputs nearly vanish, `x³/3`, with all their digits; large ones lose 1.
#[doc(alias = "tanhshrink")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TanhShrink;

impl Spec for TanhShrink {
    const NAME: &'static str = "tanh_shrink";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for TanhShrink {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.84, derivative_f32: 0.51, derivative_f64: 1.24 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE { x.through_double(Value) } else { tanh::tanh_rest(x) }
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            x.through_double(Slope)
        } else {
            let t = tanh::tanh_pair(x, None);
            t.times_pair(t).round()
        }
    }
}

#[derive(Clone, Copy)]
struct Value;

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        tanh::tanh_rest_wide(x)
    }
}

#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let t = tanh::tanh_full_wide(x);
        t * t
    }
}
