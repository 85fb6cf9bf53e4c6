use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::{Pair, elu, exp};

/// Exponential linear unit.
///
/// ```text
/// elu(x)  = x for x > 0, else alpha · (eˣ − 1)
/// elu'(x) = 1 for x > 0, else alpha · eˣ
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.88 ULP  | 0.54 ULP        | −alpha | +∞ | NaN |
/// | f64     | 0.85 ULP  | 0.78 ULP        | −alpha | +∞ | NaN |
///
/// Negative values bring the mean nearer to 0 and keep a gradient where ReLU has none. The slope at 0 is `alpha`, which is
/// rounded once to the element type. For `f32` an `alpha` that is not a power of two takes longer, and errors are below
/// 0.51 ULP.
///
/// [Clevert et al., 2015](https://arxiv.org/abs/1511.07289)
#[doc(alias = "exponential_linear_unit")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    /// The value at −∞, negated.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Elu {
    /// From its parameter.
    pub const fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Spec for Elu {
    const NAME: &'static str = "elu";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.alpha.is_finite() { Ok(()) } else { Err("alpha must be finite") }
    }
}

impl Elementwise for Elu {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.88, f64: 0.85, derivative_f32: 0.54, derivative_f64: 0.78 });
    const HALVED: Halved = Halved::Double;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            if !self.is_power_of_two() {
                return x.through_double(Value { alpha: f64::from(self.alpha as f32) });
            }
            let (zero, alpha) = (x.splat(0.0), x.splat(self.alpha));
            let z = x.at_most(zero);
            return exp::exp_m1_short(z.at_least(x.splat(-20.0)), alpha) + x.at_least(zero);
        }
        self.finish(x, self.begin(x))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        elu::begin(x.at_most(x.splat(0.0)), None)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        let below = elu::exp_m1_below(half, Pair::exact(x.splat(self.alpha)));
        // Nothing is below 0 with a negative alpha, and with any other what x is.
        let lowest =
            if self.alpha.is_sign_negative() { f64::MIN_POSITIVE } else { f64::NEG_INFINITY };
        (below + x.at_least(x.splat(0.0))).copysign(x.at_least(x.splat(lowest)))
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let below = if V::SINGLE {
            x.through_double(Slope { alpha: f64::from(self.alpha as f32) })
        } else {
            let z = x.at_most(x.splat(0.0));
            elu::exp_below(z, None, Pair::exact(x.splat(self.alpha)))
        };
        V::select(x.gt(x.splat(0.0)), x.splat(1.0), below)
    }
}

impl Elu {
    /// Whether products with alpha as an `f32` are exact, and no zeros, which would lose their sign.
    #[inline(always)]
    fn is_power_of_two(self) -> bool {
        let alpha = self.alpha as f32;
        alpha != 0.0 && alpha.to_bits().trailing_zeros() >= f32::MANTISSA_DIGITS - 1
    }
}

/// Of an alpha that products with are rounded.
#[derive(Clone, Copy)]
struct Value {
    alpha: f64,
}

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let below = elu::exp_m1_below_wide(x.at_most(x.splat(0.0)));
        below.mul_add(x.splat(self.alpha), x.at_least(x.splat(-0.0)))
    }
}

#[derive(Clone, Copy)]
struct Slope {
    alpha: f64,
}

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        elu::exp_below_wide(x.at_most(x.splat(0.0))) * self.alpha
    }
}
