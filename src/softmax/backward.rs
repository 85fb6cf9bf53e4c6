//! Gradients of softmax and its logarithm, from their outputs.

use fearless_simd::Simd;
use ndarray::{Array, ArrayRef, ArrayView2, ArrayViewMut2, Axis, Dimension};

use super::along::{pairs, update_pairs};
use super::max::{load_padded, store_part};
use super::sum::first;
use super::total::{Total, WIDEST, single};
use crate::apply::{self, Pairs, Strand};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run, run_fused};
use crate::math::{self, Pair};

/// The gradient of a loss with respect to the input of softmax, from its output `y` and the
/// gradient `dy` with respect to that output.
///
/// ```text
/// dx = y · (dy − Σ y dy)        summed along the axis
/// ```
///
/// A new array in the memory order of `dy`. The sum is taken in double precision for `f32` and in
/// double-double for `f64`, in an order that depends on the length of the lane alone.
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
        // Products of two `f32` numbers are exact.
        let (first, rest) = if LOG { (dy, dy_rest) } else { (y * dy, y_rest * dy_rest) };
        return Total::double(sum.first.high + first, sum.rest.high + rest);
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
    if LOG {
        let (first, rest) = (sum.first.high + sum.first.low, sum.rest.high + sum.rest.low);
        return V::narrow(y.neg_mul_add(first, dy), y_rest.neg_mul_add(rest, dy_rest));
    }
    let Total { first, rest } = sum;
    let (first, rest) = ((dy - first.high) - first.low, (dy_rest - rest.high) - rest.low);
    V::narrow(y * first, y_rest * rest)
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
    Pairs { rows: gradients::<A, LOG>, columns: columns::<A, LOG> }
}

/// The gradients of columns whose rows are runs of memory; returns whether they are.
fn columns<A: Element, const LOG: bool>(
    dy: Option<&ArrayView2<'_, A>>,
    y: &ArrayView2<'_, A>,
    out: &mut ArrayViewMut2<'_, A>,
) -> bool {
    let job = Job::new();
    if !job.is_fused() {
        return false;
    }
    fn rows<'a, A>(x: &'a ArrayView2<'_, A>) -> Option<Vec<&'a [A]>> {
        x.outer_iter().map(|row| row.to_slice()).collect()
    }
    let dy = match dy.map(rows) {
        Some(None) => return false,
        Some(dy) => dy,
        None => None,
    };
    let outs: Option<Vec<_>> = out.outer_iter_mut().map(|row| row.into_slice()).collect();
    let (Some(y), Some(mut out)) = (rows(y), outs) else {
        return false;
    };
    run_fused(job, Columns::<A, LOG> { y: &y, dy: dy.as_deref(), out: &mut out });
    true
}

/// Vectors of columns that go together: a few cache lines of each row.
const TOGETHER: usize = 4;

/// Rows of columns of gradients.
struct Columns<'a, 'b, A, const LOG: bool> {
    y: &'b [&'a [A]],
    /// The old elements of the output where there are none.
    dy: Option<&'b [&'a [A]]>,
    out: &'b mut [&'a mut [A]],
}

impl<A: Element, const LOG: bool> Kernel for Columns<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut at = 0;
        while at < self.out.first().map_or(0, |row| row.len()) {
            let whole = (self.out[0].len() - at) / A::WIDTH;
            if whole >= TOGETHER {
                self.strip::<S, TOGETHER>(simd, at);
                at += TOGETHER * A::WIDTH;
            } else {
                self.strip::<S, 1>(simd, at);
                at += A::WIDTH;
            }
        }
    }
}

impl<A: Element, const LOG: bool> Columns<'_, '_, A, LOG> {
    /// So many vectors of columns from this one on; the last may be a part of one.
    #[inline(always)]
    fn strip<S: Simd, const N: usize>(&mut self, simd: S, at: usize) {
        let Self { y, dy, out } = self;
        let place = at..(at + N * A::WIDTH).min(out[0].len());
        // Accumulator `j` of each lane, as in rows.
        let mut totals = [[Total::zero(simd); N]; WIDEST];
        for (j, totals) in totals[..A::WIDTH].iter_mut().enumerate() {
            for i in (j..y.len()).step_by(A::WIDTH) {
                let dy = dy.map_or(&*out[i], |dy| dy[i]);
                let (y, dy) = (y[i][place.clone()].chunks(A::WIDTH), &dy[place.clone()]);
                for ((total, y), dy) in totals.iter_mut().zip(y).zip(dy.chunks(A::WIDTH)) {
                    *total = plus::<S, A, LOG>(*total, part(simd, y), part(simd, dy));
                }
            }
            for total in totals {
                total.first = Pair::sum(total.first.high, total.first.low);
            }
        }
        let mut half = A::WIDTH / 2;
        while half > 0 {
            let (low, high) = totals.split_at_mut(half);
            for (total, &other) in low.iter_mut().flatten().zip(high.iter().flatten()) {
                *total = total.plus::<A>(other);
            }
            half /= 2;
        }
        for (i, y) in y.iter().enumerate() {
            let out = out[i][place.clone()].chunks_mut(A::WIDTH);
            let y = y[place.clone()].chunks(A::WIDTH);
            for (v, ((out, y), &sum)) in out.zip(y).zip(&totals[0]).enumerate() {
                let dy = match dy {
                    Some(dy) => part(simd, &dy[i][at + v * A::WIDTH..][..out.len()]),
                    None => part(simd, out),
                };
                let dx = gradient::<S, _, LOG>(part(simd, y), dy, sum);
                if out.len() == A::WIDTH {
                    dx.store(out);
                } else {
                    store_part::<S, A>(dx, out);
                }
            }
        }
    }
}

/// A vector, or what there is of one.
#[inline(always)]
fn part<S: Simd, A: Element>(simd: S, x: &[A]) -> A::Lanes<S> {
    if x.len() == A::WIDTH {
        A::Lanes::<S>::load(simd, x)
    } else {
        load_padded::<S, A>(simd, x, A::zero())
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
