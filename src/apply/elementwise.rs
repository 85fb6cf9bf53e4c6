//! The three loops over contiguous pieces. A tail is padded to a full vector and takes the same
//! instructions, so that an element's bits do not depend on where it stands.

use fearless_simd::Simd;

use super::Op;
use crate::element::Element;
use crate::lane::{Job, Kernel, LaneIo, run};

/// The widest vector, in elements of any type.
const WIDEST: usize = 16;

struct Assign<'a, A, O> {
    op: O,
    x: &'a [A],
    out: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Assign<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut x = self.x.chunks_exact(A::WIDTH);
        let mut out = self.out.chunks_exact_mut(A::WIDTH);
        for (x, out) in x.by_ref().zip(out.by_ref()) {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(out);
        }
        let (x, out) = (x.remainder(), out.into_remainder());
        if !x.is_empty() {
            let mut padded = [A::zero(); WIDEST];
            padded[..x.len()].copy_from_slice(x);
            let padded = &mut padded[..A::WIDTH];
            self.op.apply(A::Lanes::<S>::load(simd, padded)).store(padded);
            out.copy_from_slice(&padded[..out.len()]);
        }
    }
}

/// `out = op(x)`; both of one length.
pub(crate) fn assign<A: Element, O: Op>(job: Job, op: O, x: &[A], out: &mut [A]) {
    assert_eq!(x.len(), out.len(), "pieces of one length");
    run(job, Assign { op, x, out });
}

struct Collect<'a, A, O> {
    op: O,
    x: &'a [A],
}

impl<A: Element, O: Op> Kernel for Collect<'_, A, O> {
    type Output = Vec<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<A> {
        let mut out = Vec::with_capacity(self.x.len());
        let mut vector = [A::zero(); WIDEST];
        let vector = &mut vector[..A::WIDTH];
        let mut x = self.x.chunks_exact(A::WIDTH);
        for x in x.by_ref() {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(vector);
            out.extend_from_slice(vector);
        }
        let x = x.remainder();
        if !x.is_empty() {
            vector[..x.len()].copy_from_slice(x);
            self.op.apply(A::Lanes::<S>::load(simd, vector)).store(vector);
            out.extend_from_slice(&vector[..x.len()]);
        }
        out
    }
}

/// `op(x)` in fresh memory, which is written once.
pub(crate) fn collect<A: Element, O: Op>(job: Job, op: O, x: &[A]) -> Vec<A> {
    run(job, Collect { op, x })
}

struct Overwrite<'a, A, O> {
    op: O,
    x: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Overwrite<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut x = self.x.chunks_exact_mut(A::WIDTH);
        for x in x.by_ref() {
            self.op.apply(A::Lanes::<S>::load(simd, x)).store(x);
        }
        let x = x.into_remainder();
        if !x.is_empty() {
            let mut padded = [A::zero(); WIDEST];
            padded[..x.len()].copy_from_slice(x);
            let padded = &mut padded[..A::WIDTH];
            self.op.apply(A::Lanes::<S>::load(simd, padded)).store(padded);
            x.copy_from_slice(&padded[..x.len()]);
        }
    }
}

/// `x = op(x)`.
pub(crate) fn overwrite<A: Element, O: Op>(job: Job, op: O, x: &mut [A]) {
    run(job, Overwrite { op, x });
}

struct Scale<'a, A, O> {
    op: O,
    x: &'a [A],
    dy: &'a mut [A],
}

impl<A: Element, O: Op> Kernel for Scale<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut x = self.x.chunks_exact(A::WIDTH);
        let mut dy = self.dy.chunks_exact_mut(A::WIDTH);
        for (x, dy) in x.by_ref().zip(dy.by_ref()) {
            let slope = self.op.apply(A::Lanes::<S>::load(simd, x));
            (A::Lanes::<S>::load(simd, dy) * slope).store(dy);
        }
        let (x, dy) = (x.remainder(), dy.into_remainder());
        if !x.is_empty() {
            let (mut padded_x, mut padded_dy) = ([A::zero(); WIDEST], [A::zero(); WIDEST]);
            padded_x[..x.len()].copy_from_slice(x);
            padded_dy[..x.len()].copy_from_slice(dy);
            let slope = self.op.apply(A::Lanes::<S>::load(simd, &padded_x[..A::WIDTH]));
            let padded = &mut padded_dy[..A::WIDTH];
            (A::Lanes::<S>::load(simd, padded) * slope).store(padded);
            dy.copy_from_slice(&padded[..dy.len()]);
        }
    }
}

/// `dy = dy · op(x)`; both of one length.
pub(crate) fn scale<A: Element, O: Op>(job: Job, op: O, x: &[A], dy: &mut [A]) {
    assert_eq!(x.len(), dy.len(), "pieces of one length");
    run(job, Scale { op, x, dy });
}
