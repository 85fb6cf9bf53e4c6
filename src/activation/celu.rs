use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::{Pair, elu};

/// Continuously differentiable exponential linear unit.
///
/// ```text
/// celu(x)  = x for x > 0, else alpha · (e^(x/alpha) − 1)
/// celu'(x) = 1 for x > 0, else e^(x/alpha)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP  | 0.54 ULP        | −alpha | +∞ | NaN |
/// | f64     | 0.85 ULP  | 0.78 ULP        | −alpha | +∞ | NaN |
///
/// Like ELU, but with slope 1 at 0 from both sides for every `alpha`, which must be positive. In `f64` value and
/// slope at −∞ are those at the lowest number, and for an `alpha` above 2e305 not the limits.
///
/// [Barron, 2017](https://arxiv.org/abs/1704.07483)
#[doc(alias = "continuously_differentiable_elu")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Celu {
    /// The value at −∞, negated; also the width of the bend.
    pub alpha: f64,
}

impl Default for Celu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Celu {
    /// From its parameter.
    pub const fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Spec for Celu {
    const NAME: &'static str = "celu";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.alpha > 0.0 && self.alpha.is_finite() {
            Ok(())
        } else {
            Err("alpha must be positive and finite")
        }
    }
}

impl Elementwise for Celu {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.85, derivative_f32: 0.54, derivative_f64: 0.78 });
    const HALVED: Halved = Halved::Double;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Value { alpha: f64::from(self.alpha as f32) });
        }
        self.finish(x, self.begin(x))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        let z = self.argument(x.at_most(x.splat(0.0)));
        elu::begin(z.high, Some(z.low))
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        let below = elu::exp_m1_below(half, Pair::exact(x.splat(self.alpha)));
        let y = (below + x.at_least(x.splat(0.0))).copysign(x);
        // The quotient of such x may be subnormal, and the function is x.
        V::select(x.abs().lt(x.splat(1e-17 * self.alpha)), x, y)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let below = if V::SINGLE {
            x.through_double(Slope { alpha: f64::from(self.alpha as f32) })
        } else {
            let z = self.argument(x.at_most(x.splat(0.0)));
            elu::exp_below(z.high, Some(z.low), Pair::exact(x.splat(1.0)))
        };
        V::select(x.gt(x.splat(0.0)), x.splat(1.0), below)
    }
}

impl Celu {
    /// `x / alpha` with its remainder, limited to where the exponential is not certainly zero.
    #[inline(always)]
    fn argument<V: Lane>(self, x: V) -> Pair<V> {
        Pair::quotient(x.at_least(x.splat((-760.0 * self.alpha).max(f64::MIN))), self.alpha)
    }
}

#[derive(Clone, Copy)]
struct Value {
    alpha: f64,
}

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let zero = x.splat(0.0);
        let below = elu::exp_m1_below_wide(x.at_most(zero) * (1.0 / self.alpha));
        (below * self.alpha) + x.at_least(zero)
    }
}

#[derive(Clone, Copy)]
struct Slope {
    alpha: f64,
}

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        elu::exp_below_wide(x.at_most(x.splat(0.0)) * (1.0 / self.alpha))
    }
}
