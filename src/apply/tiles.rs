//! Copies of neighbouring lanes side by side, for functions that take a vector of them.

use core::ops::Range;

use ndarray::{ArrayView, ArrayView2, ArrayViewMut, ArrayViewMut2, Axis, Dimension};

use crate::element::Element;

/// A function of as many lanes as a vector is wide: element `i` of lane `j` stands at
/// `i · WIDTH + j`, in the input as in the output.
pub(crate) type TileFn<'a, A> = dyn Fn(&[A], &mut [A]) + Sync + 'a;

/// Such a function and the longest lanes it takes.
pub(crate) struct Tiles<'a, A> {
    pub(crate) f: &'a TileFn<'a, A>,
    pub(crate) longest: usize,
}

impl<A> Clone for Tiles<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Tiles<'_, A> {}

/// Lanes in one run of memory up to this long are transposed; longer ones fill vectors well by
/// themselves.
const SHORT: usize = 64;
/// More lanes than any vector has.
const WIDEST: usize = 16;
/// Groups of lanes that are copied together, where they are short: longer runs, fewer pages.
const GROUPS: usize = 4;
/// Bytes of such groups at most, a quarter of a second-level cache.
const CACHE: usize = 128 << 10;

impl<A: Element> Tiles<'_, A> {
    /// Every column of `x`, or of `out` where there is none, into the same column of `out`.
    pub(super) fn columns(self, x: Option<ArrayView2<'_, A>>, out: &mut ArrayViewMut2<'_, A>) {
        let (len, count) = out.dim();
        let group = len * A::WIDTH;
        if group == 0 || count == 0 {
            return;
        }
        let fitting = (CACHE / (group * size_of::<A>())).clamp(1, GROUPS);
        let groups = fitting.min(count.div_ceil(A::WIDTH));
        let (mut from, mut to) = (vec![A::zero(); groups * group], vec![A::zero(); groups * group]);
        for first in (0..count).step_by(groups * A::WIDTH) {
            let range = first..count.min(first + groups * A::WIDTH);
            match &x {
                Some(x) => read(x, range.clone(), &mut from),
                None => read(&out.view(), range.clone(), &mut from),
            }
            let used = range.len().div_ceil(A::WIDTH) * group;
            for (from, to) in from[..used].chunks_exact(group).zip(to.chunks_exact_mut(group)) {
                (self.f)(from, to);
            }
            write(out, range, &to);
        }
    }

    /// Short lanes along the last axis of arrays in standard layout; returns whether these are.
    pub(super) fn short<D: Dimension>(
        self,
        axis: Axis,
        x: Option<&ArrayView<'_, A, D>>,
        out: &mut ArrayViewMut<'_, A, D>,
    ) -> bool {
        let len = out.len_of(axis);
        if len == 0 || len > SHORT.min(self.longest) || axis.index() + 1 != out.ndim() {
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
        let group = len * A::WIDTH;
        // A few lanes would leave most of a vector empty.
        if out.len() < group / 2 {
            return false;
        }
        let (mut from, mut to) = ([A::zero(); SHORT * WIDEST], [A::zero(); SHORT * WIDEST]);
        let (from, to) = (&mut from[..group], &mut to[..group]);
        for (i, out) in out.chunks_mut(group).enumerate() {
            let x = x.map_or(&*out, |x| &x[i * group..i * group + out.len()]);
            for (j, lane) in x.chunks_exact(len).enumerate() {
                for (&value, row) in lane.iter().zip(from.chunks_exact_mut(A::WIDTH)) {
                    row[j] = value;
                }
            }
            (self.f)(from, to);
            for (j, lane) in out.chunks_exact_mut(len).enumerate() {
                for (value, row) in lane.iter_mut().zip(to.chunks_exact(A::WIDTH)) {
                    *value = row[j];
                }
            }
        }
        true
    }
}

/// The columns, in groups.
fn read<A: Element>(x: &ArrayView2<'_, A>, range: Range<usize>, to: &mut [A]) {
    let group = x.nrows() * A::WIDTH;
    for (i, row) in x.rows().into_iter().enumerate() {
        let at = i * A::WIDTH;
        let Some(row) = row.as_slice() else {
            for (j, column) in range.clone().enumerate() {
                to[j / A::WIDTH * group + at + j % A::WIDTH] = row[column];
            }
            continue;
        };
        for (part, to) in row[range.clone()].chunks(A::WIDTH).zip(to.chunks_exact_mut(group)) {
            let to = &mut to[at..at + A::WIDTH];
            if part.len() == A::WIDTH {
                to.copy_from_slice(part);
            } else {
                to[..part.len()].copy_from_slice(part);
            }
        }
    }
}

/// Puts the columns back.
fn write<A: Element>(out: &mut ArrayViewMut2<'_, A>, range: Range<usize>, from: &[A]) {
    let group = out.nrows() * A::WIDTH;
    for (i, mut row) in out.rows_mut().into_iter().enumerate() {
        let at = i * A::WIDTH;
        let Some(row) = row.as_slice_mut() else {
            for (j, column) in range.clone().enumerate() {
                row[column] = from[j / A::WIDTH * group + at + j % A::WIDTH];
            }
            continue;
        };
        for (part, from) in row[range.clone()].chunks_mut(A::WIDTH).zip(from.chunks_exact(group)) {
            let from = &from[at..at + A::WIDTH];
            if part.len() == A::WIDTH {
                part.copy_from_slice(from);
            } else {
                part.copy_from_slice(&from[..part.len()]);
            }
        }
    }
}
