//! Unevaluated sums of two lanes, for the places where one rounding would be one too many.

use crate::lane::Lane;

/// The number `high + low`, with `|low|` at most about an ULP of `high`.
#[derive(Clone, Copy)]
pub(crate) struct Pair<V> {
    pub(crate) high: V,
    pub(crate) low: V,
}

impl<V: Lane> Pair<V> {
    /// One lane, and nothing below it.
    #[inline(always)]
    pub(crate) fn exact(high: V) -> Self {
        Self { high, low: high.splat(0.0) }
    }

    /// A real number given as the sum of two `f64` numbers; for `f64` lanes.
    #[inline(always)]
    pub(crate) fn constant(like: V, value: (f64, f64)) -> Self {
        Self { high: like.splat(value.0), low: like.splat(value.1) }
    }

    /// `x / divisor` for a number known to all lanes: no division, and the exact remainder.
    #[inline(always)]
    pub(crate) fn quotient(x: V, divisor: f64) -> Self {
        let inverse = x.splat(1.0 / divisor);
        let high = x * inverse;
        Self { high, low: high.neg_mul_add(x.splat(divisor), x) * inverse }
    }

    /// `a + b` without error, for `|a| >= |b|` or `a = 0` (fast two-sum; Dekker, 1971).
    #[inline(always)]
    pub(crate) fn sum(a: V, b: V) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    /// `a + b` without error, in any order of magnitudes (two-sum; Knuth, 1969).
    #[inline(always)]
    pub(crate) fn two_sum(a: V, b: V) -> Self {
        let high = a + b;
        let back = high - a;
        Self { high, low: (a - (high - back)) + (b - back) }
    }

    /// `a · b` without error, short of underflow.
    #[inline(always)]
    pub(crate) fn product(a: V, b: V) -> Self {
        let high = a * b;
        Self { high, low: a.mul_sub(b, high) }
    }

    /// The pair plus a small number.
    #[inline(always)]
    pub(crate) fn plus_low(self, low: V) -> Self {
        Self { high: self.high, low: self.low + low }
    }

    /// `value + self` without losing digits, for `|value| >= |self|` or `value = 0`.
    #[inline(always)]
    pub(crate) fn under(self, value: V) -> Self {
        Self::sum(value, self.high).plus_low(self.low)
    }

    /// Both parts times a power of two.
    #[inline(always)]
    pub(crate) fn scale(self, power: V) -> Self {
        Self { high: self.high * power, low: self.low * power }
    }

    /// `self / divisor`: one division and a correction from the exact remainder.
    #[inline(always)]
    pub(crate) fn divide(self, divisor: Self) -> Self {
        let inverse = divisor.high.splat(1.0) / divisor.high;
        let high = self.high * inverse;
        // self − high · divisor; the first product is exact, the rest is small.
        let rest = high.neg_mul_add(divisor.high, self.high);
        let rest = rest + high.neg_mul_add(divisor.low, self.low);
        Self { high, low: rest * inverse }
    }

    /// `self · factor`.
    #[inline(always)]
    pub(crate) fn times(self, factor: V) -> Self {
        let product = Self::product(self.high, factor);
        Self { high: product.high, low: self.low.mul_add(factor, product.low) }
    }

    /// `self · factor`, short of the product of the low parts.
    #[inline(always)]
    pub(crate) fn times_pair(self, factor: Self) -> Self {
        let product = Self::product(self.high, factor.high);
        let low = self.high.mul_add(factor.low, product.low);
        Self { high: product.high, low: self.low.mul_add(factor.high, low) }
    }

    /// The lane nearest to the sum.
    #[inline(always)]
    pub(crate) fn round(self) -> V {
        self.high + self.low
    }

    #[inline(always)]
    pub(crate) fn select(mask: V::Mask, if_true: Self, if_false: Self) -> Self {
        Self {
            high: V::select(mask, if_true.high, if_false.high),
            low: V::select(mask, if_true.low, if_false.low),
        }
    }
}
