//! Arrays in one run of memory: the axes before and behind the one that is walked are one axis each, and planes of lanes
//! side by side follow one another.

use ndarray::{ArrayView, ArrayView2, ArrayViewMut2, Axis, Dimension, Ix3};

use super::Walk;
use crate::apply::tiles::columns;
use crate::element::Element;

impl<'a, A: Element, B: Send, D: Dimension> Walk<'a, A, B, D> {
    /// Whether all arrays are runs of memory in the order of their axes.
    pub(super) fn is_standard(&self) -> bool {
        let standard =
            |x: &Option<ArrayView<'_, A, D>>| x.as_ref().is_none_or(|x| x.is_standard_layout());
        standard(&self.x)
            && standard(&self.other)
            && self.out.as_ref().is_none_or(|out| out.is_standard_layout())
            && self.stat.is_standard_layout()
    }

    /// The same arrays with all axes before this one as one, and all behind it: planes as wide as they can be.
    pub(super) fn in_three(self, axis: Axis) -> Walk<'a, A, B, Ix3> {
        const SAME: &str = "a standard layout keeps its elements";
        let (before, behind) = self.stat.shape().split_at(axis.index());
        let (before, behind) = (before.iter().product(), behind.iter().product());
        let three = |x: ArrayView<'a, A, D>| {
            let shape = (before, x.len_of(axis), behind);
            x.into_shape_with_order(shape).expect(SAME)
        };
        Walk {
            x: self.x.map(three),
            other: self.other.map(three),
            out: self.out.map(|out| {
                let shape = (before, out.len_of(axis), behind);
                out.into_shape_with_order(shape).expect(SAME)
            }),
            stat: self.stat.into_shape_with_order((before, 1, behind)).expect(SAME),
            tile: self.tile,
            reduce: self.reduce,
            pairs: self.pairs,
        }
    }

    /// Planes that stand one after the other, where there is a faster way for them; returns whether that was done.
    pub(super) fn planes(&mut self, axis: Axis) -> bool {
        let Some(out) = &mut self.out else {
            return false;
        };
        let (len, ndim) = (out.len_of(axis), out.ndim());
        let width: usize = out.shape()[axis.index() + 1..].iter().product();
        if ndim < 3 || width < 2 || self.tile.is_some_and(|f| !f.takes(len)) {
            return false;
        }
        let x = match self.x.as_ref().map(|x| x.to_slice()) {
            Some(None) => return false,
            Some(x) => x,
            None => None,
        };
        let other = self.other.as_ref().and_then(|other| other.to_slice());
        let Some(out) = out.as_slice_mut() else {
            return false;
        };
        const FITS: &str = "a plane is as long as its rows";
        let shape = (len, width);
        for (i, out) in out.chunks_exact_mut((len * width).max(1)).enumerate() {
            let plane = |x: &'a [A]| {
                let x = &x[i * len * width..(i + 1) * len * width];
                ArrayView2::from_shape(shape, x).expect(FITS)
            };
            let x = x.map(plane);
            let mut out = ArrayViewMut2::from_shape(shape, out).expect(FITS);
            match (self.tile, self.pairs, other) {
                (Some(f), ..) => columns(f, x, out),
                (None, Some(f), Some(other)) => {
                    if !(f.columns)(x.as_ref(), &plane(other), &mut out) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
        true
    }
}
