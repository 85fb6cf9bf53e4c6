use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Mish, `x · tanh(softplus(x))`.
///
/// ```text
/// mish(x)  = x · tanh(ln(1 + eˣ))
/// mish'(x) = tanh(s) + x · (1 − tanh²(s)) · σ(x), s = ln(1 + eˣ)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
///
/// [Misra, 2019](https://arxiv.org/abs/1908.08681)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mish;

impl Spec for Mish {
    const NAME: &'static str = "mish";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for Mish {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> = None;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        x
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        x
    }
}
