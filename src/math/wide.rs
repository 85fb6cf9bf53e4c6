//! What `f32` functions are made of: exponentials in `f64` lanes, where neither the rounding of
//! single steps nor the ends of the exponent range need any care.

use super::exp::Q_SHORT_DOUBLE;
use super::poly::{double, paired};
use crate::lane::{Lane, WideHalf};

/// `g` in `eʳ = 1 + r g(r)` for `|r| <= ln 2 / 2`, degree 5, made by `tools/exp.py`: error 2^-28.9
/// relative to `eʳ`, a 30th of an ULP of `f32`.
const G: [f64; 6] = [
    1.000000032262268,
    0.49999994183742674,
    0.16666430588438189,
    0.04166800591201146,
    0.008374219962581184,
    0.0013843591113280138,
];

/// The same, degree 6, error 2^-31.97 relative to `eʳ − 1`.
const G_RELATIVE: [f64; 7] = [
    1.0000000000338138,
    0.5000000046814148,
    0.1666666619381528,
    0.0416663535276657,
    0.008333415757268151,
    0.001394108873852255,
    0.00019834148787813117,
];

/// How exact an exponential must be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Grade {
    /// To 2^-28.9 of `eˣ`.
    Value,
    /// To 2^-31.97 of `eˣ − 1`.
    Relative,
    /// To nearly all digits of `f64`.
    Full,
}

/// `eˣ = 2^k (1 + p)`, for `x` in `[-700, 700]`.
#[derive(Clone, Copy)]
pub(crate) struct Wide<W> {
    pub(crate) p: W,
    pub(crate) power: W,
}

/// Splits an exponential; `grade` is known when this is compiled.
#[inline(always)]
pub(crate) fn wide<W: Lane>(x: W, grade: Grade) -> Wide<W> {
    wide_from(wide_reduced(x), grade)
}

/// The first steps of [`wide`]: `r` and the power of two.
#[inline(always)]
pub(crate) fn wide_reduced<W: Lane>(x: W) -> WideHalf<W> {
    let (k, power) = x.split_scale(x.splat(core::f64::consts::LOG2_E), 0);
    [k.neg_mul_add(x.splat(core::f64::consts::LN_2), x), power]
}

/// The rest of [`wide`].
#[inline(always)]
pub(crate) fn wide_from<W: Lane>([r, power]: WideHalf<W>, grade: Grade) -> Wide<W> {
    let p = match grade {
        Grade::Value => r * double(r, &G),
        Grade::Relative => r * double(r, &G_RELATIVE),
        Grade::Full => (r * r).mul_add(double(r, &Q_SHORT_DOUBLE), r),
    };
    Wide { p, power }
}

/// `eˣ` to 2^-28.9, for `x` in `[-700, 700]`: the shortest chain, where nothing but the value is wanted.
#[inline(always)]
pub(crate) fn exp_wide<W: Lane>(x: W) -> W {
    let (k, power) = x.split_scale(x.splat(core::f64::consts::LOG2_E), 0);
    let r = k.neg_mul_add(x.splat(core::f64::consts::LN_2), x);
    paired(r, r * r, &[1.0, G[0], G[1], G[2], G[3], G[4], G[5]]) * power
}

impl<W: Lane> Wide<W> {
    /// `eˣ − 1`; keeps the sign of zero.
    #[inline(always)]
    pub(crate) fn minus_one(self) -> W {
        self.power.mul_sub(self.p, self.power.splat(1.0) - self.power)
    }

    /// `value + eˣ`.
    #[inline(always)]
    pub(crate) fn plus(self, value: f64) -> W {
        self.power.mul_add(self.p, self.power + value)
    }

    /// `eˣ`.
    #[inline(always)]
    pub(crate) fn value(self) -> W {
        self.power.mul_add(self.p, self.power)
    }
}
