use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::{DoubleKernel, Lane};
use crate::math::Pair;

/// From here on the square overflows, and `b` no longer counts beside it.
const LARGE: f64 = 1e150;
/// From here on the value is x, and the derivative is 0 or 1.
const HUGE: f64 = 1e300;

/// Squareplus, an algebraic softplus.
///
/// ```text
/// squareplus(x)  = (x + √(x² + b)) / 2
/// squareplus'(x) = (1 + x / √(x² + b)) / 2
/// ```
///
/// | element | max error | max error of f′ | −∞ | +∞ | NaN |
/// |---------|-----------|-----------------|----|----|-----|
/// | f32     | 0.51 ULP | 0.51 ULP | 0 | +∞ | NaN |
/// | f64     | 0.51 ULP | 0.75 ULP | 0 | +∞ | NaN |
///
/// [Barron, 2021](https://arxiv.org/abs/2112.11687)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squareplus {
    /// The square of twice the value at 0.
    pub b: f64,
}

impl Default for Squareplus {
    fn default() -> Self {
        Self { b: 4.0 }
    }
}

impl Squareplus {
    /// From its parameter.
    pub const fn new(b: f64) -> Self {
        Self { b }
    }
}

impl Spec for Squareplus {
    const NAME: &'static str = "squareplus";
    const ALIASES: &'static [&'static str] = &[];

    fn check(&self) -> Result<(), &'static str> {
        if self.b > 0.0 && self.b.is_finite() {
            Ok(())
        } else {
            Err("b must be positive and finite")
        }
    }
}

impl Elementwise for Squareplus {
    const COST: Cost = Cost::Moderate;
    const BOUNDS: Option<Bounds> =
        Some(Bounds { f32: 0.51, f64: 0.51, derivative_f32: 0.51, derivative_f64: 0.75 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Value(f64::from(self.b as f32)));
        }
        let s = Sum::of(x, self.b);
        let huge = s.size.gt(x.splat(HUGE));
        let above = V::select(huge, s.size, s.half.round());
        // Infinity has no remainder; next to it the division alone is exact enough.
        let below = quotient(x.splat(self.b * 0.25), s.half);
        let below = below.high + V::select(huge, x.splat(0.0), below.low);
        V::select(x.lt(x.splat(0.0)), below, above)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope(f64::from(self.b as f32)));
        }
        let s = Sum::of(x.at_least(x.splat(-HUGE)).at_most(x.splat(HUGE)), self.b);
        // b / 2 / (√(x² + b) · (|x| + √(x² + b))) is the derivative at −|x|. It is lifted, so that the low parts of
        // subnormal results are not lost; where b is so large that it cannot be, results are not that small.
        let lift = if self.b < 1e200 { 2f64.powi(256) } else { 1.0 };
        let y = quotient(x.splat(self.b * 0.25 * lift), s.half).divide(s.root);
        let below = y.round() * (1.0 / lift);
        let y = y.scale(x.splat(1.0 / lift));
        let above = Pair::sum(x.splat(1.0), -y.high);
        let above = above.high + (above.low - y.low);
        V::select(x.lt(x.splat(0.0)), below, above)
    }
}

/// The parts of the formula, for `f64` lanes.
struct Sum<V> {
    /// |x|
    size: V,
    /// √(x² + b)
    root: Pair<V>,
    /// (|x| + √(x² + b)) / 2: the sum itself may overflow.
    half: Pair<V>,
}

impl<V: Lane> Sum<V> {
    #[inline(always)]
    fn of(x: V, b: f64) -> Self {
        let size = x.abs();
        let small = size.at_most(x.splat(LARGE));
        let square = Pair::product(small, small);
        let square = Pair::two_sum(square.high, x.splat(b)).plus_low(square.low);
        let high = square.high.sqrt();
        // Newton's step from the exact remainder.
        let rest = high.neg_mul_add(high, square.high) + square.low;
        let large = size.gt(x.splat(LARGE));
        let low = V::select(large | high.eq(x.splat(0.0)), x.splat(0.0), rest * 0.5 / high);
        let root = Pair { high: high.at_least(size), low };
        let half = Pair::sum(root.high * 0.5, size * 0.5);
        Self { size, root, half: half.plus_low(root.low * 0.5) }
    }
}

/// `b / divisor`, with a high part that is correctly rounded.
#[inline(always)]
fn quotient<V: Lane>(b: V, divisor: Pair<V>) -> Pair<V> {
    let high = b / divisor.high;
    let rest = high.neg_mul_add(divisor.low, high.neg_mul_add(divisor.high, b));
    Pair { high, low: rest / divisor.high }
}

/// Squareplus of `f32` values: nothing overflows in `f64`.
#[derive(Clone, Copy)]
struct Value(f64);

impl DoubleKernel for Value {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let size = x.abs();
        let sum = size + x.mul_add(x, x.splat(self.0)).sqrt();
        W::select(x.lt(x.splat(0.0)), x.splat(self.0 * 0.5) / sum, sum * 0.5)
    }
}

/// The derivative at `f32` values.
#[derive(Clone, Copy)]
struct Slope(f64);

impl DoubleKernel for Slope {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        let root = x.mul_add(x, x.splat(self.0)).sqrt();
        let below = x.splat(self.0 * 0.5) / (root * (x.abs() + root));
        W::select(x.lt(x.splat(0.0)), below, -below + 1.0)
    }
}
