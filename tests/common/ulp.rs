//! Errors in units in the last place of the exact value.

use super::dd::{Real, power_of_two};
use ndarray_activations::Element;

/// What the metric must know of a number format beside its values.
pub trait Format: Element {
    /// The exponent of the smallest normal number.
    const MIN_EXPONENT: i32;
    /// The exponent of the largest numbers.
    const MAX_EXPONENT: i32;
    /// Bits of the mantissa with the leading one.
    const DIGITS: i32;
    /// As many bits as the format has, in the low bits.
    fn bits(self) -> u64;
    fn from_bits_of(bits: u64) -> Self;
    /// The next number towards +∞; stays at NaN and +∞.
    fn up(self) -> Self;
    /// The next number towards −∞; stays at NaN and −∞.
    fn down(self) -> Self;
}

macro_rules! format {
    ($type:ident, $bits:ident) => {
        impl Format for $type {
            const MIN_EXPONENT: i32 = $type::MIN_EXP - 1;
            const MAX_EXPONENT: i32 = $type::MAX_EXP - 1;
            const DIGITS: i32 = $type::MANTISSA_DIGITS as i32;
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }
            fn from_bits_of(bits: u64) -> Self {
                Self::from_bits(bits as $bits)
            }
            fn up(self) -> Self {
                self.next_up()
            }
            fn down(self) -> Self {
                self.next_down()
            }
        }
    };
}
format!(f32, u32);
format!(f64, u64);

/// The error of `got` in ULP of the exact value: `|got − exact| / ulp(exact)`, with
/// `ulp(y) = 2^(max(⌊log₂ |y|⌋, least exponent) − digits + 1)`. It is infinite where `got` is wrong
/// in kind: NaN, an infinity that the exact value does not round to or that it misses, a number of
/// the other sign, a number where the exact value is zero. Zeros have no sign here.
///
/// So the correctly rounded result has an error of at most 1/2, and every other one a larger error
/// than it, and the metric does not jump where results become subnormal.
pub fn error<A: Format>(got: A, exact: Real) -> f64 {
    let y = got.to_f64();
    if y.is_nan() {
        return f64::INFINITY;
    }
    if exact.is_zero() {
        return if y == 0.0 { 0.0 } else { f64::INFINITY };
    }
    if y != 0.0 && y.is_sign_negative() != exact.is_negative() {
        return f64::INFINITY;
    }
    // The least magnitude that rounds to infinity, 2^MAX_EXPONENT (2 − 2^-DIGITS).
    let limit = Real::new(2.0) - Real::new(power_of_two(-A::DIGITS));
    let limit = Real { exponent: limit.exponent + A::MAX_EXPONENT, ..limit };
    let overflows = !(exact.abs() - limit).is_negative();
    if overflows || y.is_infinite() {
        return if overflows && y.is_infinite() { 0.0 } else { f64::INFINITY };
    }
    let difference = (Real::new(y) - exact).abs();
    let unit = exact.exponent.max(A::MIN_EXPONENT) - A::DIGITS + 1;
    Real { exponent: difference.exponent - unit, ..difference }.approximate()
}

/// The error where the right answer is not a number of any size: equal, or NaN for NaN.
pub fn special_error<A: Format>(got: A, expected: f64) -> f64 {
    let y = got.to_f64();
    if y == expected || (y.is_nan() && expected.is_nan()) { 0.0 } else { f64::INFINITY }
}

/// [`error`] of an `f32` for an exact value that a double holds well enough.
#[inline(always)]
pub fn error_f32(got: f32, exact: f64) -> f64 {
    let y = f64::from(got);
    const OVERFLOW: f64 = 340282356779733661637539395458142568448.0;
    let wrong_kind = if exact == 0.0 {
        y != 0.0
    } else {
        (y != 0.0 && y.is_sign_negative() != exact.is_sign_negative())
            || y.is_infinite() != (exact.abs() >= OVERFLOW)
    };
    if wrong_kind || y.is_nan() {
        return f64::INFINITY;
    }
    if y.is_infinite() {
        return 0.0;
    }
    let exponent = ((exact.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    (y - exact).abs() * power_of_two(23 - exponent.max(-126))
}
