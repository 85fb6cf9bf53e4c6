//! New arrays of a few elements, in line: the choice of instructions and the calls would take longer.

use fearless_simd::Simd;

use super::Op;
use super::elementwise::WIDEST;
use crate::element::Element;
use crate::lane::{Kernel, LaneIo, run_plainly};

struct Collect<'a, A, O> {
    op: O,
    x: &'a [A],
    out: &'a mut Vec<A>,
}

impl<A: Element, O: Op> Kernel for Collect<'_, A, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, x, out } = self;
        if let Some(tail) = x.len().checked_sub(A::WIDTH)
            && tail > A::WIDTH
        {
            // Overwriting is quicker than to append vectors one by one, and a fill quicker than a copy, which is a call.
            out.resize(x.len(), A::one());
            for (x, out) in x.chunks_exact(A::WIDTH).zip(out.chunks_exact_mut(A::WIDTH)) {
                op.apply(A::Lanes::<S>::load(simd, x)).store(out);
            }
            return op.apply(A::Lanes::<S>::load(simd, &x[tail..])).store(&mut out[tail..]);
        }
        let mut chunks = x.chunks_exact(A::WIDTH);
        for x in &mut chunks {
            let mut y = [A::zero(); WIDEST];
            op.apply(A::Lanes::<S>::load(simd, x)).store(&mut y[..A::WIDTH]);
            out.extend_from_slice(&y[..A::WIDTH]);
        }
        let x = append::<A, O, S, 8>(simd, op, chunks.remainder(), out);
        let x = append::<A, O, S, 4>(simd, op, x, out);
        let x = append::<A, O, S, 2>(simd, op, x, out);
        append::<A, O, S, 1>(simd, op, x, out);
    }
}

/// Appends `op` of the first `N` elements, where there are as many, and gives those behind.
#[inline(always)]
fn append<'a, A: Element, O: Op, S: Simd, const N: usize>(
    simd: S,
    op: O,
    x: &'a [A],
    out: &mut Vec<A>,
) -> &'a [A] {
    let Some((x, rest)) = x.split_first_chunk::<N>() else { return x };
    // The compiler leaves the other lanes out.
    let mut y = [A::zero(); WIDEST];
    op.apply(A::Lanes::<S>::load_ends(simd, x)).store(&mut y[..A::WIDTH]);
    out.extend_from_slice(&y[..N]);
    rest
}

struct Chunks<'a, A, O> {
    op: O,
    x: &'a [A],
}

impl<A: Element, O: Op> Kernel for Chunks<'_, A, O> {
    type Output = Vec<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<A> {
        let Self { op, x } = self;
        let (chunks, rest) = x.as_chunks::<WIDEST>();
        // Arrays from an iterator of known length are written where they stay, without a look at the capacity.
        let mut out = Vec::with_capacity(x.len().div_ceil(WIDEST));
        out.extend(chunks.iter().map(
            #[inline(always)]
            |x| {
                let mut y = [A::zero(); WIDEST];
                for (x, y) in x.chunks_exact(A::WIDTH).zip(y.chunks_exact_mut(A::WIDTH)) {
                    op.apply(A::Lanes::<S>::load(simd, x)).store(y);
                }
                y
            },
        ));
        let mut out = out.into_flattened();
        if !rest.is_empty() {
            Collect { op, x: rest, out: &mut out }.run(simd);
        }
        out
    }
}

/// `op(x)` of a few elements in fresh memory, in line, with the instructions that every processor has.
#[inline(always)]
pub(super) fn collect<A: Element, O: Op>(op: O, x: &[A]) -> Vec<A> {
    let mut out = Vec::with_capacity(x.len());
    run_plainly(Collect { op, x, out: &mut out });
    out
}

/// The same of more elements. The choice between both is the caller's: made in here, the compiler gives 33 to 64 elements
/// code that takes twice as long.
#[inline(always)]
pub(super) fn collect_more<A: Element, O: Op>(op: O, x: &[A]) -> Vec<A> {
    run_plainly(Chunks { op, x })
}
