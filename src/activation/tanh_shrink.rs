use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// What tanh leaves of its argument.
///
/// ```text
/// tanh_shrink(x)  = x − tanh(x)
/// tanh_shrink'(x) = tanh²(x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | … ULP     | … ULP           | …  | …  | NaN |
/// | f64     | … ULP     | … ULP           | …  | …  | NaN |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TanhShrink;

impl Spec for TanhShrink {
    const NAME: &'static str = "tanh_shrink";
    const ALIASES: &'static [&'static str] = &[];
}

impl Elementwise for TanhShrink {
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
