use super::{Bounds, Cost, Elementwise, Halved, Spec};
use crate::lane::{Half, Lane};
use crate::math::erf::gelu_slope;
use crate::math::phi::{begin_gelu, finish_gelu, gelu, middle_gelu};

/// Gaussian error linear unit, exact: `x · Φ(x)`.
///
/// ```text
/// gelu(x)  = x / 2 · erfc(−x / √2)
/// gelu'(x) = Φ(x) + x · φ(x)
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.86 ULP | 0.51 ULP | −0 | +∞ | NaN |
/// | f64     | 0.83 ULP | 1.26 ULP | −0 | +∞ | NaN |
///
/// [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gelu;

impl Spec for Gelu {
    const NAME: &'static str = "gelu";
    const ALIASES: &'static [&'static str] = &["gelunone", "gelupython", "geluerf"];
}

impl Elementwise for Gelu {
    const COST: Cost = Cost::Heavy;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.86, f64: 0.83, derivative_f32: 0.51, derivative_f64: 1.26 });

    const HALVED: Halved = Halved::Single;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        gelu(x)
    }

    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        begin_gelu(x)
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        middle_gelu(half)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        finish_gelu(x, half)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        gelu_slope(x)
    }
}
