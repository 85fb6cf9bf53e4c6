use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{Half, Lane};
use crate::math::{self, gate};

/// Logistic sigmoid, `1 / (1 + e⁻ˣ)`.
///
/// ```text
/// sigmoid(x)  = 1 / (1 + e⁻ˣ)
/// sigmoid'(x) = σ(x) · (1 − σ(x))
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.83 ULP  | 0.54 ULP        | 0 | 1 | NaN |
/// | f64     | 0.82 ULP  | 0.78 ULP        | 0 | 1 | NaN |
///
/// Smooth and bounded, for gates and probabilities; its slope, at most ¼, fades on both sides, so that gradients vanish in
/// deep stacks. Results stay nonzero down to −103.97 (f32) and −745.13 (f64), and never exceed 1.
#[doc(alias = "logistic")]
#[doc(alias = "expit")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sigmoid;

impl Spec for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const ALIASES: &'static [&'static str] = &["logistic"];
}

impl Elementwise for Sigmoid {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.83, f64: 0.82, derivative_f32: 0.54, derivative_f64: 0.78 });
    const HALVED: Halved = Halved::Thirds;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        math::sigmoid(x)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        gate::sigmoid_begin::<V, true>(x)
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        gate::sigmoid_middle::<V, true>(half)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, _x: V, half: Half<V>) -> V {
        gate::sigmoid_finish(half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        gate::sigmoid_slope(x)
    }
}
