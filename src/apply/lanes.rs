//! Walks along an axis: every lane of an array of any layout reaches a function as a slice.
//!
//! Arrays are halved along their other axes for threads. A lane whose elements stand side by side
//! is handed on where it lies; any other lane goes through scratch memory.

use ndarray::{ArrayView, ArrayView1, ArrayViewMut, ArrayViewMut1, Axis, Dimension};

use super::parallel;
use crate::activation::Cost;
use crate::element::Element;

/// One lane as the functions see it.
pub(crate) struct Strand<'a, A, B> {
    /// The input; the old elements of the output where the walk has no input of its own.
    pub(crate) x: &'a [A],
    /// A second input, empty where the walk has none.
    pub(crate) other: &'a [A],
    /// Which elements take part, empty where the walk has no mask.
    pub(crate) mask: &'a [bool],
    /// The output, empty where the walk has none.
    pub(crate) out: &'a mut [A],
    /// One result for the lane.
    pub(crate) stat: &'a mut B,
}

/// The arrays of a walk, all of one shape but for `stat`, whose axis has length 1.
pub(crate) struct Walk<'a, A, B, D> {
    pub(crate) x: Option<ArrayView<'a, A, D>>,
    pub(crate) other: Option<ArrayView<'a, A, D>>,
    pub(crate) mask: Option<ArrayView<'a, bool, D>>,
    pub(crate) out: Option<ArrayViewMut<'a, A, D>>,
    pub(crate) stat: ArrayViewMut<'a, B, D>,
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

/// Scratch memory for the parts of a strand that are not slices.
struct Scratch<A> {
    x: Vec<A>,
    other: Vec<A>,
    mask: Vec<bool>,
    out: Vec<A>,
}

impl<A: Element, B: Send, D: Dimension> Walk<'_, A, B, D> {
    /// Calls `f` for every lane along `axis`, on several threads where the work is large.
    pub(crate) fn run(self, axis: Axis, cost: Cost, f: &(impl Fn(Strand<'_, A, B>) + Sync)) {
        let elements = match (&self.x, &self.out) {
            (Some(x), _) => x.len(),
            (None, Some(out)) => out.len(),
            (None, None) => 0,
        };
        let pieces = parallel::pieces(cost, elements.max(self.stat.len()));
        self.cut(axis, pieces, f);
    }

    fn cut(self, axis: Axis, pieces: usize, f: &(impl Fn(Strand<'_, A, B>) + Sync)) {
        let longest = (0..self.stat.ndim())
            .filter(|&other| other != axis.index())
            .max_by_key(|&other| self.stat.shape()[other]);
        match longest {
            Some(other) if pieces > 1 && self.stat.shape()[other] > 1 => {
                let (a, b) = self.split_at(Axis(other));
                parallel::join(
                    || a.cut(axis, pieces / 2, f),
                    || b.cut(axis, pieces - pieces / 2, f),
                );
            }
            _ => self.lanes(axis, f),
        }
    }

    fn split_at(self, axis: Axis) -> (Self, Self) {
        fn both<T>(pair: Option<(T, T)>) -> (Option<T>, Option<T>) {
            pair.map_or((None, None), |(a, b)| (Some(a), Some(b)))
        }
        let middle = self.stat.len_of(axis) / 2;
        let x = both(self.x.map(|x| x.split_at(axis, middle)));
        let other = both(self.other.map(|x| x.split_at(axis, middle)));
        let mask = both(self.mask.map(|x| x.split_at(axis, middle)));
        let out = both(self.out.map(|x| x.split_at(axis, middle)));
        let stat = self.stat.split_at(axis, middle);
        (
            Self { x: x.0, other: other.0, mask: mask.0, out: out.0, stat: stat.0 },
            Self { x: x.1, other: other.1, mask: mask.1, out: out.1, stat: stat.1 },
        )
    }

    fn lanes(mut self, axis: Axis, f: &impl Fn(Strand<'_, A, B>)) {
        let mut scratch =
            Scratch { x: Vec::new(), other: Vec::new(), mask: Vec::new(), out: Vec::new() };
        let mut x = self.x.as_ref().map(|x| x.lanes(axis).into_iter());
        let mut other = self.other.as_ref().map(|x| x.lanes(axis).into_iter());
        let mut mask = self.mask.as_ref().map(|x| x.lanes(axis).into_iter());
        let mut out = self.out.as_mut().map(|x| x.lanes_mut(axis).into_iter());
        for stat in &mut self.stat {
            strand(
                &mut scratch,
                x.as_mut().and_then(Iterator::next),
                other.as_mut().and_then(Iterator::next),
                mask.as_mut().and_then(Iterator::next),
                out.as_mut().and_then(Iterator::next),
                stat,
                f,
            );
        }
    }
}

/// The lane where it lies, else a copy of it.
fn gather<'a, T: Copy>(lane: &'a ArrayView1<'_, T>, scratch: &'a mut Vec<T>) -> &'a [T] {
    match lane.as_slice() {
        Some(slice) => slice,
        None => {
            scratch.clear();
            scratch.extend(lane.iter().copied());
            scratch
        }
    }
}

fn strand<A: Element, B>(
    scratch: &mut Scratch<A>,
    x: Option<ArrayView1<'_, A>>,
    other: Option<ArrayView1<'_, A>>,
    mask: Option<ArrayView1<'_, bool>>,
    out: Option<ArrayViewMut1<'_, A>>,
    stat: &mut B,
    f: &impl Fn(Strand<'_, A, B>),
) {
    let other = other.as_ref().map_or(&[][..], |lane| gather(lane, &mut scratch.other));
    let mask = mask.as_ref().map_or(&[][..], |lane| gather(lane, &mut scratch.mask));
    let x = match (&x, &out) {
        (Some(x), _) => gather(x, &mut scratch.x),
        (None, Some(out)) => {
            scratch.x.clear();
            scratch.x.extend(out.iter().copied());
            &scratch.x
        }
        (None, None) => &[],
    };
    match out {
        None => f(Strand { x, other, mask, out: &mut [], stat }),
        Some(mut out) => match out.as_slice_mut() {
            Some(out) => f(Strand { x, other, mask, out, stat }),
            None => {
                scratch.out.clear();
                scratch.out.resize(out.len(), A::zero());
                f(Strand { x, other, mask, out: &mut scratch.out, stat });
                for (to, from) in out.iter_mut().zip(&scratch.out) {
                    *to = *from;
                }
            }
        },
    }
}
