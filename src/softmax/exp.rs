//! The exponential of softmax: relative to a power of two instead of to the largest element.
//!
//! `e^x = (1 + r + tail) · 2^k` needs no maximum subtracted first: with `K` the `k` of the largest
//! element, `2^(k − K)` is an exact scaling, so the rounding of `x − max`, which costs other
//! softmaxes up to 65 ULP, never happens. Lanes whose maximum is so large that `k ln 2` would lose
//! digits are shifted by it; then `x − max` is exact wherever the result is not zero, because both
//! are within a factor of two of each other.
//!
//! For `f32` the scaling is by eighths of powers of two, whose eight factors come from a table: `r` is so small that a
//! short polynomial and no second part of it are enough.

use core::f64::consts::{LN_2, LOG2_E};

use fearless_simd::Simd;

use super::total::WIDEST;
use crate::lane::{Eighths, Lane, LaneIo};
use crate::math::exp::{EIGHTHS, LARGE, Q_SHORT_DOUBLE};
use crate::math::poly::by_squares;

/// Exponentials are kept times `2^LIFT`, so that those down to the smallest subnormal quotient are
/// normal numbers.
pub(crate) const LIFT: i32 = 80;
/// `2^-LIFT`.
pub(crate) const LOWER: f64 = 1.0 / (1u128 << LIFT) as f64;

/// Whether the elements are `f32`.
const fn single<A>() -> bool {
    size_of::<A>() == 4
}

/// Lanes whose maximum is beyond this are shifted by it. Twice the range of the exponential: then
/// `x − max` is exact where it matters.
pub(crate) const fn limit<A>() -> f64 {
    if const { single::<A>() } { 256.0 } else { 2048.0 }
}

/// Binary exponents below the reference at which even 2²⁴ results together round to zero, but the
/// lifted exponential is still a normal number.
const fn depth<A>() -> f64 {
    if const { single::<A>() } { 180.0 } else { 1100.0 }
}

/// The constants of [`exp`] in memory, hidden from the compiler, which would otherwise load each of them
/// anew in every round of a loop and run out of registers: from memory they are operands of the
/// instructions that use them. Twice the speed.
#[derive(Clone, Copy)]
pub(crate) struct Constants(&'static [Spread; 13]);

/// A constant, once for each lane of a vector. Both rows begin a cache line: a load that crosses one
/// costs twice.
#[repr(C, align(64))]
struct Spread {
    single: [f32; 16],
    double: [f64; 8],
}

const fn spread(single: f32, double: f64) -> Spread {
    Spread { single: [single; 16], double: [double; 8] }
}

/// Steps of the exponent of `f32` numbers in one power of two.
const STEPS: f32 = 8.0;

/// log₂ e, ln 2, ln 2 − the number before, for `f32` in steps, and the coefficients of q.
const VALUES: [Spread; 13] = {
    let mut all = [const { spread(0.0, 0.0) }; 13];
    all[0] = spread(core::f32::consts::LOG2_E * STEPS, LOG2_E);
    all[1] = spread(core::f32::consts::LN_2 / STEPS, LN_2);
    all[2] = spread(1.904_654_2e-9 / STEPS, -2.319_046_813_846_299_6e-17);
    let mut i = 0;
    while i < 10 {
        let single = if i < Q_SINGLE.len() { Q_SINGLE[i] } else { 0.0 };
        all[3 + i] = spread(single, Q_SHORT_DOUBLE[i]);
        i += 1;
    }
    all
};

static CONSTANTS: [Spread; 13] = VALUES;

/// `q` in `eʳ = 1 + r + r² q(r)` for `|r| <= ln 2 / 16`, made by `tools/exp.py`: degree 2, error 2^-32.4 of `eʳ`.
const Q_SINGLE: [f32; 3] = [0.5, 0.16668029, 0.04166895];
/// `α 2^(j/8)`. That α, which makes them `f32` numbers, is in every exponential and leaves with the division.
const FACTORS: Eighths = Eighths::new(EIGHTHS, 0);

impl Constants {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self(core::hint::black_box(&CONSTANTS))
    }

    #[inline(always)]
    fn get<V: Lane>(self, i: usize, like: V) -> V {
        // With their values in sight where they are used, they are in registers.
        let all = if V::HAS_ROOM { const { &VALUES } } else { self.0 };
        like.row(&all[i].single, &all[i].double)
    }

    /// `q(s)` for `s` and its square: the short one by Horner's rule, the long one in pairs of terms,
    /// which is half the chain.
    #[inline(always)]
    fn q<V: Lane>(self, s: V, s2: V) -> V {
        if !V::SINGLE {
            return by_squares(
                s,
                s2,
                Q_SHORT_DOUBLE.len(),
                #[inline(always)]
                |i| self.get(3 + i, s),
            );
        }
        let degree = Q_SINGLE.len() - 1;
        let mut sum = self.get(3 + degree, s);
        for i in (0..degree).rev() {
            sum = sum.mul_add(s, self.get(3 + i, s));
        }
        sum
    }
}

/// What exponentials are relative to: `e^(shift + K ln 2)`, one for each lane of the vectors.
#[derive(Clone, Copy)]
pub(crate) struct Origin<V> {
    constants: Constants,
    /// Subtracted from every element: the lane's maximum as a pair, or nothing.
    pub(crate) shift: Option<(V, V)>,
    /// Arguments below this give results that round to zero.
    pub(crate) floor: V,
    /// The binary exponent `K`.
    pub(crate) exponent: V,
    /// The lift without `K`; of `f32` in [`STEPS`], beside [`LARGE`].
    pub(crate) offset: V,
}

impl<V: Lane> Origin<V> {
    /// For a largest element `top`. NaN where that is NaN or +∞, and so is every exponential.
    #[inline(always)]
    pub(crate) fn new(constants: Constants, top: V, shift: Option<(V, V)>) -> Self {
        let limit = top.splat(limit::<V::Elem>());
        let distance = match shift {
            None => top,
            Some((shift, _)) => top - shift,
        };
        let (exponent, _) =
            distance.at_least(-limit).at_most(limit).split_scale(top.splat(LOG2_E), 0);
        let floor = (exponent - depth::<V::Elem>()) * LN_2;
        let offset = -exponent + f64::from(LIFT);
        let offset = if V::SINGLE { offset * f64::from(STEPS) + f64::from(LARGE) } else { offset };
        Self { constants, shift, floor, exponent, offset }
    }

    /// One without a shift again, from these of its parts.
    #[inline(always)]
    pub(crate) fn plain(constants: Constants, floor: V, offset: V) -> Self {
        Self { constants, shift: None, floor, exponent: offset, offset }
    }

    /// The same, for the compiler to see that there is no shift.
    #[inline(always)]
    pub(crate) fn without_shift(self) -> Self {
        Self { shift: None, ..self }
    }

    /// The same, for the compiler to see that all lanes have the one origin of the first.
    #[inline(always)]
    pub(crate) fn of_first<S: Simd>(self, simd: S) -> Self
    where
        V: LaneIo<S>,
    {
        Self {
            constants: self.constants,
            shift: self.shift.map(
                #[inline(always)]
                |(shift, low)| (of_first(simd, shift), of_first(simd, low)),
            ),
            floor: of_first(simd, self.floor),
            exponent: of_first(simd, self.exponent),
            offset: of_first(simd, self.offset),
        }
    }
}

/// The first lane in every lane.
#[inline(always)]
fn of_first<S: Simd, V: LaneIo<S>>(simd: S, v: V) -> V {
    let mut all = [V::Elem::default(); WIDEST];
    v.store(&mut all[..V::WIDTH]);
    V::fill(simd, all[0])
}

/// `e^x · 2^LIFT` relative to the origin: `(1 + p) · scale`, with a power of two (`f64`) or α times an eighth of
/// one (`f32`) as scale.
#[derive(Clone, Copy)]
pub(crate) struct Exp<V> {
    /// The product, rounded.
    pub(crate) high: V,
    p: V,
    scale: V,
}

impl<V: Lane> Exp<V> {
    #[inline(always)]
    pub(crate) fn new(p: V, scale: V) -> Self {
        Self { high: p.mul_add(scale, scale), p, scale }
    }

    /// The exponential without a number that [`high`](Exp::high) was rounded to: by the sum that it
    /// was added to, or by itself. The difference from the scale is exact, because both are within a
    /// factor of two of each other or the number is at most one digit of a larger sum.
    #[inline(always)]
    pub(crate) fn without(self, part: V) -> V {
        self.p.mul_add(self.scale, self.scale - part)
    }

    /// The exponential where the mask holds, 0 elsewhere.
    #[inline(always)]
    pub(crate) fn only(self, mask: V::Mask) -> Self {
        let zero = self.p.splat(0.0);
        Self {
            high: V::select(mask, self.high, zero),
            p: V::select(mask, self.p, zero),
            scale: V::select(mask, self.scale, zero),
        }
    }

    /// Exactly 0 where the mask holds: a number near the smallest instead would have an error that is not a normal
    /// number, which takes processors 200 cycles.
    #[inline(always)]
    pub(crate) fn but_where(self, mask: V::Mask) -> Self {
        Self::new(self.p, V::select(mask, self.p.splat(0.0), self.scale))
    }

    /// `p` and the scale.
    #[inline(always)]
    pub(crate) fn parts(self) -> (V, V) {
        (self.p, self.scale)
    }
}

/// The exponential of `x + x_low`; `high` has a relative error below 1.1 · 2^-24 (f32) or 2^-53
/// (f64), what it and [`Exp::without`] make together one below 2^-27 (the factors, `s` and `p`) or 2^-54.4 (`p`).
/// `-∞` gives a number whose quotient rounds to zero.
#[inline(always)]
pub(crate) fn exp<V: Lane>(x: V, x_low: Option<V>, origin: Origin<V>) -> Exp<V> {
    if V::IS_FUSED { inlined(x, x_low, origin) } else { called(x, x_low, &origin) }
}

/// The same as a function of its own: emulated steps would make every loop many times as long. On x86-64 the
/// level that emulates needs no target features beyond those of the target.
#[inline(never)]
fn called<V: Lane>(x: V, x_low: Option<V>, origin: &Origin<V>) -> Exp<V> {
    inlined(x, x_low, *origin)
}

/// The first half of the exponential of an `f32` argument that is above the floor: what is left of it, and the number of
/// its factor.
#[inline(always)]
fn begin<V: Lane>(x: V, x_low: Option<V>, origin: Origin<V>) -> [V; 2] {
    let constants = origin.constants;
    let shifted = x.mul_add(constants.get(0, x), origin.offset);
    let k = shifted - origin.offset;
    // Exact: both terms are multiples of 2^-28, and the difference is below 2^-4.
    let r = k.neg_mul_add(constants.get(1, x), x);
    let r = if let Some(x_low) = x_low { r + x_low } else { r };
    [k.mul_add(constants.get(2, x), r), shifted]
}

/// The second half.
#[inline(always)]
fn end<V: Lane>([s, shifted]: [V; 2], constants: Constants) -> Exp<V> {
    let p = (s * s).mul_add(constants.q(s, s), s);
    Exp::new(p, shifted.scale_by_eighths(const { &FACTORS }))
}

/// Whether loops over `f32` elements as they are run the first half of one exponential beside the second of another.
pub(crate) const fn is_halved<V: Lane>() -> bool {
    V::SINGLE && V::HAS_ROOM
}

/// The first half of [`exp`] of an element that is not shifted, where [it has halves](is_halved).
#[inline(always)]
pub(crate) fn first_half<V: Lane>(x: V, origin: Origin<V>) -> [V; 2] {
    begin(x.at_least(origin.floor), None, origin)
}

/// The second half, with the bits of [`exp`].
#[inline(always)]
pub(crate) fn second_half<V: Lane>(half: [V; 2], origin: Origin<V>) -> Exp<V> {
    end(half, origin.constants)
}

#[inline(always)]
fn inlined<V: Lane>(x: V, x_low: Option<V>, origin: Origin<V>) -> Exp<V> {
    let zero = x.splat(0.0);
    let (x, x_low) = match (x_low, origin.shift) {
        (None, None) => (x.at_least(origin.floor), None),
        (None, Some((shift, _))) => ((x - shift).at_least(origin.floor), None),
        (Some(x_low), shift) => {
            // Both differences are exact where they matter; their sum is normalised again.
            let (shift, shift_low) = shift.unwrap_or((zero, zero));
            let (x, x_low) = (x - shift, x_low - shift_low);
            let sum = x + x_low;
            let low = x_low - (sum - x);
            let top = sum.at_least(origin.floor);
            (top, Some(V::select(sum.ge(origin.floor), low, zero)))
        }
    };
    let constants = origin.constants;
    if V::SINGLE {
        return end(begin(x, x_low, origin), constants);
    }
    let (k, scale) = x.split_scale_by(constants.get(0, x), origin.offset);
    // Exact: both terms are multiples of 2^-54, and the difference is below ½.
    let r = k.neg_mul_add(constants.get(1, x), x);
    let mut rest = k * constants.get(2, x);
    if let Some(x_low) = x_low {
        rest = rest + x_low;
    }
    let s = r + rest;
    let s2 = s * s;
    let tail = s2.mul_add(constants.q(s, s2), rest);
    Exp::new(r + tail, scale)
}
