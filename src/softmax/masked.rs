//! Softmax over the elements that a mask keeps.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::along;
use crate::apply::{self, Strand};
use crate::element::Element;
use crate::lane::Job;

/// A lane function over a masked lane: `f` sees `-∞` where the mask is false, and what it makes of
/// that is replaced by `out`.
fn strand<A: Element>(lane: Strand<'_, A, ()>, out: A, f: impl Fn(&[A], &mut [A])) {
    if !lane.mask.contains(&true) {
        return lane.out.fill(out);
    }
    let keep = |(&x, &keep)| if keep { x } else { A::neg_infinity() };
    let x: Vec<A> = lane.x.iter().zip(lane.mask).map(keep).collect();
    f(&x, lane.out);
    // All are written: there is no jump to guess then.
    for (y, &keep) in lane.out.iter_mut().zip(lane.mask) {
        *y = if keep { *y } else { out };
    }
}

#[track_caller]
pub(crate) fn softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    along::masked(axis, x, mask, &|masked: Strand<'_, A, ()>| {
        strand(masked, A::zero(), |x, out| A::softmax_lane(job, 1.0, x, out));
    })
}

#[track_caller]
pub(crate) fn log_softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    along::masked(axis, x, mask, &|masked: Strand<'_, A, ()>| {
        strand(masked, A::neg_infinity(), |x, out| A::log_softmax_lane(job, x, out));
    })
}
