//! Double-double numbers for the few scalars of a lane: its sum, its logarithm.

use core::f64::consts::{LN_2, LOG2_E};

/// The number `high + low`, with `|low|` at most half an ULP of `high`: about 106 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wide {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

/// ln 2 − `LN_2`, and what is left after that.
const LN_2_LOW: Wide = Wide { high: 2.3190468138462996e-17, low: 5.707708438416212e-34 };

/// 1/k! as double-doubles for k = 2..12, from exact fractions.
const INVERSE_FACTORIALS: [Wide; 11] = [
    Wide { high: 0.5, low: 0.0 },
    Wide { high: 0.16666666666666666, low: 9.25185853854297e-18 },
    Wide { high: 0.041666666666666664, low: 2.3129646346357427e-18 },
    Wide { high: 0.008333333333333333, low: 1.1564823173178714e-19 },
    Wide { high: 0.001388888888888889, low: -5.300543954373577e-20 },
    Wide { high: 0.0001984126984126984, low: 1.7209558293420705e-22 },
    Wide { high: 2.48015873015873e-05, low: 2.1511947866775882e-23 },
    Wide { high: 2.7557319223985893e-06, low: -1.858393274046472e-22 },
    Wide { high: 2.755731922398589e-07, low: 2.3767714622250297e-23 },
    Wide { high: 2.505210838544172e-08, low: -1.448814070935912e-24 },
    Wide { high: 2.08767569878681e-09, low: -1.20734505911326e-25 },
];

impl Wide {
    pub(crate) const ZERO: Self = Self { high: 0.0, low: 0.0 };
    pub(crate) const ONE: Self = Self { high: 1.0, low: 0.0 };

    #[inline(always)]
    pub(crate) fn from(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }

    /// `a + b` without error (Knuth's two-sum).
    #[inline(always)]
    pub(crate) fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let b_part = high - a;
        Self { high, low: (a - (high - b_part)) + (b - b_part) }
    }

    #[inline(always)]
    fn fast_sum(a: f64, b: f64) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    /// `a · b` without error, short of underflow.
    #[inline(always)]
    pub(crate) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    /// `self + other`, relative error about 2^-104 where both have one sign.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = Self::sum(self.high, other.high);
        let low = Self::sum(self.low, other.low);
        let sum = Self::fast_sum(sum.high, sum.low + low.high);
        Self::fast_sum(sum.high, sum.low + low.low)
    }

    #[inline(always)]
    pub(crate) fn negated(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }

    #[inline(always)]
    pub(crate) fn times(self, other: Self) -> Self {
        let product = Self::product(self.high, other.high);
        let cross = self.high.mul_add(other.low, self.low * other.high);
        Self::fast_sum(product.high, product.low + cross)
    }

    #[inline(always)]
    pub(crate) fn over(self, divisor: Self) -> Self {
        let first = self.high / divisor.high;
        let rest = self.plus(divisor.times(Self::from(-first)));
        let second = rest.high / divisor.high;
        let rest = rest.plus(divisor.times(Self::from(-second)));
        Self::fast_sum(first, second).plus(Self::from(rest.high / divisor.high))
    }

    /// Both parts times a power of two.
    #[inline(always)]
    pub(crate) fn scaled(self, power: f64) -> Self {
        Self { high: self.high * power, low: self.low * power }
    }

    /// The nearest `f64`.
    #[inline(always)]
    pub(crate) fn value(self) -> f64 {
        self.high + self.low
    }

    /// `e^self − 1` for `|self| <= 0.35`, relative error about 2^-98: the Taylor series of
    /// `e^(self/32) − 1`, whose terms from the 13th on are below 2^-110 of it, doubled five times
    /// by `(1 + y)² − 1 = y (2 + y)`.
    #[inline(always)]
    fn exp_m1_small(self) -> Self {
        let x = self.scaled(0.03125);
        let mut sum = Self::ZERO;
        for &coefficient in INVERSE_FACTORIALS.iter().rev() {
            sum = sum.times(x).plus(coefficient);
        }
        let mut y = x.plus(x.times(x).times(sum));
        for _ in 0..5 {
            y = y.times(y.plus(Self::from(2.0)));
        }
        y
    }

    /// The nearest multiple `k` of ln 2, and `self − k ln 2`.
    #[inline(always)]
    fn reduced(self) -> (f64, Self) {
        let k = (self.high * LOG2_E).round_ties_even();
        let multiple = Self::product(-k, LN_2)
            .plus(Self::product(-k, LN_2_LOW.high))
            .plus(Self::from(-k * LN_2_LOW.low));
        (k, self.plus(multiple))
    }

    /// `e^self`, relative error about 2^-98; for `|self| < 1000` and results within range.
    #[inline(always)]
    pub(crate) fn exp(self) -> Self {
        if self.high.is_nan() || self.high <= -1000.0 {
            // NaN stays, and everything below underflows.
            return Self::from(if self.high.is_nan() { self.high } else { 0.0 });
        }
        let (k, r) = self.reduced();
        let e = r.exp_m1_small().plus(Self::ONE);
        // Two factors, since 2^k alone may be out of range.
        let half = (k / 2.0).floor();
        e.scaled(power_of_two(half as i32)).scaled(power_of_two((k - half) as i32))
    }

    /// `ln(1 + self)` for `self >= 0`: the library's value and one Newton step.
    pub(crate) fn ln_1p(self) -> Self {
        if self.high.is_nan() || self.high <= 0.0 || self.high == f64::INFINITY {
            return self;
        }
        if self.high < 1e-40 {
            // s − s²/2 + …: what follows s is below the last digit.
            return self;
        }
        let first = Self::from(self.high.ln_1p());
        // ln(1 + s) = l + ln(1 + u) with u = (s − (e^l − 1)) / e^l tiny.
        let correction = if first.high <= 0.34 {
            let e = first.exp_m1_small();
            self.plus(e.negated()).high / (1.0 + e.high)
        } else {
            let inverse = first.negated().exp();
            self.plus(Self::ONE).times(inverse).plus(Self::from(-1.0)).value()
        };
        first.plus(Self::from(correction))
    }
}

/// `2^k` for an exponent of a normal number.
#[inline(always)]
pub(crate) fn power_of_two(k: i32) -> f64 {
    debug_assert!((-1022..=1023).contains(&k));
    f64::from_bits(((1023 + k) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_factorials_times_factorials_are_one() {
        let mut factorial = 1.0;
        for (i, &inverse) in INVERSE_FACTORIALS.iter().enumerate() {
            factorial *= (i + 2) as f64;
            let one = inverse.times(Wide::from(factorial));
            assert!((one.high - 1.0 + one.low).abs() < 2e-32, "1/{}!: {one:?}", i + 2);
        }
    }

    #[test]
    fn exp_of_ln_1p_gives_back_the_argument() {
        for s in [1e-300, 1e-30, 1e-9, 0.1, 0.405, 0.5, 1.0, 3.0, 1e5, 1.6e7] {
            let l = Wide::from(s).ln_1p();
            let back =
                if l.high < 0.34 { l.exp_m1_small() } else { l.exp().plus(Wide::from(-1.0)) };
            let error = back.plus(Wide::from(-s)).value() / s;
            assert!(error.abs() < 1e-27 * (1.0 + 1.0 / s.clamp(0.3, 1.0)), "{s}: {error:e}");
        }
    }

    #[test]
    fn e_has_its_known_digits() {
        let e = Wide::ONE.exp();
        assert_eq!(e.high, core::f64::consts::E);
        assert!((e.low - 1.4456468917292502e-16).abs() < 1e-30);
    }
}
