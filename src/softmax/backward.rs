//! Gradients of softmax and its logarithm, from their outputs.

mod columns;

use fearless_simd::Simd;
use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::along::{pairs, update_pairs};
use super::max::{load_padded, store_part};
use super::sum::first;
use super::total::{Total, single};
use crate::apply::{self, Pairs, Strand};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};
use crate::math::{self, Pair};

/// The gradient of a loss with respect to the input of softmax, from its output `y` and the
/// gradient `dy` with respect to that output.
///
/// ```text
/// dx = y · (dy − Σ y dy)        summed along the axis
/// ```
///
/// A new array in the memory order of `dy`. The sum is taken in double precision for `f32` and in
/// double-double for `f64`, in an order that depends on the length of the lane alone. Where it is
/// infinite, results of `f64` are NaN.
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
    pairs(axis, dy, y, &lane::<A>, A::SOFTMAX_GRADIENTS)
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
    update_pairs(axis, dy, y, &lane::<A>, A::SOFTMAX_GRADIENTS);
}

/// The gradient of a loss with respect to the input of log-softmax, from its output `y` and the
/// gradient `dy` with respect to that output.
///
/// ```text
/// dx = dy − eʸ · Σ dy           summed along the axis
/// ```
///
/// A new array in the memory order of `dy`. The sum is taken as in [`softmax_backward`], and `eʸ` is rounded to the element
/// type before it is multiplied.
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
    pairs(axis, dy, y, &log_lane::<A>, A::LOG_SOFTMAX_GRADIENTS)
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
    update_pairs(axis, dy, y, &log_lane::<A>, A::LOG_SOFTMAX_GRADIENTS);
}

/// The same for a SIMD level.
struct Gradients<'a, A, const LOG: bool> {
    y: &'a [A],
    dy: &'a [A],
    out: &'a mut [A],
    len: usize,
}

impl<A: Element, const LOG: bool> Kernel for Gradients<'_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { y, dy, out, len } = self;
        let tail = len % A::WIDTH;
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        let these = first(zero, tail);
        for start in (0..out.len()).step_by(len) {
            // From this lane on: what follows its tail is read where there is something, and overwritten later.
            let (y, dy, out) = (&y[start..], &dy[start..], &mut out[start..]);
            let vectors = y[..len].chunks_exact(A::WIDTH).zip(dy[..len].chunks_exact(A::WIDTH));
            let mut sum = Total::zero(simd);
            for (y, dy) in vectors.clone() {
                let (y, dy) = (A::Lanes::<S>::load(simd, y), A::Lanes::<S>::load(simd, dy));
                sum = plus::<S, A, LOG>(sum, y, dy);
            }
            let y_tail = rest::<S, A>(simd, y, (len, tail), these);
            let dy_tail = rest::<S, A>(simd, dy, (len, tail), these);
            if tail > 0 {
                sum = plus::<S, A, LOG>(sum, y_tail, dy_tail);
            }
            let first = Pair::sum(sum.first.high, sum.first.low);
            let sum = Total { first, ..sum }.fold::<A>();
            let sum = Total::fill(simd, sum);
            for ((y, dy), out) in vectors.zip(out[..len].chunks_exact_mut(A::WIDTH)) {
                let (y, dy) = (A::Lanes::<S>::load(simd, y), A::Lanes::<S>::load(simd, dy));
                gradient::<S, _, LOG>(y, dy, sum).store(out);
            }
            if tail > 0 {
                let last = gradient::<S, _, LOG>(y_tail, dy_tail, sum);
                match out.get_mut(len - tail..len - tail + A::WIDTH) {
                    Some(out) => last.store(out),
                    None => store_part::<S, A>(last, &mut out[len - tail..len]),
                }
            }
        }
    }
}

/// The last elements of a lane, the first `len` of `x`, and zeros.
#[inline(always)]
fn rest<S: Simd, A: Element>(
    simd: S,
    x: &[A],
    (len, tail): (usize, usize),
    these: <A::Lanes<S> as Lane>::Mask,
) -> A::Lanes<S> {
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    match x.get(len - tail..len - tail + A::WIDTH) {
        Some(x) => Lane::select(these, A::Lanes::<S>::load(simd, x), zero),
        None => load_padded::<S, A>(simd, &x[len - tail..len], A::zero()),
    }
}

/// With the next terms of `Σ y dy`, or of `Σ dy`: element `i` is added to sum `i mod 16` (`f32`, in double precision) or
/// `i mod 8` (`f64`, in double-double), and these are folded by halves.
#[inline(always)]
fn plus<S: Simd, A: Element, const LOG: bool>(
    sum: Total<S>,
    y: A::Lanes<S>,
    dy: A::Lanes<S>,
) -> Total<S> {
    let ((y, y_rest), (dy, dy_rest)) = (y.widen(), dy.widen());
    if const { single::<A>() } {
        let (first, rest) = (sum.first.high, sum.rest.high);
        if LOG {
            return Total::double(first + dy, rest + dy_rest);
        }
        // Products of two `f32` numbers are exact, so a fused step gives the same.
        if const { <A::Lanes<S> as Lane>::IS_FUSED } {
            return Total::double(y.mul_add(dy, first), y_rest.mul_add(dy_rest, rest));
        }
        return Total::double(first + y * dy, rest + y_rest * dy_rest);
    }
    let zero = dy.splat(0.0);
    let (term, error) = if LOG {
        (dy, zero)
    } else {
        let product = y * dy;
        (product, y.mul_add(dy, -product))
    };
    let Pair { high, low } = Pair::two_sum(sum.first.high, term);
    Total { first: Pair { high, low: sum.first.low + (low + error) }, ..sum }
}

/// `y (dy − sum)`, or `dy − eʸ sum`.
#[inline(always)]
fn gradient<S: Simd, V: LaneIo<S>, const LOG: bool>(y: V, dy: V, sum: Total<S>) -> V {
    let y = if LOG { exp(y) } else { y };
    let ((y, y_rest), (dy, dy_rest)) = (y.widen(), dy.widen());
    let Total { first, rest } = sum;
    // Sums for `f32` have no low parts, and `f64` has no second half.
    if LOG {
        let first = if const { V::SINGLE } { first.high } else { first.high + first.low };
        return V::narrow(y.neg_mul_add(first, dy), y_rest.neg_mul_add(rest.high, dy_rest));
    }
    let (mut first, low) = (dy - first.high, first.low);
    if const { !V::SINGLE } {
        first = first - low;
    }
    V::narrow(y * first, y_rest * (dy_rest - rest.high))
}

fn lane<A: Element>(strand: Strand<'_, A, ()>) {
    (A::SOFTMAX_GRADIENTS.rows)(strand.x, strand.other, strand.out, strand.out.len());
}

fn log_lane<A: Element>(strand: Strand<'_, A, ()>) {
    (A::LOG_SOFTMAX_GRADIENTS.rows)(strand.x, strand.other, strand.out, strand.out.len());
}

/// The gradients of lanes of `len` elements, one after the other.
fn gradients<A: Element, const LOG: bool>(dy: &[A], y: &[A], out: &mut [A], len: usize) {
    if len > 0 {
        run(Job::new(), Gradients::<A, LOG> { y, dy, out, len });
    }
}

/// [`gradients`], and the same of columns.
pub(super) const fn pairs_of<A: Element, const LOG: bool>() -> Pairs<A> {
    Pairs {
        rows: gradients::<A, LOG>,
        columns: columns::columns::<A, LOG>,
        shares: columns::shares::<A>,
    }
}

/// The exponential, as a function of its own where fused steps are emulated.
#[inline(always)]
fn exp<V: Lane>(y: V) -> V {
    if V::IS_FUSED { math::exp(y) } else { exp_called(y) }
}

#[inline(never)]
fn exp_called<V: Lane>(y: V) -> V {
    math::exp(y)
}
