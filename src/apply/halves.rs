//! Loops over formulas in two halves.
//!
//! The steps of a long formula wait for each other, and the processor looks only some sixty operations ahead. So
//! the second half of one vector is put beside the first half of another, for which it does not wait.

use fearless_simd::Simd;

use super::Op;
use super::elementwise::{LINES, Round, fetch, line_in};
use crate::activation::Halved;
use crate::element::Element;
use crate::lane::{Doubles, Lane, LaneIo};

/// Vectors between the halves where registers are too few to keep what lies between.
const STAGE: usize = 4;

/// Whether `op` has halves for these elements.
pub(super) const fn are_there<A: Element, O: Op, S: Simd>() -> bool {
    let some = match O::HALVED {
        Halved::No => false,
        Halved::Double => !A::Lanes::<S>::SINGLE,
        Halved::Both | Halved::Wide => true,
        Halved::Few => A::Lanes::<S>::SINGLE && !A::Lanes::<S>::HAS_ROOM,
        Halved::DoubleAndFew => !A::Lanes::<S>::SINGLE || !A::Lanes::<S>::HAS_ROOM,
    };
    some && A::Lanes::<S>::IS_FUSED
}

/// Whether `op` has halves in `f64` lanes for these elements.
const fn are_wide<A: Element, O: Op, S: Simd>() -> bool {
    A::Lanes::<S>::SINGLE && matches!(O::HALVED, Halved::Wide)
}

/// `out = op(x)`; both of one length, at least a vector.
#[inline(always)]
pub(super) fn assign<A: Element, O: Op, S: Simd>(
    simd: S,
    op: O,
    x: &[A],
    ahead: &[A],
    out: &mut [A],
) {
    if const { !are_wide::<A, O, S>() && A::Lanes::<S>::HAS_ROOM } {
        return in_registers(simd, op, x, ahead, out);
    }
    let mut round = Some(Round::first(out));
    while let Some(Round { start, end }) = round {
        let (x_part, out_part) = (&x[start..end], &mut out[start..end]);
        if const { are_wide::<A, O, S>() } {
            let ahead = match ahead.get(start..) {
                Some(ahead) if const { A::Lanes::<S>::HAS_ROOM } => ahead,
                _ => &[],
            };
            by_wide_stages(simd, op, x_part, ahead, out_part);
        } else {
            by_stages(simd, op, x_part, out_part);
        }
        round = Round { start, end }.next(out);
    }
}

/// The first half runs two vectors ahead of the second. The first vector may overlap the one behind, the last the one
/// before.
#[inline(always)]
fn in_registers<A: Element, O: Op, S: Simd>(simd: S, op: O, x: &[A], ahead: &[A], out: &mut [A]) {
    let last = x.len() - A::WIDTH;
    let second = if line_in(out) > 0 { line_in(out) } else { A::WIDTH };
    let (mut at, mut next) = (0, second.min(last));
    let mut half = op.begin(load::<A, S>(simd, x, at));
    let mut next_half = op.begin(load::<A, S>(simd, x, next));
    for i in 0..1 + (x.len() - second).div_ceil(A::WIDTH) {
        if !ahead.is_empty() && i.is_multiple_of(LINES) {
            fetch(ahead, next + A::WIDTH);
        }
        let far = (next + A::WIDTH).min(last);
        let far_half = op.begin(load::<A, S>(simd, x, far));
        op.finish(load::<A, S>(simd, x, at), half).store(&mut out[at..at + A::WIDTH]);
        (at, half) = (next, next_half);
        (next, next_half) = (far, far_half);
    }
}

#[inline(always)]
fn load<A: Element, S: Simd>(simd: S, x: &[A], at: usize) -> A::Lanes<S> {
    A::Lanes::<S>::load(simd, &x[at..at + A::WIDTH])
}

/// A few vectors at a time, with what lies between the halves in the first-level cache.
#[inline(always)]
fn by_stages<A: Element, O: Op, S: Simd>(simd: S, op: O, x: &[A], out: &mut [A]) {
    let mut halves = [[A::Lanes::<S>::fill(simd, A::zero()); 3]; STAGE];
    for (x, out) in x.chunks(A::WIDTH * STAGE).zip(out.chunks_mut(A::WIDTH * STAGE)) {
        for (x, half) in x.chunks_exact(A::WIDTH).zip(&mut halves) {
            *half = op.begin(A::Lanes::<S>::load(simd, x));
        }
        let vectors = x.chunks_exact(A::WIDTH).zip(out.chunks_exact_mut(A::WIDTH));
        for ((x, out), half) in vectors.zip(&halves) {
            op.finish(A::Lanes::<S>::load(simd, x), *half).store(out);
        }
    }
}

/// The same for formulas in `f64` lanes, two for each vector of `f32`.
#[inline(always)]
fn by_wide_stages<A: Element, O: Op, S: Simd>(simd: S, op: O, x: &[A], ahead: &[A], out: &mut [A]) {
    let mut halves = [[[Doubles::<S>::fill(simd, 0.0); 2]; 2]; STAGE];
    let stages = x.chunks(A::WIDTH * STAGE).zip(out.chunks_mut(A::WIDTH * STAGE));
    for (i, (x, out)) in stages.enumerate() {
        if !ahead.is_empty() && i.is_multiple_of(LINES / STAGE) {
            fetch(ahead, (i + 1) * A::WIDTH * STAGE);
        }
        for (x, half) in x.chunks_exact(A::WIDTH).zip(&mut halves) {
            let (low, high) = A::Lanes::<S>::load(simd, x).widen();
            *half = [op.begin_wide(low), op.begin_wide(high)];
        }
        let vectors = x.chunks_exact(A::WIDTH).zip(out.chunks_exact_mut(A::WIDTH));
        for ((x, out), half) in vectors.zip(&halves) {
            let (low, high) = A::Lanes::<S>::load(simd, x).widen();
            let (low, high) = (op.finish_wide(low, half[0]), op.finish_wide(high, half[1]));
            A::Lanes::<S>::narrow(low, high).store(out);
        }
    }
}
