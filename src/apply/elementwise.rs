//! The loops over contiguous pieces.
//!
//! Every loop takes whole vectors; a tail is padded to a full vector and goes through the same
//! instructions, so that an element's bits do not depend on where it stands.

use fearless_simd::Simd;

use super::Op;
use crate::element::Element;
use crate::lane::{Job, Kernel, LaneIo, run};

/// The widest vector, in elements of any type.
const WIDEST: usize = 16;
/// Elements of the block that an expensive operation is computed into before it goes on: with its
/// source it stays in the first-level cache.
const BLOCK: usize = 1024;
/// A block that is cleared for nothing.
const SMALL_BLOCK: usize = 64;

struct Assign<'a, A, O> {
    op: O,
    x: &'a [A],
    out: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Assign<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let out = self.out.chunks_exact_mut(A::WIDTH);
        for (x, out) in self.x.chunks_exact(A::WIDTH).zip(out) {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(out);
        }
    }
}

/// `out = op(x)`; both of one length.
pub(crate) fn assign<A: Element, O: Op>(job: Job, op: O, x: &[A], out: &mut [A]) {
    assert_eq!(x.len(), out.len(), "pieces of one length");
    let whole = x.len() - x.len() % A::WIDTH;
    let ((x, x_tail), (out, out_tail)) = (x.split_at(whole), out.split_at_mut(whole));
    if whole > 0 {
        run(job, Assign { op, x, out });
    }
    if !x_tail.is_empty() {
        let (x, mut out) = (padded(x_tail), [A::zero(); WIDEST]);
        run(job, Assign { op, x: &x[..A::WIDTH], out: &mut out[..A::WIDTH] });
        out_tail.copy_from_slice(&out[..out_tail.len()]);
    }
}

struct Overwrite<'a, A, O> {
    op: O,
    x: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Overwrite<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for x in self.x.chunks_exact_mut(A::WIDTH) {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(x);
        }
    }
}

/// `x = op(x)`, in a loop of its own: for cheap operations.
pub(crate) fn overwrite<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    let whole = x.len() - x.len() % A::WIDTH;
    let (x, tail) = x.split_at_mut(whole);
    if whole > 0 {
        run(job, Overwrite { op, x });
    }
    if !tail.is_empty() {
        let mut x = padded(tail);
        run(job, Overwrite { op, x: &mut x[..A::WIDTH] });
        tail.copy_from_slice(&x[..tail.len()]);
    }
}

/// `x = op(x)` by way of a block on the stack: no loop of its own.
pub(crate) fn overwrite_by_blocks<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    by_blocks(x.len(), |at, block| {
        let x = &mut x[at..at + block.len()];
        op.assign(job, x, block);
        x.copy_from_slice(block);
    });
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
pub(crate) fn collect<A: Element, O: Op>(job: Job, op: O, x: &[A]) -> Vec<A> {
    let mut out = Vec::with_capacity(x.len());
    let (x, tail) = x.split_at(x.len() - x.len() % A::WIDTH);
    if !x.is_empty() {
        run(job, Collect { op, x, out: &mut out });
    }
    if !tail.is_empty() {
        let mut last = [A::zero(); WIDEST];
        op.assign(job, tail, &mut last[..tail.len()]);
        out.extend_from_slice(&last[..tail.len()]);
    }
    out
}

/// `op(x)` in fresh memory by way of a block on the stack: no loop of its own.
pub(crate) fn collect_by_blocks<A: Element, O: Op>(job: Job, op: O, x: &[A]) -> Vec<A> {
    let mut out = Vec::with_capacity(x.len());
    by_blocks(x.len(), |at, block| {
        op.assign(job, &x[at..at + block.len()], block);
        out.extend_from_slice(block);
    });
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
        op.assign(job, &x[range.clone()], block);
        run(job, Multiply { by: block, y: &mut dy[range] });
    });
}

/// The elements, and zeros up to the widest vector.
fn padded<A: Element>(tail: &[A]) -> [A; WIDEST] {
    let mut vector = [A::zero(); WIDEST];
    vector[..tail.len()].copy_from_slice(tail);
    vector
}

/// Calls `f` with the start of each block of `0..len` and scratch memory of its length.
fn by_blocks<A: Element>(len: usize, mut f: impl FnMut(usize, &mut [A])) {
    if len <= SMALL_BLOCK {
        if len > 0 {
            f(0, &mut [A::zero(); SMALL_BLOCK][..len]);
        }
        return;
    }
    let mut block = [A::zero(); BLOCK];
    for at in (0..len).step_by(BLOCK) {
        f(at, &mut block[..BLOCK.min(len - at)]);
    }
}
