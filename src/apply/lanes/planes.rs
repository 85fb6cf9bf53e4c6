//! Planes of lanes side by side: as wide as they can be, and one after the other.

use ndarray::{ArrayView, ArrayView2, ArrayViewMut2, Axis, Dimension};

use super::Walk;
use crate::apply::tiles::columns;
use crate::element::Element;

impl<'a, A: Element, B: Send + Clone, D: Dimension> Walk<'a, A, B, D> {
    /// The axis, other than this one, along which the elements of the first array stand side by side.
    pub(super) fn unit(&self, axis: Axis) -> Option<usize> {
        let (shape, strides) = match (&self.x, &self.out) {
            (Some(x), _) => (x.shape(), x.strides()),
            (None, Some(out)) => (out.shape(), out.strides()),
            (None, None) => return None,
        };
        let unit = (0..shape.len()).find(|&unit| strides[unit] == 1 && shape[unit] > 1)?;
        (unit != axis.index()).then_some(unit)
    }

    /// The same arrays with all axes in one that go on, in each of them, where the elements side by side end: planes as
    /// wide as they can be.
    pub(super) fn merged(mut self, axis: Axis) -> Self {
        let ndim = self.stat.ndim();
        if ndim < 3 {
            return self;
        }
        let Some(unit) = self.unit(axis) else {
            return self;
        };
        let goes_on = |walk: &Self, outer: usize| {
            let on = |shape: &[usize], strides: &[isize]| {
                strides[outer] == shape[unit] as isize * strides[unit]
            };
            let of_view = |x: &Option<ArrayView<'_, A, D>>| {
                x.as_ref().is_none_or(|x| on(x.shape(), x.strides()))
            };
            let stat = on(walk.stat.shape(), walk.stat.strides());
            let out = walk.out.as_ref().is_none_or(|out| on(out.shape(), out.strides()));
            outer != axis.index()
                && outer != unit
                && stat
                && out
                && walk.stat.shape()[outer] > 1
                && of_view(&walk.x)
                && of_view(&walk.other)
        };
        while let Some(outer) = (0..ndim).find(|&outer| goes_on(&self, outer)) {
            let (outer, unit) = (Axis(outer), Axis(unit));
            let mut all = self.stat.merge_axes(outer, unit);
            for x in self.x.iter_mut().chain(&mut self.other) {
                all &= x.merge_axes(outer, unit);
            }
            if let Some(out) = &mut self.out {
                all &= out.merge_axes(outer, unit);
            }
            assert!(all, "the axes go on in all arrays");
        }
        self
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
        if self.tile.is_some_and(|f| f.planes(x, out, shape)) {
            return true;
        }
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
