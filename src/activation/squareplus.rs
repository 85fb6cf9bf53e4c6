use super::{Bounds, Cost, Elementwise, Spec};
use crate::lane::{DoubleKernel, Lane};
use crate::math::Pair;

/// From here on the square overflows, and `b` no longer counts beside it.
const LARGE: f64 = 1e150;

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
/// | f64     | 0.51 ULP | 0.51 ULP | 0 | +∞ | NaN |
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
        Some(Bounds { f32: 0.51, f64: 0.51, derivative_f32: 0.51, derivative_f64: 0.51 });

    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Value(f64::from(self.b as f32)));
        }
        let s = Sum::of(x, self.b);
        // Halves, since the sum itself may overflow.
        let half = x.splat(0.5);
        let above = Pair::sum(s.root.high * half, s.size * half);
        let above = above.high + s.root.low.mul_add(half, above.low);
        let below = s.quotient(x.splat(self.b * 0.5)).round();
        V::select(x.lt(x.splat(0.0)), below, above)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        if V::SINGLE {
            return x.through_double(Slope(f64::from(self.b as f32)));
        }
        let s = Sum::of(x, self.b);
        // b / 2 / (√(x² + b) · (|x| + √(x² + b))) is the derivative at −|x|.
        let quotient = s.quotient(x.splat(self.b * 0.5));
        let below = quotient.divide(s.root);
        // Where remainders are not finite, plain divisions are exact enough.
        let plain = Pair::exact(quotient.high / s.root.high);
        let below = Pair::select(s.size.gt(x.splat(LARGE)), plain, below);
        let above = Pair::sum(x.splat(1.0), -below.high);
        let above = above.high + (above.low - below.low);
        V::select(x.lt(x.splat(0.0)), below.round(), above)
    }
}

/// The parts of the formula, for `f64` lanes.
struct Sum<V> {
    /// |x|
    size: V,
    /// √(x² + b)
    root: Pair<V>,
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
        Self { size, root: Pair { high: high.at_least(size), low } }
    }

    /// `b / (|x| + √(x² + b))`
    #[inline(always)]
    fn quotient(&self, b: V) -> Pair<V> {
        let sum = Pair::sum(self.root.high, self.size).plus_low(self.root.low);
        let high = b / sum.high;
        // No correction where the division is exact enough, and the remainder would not be finite.
        let rest = high.neg_mul_add(sum.low, high.neg_mul_add(sum.high, b));
        let large = self.size.gt(high.splat(LARGE));
        Pair { high, low: V::select(large, high.splat(0.0), rest / sum.high) }
    }
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
