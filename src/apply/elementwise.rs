//! The loops over contiguous pieces.
//!
//! Every loop takes whole vectors; a tail is padded to a full vector and goes through the same
//! instructions, so that an element's bits do not depend on where it stands.

use fearless_simd::Simd;

use super::panels::LINE;
use super::place::{LINES, Place, claim, fetch, is_far_off_in_place};
use super::{Op, halves};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// The widest vector, in elements of any type.
pub(super) const WIDEST: usize = 16;
/// Elements of the block that an expensive operation is computed into before it goes on: with its
/// source it stays in the first-level cache.
const BLOCK: usize = 1024;
/// A block that is cleared for nothing.
const SMALL_BLOCK: usize = 64;

struct Assign<'a, A, O> {
    op: O,
    place: Place<'a, A>,
}

impl<A: Element, O: Op> Kernel for Assign<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, place } = self;
        let (mut from, mut to) = (Aligned([A::zero(); WIDEST]), Aligned([A::zero(); WIDEST]));
        let is_short = place.out.len() < A::WIDTH;
        if is_short {
            // One store, so that the load that follows need not wait for it in pieces.
            A::Lanes::<S>::load_ends(simd, place.input()).store(&mut from.0[..A::WIDTH]);
        }
        let Place { x, ahead, out: all } = place;
        let mut place = Place { x, ahead, out: &mut *all };
        if is_short {
            place = Place { x: Some(&from.0[..A::WIDTH]), ahead: &[], out: &mut to.0[..A::WIDTH] };
        }
        Self::whole(simd, op, place);
        if is_short {
            copy_ends(&to.0, all);
        }
    }
}

impl<A: Element, O: Op> Assign<'_, A, O> {
    /// Of at least a vector.
    #[inline(always)]
    fn whole<S: Simd>(simd: S, op: O, place: Place<'_, A>) {
        if const { halves::are_in_registers::<A, O, S>() } {
            return halves::in_registers(simd, op, place);
        }
        // Only that loop works in place.
        let Place { x, ahead, out } = place;
        let x = x.unwrap_or(&[]);
        if const { halves::are_there::<A, O, S>() } {
            return halves::assign(simd, op, x, ahead, out);
        }
        if const { O::CHEAP } {
            return Self::cheap(simd, op, x, out);
        }
        // One copy of the formula for all rounds.
        let mut round = Some(Round::first(out));
        while let Some(Round { start, end }) = round {
            let (part, cells) = (&x[start..end], &mut out[start..end]);
            // With AVX2 less is lost by waiting for memory; it was not tried there.
            let ahead = match ahead.get(start..) {
                Some(ahead) if const { A::Lanes::<S>::HAS_ROOM } => ahead,
                _ => &[],
            };
            // Shorter outputs are blocks in the cache.
            let is_long = part.len() > BLOCK;
            let some = if ahead.is_empty() { end - start } else { LINES * A::WIDTH };
            for (i, x) in part.chunks(some).enumerate() {
                let at = i * some;
                fetch(ahead, at + A::WIDTH);
                if is_long && !ahead.is_empty() {
                    claim(cells, at + A::WIDTH);
                }
                let out = cells[at..at + x.len()].chunks_exact_mut(A::WIDTH);
                for (x, out) in x.chunks_exact(A::WIDTH).zip(out) {
                    let x = A::Lanes::<S>::load(simd, x);
                    // Emulated steps are so long that the formula is better there only once.
                    let y = if const { <A::Lanes<S> as Lane>::IS_FUSED } {
                        op.apply(x)
                    } else {
                        called(simd, op, x)
                    };
                    y.store(out);
                }
            }
            round = Round { start, end }.next(out);
        }
    }

    /// The same of cheap formulas, without reading ahead: writing to the lines ahead made them slower, at 64 Ki elements
    /// and at 16 Mi.
    #[inline(always)]
    fn cheap<S: Simd>(simd: S, op: O, x: &[A], out: &mut [A]) {
        let mut round = Some(Round::first(out));
        while let Some(Round { start, end }) = round {
            let part = out[start..end].chunks_exact_mut(A::WIDTH);
            for (x, out) in x[start..end].chunks_exact(A::WIDTH).zip(part) {
                op.apply(A::Lanes::<S>::load(simd, x)).store(out);
            }
            round = Round { start, end }.next(out);
        }
    }
}

/// A formula as a function of its own.
#[inline(never)]
fn called<S: Simd, O: Op, V: Lane>(simd: S, op: O, x: V) -> V {
    simd.vectorize(
        #[inline(always)]
        || op.apply(x),
    )
}

/// Whole vectors of an output of at least one: first a vector that ends behind the beginning of a cache line, where
/// that is worth it, then those from that line on, last the tail. Where they overlap, elements are computed twice.
pub(super) struct Round {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Round {
    #[inline(always)]
    pub(super) fn first<A: Element>(out: &[A]) -> Self {
        let end = if line_in(out) > 0 { A::WIDTH } else { out.len() - out.len() % A::WIDTH };
        Self { start: 0, end }
    }

    #[inline(always)]
    pub(super) fn next<A: Element>(self, out: &[A]) -> Option<Self> {
        let (len, line) = (out.len(), line_in(out));
        if self.end == len {
            return None;
        }
        if self.start == 0 && line > 0 {
            return Some(Self { start: line, end: len - (len - line) % A::WIDTH });
        }
        Some(Self { start: len - A::WIDTH, end: len })
    }
}

/// Where the first cache line in `out` begins, if whole vectors should begin there: stores across two lines cost twice.
#[inline(always)]
pub(crate) fn line_in<A: Element>(out: &[A]) -> usize {
    match out.as_ptr().align_offset(LINE) {
        line if line < A::WIDTH && out.len() >= 32 * A::WIDTH => line,
        _ => 0,
    }
}

/// `out = op(x)`; both of one length. `ahead` begins with `x`, or is empty.
pub(crate) fn assign<A: Element, O: Op>(job: Job, op: O, x: &[A], ahead: &[A], out: &mut [A]) {
    assert_eq!(x.len(), out.len(), "pieces of one length");
    if !x.is_empty() {
        assign_in(job, op, Some(x), ahead, out);
    }
}

/// The only way into the loop, so that there is one copy of it. A [`Place`] made by the caller would arrive in memory,
/// and be copied in pieces of other sizes than it was stored in: some 6 ns.
#[inline(never)]
fn assign_in<A: Element, O: Op>(job: Job, op: O, x: Option<&[A]>, ahead: &[A], out: &mut [A]) {
    run(job, Assign { op, place: Place { x, ahead, out } });
}

struct Overwrite<'a, A, O> {
    op: O,
    x: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Overwrite<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, x } = self;
        let (line, tail) = (line_in(x), x.len() - A::WIDTH);
        // Read before the vectors that they overlap are written.
        let first = A::Lanes::<S>::load(simd, &x[..A::WIDTH]);
        let last = A::Lanes::<S>::load(simd, &x[tail..]);
        let far_off = const { A::Lanes::<S>::HAS_ROOM } && is_far_off_in_place(x);
        let some = if far_off { LINES * A::WIDTH } else { x.len() };
        let mut at = line;
        while at < x.len() {
            if far_off {
                fetch(x, at + some);
            }
            let end = x.len().min(at + some);
            for x in x[at..end].chunks_exact_mut(A::WIDTH) {
                op.apply(A::Lanes::<S>::load(simd, x)).store(x);
            }
            at = end;
        }
        if line > 0 {
            op.apply(first).store(&mut x[..A::WIDTH]);
        }
        if !(x.len() - line).is_multiple_of(A::WIDTH) {
            op.apply(last).store(&mut x[tail..]);
        }
    }
}

/// `x = op(x)`, in a loop of its own: for cheap operations.
#[inline(never)]
pub(crate) fn overwrite<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    if x.len() >= A::WIDTH {
        run(job, Overwrite { op, x });
    } else if !x.is_empty() {
        let mut vector = [A::zero(); WIDEST];
        copy_short(x, &mut vector[..x.len()]);
        run(job, Overwrite { op, x: &mut vector[..A::WIDTH] });
        copy_short(&vector[..x.len()], x);
    }
}

/// `x = op(x)` without a loop of its own.
pub(crate) fn overwrite_in_loop<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    if !halves::work_in_place::<A, O>(job) {
        return overwrite_by_blocks(job, op, x);
    }
    // What the loop computes twice into a buffer, before the first cache line and behind the last whole vector, comes
    // from copies.
    let (head, rest) = x.split_at_mut(line_in(x));
    let (body, tail) = rest.split_at_mut(rest.len() - rest.len() % A::WIDTH);
    overwrite_short(job, op, head);
    overwrite_short(job, op, tail);
    if !body.is_empty() {
        assign_in(job, op, None, &[], body);
    }
}

/// The same of at most a vector.
fn overwrite_short<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    let mut from = [A::zero(); WIDEST];
    let from = &mut from[..x.len()];
    from.copy_from_slice(x);
    op.assign(job, from, x);
}

/// The same by way of a block on the stack.
fn overwrite_by_blocks<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    if x.len() <= A::WIDTH {
        return overwrite_short(job, op, x);
    }
    by_blocks(x.len(), |at, block| {
        let end = at + block.len();
        op.assign_ahead(job, &x[at..end], ahead(x, at), block);
        x[at..end].copy_from_slice(block);
    });
}

/// What is worth reading ahead from `at` on, where results go by way of a block.
fn ahead<A>(x: &[A], at: usize) -> &[A] {
    if is_far_off_in_place(x) { &x[at..] } else { &[] }
}

struct Collect<'a, A, O> {
    op: O,
    x: &'a [A],
    out: &'a mut Vec<A>,
}

impl<A: Element, O: Op> Kernel for Collect<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut vector = [A::zero(); WIDEST];
        let vector = &mut vector[..A::WIDTH];
        for x in self.x.chunks_exact(A::WIDTH) {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(vector);
            self.out.extend_from_slice(vector);
        }
    }
}

/// `op(x)` in fresh memory, which is written once, in a loop of its own: for cheap operations.
#[inline(never)]
pub(crate) fn collect<A: Element, O: Op>(job: Job, op: O, x: &[A]) -> Vec<A> {
    let mut out: Vec<A> = Vec::with_capacity(x.len());
    // Vectors begin lines, as in [`line_in`].
    let line = out.as_ptr().align_offset(LINE);
    if line < A::WIDTH && x.len() >= 32 * A::WIDTH {
        collect_short(job, op, &x[..line], &mut out);
    }
    run(job, Collect { op, x: &x[out.len()..], out: &mut out });
    let tail = &x[out.len()..];
    collect_short(job, op, tail, &mut out);
    out
}

/// The same of less than a vector.
fn collect_short<A: Element, O: Op>(job: Job, op: O, x: &[A], out: &mut Vec<A>) {
    let mut y = [A::zero(); WIDEST];
    let y = &mut y[..x.len()];
    op.assign(job, x, y);
    out.extend_from_slice(y);
}

/// `op(x)` in memory that begins as zeros, which takes less time than to go by way of a block: no loop of its own.
#[inline(never)]
pub(crate) fn collect_from_zeros<A: Element, O: Op>(job: Job, op: O, x: &[A]) -> Vec<A> {
    let mut out = vec![A::zero(); x.len()];
    op.assign(job, x, &mut out);
    out
}

struct Multiply<'a, A> {
    by: &'a [A],
    y: &'a mut [A],
}

impl<A: Element> Kernel for Multiply<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        // One multiplication for each element is the same bits in any order: the compiler may
        // vectorise it as it likes.
        for (y, &by) in self.y.iter_mut().zip(self.by) {
            *y *= by;
        }
    }
}

/// `dy = dy · op(x)`; both of one length.
pub(crate) fn scale<A: Element, O: Op>(job: Job, op: O, x: &[A], dy: &mut [A]) {
    assert_eq!(x.len(), dy.len(), "pieces of one length");
    by_blocks(x.len(), |at, block| {
        let range = at..at + block.len();
        op.assign_ahead(job, &x[range.clone()], ahead(x, at), block);
        run(job, Multiply { by: block, y: &mut dy[range] });
    });
}

/// The elements that [`LaneIo::load_ends`] put into a vector, from that vector in memory.
#[inline(always)]
fn copy_ends<A: Element>(from: &[A; WIDEST], to: &mut [A]) {
    if !(back::<A, 8>(from, to) || back::<A, 4>(from, to) || back::<A, 2>(from, to)) {
        back::<A, 1>(from, to);
    }
}

/// The first `N` elements to the beginning, the `N` behind to the end, where there are as many.
#[inline(always)]
fn back<A: Element, const N: usize>(from: &[A; WIDEST], to: &mut [A]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from[N..].first_chunk::<N>()) else {
        return false;
    };
    if to.len() < N {
        return false;
    }
    if let Some(to) = to.first_chunk_mut::<N>() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut::<N>() {
        *to = *last;
    }
    true
}

/// Copies at most [`WIDEST`] elements, in moves of fixed lengths: no call. Both of one length.
#[inline(always)]
pub(crate) fn copy_short<A: Element>(from: &[A], to: &mut [A]) {
    if !(ends::<A, 8>(from, to) || ends::<A, 4>(from, to) || ends::<A, 2>(from, to)) {
        ends::<A, 1>(from, to);
    }
}

/// Copies the first and the last `N` elements, where there are as many.
#[inline(always)]
fn ends<A: Element, const N: usize>(from: &[A], to: &mut [A]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    let (first, last) = (*first, *last);
    if let Some(to) = to.first_chunk_mut::<N>() {
        *to = first;
    }
    if let Some(to) = to.last_chunk_mut::<N>() {
        *to = last;
    }
    true
}

/// Memory that begins a cache line.
#[repr(align(64))]
struct Aligned<T>(T);

/// Calls `f` with the start of each block of `0..len` and scratch memory of its length.
fn by_blocks<A: Element>(len: usize, mut f: impl FnMut(usize, &mut [A])) {
    if len <= SMALL_BLOCK {
        if len > 0 {
            f(0, &mut [A::zero(); SMALL_BLOCK][..len]);
        }
        return;
    }
    let mut block = Aligned([A::zero(); BLOCK]);
    for at in (0..len).step_by(BLOCK) {
        f(at, &mut block.0[..BLOCK.min(len - at)]);
    }
}
