//! Softmax over the elements that a mask keeps.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::along;
use crate::apply::{self, Strand};
use crate::element::Element;
use crate::lane::Job;

#[track_caller]
pub(crate) fn softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    let lane = |lane: Strand<'_, A, ()>| A::softmax_lane(job, 1.0, lane.x, lane.out);
    // Parts of it are in the caches.
    let tile = A::softmax_columns(job, Some(1.0), 0);
    along::masked(axis, x, mask, A::zero(), &lane, &*tile)
}

#[track_caller]
pub(crate) fn log_softmax_masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
) -> Array<A, D> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    let lane = |lane: Strand<'_, A, ()>| A::log_softmax_lane(job, lane.x, lane.out);
    let tile = A::softmax_columns(job, None, 0);
    along::masked(axis, x, mask, A::neg_infinity(), &lane, &*tile)
}
