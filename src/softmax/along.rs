//! From a function of one lane to arrays: allocating, in place, into a buffer, reduced, masked.

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, RemoveAxis};

use crate::activation::Cost;
use crate::apply::{self, Columns, Strand, Walk};
use crate::element::Element;

/// A place for the result of each lane.
fn stats<B: Copy, D: Dimension>(shape: &D, axis: Axis, fill: B) -> Array<B, D> {
    let mut shape = shape.clone();
    shape[axis.index()] = 1;
    Array::from_elem(shape, fill)
}

fn walk<'a, A: Element, D: Dimension>(
    axis: Axis,
    x: Option<&'a ArrayRef<A, D>>,
    other: Option<&'a ArrayRef<A, D>>,
    mask: Option<ArrayView<'a, bool, D>>,
    out: ArrayViewMut<'a, A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&'a dyn Columns<A>>,
) {
    let mut stat = stats(&out.raw_dim(), axis, ());
    let walk = Walk {
        x: x.map(|x| x.view()),
        other: other.map(|other| other.view()),
        mask,
        out: Some(out),
        stat: stat.view_mut(),
        tile,
    };
    walk.run(axis, Cost::Moderate, f);
}

/// A new array of `f` of every lane.
pub(super) fn lanes<A: Element, D: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    other: Option<&ArrayRef<A, D>>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) -> Array<A, D> {
    let mut out = apply::new_like(x);
    walk(axis, Some(x), other, None, out.view_mut(), f, tile);
    out
}

/// `f` of every lane into `out`.
pub(super) fn assign<A: Element, D: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) {
    apply::assert_same_shape("output", out.shape(), "input", x.shape());
    walk(axis, Some(x), None, None, out.view_mut(), f, tile);
}

/// Every lane overwritten with `f` of it.
pub(super) fn update<A: Element, D: Dimension>(
    axis: Axis,
    x: &mut ArrayRef<A, D>,
    other: Option<&ArrayRef<A, D>>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) {
    walk(axis, None, other, None, x.view_mut(), f, tile);
}

/// A new array of `f` of every lane with the part of the mask that belongs to it.
///
/// # Panics
/// If the mask cannot be broadcast to the shape of `x`, naming both.
#[track_caller]
pub(super) fn masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
) -> Array<A, D> {
    let Some(mask) = mask.broadcast(x.raw_dim()) else {
        panic!("the mask of shape {:?} cannot be broadcast to {:?}", mask.shape(), x.shape());
    };
    let mut out = apply::new_like(x);
    walk(axis, Some(x), None, Some(mask), out.view_mut(), f, None);
    out
}

/// One number for every lane.
pub(super) fn reduce<A: Element, D: RemoveAxis>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    out: Option<ArrayViewMut<'_, A, D>>,
    f: &(impl Fn(Strand<'_, A, A>) + Sync),
) -> Array<A, D::Smaller> {
    let mut stat = stats(&x.raw_dim(), axis, A::neg_infinity());
    let walk =
        Walk { x: Some(x.view()), other: None, mask: None, out, stat: stat.view_mut(), tile: None };
    walk.run(axis, Cost::Moderate, f);
    stat.index_axis_move(axis, 0)
}
