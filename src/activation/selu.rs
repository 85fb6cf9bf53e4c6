use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{DoubleKernel, Half, Lane};
use crate::math::{Pair, elu};

/// λ = 1.0507009873554804934193349852946 as the nearest `f64` below and the rest.
const LAMBDA: (f64, f64) = (1.0507009873554805, 3.9874847667154144e-17);
/// λ α with α = 1.6732632423543772848170429916717.
const LAMBDA_ALPHA: (f64, f64) = (1.7580993408473768, 1.41535193800845e-17);

/// Scaled exponential linear unit.
///
/// ```text
/// selu(x)  = λ x for x > 0, else λ α (eˣ − 1)
/// selu'(x) = λ for x > 0, else λ α eˣ
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP  | 0.54 ULP        | −λα | +∞ | NaN |
/// | f64     | 0.85 ULP  | 0.81 ULP        | −λα | +∞ | NaN |
///
/// λ = 1.0507009873554804934193349852946 and α = 1.6732632423543772848170429916717, to the last digit: values stay
/// normalised from layer to layer, given weights from LeCun's initialiser. The slope at 0 is λ α.
///
/// [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515)
#[doc(alias = "scaled_exponential_linear_unit")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Selu;

impl Spec for Selu {
    const NAME: &'static str = "selu";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Selu {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.85, derivative_f32: 0.54, derivative_f64: 0.81 });
    const HALVED: Halved = Halved::Double;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Value);
        }
        self.finish(x, self.begin(x))
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        elu::begin(x.at_most(x.splat(0.0)), None)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        let below = elu::exp_m1_below(half, Pair::constant(x, LAMBDA_ALPHA));
        let above = x.at_least(x.splat(0.0));
        (below + above.mul_add(x.splat(LAMBDA.0), above * LAMBDA.1)).copysign(x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let below = if V::SINGLE {
            x.through_double(Slope)
        } else {
            let z = x.at_most(x.splat(0.0));
            elu::exp_below(z, None, Pair::constant(x, LAMBDA_ALPHA))
        };
        V::select(x.gt(x.splat(0.0)), x.splat(LAMBDA.0), below)
    }
}

#[derive(Clone, Copy)]
struct Value;

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let zero = x.splat(0.0);
        let below = elu::exp_m1_below_wide(x.at_most(zero)) * LAMBDA_ALPHA.0;
        x.at_least(zero).mul_add(x.splat(LAMBDA.0), below)
    }
}

#[derive(Clone, Copy)]
struct Slope;

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        elu::exp_below_wide(x.at_most(x.splat(0.0))) * LAMBDA_ALPHA.0
    }
}
