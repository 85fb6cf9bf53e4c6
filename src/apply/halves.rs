//! Loops over formulas in two halves.
//!
//! The steps of a long formula wait for each other, and the processor looks only some sixty operations ahead. So
//! the second half of one vector is put beside the first half of another, for which it does not wait.

use fearless_simd::Simd;

use super::Op;
use super::elementwise::{Round, line_in};
use super::place::{LINES, Place, fetch};
use crate::activation::Halved;
use crate::element::Element;
use crate::lane::{Doubles, Job, Lane, LaneIo};

/// Vectors between the halves where registers are too few to keep what lies between.
const STAGE: usize = 4;

/// Whether `op` has halves for these elements, besides those that [stay in registers](are_in_registers).
pub(super) const fn are_there<A: Element, O: Op, S: Simd>() -> bool {
    let some = match O::HALVED {
        Halved::No => false,
        Halved::Single => A::Lanes::<S>::SINGLE,
        Halved::Double => !A::Lanes::<S>::SINGLE,
        Halved::Wide | Halved::Thirds | Halved::Tabled => true,
    };
    some && A::Lanes::<S>::IS_FUSED
}

/// Whether `op` has halves in `f64` lanes for these elements.
const fn are_wide<A: Element, O: Op, S: Simd>() -> bool {
    A::Lanes::<S>::SINGLE && matches!(O::HALVED, Halved::Wide)
}

/// Whether what lies between the halves of such a formula stays in registers, where there are enough.
const fn stay_in_registers(halved: Halved, single: bool) -> bool {
    match halved {
        Halved::No => false,
        Halved::Single => single,
        Halved::Double | Halved::Wide => !single,
        Halved::Thirds | Halved::Tabled => true,
    }
}

/// Whether the middle part of such a formula belongs to the first half, where there are two.
const fn is_late(halved: Halved, single: bool) -> bool {
    match halved {
        Halved::Single => true,
        Halved::Tabled => single,
        _ => false,
    }
}

/// Whether the loop of `op` is [`in_registers`].
pub(super) const fn are_in_registers<A: Element, O: Op, S: Simd>() -> bool {
    A::Lanes::<S>::IS_FUSED
        && A::Lanes::<S>::HAS_ROOM
        && stay_in_registers(O::HALVED, A::Lanes::<S>::SINGLE)
}

/// The same of the job's loop: it works in place too.
pub(super) fn work_in_place<A: Element, O: Op>(job: Job) -> bool {
    job.is_widest() && const { stay_in_registers(O::HALVED, size_of::<A>() == size_of::<f32>()) }
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
pub(super) fn in_registers<A: Element, O: Op, S: Simd>(simd: S, op: O, mut place: Place<'_, A>) {
    if const { matches!(O::HALVED, Halved::Single | Halved::Thirds | Halved::Tabled) } {
        return in_thirds(simd, op, place);
    }
    let len = place.out.len();
    let last = len - A::WIDTH;
    let second = if line_in(place.out) > 0 { line_in(place.out) } else { A::WIDTH };
    let (mut at, mut next) = (0, second.min(last));
    let mut half = op.begin(place.load(simd, at));
    let mut next_half = op.begin(place.load(simd, next));
    let is_far_off = place.is_far_off();
    for i in 0..1 + (len - second).div_ceil(A::WIDTH) {
        if is_far_off && i.is_multiple_of(LINES) {
            place.fetch(next + A::WIDTH);
        }
        let far = (next + A::WIDTH).min(last);
        let far_half = op.begin(place.load(simd, far));
        let x = place.load(simd, at);
        place.store(at, op.finish(x, op.middle(x, half)));
        (at, half) = (next, next_half);
        (next, next_half) = (far, far_half);
    }
}

/// The same of three parts: the first runs two vectors ahead of the second, and that one ahead of the last.
#[inline(always)]
fn in_thirds<A: Element, O: Op, S: Simd>(simd: S, op: O, mut place: Place<'_, A>) {
    let len = place.out.len();
    let last = len - A::WIDTH;
    let second = if line_in(place.out) > 0 { line_in(place.out) } else { A::WIDTH };
    let third = (second + A::WIDTH).min(last);
    let (mut at, mut next, mut far) = (0, second.min(last), third);
    let first = place.load(simd, at);
    let mut half = op.middle(first, op.begin(first));
    let mut next_half = op.begin(place.load(simd, next));
    let mut far_half = op.begin(place.load(simd, far));
    let is_far_off = place.is_far_off();
    for i in 0..1 + (len - second).div_ceil(A::WIDTH) {
        if is_far_off && i.is_multiple_of(LINES) {
            place.fetch(far + A::WIDTH);
        }
        let farthest = (far + A::WIDTH).min(last);
        let farthest_half = op.begin(place.load(simd, farthest));
        let middle = op.middle(place.load(simd, next), next_half);
        place.store(at, op.finish(place.load(simd, at), half));
        (at, half) = (next, middle);
        (next, next_half) = (far, far_half);
        (far, far_half) = (farthest, farthest_half);
    }
}

/// A few vectors at a time, with what lies between the halves in the first-level cache.
#[inline(always)]
fn by_stages<A: Element, O: Op, S: Simd>(simd: S, op: O, x: &[A], out: &mut [A]) {
    let is_late = const { is_late(O::HALVED, A::Lanes::<S>::SINGLE) };
    let mut halves = [[A::Lanes::<S>::fill(simd, A::zero()); 3]; STAGE];
    for (x, out) in x.chunks(A::WIDTH * STAGE).zip(out.chunks_mut(A::WIDTH * STAGE)) {
        for (x, half) in x.chunks_exact(A::WIDTH).zip(&mut halves) {
            let x = A::Lanes::<S>::load(simd, x);
            *half = op.begin(x);
            if is_late {
                *half = op.middle(x, *half);
            }
        }
        let vectors = x.chunks_exact(A::WIDTH).zip(out.chunks_exact_mut(A::WIDTH));
        for ((x, out), half) in vectors.zip(&halves) {
            let x = A::Lanes::<S>::load(simd, x);
            let half = if is_late { *half } else { op.middle(x, *half) };
            op.finish(x, half).store(out);
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
