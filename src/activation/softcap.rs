use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::{DoubleKernel, Lane};
use crate::math::{Pair, tanh};

/// Soft capping of logits.
///
/// ```text
/// softcap(x)  = cap · tanh(x / cap)
/// softcap'(x) = 1 − tanh²(x / cap)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.54 ULP  | 0.54 ULP        | −cap | cap | NaN |
/// | f64     | 0.9 ULP   | 0.8 ULP        | −cap | cap | NaN |
///
/// Keeps logits within ±cap, nearly unchanged while they are small; as in Gemma 2. Odd, keeps the sign of zero.
/// In `f64` values and slopes at ±∞ are those at the largest number, and for a cap above 4e305 not the limits.
///
/// [Gemma Team, 2024](https://arxiv.org/abs/2408.00118)
#[doc(alias = "soft_capping")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softcap {
    /// The bound of the values.
    pub cap: f64,
}

impl Default for Softcap {
    fn default() -> Self {
        Self { cap: 30.0 }
    }
}

impl Softcap {
    /// From its parameter.
    pub const fn new(cap: f64) -> Self {
        Self { cap }
    }

    /// The cap of Gemma 2 on its output logits, 30, which is the default.
    pub const fn gemma2_logits() -> Self {
        Self { cap: 30.0 }
    }

    /// The cap of Gemma 2 on its attention scores, 50.
    pub const fn gemma2_attention() -> Self {
        Self { cap: 50.0 }
    }
}

impl Spec for Softcap {
    const NAME: &'static str = "softcap";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.cap > 0.0 && self.cap.is_finite() {
            Ok(())
        } else {
            Err("cap must be positive and finite")
        }
    }
}

impl Elementwise for Softcap {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.54, f64: 0.9, derivative_f32: 0.54, derivative_f64: 0.8 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Value { cap: f64::from(self.cap as f32) });
        }
        let a = x.abs();
        let z = Pair::quotient(a.at_most(x.splat((self.cap * 32.0).min(f64::MAX))), self.cap);
        let y = tanh::tanh_pair(z.high, Some(z.low)).times(x.splat(self.cap)).round();
        // x (1 − z²/3) is x itself here, also where x / cap would be subnormal.
        V::select(a.lt(x.splat(self.cap * 7.450580596923828e-9)), a, y).copysign(x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope { cap: f64::from(self.cap as f32) });
        }
        let z =
            Pair::quotient(x.abs().at_most(x.splat((self.cap * 400.0).min(f64::MAX))), self.cap);
        tanh::tanh_slope(z.high, Some(z.low))
    }
}

#[derive(Clone, Copy)]
struct Value {
    cap: f64,
}

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        // Of the absolute value, since the exponential's errors at x and −x differ.
        (tanh::tanh_wide(x.abs() * (1.0 / self.cap)) * self.cap).copysign(x)
    }
}

#[derive(Clone, Copy)]
struct Slope {
    cap: f64,
}

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        tanh::tanh_slope_wide(x * (1.0 / self.cap))
    }
}
