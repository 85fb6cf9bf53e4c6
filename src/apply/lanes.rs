//! Walks along an axis: every lane of an array of any layout reaches a function as a slice.
//!
//! Arrays are halved along their other axes for threads. A lane whose elements stand side by side
//! is handed on where it lies; any other lane goes through scratch memory, and so do short ones between gaps, several at a
//! time.

mod one_by_one;
mod packed;
mod planes;

use ndarray::{ArrayBase, ArrayRef, ArrayView, ArrayView2, ArrayViewMut, ArrayViewMut1};
use ndarray::{ArrayViewMut2, Axis, Dimension, Ix2, RawData};

use self::packed::Packed;
use super::parallel::{self, Tasks, singles};
use super::tiles::{Columns, TILE, columns, read_tile, short, write_tile};
use crate::activation::Cost;
use crate::element::Element;

/// How many times as many elements as elsewhere are worth two threads where each then has narrower rows: of 64 Ki softmax and
/// its logarithm take 0.55 to 0.75 of the time of one, 128 rows of 512 0.9 to 1.2.
pub(crate) const WORTH: usize = 2;
/// Bytes of the shortest part of a row that a thread writes beside another: cores fetch lines beyond those that they are
/// asked for, and then those that another has written. Halves of 512 bytes took 1.2 to 4 times as long as one thread for
/// all of the row.
pub(crate) const NARROW: usize = 1 << 10;
/// How many times as many elements as elsewhere make a lane one of which threads lose little by sharing it.
const LONG_LANE: usize = 8;
/// Elements that are copied at a time before they are overwritten.
const PART: usize = 2 << 10;
/// Elements of a plane whose rows threads share well.
const PLANE: usize = 256 << 10;

/// One lane as the functions see it.
pub(crate) struct Strand<'a, A, B> {
    /// The input; the old elements of the output where the walk has no input of its own.
    pub(crate) x: &'a [A],
    /// A second input, empty where the walk has none.
    pub(crate) other: &'a [A],
    /// The output, empty where the walk has none.
    pub(crate) out: &'a mut [A],
    /// One result for the lane.
    pub(crate) stat: &'a mut B,
}

/// A faster way from many lanes to one result for each.
pub trait Reduce<A, B>: Sync {
    /// Of lanes of `len` elements, one after the other in `x`.
    fn rows(&self, x: &[A], len: usize, stat: &mut [B]);
    /// Of columns, which are rows of memory side by side; returns whether that was done.
    fn columns(&self, x: &ArrayView2<'_, A>, stat: ArrayViewMut1<'_, B>) -> bool;
}

/// A faster way from two inputs to an output.
#[derive(Clone, Copy)]
pub struct Pairs<A> {
    /// Of lanes of so many elements, one after the other in all of them.
    pub(crate) rows: fn(&[A], &[A], &mut [A], usize),
    /// Of columns, which are rows of memory side by side; the output is the first input where there is none. Returns
    /// whether this was done.
    pub(crate) columns: OfColumns<A>,
    /// Whether threads share the rows of so many rows and columns.
    pub(crate) shares: fn(usize, usize) -> bool,
}

type OfColumns<A> =
    fn(Option<&ArrayView2<'_, A>>, &ArrayView2<'_, A>, &mut ArrayViewMut2<'_, A>) -> bool;

/// The arrays of a walk, all of one shape but for `stat`, whose axis has length 1.
pub(crate) struct Walk<'a, A, B, D> {
    pub(crate) x: Option<ArrayView<'a, A, D>>,
    pub(crate) other: Option<ArrayView<'a, A, D>>,
    pub(crate) out: Option<ArrayViewMut<'a, A, D>>,
    pub(crate) stat: ArrayViewMut<'a, B, D>,
    /// A faster way for lanes side by side, of walks whose only arrays are `x` and `out`.
    pub(crate) tile: Option<&'a dyn Columns<A>>,
    /// The same of walks whose only array is `x`.
    pub(crate) reduce: Option<&'a dyn Reduce<A, B>>,
    /// The same of walks with `other` and `out`.
    pub(crate) pairs: Option<Pairs<A>>,
}

/// Panics unless the array has the axis.
#[track_caller]
pub(crate) fn assert_axis(axis: Axis, ndim: usize) {
    assert!(
        axis.index() < ndim,
        "axis {} is out of range for an array with {ndim} axes",
        axis.index()
    );
}

impl<'a, A: Element, B: Send + Clone, D: Dimension> Walk<'a, A, B, D> {
    /// Calls `f` for every lane along `axis`, if there are any, on several threads where the work is large.
    pub(crate) fn run(self, axis: Axis, cost: Cost, f: &(impl Fn(Strand<'_, A, B>) + Sync)) {
        if self.stat.is_empty() {
            return;
        }
        self.merged(axis).shared(axis, cost, f);
    }

    fn shared(self, axis: Axis, cost: Cost, f: &(impl Fn(Strand<'_, A, B>) + Sync)) {
        let elements = match (&self.x, &self.out) {
            (Some(x), _) => x.len(),
            (None, Some(out)) => out.len(),
            (None, None) => 0,
        };
        let lane = elements / self.stat.len().max(1);
        let beside =
            (0..self.stat.ndim()).find(|&other| other != axis.index() && self.least(other) > 1);
        // Lanes that stand side by side are read as whole rows, the wider the better: threads take planes of them,
        // or share the rows of each.
        let plane = beside.map_or(0, |beside| self.stat.shape()[beside]);
        let is_shared = match (self.tile, self.pairs) {
            (Some(tile), _) => tile.shares(lane, plane),
            (None, Some(pairs)) => (pairs.shares)(lane, plane),
            _ => false,
        };
        let plane = if is_shared { plane } else { 0 };
        let elements = elements.max(self.stat.len());
        let pieces = match beside {
            Some(_) => parallel::threads(cost, singles::<A>(elements), WORTH),
            None => parallel::pieces_of_views(cost, singles::<A>(elements)),
        };
        let lanes = self.stat.len();
        // Planes that are too few to be shared evenly.
        let few = lanes < pieces * plane || lanes < 4 * pieces * plane && lane * plane >= PLANE;
        if pieces < 2 || few {
            return self.tiles(axis, f);
        }
        // Few lanes that threads would not share evenly are cut themselves, one after the other, by functions that do so: long
        // ones in any case, others where threads would wait for more than a quarter of the time.
        let threads = |elements, fewest| parallel::threads(cost, singles::<A>(elements), fewest);
        let cuts = self.tile.is_some() || self.reduce.is_some();
        if cuts && lanes < pieces && parallel::pieces(cost, singles::<A>(lane)) > 1 {
            let hands = threads(elements, 1);
            let places = lanes.next_multiple_of(hands);
            if places > lanes && (4 * lanes < 3 * places || threads(lane, LONG_LANE) > 1) {
                return self.tiles(axis, f);
            }
        }
        let mut tasks = Tasks::new();
        self.cut(&mut tasks, axis, pieces, plane, f);
        tasks.run();
    }

    fn cut<'b>(
        self,
        tasks: &mut Tasks<'b>,
        axis: Axis,
        pieces: usize,
        plane: usize,
        f: &'b (impl Fn(Strand<'_, A, B>) + Sync),
    ) where
        'a: 'b,
        Self: 'b,
    {
        // Pieces of the outermost axis stay in one run of memory.
        let strides = match (&self.out, &self.x) {
            (Some(out), _) => out.strides(),
            (None, Some(x)) => x.strides(),
            (None, None) => self.stat.strides(),
        };
        let outermost = (0..self.stat.ndim())
            .filter(|&other| other != axis.index() && (plane == 0 || self.least(other) == 1))
            .filter(|&other| self.stat.shape()[other] > self.narrow(other))
            .max_by_key(|&other| strides[other].unsigned_abs());
        match outermost {
            Some(other) if pieces > 1 => {
                let (a, b) = self.split_at(Axis(other));
                a.cut(tasks, axis, pieces / 2, plane, f);
                b.cut(tasks, axis, pieces - pieces / 2, plane, f);
            }
            _ => tasks.push(move || self.tiles(axis, f)),
        }
    }

    /// Lanes along this axis that one thread should have: a cache line where they stand side by side.
    fn least(&self, axis: usize) -> usize {
        let unit = match (&self.x, &self.out) {
            (Some(x), _) => x.strides()[axis] == 1,
            (None, Some(out)) => out.strides()[axis] == 1,
            (None, None) => false,
        };
        if unit { TILE } else { 1 }
    }

    /// Lanes along this axis that are too few to be cut in two.
    fn narrow(&self, axis: usize) -> usize {
        match self.least(axis) {
            unit if unit > 1 && self.out.is_some() => 2 * NARROW / size_of::<A>() - 1,
            unit => unit,
        }
    }

    fn split_at(self, axis: Axis) -> (Self, Self) {
        fn both<T>(pair: Option<(T, T)>) -> (Option<T>, Option<T>) {
            pair.map_or((None, None), |(a, b)| (Some(a), Some(b)))
        }
        let (len, unit) = (self.stat.len_of(axis), self.least(axis.index()));
        let middle = if len > unit { (len / 2).next_multiple_of(unit) } else { len / 2 };
        let x = both(self.x.map(|x| x.split_at(axis, middle)));
        let other = both(self.other.map(|x| x.split_at(axis, middle)));
        let out = both(self.out.map(|x| x.split_at(axis, middle)));
        let stat = self.stat.split_at(axis, middle);
        (
            Self {
                x: x.0,
                other: other.0,
                out: out.0,
                stat: stat.0,
                tile: self.tile,
                reduce: self.reduce,
                pairs: self.pairs,
            },
            Self {
                x: x.1,
                other: other.1,
                out: out.1,
                stat: stat.1,
                tile: self.tile,
                reduce: self.reduce,
                pairs: self.pairs,
            },
        )
    }

    /// Lanes that do not stand in one run, while their neighbours do, are handed on sixteen at a
    /// time, so that every cache line that is read or written is used whole.
    fn tiles(mut self, axis: Axis, f: &impl Fn(Strand<'_, A, B>)) {
        if self.planes(axis) {
            return;
        }
        let Some(unit) = self.unit(axis) else {
            return self.lanes(axis, f);
        };
        // Two inputs that do not stand alike have no rows of columns.
        let strides = |other: &ArrayView<'_, A, D>| other.strides()[unit];
        if self.other.as_ref().is_some_and(|other| strides(other) != 1) && self.is_packed(axis) {
            return self.lanes(axis, f);
        }
        let shape = self.stat.shape();
        let outer = (0..shape.len())
            .find(|&outer| outer != axis.index() && outer != unit && shape[outer] > 1);
        if let Some(outer) = outer {
            let (a, b) = self.split_at(Axis(outer));
            a.tiles(axis, f);
            return b.tiles(axis, f);
        }
        let unit = Axis(unit);
        let x = self.x.map(|x| plane(x, axis, unit));
        let other = self.other.map(|other| plane(other, axis, unit));
        let mut out = self.out.map(|out| plane(out, axis, unit));
        if let (Some(f), Some(out)) = (self.tile, &mut out)
            && f.takes(out.nrows())
        {
            return columns(f, x, out.view_mut());
        }
        if let (Some(f), Some(other), Some(out)) = (self.pairs, &other, &mut out)
            && (f.columns)(x.as_ref(), other, out)
        {
            return;
        }
        let mut stat = plane(self.stat, axis, unit);
        if let (Some(f), Some(x)) = (self.reduce, &x)
            && f.columns(x, stat.row_mut(0))
        {
            return;
        }
        let (mut from, mut beside, mut to) = (vec![], vec![], vec![]);
        let count = stat.ncols();
        for first in (0..count).step_by(TILE) {
            let range = first..count.min(first + TILE);
            let len = match (&x, &out) {
                (Some(x), _) => read_tile(x, range.clone(), &mut from),
                (None, Some(out)) => read_tile(&out.view(), range.clone(), &mut from),
                (None, None) => 0,
            };
            if let Some(other) = &other {
                read_tile(other, range.clone(), &mut beside);
            }
            if out.is_some() {
                to.resize(from.len(), A::zero());
            }
            for (j, column) in range.clone().enumerate() {
                let lane = j * len..(j + 1) * len;
                f(Strand {
                    x: &from[lane.clone()],
                    other: if other.is_some() { &beside[lane.clone()] } else { &[] },
                    out: if out.is_some() { &mut to[lane] } else { &mut [] },
                    stat: &mut stat[(0, column)],
                });
            }
            if let Some(out) = &mut out {
                write_tile(out, range, &to);
            }
        }
    }

    /// Lanes that stand one after the other, where there is a faster way for them; returns whether that was done.
    fn in_rows(&mut self) -> bool {
        let (x, other) = (self.x.as_ref().map(|x| x.as_slice()), self.other.as_ref());
        let count = self.stat.len().max(1);
        if let (Some(f), Some(Some(x)), Some(stat)) = (self.reduce, x, self.stat.as_slice_mut()) {
            f.rows(x, x.len() / count, stat);
            return true;
        }
        let (Some(f), Some(other), Some(out)) = (self.pairs, other, &mut self.out) else {
            return false;
        };
        let (Some(other), Some(out)) = (other.as_slice(), out.as_slice_mut()) else {
            return false;
        };
        let len = out.len() / count;
        match x {
            Some(None) => return false,
            Some(Some(x)) => (f.rows)(x, other, out, len),
            None if len == 0 => (),
            None => {
                // What is overwritten is copied, in parts that stay in the first-level cache.
                let size = (PART / len).max(1) * len;
                let mut copy = Vec::new();
                for (other, out) in other.chunks(size).zip(out.chunks_mut(size)) {
                    copy.clear();
                    copy.extend_from_slice(out);
                    (f.rows)(&copy, other, out, len);
                }
            }
        }
        true
    }

    fn lanes(mut self, axis: Axis, f: &impl Fn(Strand<'_, A, B>)) {
        if let (Some(tile), Some(out)) = (self.tile, &mut self.out) {
            if short(tile, axis, self.x.as_ref(), out) {
                return;
            }
            // Lanes with steps are put side by side first, a part that stays in the caches after the other.
            let steps = |strides: &[isize]| strides[axis.index()] != 1;
            if let Some(x) = &self.x
                && steps(x.strides())
                && !steps(out.strides())
            {
                if let Some(other) = outermost(out, axis)
                    && out.len() > 4 * PART
                {
                    let (a, b) = self.split_at(other);
                    a.lanes(axis, f);
                    return b.lanes(axis, f);
                }
                out.assign(x);
                self.x = None;
                if short(tile, axis, None, out) {
                    return;
                }
            }
        }
        if self.stat.shape()[axis.index() + 1..].iter().all(|&len| len == 1) && self.in_rows() {
            return;
        }
        if self.is_packed(axis) {
            return self.packed(axis, &mut Packed::new(), &mut |walk| walk.one_by_one(axis, f));
        }
        self.one_by_one(axis, f);
    }
}

/// The axis besides this one along which an array is best cut into runs of memory.
pub(crate) fn outermost<A, D: Dimension>(x: &ArrayRef<A, D>, axis: Axis) -> Option<Axis> {
    (0..x.ndim())
        .filter(|&other| other != axis.index() && x.shape()[other] > 1)
        .max_by_key(|&other| x.strides()[other].unsigned_abs())
        .map(Axis)
}

/// The two axes of an array whose other axes have length 1, `axis` first.
fn plane<S: RawData, D: Dimension>(
    array: ArrayBase<S, D>,
    axis: Axis,
    unit: Axis,
) -> ArrayBase<S, Ix2> {
    let mut array = array.into_dyn();
    for other in (0..array.ndim()).rev().map(Axis) {
        if other != axis && other != unit {
            array = array.index_axis_move(other, 0);
        }
    }
    let array = array.into_dimensionality().expect("two axes are left");
    if axis < unit { array } else { array.reversed_axes() }
}
