//! Neighbouring lanes side by side, for functions that take a vector of them.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView, ArrayView1, ArrayView2, ArrayViewMut, ArrayViewMut2, Axis, Dimension};

use super::lanes::WORTH;
use super::parallel::{self, Tasks, singles};
use super::transpose::{Lanes, Turned, back_one_by_one, one_by_one};
use crate::activation::Cost;
use crate::element::Element;
use crate::lane::{Job, LaneIo, run};

/// A function of lanes side by side.
pub trait Columns<A>: Sync {
    /// What the call that it belongs to has captured.
    fn job(&self) -> Job;
    /// Overwrites lanes of `len` elements. As many as a vector has stand in a group, element `i` of
    /// lane `j` at `i · WIDTH + j`, and groups one after the other.
    fn groups(&self, groups: &mut [A], len: usize);
    /// Lanes of `len` elements, one after the other in `x`, or in `out` where there is none, into the
    /// same places of `out`; returns whether they are so short that this is done.
    fn rows(&self, x: Option<&[A]>, out: &mut [A], len: usize) -> bool;
    /// Whether columns of this length are better walked side by side than one after the other.
    fn takes(&self, len: usize) -> bool;
    /// Of so many rows and columns, the columns that [`stream`](Columns::stream) should have at a time.
    fn width(&self, shape: (usize, usize)) -> usize;
    /// Whether threads share the rows of so many columns in [`stream`](Columns::stream).
    fn shares(&self, rows: usize, columns: usize) -> bool;
    /// Every column of `x`, or of `out` where there is none, into the same column of `out`; returns
    /// whether that was done, and leaves the input as it was where not.
    fn stream(&self, x: Option<&ArrayView2<'_, A>>, out: &mut ArrayViewMut2<'_, A>) -> bool;
    /// The same of planes of this shape, one after the other.
    fn planes(&self, x: Option<&[A]>, out: &mut [A], shape: (usize, usize)) -> bool;
    /// Every column of `x`, or of `out` where there is none, into the same column of `out`; at most
    /// [`together`] of them.
    fn columns(&self, x: Option<ArrayView2<'_, A>>, out: ArrayViewMut2<'_, A>, memory: &mut Vec<A>);
}

/// Lanes that are gathered at a time: a cache line of `f32`.
pub(crate) const TILE: usize = 16;
/// Groups of lanes that are walked together.
pub(crate) const GROUPS: usize = 4;
/// More lanes than they have.
const WIDEST_ROW: usize = GROUPS * WIDEST;
/// Lanes in one run of memory up to this long are transposed; longer ones fill vectors well by
/// themselves.
pub(super) const SHORT: usize = 64;
/// Lanes of a vector that are better filled than none.
const FILLED: usize = 2;
/// More lanes than any vector has.
const WIDEST: usize = 16;

/// Lanes that are walked together: runs of four cache lines, and fewer pages at a time.
const fn together<A: Element>() -> usize {
    GROUPS * A::WIDTH
}

/// Every column of `x`, or of `out` where there is none, into the same column of `out`.
pub(super) fn columns<A: Element>(
    f: &dyn Columns<A>,
    mut x: Option<ArrayView2<'_, A>>,
    mut out: ArrayViewMut2<'_, A>,
) {
    let width = f.width(out.dim());
    while !out.is_empty() {
        // What is left over would not fill vectors.
        let mut count = if out.ncols() < 2 * width { out.ncols() } else { width };
        if x.is_none() && count > together::<A>() {
            // In place, a last vector cannot overlap the one before.
            count -= count % A::WIDTH;
        }
        let (mut these, rest) = out.split_at(Axis(1), count);
        let (x_these, x_rest) = x.map(|x| x.split_at(Axis(1), count)).unzip();
        if !f.stream(x_these.as_ref(), &mut these) {
            shared(f, x_these, these);
        }
        (x, out) = (x_rest, rest);
    }
}

/// The same through tiles, in parts of the columns for threads.
fn shared<A: Element>(
    f: &dyn Columns<A>,
    mut x: Option<ArrayView2<'_, A>>,
    mut out: ArrayViewMut2<'_, A>,
) {
    let pieces = parallel::threads(Cost::Moderate, singles::<A>(out.len()), WORTH);
    if pieces < 2 {
        return tiles(f, x, out);
    }
    let width = out.ncols().div_ceil(pieces).next_multiple_of(together::<A>());
    let mut tasks = Tasks::new();
    while !out.is_empty() {
        let count = out.ncols().min(width);
        let (these, rest) = out.split_at(Axis(1), count);
        let (x_these, x_rest) = x.map(|x| x.split_at(Axis(1), count)).unzip();
        tasks.push(move || tiles(f, x_these, these));
        (x, out) = (x_rest, rest);
    }
    tasks.run();
}

/// The same on this thread.
fn tiles<A: Element>(
    f: &dyn Columns<A>,
    mut x: Option<ArrayView2<'_, A>>,
    mut out: ArrayViewMut2<'_, A>,
) {
    let memory = &mut Vec::new();
    while !out.is_empty() {
        let count = out.ncols().min(together::<A>());
        let (these, rest) = out.split_at(Axis(1), count);
        let (x_these, x_rest) = x.map(|x| x.split_at(Axis(1), count)).unzip();
        f.columns(x_these, these, memory);
        (x, out) = (x_rest, rest);
    }
}

/// The elements of a row, padded to whole vectors.
#[inline(always)]
fn padded_row<'a, A: Element>(row: ArrayView1<'a, A>, padded: &'a mut [A; WIDEST_ROW]) -> &'a [A] {
    let whole = row.len().next_multiple_of(A::WIDTH);
    match row.to_slice() {
        Some(row) if row.len() == whole => row,
        Some(row) => {
            padded[..row.len()].copy_from_slice(row);
            &padded[..whole]
        }
        None => {
            for (to, &from) in padded.iter_mut().zip(&row) {
                *to = from;
            }
            &padded[..whole]
        }
    }
}

/// Calls `f` with each row's number and every vector of it with its own.
#[inline(always)]
pub(crate) fn read_rows<S: Simd, A: Element>(
    simd: S,
    x: &ArrayView2<'_, A>,
    mut f: impl FnMut(usize, usize, A::Lanes<S>),
) {
    let mut padded = [A::zero(); WIDEST_ROW];
    let (overlapping, whole) = overlapping::<A>(x.dim());
    if let Some(run) = x.as_slice() {
        // What is beyond a row is of no interest.
        for i in 0..overlapping {
            let row = &run[i * x.ncols()..][..whole];
            for (group, vector) in row.chunks_exact(A::WIDTH).enumerate() {
                f(i, group, A::Lanes::<S>::load(simd, vector));
            }
        }
    }
    let start = if x.is_standard_layout() { overlapping } else { 0 };
    for (i, row) in x.rows().into_iter().enumerate().skip(start) {
        let row = padded_row(row, &mut padded);
        if row.len() == together::<A>() {
            // So many rounds are unrolled.
            for group in 0..GROUPS {
                f(i, group, A::Lanes::<S>::load(simd, &row[group * A::WIDTH..][..A::WIDTH]));
            }
        } else {
            for (group, vector) in row.chunks_exact(A::WIDTH).enumerate() {
                f(i, group, A::Lanes::<S>::load(simd, vector));
            }
        }
    }
}

/// The rows of a run of memory whose last vector may reach into the next rows, because that is still
/// inside; none where rows are whole vectors anyway. And the length of a row in whole vectors.
#[inline(always)]
fn overlapping<A: Element>((rows, count): (usize, usize)) -> (usize, usize) {
    let whole = count.next_multiple_of(A::WIDTH);
    let beyond = whole - count;
    if beyond == 0 || count == 0 {
        return (0, whole);
    }
    (rows.saturating_sub(beyond.div_ceil(count)), whole)
}

/// Overwrites each row with the vectors that `f` gives for its number and their own.
#[inline(always)]
pub(crate) fn write_rows<S: Simd, A: Element>(
    out: &mut ArrayViewMut2<'_, A>,
    mut f: impl FnMut(usize, usize) -> A::Lanes<S>,
) {
    let mut padded = [A::zero(); WIDEST_ROW];
    let (overlapping, whole) = overlapping::<A>(out.dim());
    let (count, start) = (out.ncols(), if out.is_standard_layout() { overlapping } else { 0 });
    if let Some(run) = out.as_slice_mut() {
        // What is beyond a row is overwritten with the next.
        for i in 0..overlapping {
            let row = &mut run[i * count..][..whole];
            for (group, vector) in row.chunks_exact_mut(A::WIDTH).enumerate() {
                f(i, group).store(vector);
            }
        }
    }
    for (i, mut row) in out.rows_mut().into_iter().enumerate().skip(start) {
        match row.as_slice_mut() {
            Some(row) if row.len() == together::<A>() => {
                for group in 0..GROUPS {
                    f(i, group).store(&mut row[group * A::WIDTH..][..A::WIDTH]);
                }
            }
            row_slice => {
                for (group, vector) in padded[..whole].chunks_exact_mut(A::WIDTH).enumerate() {
                    f(i, group).store(vector);
                }
                match row_slice {
                    Some(row) => row.copy_from_slice(&padded[..row.len()]),
                    None => {
                        for (to, &from) in row.iter_mut().zip(&padded) {
                            *to = from;
                        }
                    }
                }
            }
        }
    }
}

/// The columns of `x`, one after the other; returns their length.
pub(crate) fn read_tile<A: Element>(
    x: &ArrayView2<'_, A>,
    range: Range<usize>,
    tile: &mut Vec<A>,
) -> usize {
    let len = x.nrows();
    tile.resize(len * range.len(), A::zero());
    for (i, row) in x.rows().into_iter().enumerate() {
        match row.as_slice() {
            Some(row) => {
                for (j, &value) in row[range.clone()].iter().enumerate() {
                    tile[j * len + i] = value;
                }
            }
            None => {
                for (j, column) in range.clone().enumerate() {
                    tile[j * len + i] = row[column];
                }
            }
        }
    }
    len
}

/// Puts the columns back.
pub(crate) fn write_tile<A: Element>(
    out: &mut ArrayViewMut2<'_, A>,
    range: Range<usize>,
    tile: &[A],
) {
    let len = out.nrows();
    for (i, mut row) in out.rows_mut().into_iter().enumerate() {
        match row.as_slice_mut() {
            Some(row) => {
                for (j, to) in row[range.clone()].iter_mut().enumerate() {
                    *to = tile[j * len + i];
                }
            }
            None => {
                for (j, column) in range.clone().enumerate() {
                    row[column] = tile[j * len + i];
                }
            }
        }
    }
}

/// Lanes that are runs of memory, one after the other without gaps and in both arrays in the same order; returns whether
/// they are, and so short that it was worth it.
pub(crate) fn short<A: Element, D: Dimension>(
    f: &dyn Columns<A>,
    axis: Axis,
    x: Option<&ArrayView<'_, A, D>>,
    out: &mut ArrayViewMut<'_, A, D>,
) -> bool {
    let len = out.len_of(axis);
    if len == 0 || len > 1 && out.strides()[axis.index()] != 1 {
        return false;
    }
    let in_order = |x: &ArrayView<'_, A, D>| {
        let mut steps = x.strides().iter().zip(out.strides()).zip(out.shape());
        steps.all(|((step, out_step), &len)| len < 2 || step == out_step)
    };
    let x = match x.map(|x| if in_order(x) { x.as_slice_memory_order() } else { None }) {
        Some(None) => return false,
        Some(x) => x,
        None => None,
    };
    let Some(out) = out.as_slice_memory_order_mut() else {
        return false;
    };
    if len > SHORT {
        return f.rows(x, out, len);
    }
    match A::WIDTH {
        8 => short_lanes::<A, 8>(f, len, x, out),
        _ => short_lanes::<A, WIDEST>(f, len, x, out),
    }
}

fn short_lanes<A: Element, const WIDTH: usize>(
    f: &dyn Columns<A>,
    len: usize,
    x: Option<&[A]>,
    out: &mut [A],
) -> bool {
    // One lane would leave most of a vector empty.
    if out.len() < FILLED * len {
        return f.rows(x, out, len);
    }
    let (job, group) = (f.job(), len * WIDTH);
    let mut tiles = [[A::zero(); WIDTH]; SHORT + WIDEST];
    // As many tiles as fit.
    let size = SHORT / len * group;
    for (i, out) in out.chunks_mut(size).enumerate() {
        let x = x.map_or(&*out, |x| &x[i * size..][..out.len()]);
        let all = turned(job, len, x, &mut tiles);
        f.groups(tiles[..all].as_flattened_mut(), len);
        let (count, tiles) = (out.len() / group, &mut tiles[..]);
        let whole = count * len;
        run(job, Turned { len, count, tiles, lanes: Lanes::To(out) });
        if whole < all {
            back_one_by_one(&tiles[whole..all], &mut out[whole * WIDTH..]);
        }
    }
    true
}

/// Turns lanes, so that groups of them stand side by side; returns the rows of all groups.
fn turned<A: Element, const WIDTH: usize>(
    job: Job,
    len: usize,
    x: &[A],
    tiles: &mut [[A; WIDTH]],
) -> usize {
    let group = len * WIDTH;
    let (count, all) = (x.len() / group, x.len().div_ceil(group) * len);
    let whole = count * len;
    run(job, Turned { len, count, tiles: &mut *tiles, lanes: Lanes::From(x) });
    if whole < all {
        one_by_one(&x[whole * WIDTH..], &mut tiles[whole..all]);
    }
    all
}

/// Calls `f` with at most [`GROUPS`] groups of lanes of `len` elements, at most [`SHORT`], one after the other in `x`, and
/// which lanes they are; returns whether there are enough of them.
pub(crate) fn in_groups<A: Element>(
    job: Job,
    x: &[A],
    len: usize,
    f: &mut dyn FnMut(&mut [A], Range<usize>),
) -> bool {
    match A::WIDTH {
        8 => each_group::<A, 8>(job, x, len, f),
        _ => each_group::<A, WIDEST>(job, x, len, f),
    }
}

fn each_group<A: Element, const WIDTH: usize>(
    job: Job,
    x: &[A],
    len: usize,
    f: &mut dyn FnMut(&mut [A], Range<usize>),
) -> bool {
    if x.len() < FILLED * len {
        return false;
    }
    let mut tiles = [[A::zero(); WIDTH]; SHORT + WIDEST];
    let together = (SHORT / len).min(GROUPS) * WIDTH;
    for (i, x) in x.chunks(together * len).enumerate() {
        let all = turned(job, len, x, &mut tiles);
        let first = i * together;
        f(tiles[..all].as_flattened_mut(), first..first + x.len() / len);
    }
    true
}
