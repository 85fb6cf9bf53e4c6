use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::Pair;
use crate::math::gate::{clamp, gate};
use crate::math::ln::{softplus_begin, softplus_finish, softplus_scaled};
use crate::math::wide::{Grade, wide};

/// Softplus, a smooth ReLU.
///
/// ```text
/// softplus(x)  = ln(1 + e^(beta · x)) / beta
/// softplus'(x) = σ(beta · x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.55 ULP | 0.53 ULP | 0 | +∞ | NaN |
/// | f64     | 0.78 ULP | 0.81 ULP | 0 | +∞ | NaN |
///
/// The bounds are those of the default. In `f64` a `beta` below 1e-36 ends in a small number at −∞; one that rounds to
/// 0 in the element type gives NaN or infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softplus {
    /// The sharpness.
    pub beta: f64,
}

impl Default for Softplus {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Softplus {
    /// From its parameter.
    pub const fn new(beta: f64) -> Self {
        Self { beta }
    }
}

impl Spec for Softplus {
    const NAME: &'static str = "softplus";
    const ALIASES: &'static [&'static str] = &["smoothrelu"];

    fn check(&self) -> Result<(), &'static str> {
        if self.beta > 0.0 && self.beta.is_finite() {
            Ok(())
        } else {
            Err("beta must be positive and finite")
        }
    }
}

impl Elementwise for Softplus {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.55, f64: 0.78, derivative_f32: 0.53, derivative_f64: 0.81 });
    const HALVED: Halved = Halved::Double;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        softplus_scaled(x, self.beta)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        softplus_begin(x, self.beta)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        softplus_finish(x, self.beta, half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope(f64::from(self.beta as f32)));
        }
        // Infinity has no low part; what is cut off is beyond the ends of σ.
        let bound = (830.0 / self.beta).min(f64::MAX);
        let z = x.at_least(x.splat(-bound)).at_most(x.splat(bound));
        let z = Pair::product(z, x.splat(self.beta));
        gate(x.splat(1.0), clamp(z.high), Some(z.low))
    }
}

/// σ(beta · x) of `f32` values.
#[derive(Clone, Copy)]
struct Slope(f64);

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        // Beyond these ends σ is 0 or 1 in f32.
        let z = (x * self.0).at_least(x.splat(-112.0)).at_most(x.splat(40.0));
        x.splat(1.0) / wide(-z, Grade::Value).plus(1.0)
    }
}
