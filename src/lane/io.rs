//! Vectors and memory.

use fearless_simd::Simd;

use super::{Doubles, Lane};

/// Rows and columns of what [`LaneIo::turn`] transposes.
pub(crate) const SQUARE: usize = 4;

/// Loads and stores, for the loops of this crate.
pub trait LaneIo<S: Simd>: Lane + 'static {
    /// Lanes of one vector.
    const WIDTH: usize;
    /// One vector from exactly [`WIDTH`](LaneIo::WIDTH) elements.
    fn load(simd: S, from: &[Self::Elem]) -> Self;
    /// One vector from 1 to [`WIDTH`](LaneIo::WIDTH)` − 1` elements: with `n` the largest power of two that is not
    /// more, the first `n`, then the last `n`, over and over.
    fn load_ends(simd: S, from: &[Self::Elem]) -> Self;
    /// Transposes a square of [`SQUARE`] rows, which begin `step` elements apart in `from`, and `to_step` in `to`.
    fn turn(simd: S, from: &[Self::Elem], step: usize, to: &mut [Self::Elem], to_step: usize);
    /// The lanes of both in turn, the first half of them and the second.
    fn zip(self, other: Self) -> (Self, Self);
    /// One vector into exactly [`WIDTH`](LaneIo::WIDTH) elements.
    fn store(self, to: &mut [Self::Elem]);
    /// The largest lane; where one is NaN, that or NaN.
    fn largest(self) -> Self::Elem;
    /// One value in every lane.
    fn fill(simd: S, value: Self::Elem) -> Self;
    /// All lanes in double precision, the first eight and the rest; without a rest, zeros.
    fn widen(self) -> (Doubles<S>, Doubles<S>);
    /// The reverse of [`widen`](LaneIo::widen), rounded to nearest.
    fn narrow(low: Doubles<S>, high: Doubles<S>) -> Self;
}

/// A function written on `f64` lanes only; see [`Lane::through_double`].
pub trait DoubleKernel: Copy {
    /// The function.
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W;
}
