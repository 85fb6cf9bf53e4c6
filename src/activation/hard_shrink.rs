use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::Lane;

/// Hard shrinkage.
///
/// ```text
/// hard_shrink(x)  = x for |x| > lambda, else 0
/// hard_shrink'(x) = 1 for |x| > lambda, else 0
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | exact | exact | −∞ | +∞ | NaN |
/// | f64     | exact | exact | −∞ | +∞ | NaN |
///
/// Odd: zeros have the sign of x. The derivative at ±lambda is 0. Nothing, not even ±∞, is above an infinite `lambda`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardShrink {
    /// Half the width of what becomes 0.
    pub lambda: f64,
}

impl Default for HardShrink {
    fn default() -> Self {
        Self { lambda: 0.5 }
    }
}

impl HardShrink {
    /// From its parameter.
    pub const fn new(lambda: f64) -> Self {
        Self { lambda }
    }
}

impl Spec for HardShrink {
    const NAME: &'static str = "hard_shrink";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.lambda >= 0.0 { Ok(()) } else { Err("lambda must be at least 0") }
    }
}

impl Elementwise for HardShrink {
    const COST: Cost = Cost::Light;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.0, f64: 0.0, derivative_f32: 0.0, derivative_f64: 0.0 });
    const PLAIN_UP_TO: usize = 1 << 10;

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        // Written on |x|, so that the select takes a computed value: on a loaded one, in place, it becomes
        // a masked store, which is slow.
        let size = x.abs();
        V::select(size.le(x.splat(self.lambda)), x.splat(0.0), size).copysign(x)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        V::select(
            x.is_nan(),
            x,
            V::select(x.abs().gt(x.splat(self.lambda)), x.splat(1.0), x.splat(0.0)),
        )
    }
}
