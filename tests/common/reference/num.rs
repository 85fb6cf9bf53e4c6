//! The two kinds of numbers of a reference.

use core::ops::{Add, Div, Mul, Neg, Sub};

use super::super::dd::Real;

/// The numbers of a reference.
pub trait Num:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    fn new(x: f64) -> Self;
    /// A constant as the sum of two doubles.
    fn pair(pair: (f64, f64)) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn erfc(self) -> Self;
    /// Near enough to compare with.
    fn approximate(self) -> f64;
}

impl Num for Real {
    fn new(x: f64) -> Self {
        Real::new(x)
    }
    fn pair(pair: (f64, f64)) -> Self {
        Real::pair(pair)
    }
    fn exp(self) -> Self {
        Real::exp(self)
    }
    fn exp_m1(self) -> Self {
        Real::exp_m1(self)
    }
    fn ln_1p(self) -> Self {
        Real::ln_1p(self)
    }
    fn sqrt(self) -> Self {
        Real::sqrt(self)
    }
    fn erfc(self) -> Self {
        Real::erfc(self)
    }
    fn approximate(self) -> f64 {
        Real::approximate(self)
    }
}

/// Below this magnitude two terms of a series are exact to the last bit of a double.
const TINY: f64 = 1.0 / (1u64 << 28) as f64;

impl Num for f64 {
    fn new(x: f64) -> Self {
        x
    }
    fn pair((high, _): (f64, f64)) -> Self {
        high
    }
    #[inline(always)]
    fn exp(self) -> Self {
        if self < -745.2 {
            0.0
        } else if self.abs() < TINY {
            1.0 + self
        } else {
            f64::exp(self)
        }
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        if self.abs() < TINY {
            self + 0.5 * self * self
        } else if self < -40.0 {
            -1.0
        } else {
            f64::exp_m1(self)
        }
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        if self.abs() < TINY { self - 0.5 * self * self } else { f64::ln_1p(self) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn erfc(self) -> Self {
        if self.abs() < TINY {
            1.0 - core::f64::consts::FRAC_2_SQRT_PI * self
        } else if self < -6.0 {
            2.0
        } else if self > 28.0 {
            0.0
        } else {
            core_math::erfc(self)
        }
    }
    fn approximate(self) -> f64 {
        self
    }
}
