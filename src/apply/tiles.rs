//! Copies of neighbouring lanes side by side, for functions that take a vector of them.

use core::ops::Range;

use ndarray::{ArrayView, ArrayView2, ArrayViewMut, ArrayViewMut2, Axis, Dimension};

use crate::element::Element;

/// A function of lanes side by side, in place: element `i` of lane `j` stands at `i · stride + j`,
/// and the stride is a multiple of the width of a vector.
pub trait Columns<A>: Sync {
    /// Overwrites whole lanes of `len` elements with the function of them, in one tile after the
    /// other.
    fn whole(&self, tiles: &mut [A], len: usize, stride: usize);
    /// The longest lanes that are seen whole.
    fn longest(&self) -> usize;
    /// A walk over that many longer lanes.
    fn long(&self, lanes: usize) -> Box<dyn LongColumns<A> + '_>;
}

/// Lanes that are seen twice, in parts of [`longest`](Columns::longest) elements from the first to the
/// last.
pub trait LongColumns<A> {
    /// The first time: what is in the tile afterwards is of no interest.
    fn sum(&mut self, tile: &mut [A], stride: usize);
    /// Whether the first time must be gone through once more.
    fn again(&mut self) -> bool;
    /// The second time: overwrites the parts with the function of them.
    fn finish(&mut self, tile: &mut [A], stride: usize);
}

/// Lanes in one run of memory up to this long are transposed; longer ones fill vectors well by
/// themselves.
const SHORT: usize = 64;
/// More lanes than any vector has.
const WIDEST: usize = 16;
/// Lanes that are copied together: runs of four cache lines of `f32`, and fewer pages at a time.
const LANES: usize = 64;

/// Every column of `x`, or of `out` where there is none, into the same column of `out`.
pub(super) fn columns<A: Element>(
    f: &dyn Columns<A>,
    x: Option<ArrayView2<'_, A>>,
    out: &mut ArrayViewMut2<'_, A>,
) {
    let (len, count) = out.dim();
    if len == 0 || count == 0 {
        return;
    }
    let part = len.min(f.longest());
    let mut tile = vec![A::zero(); part * LANES.min(count.next_multiple_of(A::WIDTH))];
    for first in (0..count).step_by(LANES) {
        let range = first..count.min(first + LANES);
        let stride = range.len().next_multiple_of(A::WIDTH);
        if part < len {
            long(f, x.as_ref(), out, range, stride, &mut tile);
            continue;
        }
        let tile = &mut tile[..len * stride];
        match &x {
            Some(x) => read(x, range.clone(), stride, tile),
            None => read(&out.view(), range.clone(), stride, tile),
        }
        f.whole(tile, len, stride);
        write(out, range, stride, tile);
    }
}

/// Some columns that are too long to be seen whole.
fn long<A: Element>(
    f: &dyn Columns<A>,
    x: Option<&ArrayView2<'_, A>>,
    out: &mut ArrayViewMut2<'_, A>,
    range: Range<usize>,
    stride: usize,
    tile: &mut [A],
) {
    let (len, part) = (out.nrows(), f.longest());
    let mut walk = f.long(range.len());
    let parts = || (0..len).step_by(part).map(|start| start..len.min(start + part));
    let read = |out: &ArrayViewMut2<'_, A>, rows: Range<usize>, tile: &mut [A]| {
        let tile = &mut tile[..rows.len() * stride];
        match x {
            Some(x) => read(&x.slice_axis(Axis(0), rows.into()), range.clone(), stride, tile),
            None => read(&out.slice_axis(Axis(0), rows.into()), range.clone(), stride, tile),
        }
    };
    loop {
        for rows in parts() {
            read(out, rows.clone(), tile);
            walk.sum(&mut tile[..rows.len() * stride], stride);
        }
        if !walk.again() {
            break;
        }
    }
    for rows in parts() {
        read(out, rows.clone(), tile);
        let tile = &mut tile[..rows.len() * stride];
        walk.finish(tile, stride);
        write(&mut out.slice_axis_mut(Axis(0), rows.into()), range.clone(), stride, tile);
    }
}

/// Short lanes along the last axis of arrays in standard layout; returns whether these are.
pub(super) fn short<A: Element, D: Dimension>(
    f: &dyn Columns<A>,
    axis: Axis,
    x: Option<&ArrayView<'_, A, D>>,
    out: &mut ArrayViewMut<'_, A, D>,
) -> bool {
    let len = out.len_of(axis);
    if len == 0 || len > SHORT.min(f.longest()) || axis.index() + 1 != out.ndim() {
        return false;
    }
    let x = match x.map(|x| x.as_slice()) {
        Some(None) => return false,
        Some(x) => x,
        None => None,
    };
    let Some(out) = out.as_slice_mut() else {
        return false;
    };
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
    // A few lanes would leave most of a vector empty.
    if out.len() < len * WIDTH / 2 {
        return false;
    }
    let mut tiles = [[A::zero(); WIDTH]; SHORT];
    // As many tiles as fit.
    let (tiles, group) = (&mut tiles[..SHORT / len * len], len * WIDTH);
    for (i, out) in out.chunks_mut(SHORT / len * group).enumerate() {
        let x = x.map_or(&*out, |x| &x[i * (SHORT / len * group)..][..out.len()]);
        for (x, tile) in x.chunks(group).zip(tiles.chunks_exact_mut(len)) {
            if x.len() == group {
                for j in 0..WIDTH {
                    for (row, &value) in tile.iter_mut().zip(&x[j * len..(j + 1) * len]) {
                        row[j] = value;
                    }
                }
                continue;
            }
            for (j, lane) in x.chunks_exact(len).enumerate() {
                for (row, &value) in tile.iter_mut().zip(lane) {
                    row[j] = value;
                }
            }
        }
        let used = out.len().div_ceil(group) * len;
        f.whole(tiles[..used].as_flattened_mut(), len, WIDTH);
        for (out, tile) in out.chunks_mut(group).zip(tiles.chunks_exact(len)) {
            if out.len() == group {
                for j in 0..WIDTH {
                    for (row, value) in tile.iter().zip(&mut out[j * len..(j + 1) * len]) {
                        *value = row[j];
                    }
                }
                continue;
            }
            for (j, lane) in out.chunks_exact_mut(len).enumerate() {
                for (row, value) in tile.iter().zip(lane) {
                    *value = row[j];
                }
            }
        }
    }
    true
}

/// The columns, row by row.
fn read<A: Element>(x: &ArrayView2<'_, A>, range: Range<usize>, stride: usize, to: &mut [A]) {
    for (row, to) in x.rows().into_iter().zip(to.chunks_exact_mut(stride)) {
        match row.to_slice() {
            Some(row) => to[..range.len()].copy_from_slice(&row[range.clone()]),
            None => {
                for (to, column) in to.iter_mut().zip(range.clone()) {
                    *to = row[column];
                }
            }
        }
    }
}

/// Puts the columns back.
fn write<A: Element>(
    out: &mut ArrayViewMut2<'_, A>,
    range: Range<usize>,
    stride: usize,
    from: &[A],
) {
    for (mut row, from) in out.rows_mut().into_iter().zip(from.chunks_exact(stride)) {
        match row.as_slice_mut() {
            Some(row) => row[range.clone()].copy_from_slice(&from[..range.len()]),
            None => {
                for (from, column) in from.iter().zip(range.clone()) {
                    row[column] = *from;
                }
            }
        }
    }
}
