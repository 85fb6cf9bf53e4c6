use super::{Bounds, Cost, Elementwise, Halved, Spec, Whole};
use crate::lane::{DoubleKernel, Half, Lane, WideHalf};
use crate::math::gate;

/// Swish: SiLU with a scale inside the sigmoid.
///
/// ```text
/// swish(x)  = x · σ(beta · x)
/// swish'(x) = σ(βx) · (1 + βx · (1 − σ(βx)))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.54 ULP  | 0.51 ULP        | −0 | +∞ | NaN |
/// | f64     | 0.83 ULP  | 1.21 ULP       | −0 | +∞ | NaN |
///
/// With `beta` = 1 this is [`Silu`](crate::Silu), which is faster; large `beta` tends to ReLU. The bounds are those of the
/// default; `beta` is rounded once to the element type. Next to 0 it is out of reach of some elements:
/// 0 gives NaN at ±∞; in `f64` it and what is below 1e-248 do beyond 1e250, and one of 1e-34 or less ends in a small number
/// at −∞.
///
/// [Ramachandran et al., 2017](https://arxiv.org/abs/1710.05941)
#[doc(alias = "silu")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swish {
    /// The scale inside the sigmoid.
    pub beta: f64,
}

impl Default for Swish {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Swish {
    /// From its parameter.
    pub const fn new(beta: f64) -> Self {
        Self { beta }
    }

    /// Beta for `f32`.
    #[inline(always)]
    fn single(self) -> f64 {
        f64::from(self.beta as f32)
    }

    /// The sign of beta as a factor.
    #[inline(always)]
    fn sign(self) -> f64 {
        if self.beta < 0.0 { -1.0 } else { 1.0 }
    }
}

impl Spec for Swish {
    const NAME: &'static str = "swish";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.beta.is_finite() { Ok(()) } else { Err("beta must be finite") }
    }
}

impl Elementwise for Swish {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.54, f64: 0.83, derivative_f32: 0.51, derivative_f64: 1.21 });
    const HALVED: Halved = Halved::Wide;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Whole(self));
        }
        self.finish(x, self.begin(x))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        gate::swish_begin(x * self.sign(), (self.beta.abs(), 0.0))
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        gate::swish_finish(x * self.sign(), self.beta.abs(), half) * self.sign()
    }

    #[inline(always)]
    fn begin_wide<W: Lane<Elem = f64>>(self, x: W) -> WideHalf<W> {
        gate::swish_wide_begin(x * self.sign(), self.single().abs())
    }
    #[inline(always)]
    fn finish_wide<W: Lane<Elem = f64>>(self, x: W, half: WideHalf<W>) -> W {
        gate::swish_wide_finish(x * self.sign(), self.single().abs(), half) * self.sign()
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope { beta: self.single() });
        }
        gate::swish_slope(x * self.sign(), (self.beta.abs(), 0.0))
    }
}

#[derive(Clone, Copy)]
struct Slope {
    beta: f64,
}

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        gate::silu_slope_wide(x * self.beta)
    }
}
