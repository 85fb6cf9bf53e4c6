//! Softmax over the elements that a mask keeps.

use fearless_simd::Simd;
use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::{SoftmaxColumns, along};
use crate::apply::{self, Strand};
use crate::element::Element;
use crate::lane::{Job, Kernel, run};

#[track_caller]
pub(crate) fn softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    let lane = |lane: Strand<'_, A, ()>| A::softmax_lane(job, (1.0, 0.0), false, lane.x, lane.out);
    // Parts of it are in the caches.
    let tile = SoftmaxColumns::new(job, Some((1.0, 0.0)), 0);
    along::masked(axis, x, mask, A::zero(), &lane, A::softmax_columns(&tile))
}

#[track_caller]
pub(crate) fn log_softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    let lane = |lane: Strand<'_, A, ()>| A::log_softmax_lane(job, false, lane.x, lane.out);
    let tile = SoftmaxColumns::new(job, None, 0);
    along::masked(axis, x, mask, A::neg_infinity(), &lane, A::softmax_columns(&tile))
}

struct Choose<'a, A> {
    x: Option<&'a [A]>,
    mask: &'a [bool],
    out: &'a mut [A],
    hidden: A,
}

impl<A: Element> Kernel for Choose<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // All are written, so that no jump is to be guessed: the compiler makes vectors of it.
        let Self { x, mask, out, hidden } = self;
        match x {
            Some(x) => {
                for ((y, &x), &keep) in out.iter_mut().zip(x).zip(mask) {
                    *y = if keep { x } else { hidden };
                }
            }
            None => {
                for (y, &keep) in out.iter_mut().zip(mask) {
                    *y = if keep { *y } else { hidden };
                }
            }
        }
    }
}

/// `x`, or `out` where there is none, into `out` where the mask is true, `hidden` elsewhere.
pub(super) fn choose<A: Element>(x: Option<&[A]>, mask: &[bool], out: &mut [A], hidden: A) {
    run(Job::new(), Choose { x, mask, out, hidden });
}
