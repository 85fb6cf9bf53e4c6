//! Plain functions, with the instructions that every processor has.
//!
//! New arrays in line: of a few elements the choice of instructions and the calls would take longer; of many, what memory
//! takes: an iterator of known length is written where it stays, without a look at the capacity, and nothing is written
//! twice. And arrays of any layout, element by element in one walk, where there are no rows that vectors could read.

use fearless_simd::Simd;
use ndarray::{ArrayRef, ArrayView, ArrayViewMut, Dimension, Zip};

use super::Op;
use super::elementwise::WIDEST;
use crate::element::Element;
use crate::lane::{Kernel, LaneIo, run_plainly};

/// As many `f32` as 16 bytes hold.
const FEW: usize = 4;

/// The compiler leaves the other lanes out.
#[inline(always)]
fn few<A: Element, O: Op, S: Simd>(simd: S, op: O, x: &[A; FEW]) -> [A; FEW] {
    let mut y = [A::zero(); WIDEST];
    op.apply(A::Lanes::<S>::load_ends(simd, x)).store(&mut y[..A::WIDTH]);
    [y[0], y[1], y[2], y[3]]
}

struct Fews<'a, A, O> {
    op: O,
    x: &'a [A],
}

impl<A: Element, O: Op> Kernel for Fews<'_, A, O> {
    type Output = Vec<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<A> {
        let Self { op, x } = self;
        let (chunks, rest) = x.as_chunks::<FEW>();
        let mut out = Vec::with_capacity(x.len().div_ceil(FEW));
        out.extend(chunks.iter().map(
            #[inline(always)]
            |x| few(simd, op, x),
        ));
        let last = match *rest {
            [] => return out.into_flattened(),
            [a] => [a; FEW],
            [a, b] => [a, b, a, b],
            [a, b, c, ..] => [a, b, c, c],
        };
        out.push(few(simd, op, &last));
        let mut out = out.into_flattened();
        out.truncate(x.len());
        out
    }
}

/// Elements of any layouts.
struct Each<'a, A, D, O> {
    op: O,
    x: ArrayView<'a, A, D>,
    out: ArrayViewMut<'a, A, D>,
}

impl<A: Element, D: Dimension, O: Op> Kernel for Each<'_, A, D, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, x, out } = self;
        Zip::from(out).and(x).for_each(
            #[inline(always)]
            |out, &x| *out = few(simd, op, &[x; FEW])[0],
        );
    }
}

/// `out = op(x)` in one walk, whatever the layouts.
#[inline(always)]
pub(super) fn assign_each<A: Element, D: Dimension, O: Op>(
    op: O,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
) {
    run_plainly(Each { op, x: x.view(), out: out.view_mut() });
}

/// Elements of any layout, overwritten.
struct Overwritten<'a, A, D, O> {
    op: O,
    x: ArrayViewMut<'a, A, D>,
}

impl<A: Element, D: Dimension, O: Op> Kernel for Overwritten<'_, A, D, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, x } = self;
        Zip::from(x).for_each(
            #[inline(always)]
            |x| *x = few(simd, op, &[*x; FEW])[0],
        );
    }
}

/// `x = op(x)` in one walk, whatever the layout.
#[inline(always)]
pub(super) fn overwrite_each<A: Element, D: Dimension, O: Op>(op: O, x: &mut ArrayRef<A, D>) {
    run_plainly(Overwritten { op, x: x.view_mut() });
}

/// `op(x)` in fresh memory, in line, with the instructions that every processor has.
#[inline(always)]
pub(super) fn collect<A: Element, O: Op>(op: O, x: &[A]) -> Vec<A> {
    run_plainly(Fews { op, x })
}
