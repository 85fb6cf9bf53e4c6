//! Gradients of softmax and its logarithm, from their outputs.

use fearless_simd::Simd;
use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::along::{lanes, update};
use super::lane::map;
use super::wide::Wide;
use crate::apply::{self, Strand};
use crate::element::Element;
use crate::lane::{Job, Kernel, run};
use crate::math;

/// The gradient of a loss with respect to the input of softmax, from its output `y` and the
/// gradient `dy` with respect to that output.
///
/// ```text
/// dx = y · (dy − Σ y dy)        summed along the axis
/// ```
///
/// A new array in the memory order of `dy`. The sum is taken in double precision for `f32` and in
/// double-double for `f64`, in the order of the lane.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{prelude::*, softmax::softmax_backward};
/// let y = array![[0.0f64, 0.0]].softmax(Axis(1));
/// let dx = softmax_backward(&y, &array![[1.0, 0.0]], Axis(1));
/// assert_eq!(dx, array![[0.25, -0.25]]);
/// ```
///
/// # Panics
/// If the axis is out of range, naming it and the number of axes, or the shapes differ, naming
/// both.
#[track_caller]
pub fn softmax_backward<A: Element, D: Dimension>(
    y: &ArrayRef<A, D>,
    dy: &ArrayRef<A, D>,
    axis: Axis,
) -> Array<A, D> {
    apply::assert_axis(axis, y.ndim());
    apply::assert_same_shape("upstream gradient", dy.shape(), "output", y.shape());
    lanes(axis, dy, Some(y), &softmax_lane, None)
}

/// [`softmax_backward`], overwriting `dy` with the result.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{prelude::*, softmax::softmax_backward_inplace};
/// let y = array![[0.0f64, 0.0]].softmax(Axis(1));
/// let mut dy = array![[1.0, 0.0]];
/// softmax_backward_inplace(&y, &mut dy, Axis(1));
/// assert_eq!(dy, array![[0.25, -0.25]]);
/// ```
///
/// # Panics
/// As [`softmax_backward`].
#[track_caller]
pub fn softmax_backward_inplace<A: Element, D: Dimension>(
    y: &ArrayRef<A, D>,
    dy: &mut ArrayRef<A, D>,
    axis: Axis,
) {
    apply::assert_axis(axis, y.ndim());
    apply::assert_same_shape("upstream gradient", dy.shape(), "output", y.shape());
    update(axis, dy, Some(y), &softmax_lane, None);
}

/// The gradient of a loss with respect to the input of log-softmax, from its output `y` and the
/// gradient `dy` with respect to that output.
///
/// ```text
/// dx = dy − eʸ · Σ dy           summed along the axis
/// ```
///
/// A new array in the memory order of `dy`. The sum is taken as in [`softmax_backward`].
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{prelude::*, softmax::log_softmax_backward};
/// let y = array![[0.0f32, f32::NEG_INFINITY]].log_softmax(Axis(1));
/// let dx = log_softmax_backward(&y, &array![[1.0, 2.0]], Axis(1));
/// assert_eq!(dx, array![[-2.0, 2.0]]);
/// ```
///
/// # Panics
/// As [`softmax_backward`].
#[track_caller]
pub fn log_softmax_backward<A: Element, D: Dimension>(
    y: &ArrayRef<A, D>,
    dy: &ArrayRef<A, D>,
    axis: Axis,
) -> Array<A, D> {
    apply::assert_axis(axis, y.ndim());
    apply::assert_same_shape("upstream gradient", dy.shape(), "output", y.shape());
    lanes(axis, dy, Some(y), &log_softmax_lane, None)
}

/// [`log_softmax_backward`], overwriting `dy` with the result.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{prelude::*, softmax::log_softmax_backward_inplace};
/// let y = array![[0.0f32, f32::NEG_INFINITY]].log_softmax(Axis(1));
/// let mut dy = array![[1.0, 2.0]];
/// log_softmax_backward_inplace(&y, &mut dy, Axis(1));
/// assert_eq!(dy, array![[-2.0, 2.0]]);
/// ```
///
/// # Panics
/// As [`softmax_backward`].
#[track_caller]
pub fn log_softmax_backward_inplace<A: Element, D: Dimension>(
    y: &ArrayRef<A, D>,
    dy: &mut ArrayRef<A, D>,
    axis: Axis,
) {
    apply::assert_axis(axis, y.ndim());
    apply::assert_same_shape("upstream gradient", dy.shape(), "output", y.shape());
    update(axis, dy, Some(y), &log_softmax_lane, None);
}

/// `Σ a b` of a lane.
fn dot<A: Element>(pairs: impl Iterator<Item = (A, A)>) -> Wide {
    if size_of::<A>() == 4 {
        return Wide::from(pairs.map(|(a, b)| a.to_f64() * b.to_f64()).sum());
    }
    pairs.fold(Wide::ZERO, |sum, (a, b)| sum.plus(Wide::product(a.to_f64(), b.to_f64())))
}

fn softmax_lane<A: Element>(strand: Strand<'_, A, ()>) {
    let Strand { x: dy, other: y, out, .. } = strand;
    let sum = dot(y.iter().copied().zip(dy.iter().copied()));
    for ((out, &y), &dy) in out.iter_mut().zip(y).zip(dy) {
        let distance = (dy.to_f64() - sum.high) - sum.low;
        *out = A::from_f64(y.to_f64() * distance);
    }
}

/// `dy − eʸ · sum`. Multiplied and added where processors do that in one step: elsewhere it is a call.
struct Gradient<'a, A> {
    y: &'a [A],
    dy: &'a [A],
    out: &'a mut [A],
    sum: f64,
}

impl<A: Element> Kernel for Gradient<'_, A> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::redundant_closure, reason = "by its name a function is called, not in line")]
    fn run<S: Simd>(self, simd: S) {
        let Self { y, dy, out, sum } = self;
        map(
            simd,
            y,
            out,
            #[inline(always)]
            |y| math::exp(y),
        );
        for (out, &dy) in out.iter_mut().zip(dy) {
            *out = A::from_f64((-out.to_f64()).mul_add(sum, dy.to_f64()));
        }
    }
}

fn log_softmax_lane<A: Element>(strand: Strand<'_, A, ()>) {
    let Strand { x: dy, other: y, out, .. } = strand;
    let sum = dot(dy.iter().map(|&dy| (dy, A::one()))).value();
    run(Job::new(), Gradient { y, dy, out, sum });
}
