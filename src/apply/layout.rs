//! From arrays of any layout to contiguous pieces.
//!
//! Arrays whose memory is one run are handed on as one slice. Long rows that are contiguous in both arrays are handed on
//! whole. Any other array is halved, along its innermost axis last, until a piece fits in the first-level cache; a piece is
//! walked row by row along the axis on which the output is contiguous, and rows that are not contiguous, or too short to
//! pay for themselves, go through a small buffer.

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, ShapeBuilder};

use super::parallel::{self, Tasks, singles};
use crate::activation::Cost;
use crate::element::Element;

/// Rows shorter than this are gathered together instead of being walked one by one.
const SHORT_ROW: usize = 32;
/// Rows of plain functions shorter than this are not walked one by one either.
const PLAIN_ROW: usize = 48;
/// Rows of at least this many elements are walked whole, in the order of memory.
const LONG_ROW: usize = 256;
/// A strided piece of this many elements is not cut further: with its output and both buffers it
/// fits in the first-level cache.
const TILE: usize = 1024;
/// Below this, scratch memory is small enough to be cleared for nothing.
const SMALL_BUFFER: usize = 64;

/// What is done to each piece. Walks are compiled once for all operations.
type Leaf<'a, A> = &'a (dyn Fn(&mut [A]) + Sync);
/// What is done to each pair of pieces.
type PairLeaf<'a, A> = &'a (dyn Fn(&[A], &mut [A]) + Sync);

/// Panics unless the shapes agree.
#[inline]
#[track_caller]
pub(crate) fn assert_same_shape(what: &str, got: &[usize], of: &str, expected: &[usize]) {
    if got != expected {
        other_shape(what, got, of, expected);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn other_shape(what: &str, got: &[usize], of: &str, expected: &[usize]) -> ! {
    panic!("the {what} must have the shape of the {of}: expected {expected:?}, got {got:?}");
}

/// Bytes of a new array from which on huge pages are asked for, as by NumPy; never without the feature.
const LARGE: usize =
    if cfg!(all(feature = "huge-pages", target_os = "linux")) { 4 << 20 } else { usize::MAX };

/// Bytes of the largest new array that one thread makes where there are more, by plain steps in one pass. The allocator gives
/// larger ones pages of zeros that nobody has touched, which threads touch together.
pub(super) const ONE_PASS: usize = 16 << 20;
/// The same of a copy that is worked on later: with 4 to 16 MiB two threads would take 4 to 15 % more for a gradient.
const COPY: usize = 2 << 20;

/// Whether a new array of so many elements is collected on one thread, which writes it once: zeros to begin with take half as
/// long as a cheap operation, more than a second thread gains up to `alone` bytes.
pub(super) fn is_collected<A: Element>(len: usize, alone: usize) -> bool {
    let bytes = size_of::<A>() * len;
    bytes < LARGE && (bytes <= alone || parallel::pieces(Cost::Light, singles::<A>(len)) == 1)
}

/// An array of zeros. Memory that the system gives anew is not touched yet.
fn zeros<A: Element, S: ShapeBuilder>(shape: S) -> Array<A, S::Dim> {
    let out: Array<A, _> = Array::zeros(shape);
    #[cfg(all(feature = "huge-pages", target_os = "linux"))]
    {
        let bytes = size_of::<A>() * out.len();
        if bytes >= LARGE {
            kevy_madvise::advise_hugepage(out.as_ptr().cast(), bytes);
        }
    }
    out
}

/// A new array of zeros with the shape of `x`, in its memory order where `x` is contiguous in any
/// order, else in C order.
pub(crate) fn new_like<A: Element, D: Dimension>(x: &ArrayRef<A, D>) -> Array<A, D> {
    if x.is_standard_layout() || x.as_slice_memory_order().is_none() {
        return zeros(x.raw_dim());
    }
    if x.t().is_standard_layout() {
        return zeros(x.raw_dim().f());
    }
    // Axes from the outermost to the innermost in memory; an allocation in that order, then the
    // axes put back in their places, and those that ran backwards turned round.
    let mut order: Vec<usize> = (0..x.ndim()).collect();
    order.sort_by_key(|&axis| core::cmp::Reverse(x.strides()[axis].unsigned_abs()));
    let (mut shape, mut places) = (x.raw_dim(), x.raw_dim());
    for (outer, &axis) in order.iter().enumerate() {
        shape[outer] = x.shape()[axis];
        places[axis] = outer;
    }
    let mut out = zeros(shape).permuted_axes(places);
    for axis in 0..x.ndim() {
        if x.strides()[axis] < 0 {
            out.invert_axis(Axis(axis));
        }
    }
    out
}

/// An array of `elements` with the shape of `x`, in C order.
#[inline(always)]
pub(crate) fn shaped_as<A, D: Dimension>(x: &ArrayRef<A, D>, elements: Vec<A>) -> Array<A, D> {
    const FITS: &str = "as many elements as the input";
    if D::NDIM == Some(1) {
        // Without the checks that a shape needs.
        return Array::from_vec(elements).into_dimensionality().expect(FITS);
    }
    Array::from_shape_vec(x.raw_dim(), elements).expect(FITS)
}

/// A copy of `x` in its memory order.
pub(crate) fn to_owned<A: Element, D: Dimension>(x: &ArrayRef<A, D>) -> Array<A, D> {
    if is_collected::<A>(x.len(), COPY)
        && let Some(run) = x.as_slice()
    {
        return shaped_as(x, run.to_vec());
    }
    let mut out = new_like(x);
    each_pair(Cost::Light, x, &mut out, &|x, out| out.copy_from_slice(x));
    out
}

/// Hands every element of `x` to `leaf`, in contiguous pieces.
pub(crate) fn each_mut<A: Element, D: Dimension>(
    cost: Cost,
    x: &mut ArrayRef<A, D>,
    leaf: Leaf<'_, A>,
) {
    let pieces = parallel::pieces(cost, singles::<A>(x.len()));
    if pieces < 2 {
        return match x.as_slice_memory_order_mut() {
            Some(run) => leaf(run),
            None => strided(x.view_mut(), leaf),
        };
    }
    let mut tasks = Tasks::new();
    if x.as_slice_memory_order().is_some() {
        let run = x.as_slice_memory_order_mut().expect("it was found to be in one run");
        cut_run(&mut tasks, pieces, run, leaf);
    } else {
        cut_strided(&mut tasks, pieces, x.view_mut(), leaf);
    }
    tasks.run();
}

/// Hands every element of `x` and `out` to `leaf`, in contiguous pieces of one length; what is in
/// an output piece before the call is undefined.
pub(crate) fn each_pair<A: Element, D: Dimension>(
    cost: Cost,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
    leaf: PairLeaf<'_, A>,
) {
    each_two(cost, x, out, false, leaf);
}

/// As [`each_pair`], with the old elements of `out` in the output pieces.
pub(crate) fn each_update<A: Element, D: Dimension>(
    cost: Cost,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
    leaf: PairLeaf<'_, A>,
) {
    each_two(cost, x, out, true, leaf);
}

fn each_two<A: Element, D: Dimension>(
    cost: Cost,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
    reads_out: bool,
    leaf: PairLeaf<'_, A>,
) {
    let pieces = parallel::pieces(cost, singles::<A>(out.len()));
    if let (Some(x), Some(out)) = (x.as_slice(), out.as_slice_mut()) {
        return share_runs(pieces, x, out, leaf);
    }
    if x.strides() == out.strides()
        && let (Some(x), Some(out)) = (x.as_slice_memory_order(), out.as_slice_memory_order_mut())
    {
        return share_runs(pieces, x, out, leaf);
    }
    if pieces < 2 {
        return strided_two(x.view(), out.view_mut(), reads_out, leaf);
    }
    let mut tasks = Tasks::new();
    cut_strided_two(&mut tasks, pieces, x.view(), out.view_mut(), reads_out, leaf);
    tasks.run();
}

fn share_runs<A: Element>(pieces: usize, x: &[A], out: &mut [A], leaf: PairLeaf<'_, A>) {
    if pieces < 2 {
        return leaf(x, out);
    }
    let mut tasks = Tasks::new();
    cut_runs(&mut tasks, pieces, x, out, leaf);
    tasks.run();
}

fn cut_run<'a, A: Element>(
    tasks: &mut Tasks<'a>,
    pieces: usize,
    x: &'a mut [A],
    leaf: Leaf<'a, A>,
) {
    if pieces < 2 {
        return tasks.push(move || leaf(x));
    }
    let (x, y) = x.split_at_mut(middle::<A>(x.len(), pieces));
    cut_run(tasks, pieces / 2, x, leaf);
    cut_run(tasks, pieces - pieces / 2, y, leaf);
}

fn cut_runs<'a, A: Element>(
    tasks: &mut Tasks<'a>,
    pieces: usize,
    x: &'a [A],
    out: &'a mut [A],
    leaf: PairLeaf<'a, A>,
) {
    if pieces < 2 {
        return tasks.push(move || leaf(x, out));
    }
    let middle = middle::<A>(out.len(), pieces);
    let ((x0, x1), (out0, out1)) = (x.split_at(middle), out.split_at_mut(middle));
    cut_runs(tasks, pieces / 2, x0, out0, leaf);
    cut_runs(tasks, pieces - pieces / 2, x1, out1, leaf);
}

/// Where to cut a run for `pieces`: on a page boundary of the run, so that threads share no page.
fn middle<A: Element>(len: usize, pieces: usize) -> usize {
    let share = len / pieces * (pieces / 2);
    let page = 4096 / size_of::<A>();
    if share > page { share / page * page } else { share }
}

/// The axis to halve next: the longest one, but the innermost in memory only where nothing else is left, and while its
/// pieces stay long.
fn axis_to_halve(shape: &[usize], innermost: Option<usize>) -> Option<usize> {
    let weight = |axis: usize| match shape[axis] {
        len if Some(axis) != innermost => 2 * len,
        ..=TILE => 0,
        _ => 3,
    };
    (0..shape.len()).max_by_key(|&axis| weight(axis)).filter(|&axis| weight(axis) > 2)
}

/// The axis along which the elements of `x` stand closest to each other.
fn innermost<A, D: Dimension>(x: &ArrayRef<A, D>) -> Option<usize> {
    let axes = (0..x.ndim()).filter(|&axis| x.shape()[axis] > 1 && x.strides()[axis] != 0);
    axes.min_by_key(|&axis| x.strides()[axis].unsigned_abs())
}

/// The same where it is one axis for both.
fn innermost_of_both<A, D: Dimension>(x: &ArrayRef<A, D>, out: &ArrayRef<A, D>) -> Option<usize> {
    innermost(out).filter(|_| innermost(x) == innermost(out))
}

/// The longest axis along which `x` is contiguous.
fn unit_axis<A, D: Dimension>(x: &ArrayRef<A, D>) -> Option<usize> {
    (0..x.ndim()).find(|&axis| x.strides()[axis] == 1 && x.shape()[axis] > 1)
}

/// Elements of two arrays in different orders from which on pieces that stay in the first-level cache are better than one
/// walk.
const TRANSPOSED: usize = 64 << 10;

/// Whether no row of both is worth a loop of its own, and one walk over all elements is as good as any.
pub(super) fn has_no_rows<A, D: Dimension>(x: &ArrayRef<A, D>, out: &ArrayRef<A, D>) -> bool {
    // The walk has a loop along the first axis or the last.
    if x.shape().first() == Some(&1) || x.shape().last() == Some(&1) {
        return false;
    }
    let unit = unit_axis_of_both(x, out);
    let has_rows = unit.is_some_and(|axis| out.shape()[axis] >= PLAIN_ROW);
    !has_rows && (x.len() < TRANSPOSED || innermost_of_both(x, out).is_some())
}

fn cut_strided<'a, A: Element, D: Dimension + 'a>(
    tasks: &mut Tasks<'a>,
    pieces: usize,
    x: ArrayViewMut<'a, A, D>,
    leaf: Leaf<'a, A>,
) {
    match axis_to_halve(x.shape(), innermost(&x)) {
        Some(axis) if pieces > 1 => {
            let middle = x.len_of(Axis(axis)) / 2;
            let (a, b) = x.split_at(Axis(axis), middle);
            cut_strided(tasks, pieces / 2, a, leaf);
            cut_strided(tasks, pieces - pieces / 2, b, leaf);
        }
        _ => tasks.push(move || strided(x, leaf)),
    }
}

fn strided<A: Element, D: Dimension>(mut x: ArrayViewMut<'_, A, D>, leaf: Leaf<'_, A>) {
    let unit = unit_axis(&x);
    let is_long = unit.is_some_and(|axis| x.shape()[axis] >= LONG_ROW);
    if x.len() > TILE
        && !is_long
        && let Some(axis) = axis_to_halve(x.shape(), innermost(&x))
    {
        let middle = x.len_of(Axis(axis)) / 2;
        let (a, b) = x.split_at(Axis(axis), middle);
        strided(a, leaf);
        return strided(b, leaf);
    }
    if let Some(axis) = unit
        && x.shape()[axis] >= SHORT_ROW
    {
        for mut row in x.lanes_mut(Axis(axis)) {
            leaf(row.as_slice_mut().expect("a lane of stride 1 is a slice"));
        }
        return;
    }
    if x.len() <= SMALL_BUFFER {
        let buffer = &mut [A::zero(); SMALL_BUFFER][..x.len()];
        buffer.iter_mut().zip(x.iter()).for_each(|(slot, &element)| *slot = element);
        leaf(buffer);
        x.iter_mut().zip(buffer.iter()).for_each(|(element, &slot)| *element = slot);
        return;
    }
    with_buffer(x.len(), |buffer: &mut [A]| {
        view_mut(&x, buffer).assign(&x);
        leaf(buffer);
        let result = view_mut(&x, buffer);
        x.assign(&result);
    });
}

fn cut_strided_two<'a, A: Element, D: Dimension + 'a>(
    tasks: &mut Tasks<'a>,
    pieces: usize,
    x: ArrayView<'a, A, D>,
    out: ArrayViewMut<'a, A, D>,
    reads_out: bool,
    leaf: PairLeaf<'a, A>,
) {
    match axis_to_halve(out.shape(), innermost_of_both(&x, &out)) {
        Some(axis) if pieces > 1 => {
            let middle = out.len_of(Axis(axis)) / 2;
            let (x0, x1) = x.split_at(Axis(axis), middle);
            let (out0, out1) = out.split_at(Axis(axis), middle);
            cut_strided_two(tasks, pieces / 2, x0, out0, reads_out, leaf);
            cut_strided_two(tasks, pieces - pieces / 2, x1, out1, reads_out, leaf);
        }
        _ => tasks.push(move || strided_two(x, out, reads_out, leaf)),
    }
}

/// The longest axis along which both are contiguous.
fn unit_axis_of_both<A, D: Dimension>(x: &ArrayRef<A, D>, out: &ArrayRef<A, D>) -> Option<usize> {
    unit_axis(out).filter(|&axis| x.strides()[axis] == 1)
}

fn strided_two<A: Element, D: Dimension>(
    x: ArrayView<'_, A, D>,
    mut out: ArrayViewMut<'_, A, D>,
    reads_out: bool,
    leaf: PairLeaf<'_, A>,
) {
    let unit = unit_axis_of_both(&x, &out);
    let is_long = unit.is_some_and(|axis| out.shape()[axis] >= LONG_ROW);
    if out.len() > TILE
        && !is_long
        && let Some(axis) = axis_to_halve(out.shape(), innermost_of_both(&x, &out))
    {
        let middle = out.len_of(Axis(axis)) / 2;
        let (x0, x1) = x.split_at(Axis(axis), middle);
        let (out0, out1) = out.split_at(Axis(axis), middle);
        strided_two(x0, out0, reads_out, leaf);
        return strided_two(x1, out1, reads_out, leaf);
    }
    if let Some(axis) = unit
        && out.shape()[axis] >= SHORT_ROW
    {
        let rows = x.lanes(Axis(axis)).into_iter().zip(out.lanes_mut(Axis(axis)));
        for (x, mut out) in rows {
            let x = x.to_slice().expect("a lane of stride 1 is a slice");
            leaf(x, out.as_slice_mut().expect("a lane of stride 1 is a slice"));
        }
        return;
    }
    with_buffer(2 * out.len(), |buffer: &mut [A]| {
        let (from, to) = buffer.split_at_mut(out.len());
        view_mut(&x, from).assign(&x);
        if reads_out {
            view_mut(&x, to).assign(&out);
        }
        leaf(from, to);
        out.assign(&view_mut(&x, to));
    });
}

/// Calls `f` with `len` elements of scratch memory on the stack.
fn with_buffer<A: Element>(len: usize, f: impl FnOnce(&mut [A])) {
    if len <= SMALL_BUFFER {
        f(&mut [A::zero(); SMALL_BUFFER][..len]);
    } else {
        f(&mut [A::zero(); 2 * TILE][..len]);
    }
}

/// The buffer as an array with the shape of `like`, in C order.
fn view_mut<'a, A: Element, D: Dimension>(
    like: &ArrayRef<A, D>,
    buffer: &'a mut [A],
) -> ArrayViewMut<'a, A, D> {
    ArrayViewMut::from_shape(like.raw_dim(), buffer)
        .expect("the buffer has the length of the piece")
}
