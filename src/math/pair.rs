//! Unevaluated sums of two lanes, for the places where one rounding would be one too many.

use crate::lane::Lane;

/// The number `high + low`, with `|low|` at most about an ULP of `high`.
#[derive(Clone, Copy)]
pub(crate) struct Pair<V> {
    pub(crate) high: V,
    pub(crate) low: V,
}

impl<V: Lane> Pair<V> {
    /// `a + b` without error, for `|a| >= |b|` or `a = 0` (fast two-sum; Dekker, 1971).
    #[inline(always)]
    pub(crate) fn sum(a: V, b: V) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
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
