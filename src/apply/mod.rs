//! The verbs, written once: how an operation on vectors reaches every element of an array.
//!
//! The order of work inside a verb is always the same: the layout is looked at ([`layout`]), large
//! arrays are cut into pieces for threads ([`parallel`]), each piece picks its SIMD instructions
//! and runs one loop ([`elementwise`] or [`lanes`]). Only plain operations on arrays without rows are one walk over all
//! elements ([`plain`]). Nothing here knows any activation.

mod blocks;
pub(crate) mod elementwise;
mod halves;
mod lanes;
mod layout;
mod panels;
pub(crate) mod parallel;
mod place;
mod plain;
mod product;
mod tiles;
mod transpose;

use ndarray::{Array, ArrayRef, Dimension};

use crate::activation::{Cost, Elementwise, Halved};
use crate::element::Element;
use crate::lane::{Half, Job, Lane, WideHalf};

pub use self::blocks::blocks_of_rows;
pub(crate) use self::elementwise::{copy_short, line_in};
pub(crate) use self::lanes::{NARROW, Pairs, Reduce, Strand, WORTH, Walk, assert_axis, outermost};
pub(crate) use self::layout::assert_same_shape;
pub(crate) use self::layout::{new_like, to_owned};
pub(crate) use self::panels::LINE;
pub(crate) use self::place::{beyond_cache, is_of_amd};
pub use self::product::Affine;
pub(crate) use self::tiles::{Columns, GROUPS, TILE, in_groups};
pub(crate) use self::tiles::{read_rows, read_tile, short, write_rows, write_tile};

/// An element-wise operation as the loops see it.
pub(crate) trait Op: Copy + Send + Sync {
    const COST: Cost;
    /// As [`Elementwise::PLAIN_UP_TO`].
    const PLAIN_UP_TO: usize = 0;
    fn apply<V: Lane>(self, x: V) -> V;

    /// As [`Elementwise::HALVED`], with the methods of the same names.
    const HALVED: Halved = Halved::No;
    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        [x; 3]
    }
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        half
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, _half: Half<V>) -> V {
        self.apply(x)
    }
    #[inline(always)]
    fn begin_wide<W: Lane<Elem = f64>>(self, x: W) -> WideHalf<W> {
        [x; 2]
    }
    #[inline(always)]
    fn finish_wide<W: Lane<Elem = f64>>(self, x: W, _half: WideHalf<W>) -> W {
        self.apply(x)
    }

    /// Cheap operations have loops of their own for every verb. The others are compiled once, in the
    /// loop of [`assign`](Op::assign): a pass through the first-level cache is nothing to them.
    const CHEAP: bool = matches!(Self::COST, Cost::Light);

    /// [`COST`](Op::COST), or that of an operation that is chosen at run time.
    fn cost(self) -> Cost {
        Self::COST
    }
    /// Whether no step is fused, also of an operation that is chosen at run time.
    fn is_plain(self) -> bool {
        Self::PLAIN_UP_TO > 0
    }
    /// `out = op(x)`; both of one length.
    fn assign<A: Element>(self, job: Job, x: &[A], out: &mut [A]) {
        self.assign_ahead(job, x, place::if_far_off(x), out);
    }
    /// The same, with what is read from memory while the loop runs: `x` and what comes behind it, or nothing.
    fn assign_ahead<A: Element>(self, job: Job, x: &[A], ahead: &[A], out: &mut [A]) {
        elementwise::assign(job, self, x, ahead, out);
    }
    /// `op(x)` in fresh memory.
    fn collect<A: Element>(self, x: &[A]) -> Vec<A> {
        if const { Self::PLAIN_UP_TO > 0 } && size_of_val(x) <= Self::PLAIN_UP_TO {
            return plain::collect(self, x);
        }
        let job = Job::new();
        if x.len() <= const { if Self::CHEAP { COPY_CHEAP } else { COPY_MAX } } {
            let mut out = x.to_vec();
            self.assign(job, x, &mut out);
            return out;
        }
        if Self::CHEAP {
            elementwise::collect(job, self, x)
        } else {
            elementwise::collect_from_zeros(job, self, x)
        }
    }
    /// `x = op(x)`.
    fn overwrite<A: Element>(self, job: Job, x: &mut [A]) {
        if Self::CHEAP {
            elementwise::overwrite(job, self, x);
        } else {
            elementwise::overwrite_in_loop(job, self, x);
        }
    }
    /// `dy = dy · op(x)`; both of one length.
    fn scale<A: Element>(self, job: Job, x: &[A], dy: &mut [A]) {
        elementwise::scale(job, self, x, dy);
    }
}

/// The function of an [`Elementwise`].
#[derive(Clone, Copy)]
pub(crate) struct Eval<T>(pub(crate) T);

/// The derivative of an [`Elementwise`].
#[derive(Clone, Copy)]
pub(crate) struct Slope<T>(pub(crate) T);

impl<T: Elementwise> Op for Eval<T> {
    const COST: Cost = T::COST;
    const PLAIN_UP_TO: usize = T::PLAIN_UP_TO;
    const HALVED: Halved = T::HALVED;
    #[inline(always)]
    fn apply<V: Lane>(self, x: V) -> V {
        self.0.eval(x)
    }
    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        self.0.begin(x)
    }
    #[inline(always)]
    fn middle<V: Lane>(self, x: V, half: Half<V>) -> Half<V> {
        self.0.middle(x, half)
    }
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, half: Half<V>) -> V {
        self.0.finish(x, half)
    }
    #[inline(always)]
    fn begin_wide<W: Lane<Elem = f64>>(self, x: W) -> WideHalf<W> {
        self.0.begin_wide(x)
    }
    #[inline(always)]
    fn finish_wide<W: Lane<Elem = f64>>(self, x: W, half: WideHalf<W>) -> W {
        self.0.finish_wide(x, half)
    }
}

impl<T: Elementwise> Op for Slope<T> {
    const COST: Cost = T::COST;
    #[inline(always)]
    fn apply<V: Lane>(self, x: V) -> V {
        self.0.derivative(x)
    }
}

/// A new array of `op(x)`.
pub(crate) fn map<A: Element, D: Dimension, O: Op>(op: O, x: &ArrayRef<A, D>) -> Array<A, D> {
    // On one thread small arrays, and those of cheap operations. Large ones start as zero pages of the operating system,
    // which all threads then touch first.
    if (x.len() <= COLLECT_MAX || is_collected::<A, O>(op, x.len()))
        && let Some(run) = x.as_slice()
    {
        let out = op.collect(run);
        return layout::shaped_as(x, out);
    }
    let mut out = new_like(x);
    fill(op, x, &mut out);
    out
}

/// The same into zeros. Not in line, and the new array does not come from here: either cost arrays of a few elements 7 to 25 %.
#[inline(never)]
fn fill<A: Element, D: Dimension, O: Op>(op: O, x: &ArrayRef<A, D>, out: &mut ArrayRef<A, D>) {
    if is_walked(op, x, out) {
        return plain::assign_each(op, x, out);
    }
    let job = Job::new();
    // Without reading ahead: new pages take most of the time.
    let leaf = |x: &[A], out: &mut [A]| op.assign_ahead(job, x, &[], out);
    layout::each_pair(op.cost(), x, out, &leaf);
}

/// The largest array that [`map`] copies before it overwrites the copy: there the copy is nothing beside the
/// operation, and for cheap operations it is as long as a pass through a block.
const COPY_MAX: usize = 1024;
const COPY_CHEAP: usize = 128;

/// The largest array that [`map`] makes on one thread, whatever the operation.
const COLLECT_MAX: usize = 32 << 10;

/// Whether a larger one of a cheap operation is made so too: of plain ones also where there are more threads.
fn is_collected<A: Element, O: Op>(op: O, len: usize) -> bool {
    let alone = if op.is_plain() { layout::ONE_PASS } else { 0 };
    matches!(op.cost(), Cost::Light) && layout::is_collected::<A>(len, alone)
}

/// `x = op(x)`.
pub(crate) fn map_inplace<A: Element, D: Dimension, O: Op>(op: O, x: &mut ArrayRef<A, D>) {
    let job = Job::new();
    if parallel::singles::<A>(x.len()) < parallel::LEAST
        && let Some(run) = x.as_slice_mut()
    {
        return op.overwrite(job, run);
    }
    overwrite_in_pieces(op, job, x);
}

/// The same of other layouts and on other threads, not in line either.
#[inline(never)]
fn overwrite_in_pieces<A: Element, D: Dimension, O: Op>(op: O, job: Job, x: &mut ArrayRef<A, D>) {
    if const { O::PLAIN_UP_TO > 0 }
        && x.as_slice_memory_order().is_none()
        && layout::has_no_rows(x, x)
        && parallel::pieces(op.cost(), parallel::singles::<A>(x.len())) < 2
    {
        return plain::overwrite_each(op, x);
    }
    layout::each_mut(op.cost(), x, &|piece| op.overwrite(job, piece));
}

/// `out = op(x)`.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub(crate) fn map_assign_into<A: Element, D: Dimension, O: Op>(
    op: O,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
) {
    layout::assert_same_shape("output", out.shape(), "input", x.shape());
    let job = Job::new();
    if parallel::singles::<A>(x.len()) < parallel::LEAST
        && let (Some(x), Some(out)) = (x.as_slice(), out.as_slice_mut())
    {
        return op.assign(job, x, out);
    }
    if is_walked(op, x, out) {
        return plain::assign_each(op, x, out);
    }
    let is_cheap = matches!(op.cost(), Cost::Light);
    let job = if is_cheap { beyond_cache::<A>(job, x.len(), op.is_plain()) } else { job };
    layout::each_pair(op.cost(), x, out, &|x, out| op.assign(job, x, out));
}

/// Whether a plain operation takes longer in pieces of the arrays than element by element.
#[inline(always)]
fn is_walked<A: Element, D: Dimension, O: Op>(
    op: O,
    x: &ArrayRef<A, D>,
    out: &ArrayRef<A, D>,
) -> bool {
    if const { O::PLAIN_UP_TO == 0 } {
        return false;
    }
    let is_run = x.strides() == out.strides() && x.as_slice_memory_order().is_some();
    let are_runs = is_run || x.is_standard_layout() && out.is_standard_layout();
    !are_runs
        && layout::has_no_rows(x, out)
        && parallel::pieces(op.cost(), parallel::singles::<A>(x.len())) < 2
}

/// `op(a)`.
pub(crate) fn scalar<A: Element, O: Op>(op: O, a: A) -> A {
    let mut out = [a];
    op.assign(Job::new(), &[a], &mut out);
    out[0]
}

/// `a = a · op(x)`.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub(crate) fn scale_inplace<A: Element, D: Dimension, O: Op>(
    op: O,
    x: &ArrayRef<A, D>,
    what: &str,
    a: &mut ArrayRef<A, D>,
) {
    layout::assert_same_shape(what, a.shape(), "input", x.shape());
    let job = Job::new();
    layout::each_update(op.cost(), x, a, &|x, a| op.scale(job, x, a));
}
