//! From a function of one lane to arrays: allocating, in place, into a buffer, reduced, masked.

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, RemoveAxis, Zip};

use crate::activation::Cost;
use crate::apply::parallel::{self, Tasks, singles};
use crate::apply::{self, Columns, Pairs, Reduce, Strand, Walk};
use crate::element::Element;

/// A place for the result of each lane.
fn stats<B: Copy, D: Dimension>(shape: &D, axis: Axis, fill: B) -> Array<B, D> {
    let mut shape = shape.clone();
    shape[axis.index()] = 1;
    Array::from_elem(shape, fill)
}

/// Elements that are not worth a look at how they are best walked.
const FEW: usize = 4 << 10;

fn walk<'a, A: Element, D: Dimension>(
    axis: Axis,
    x: Option<&'a ArrayRef<A, D>>,
    other: Option<&'a ArrayRef<A, D>>,
    mut out: ArrayViewMut<'a, A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&'a dyn Columns<A>>,
    pairs: Option<Pairs<A>>,
) {
    if out.is_empty() {
        return;
    }
    // A few lanes do not take longer than the walk.
    if let Some(tile) = tile
        && out.len() <= FEW
        && apply::short(tile, axis, x.map(|x| x.view()).as_ref(), &mut out)
    {
        return;
    }
    let mut stat = stats(&out.raw_dim(), axis, ());
    let walk = Walk {
        x: x.map(|x| x.view()),
        other: other.map(|other| other.view()),
        out: Some(out),
        stat: stat.view_mut(),
        tile,
        reduce: None,
        pairs,
    };
    walk.run(axis, Cost::Moderate, f);
}

/// A new array of `f` of every lane.
pub(super) fn lanes<A: Element, D: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) -> Array<A, D> {
    let mut out = apply::new_like(x);
    walk(axis, Some(x), None, out.view_mut(), f, tile, None);
    out
}

/// The same of every lane of two arrays.
pub(super) fn pairs<A: Element, D: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    other: &ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    faster: Pairs<A>,
) -> Array<A, D> {
    let mut out = apply::new_like(x);
    walk(axis, Some(x), Some(other), out.view_mut(), f, None, Some(faster));
    out
}

/// The same, overwriting the first.
pub(super) fn update_pairs<A: Element, D: Dimension>(
    axis: Axis,
    x: &mut ArrayRef<A, D>,
    other: &ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    faster: Pairs<A>,
) {
    walk(axis, None, Some(other), x.view_mut(), f, None, Some(faster));
}

/// `f` of every lane into `out`.
#[track_caller]
pub(super) fn assign<A: Element, D: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    out: &mut ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) {
    apply::assert_same_shape("output", out.shape(), "input", x.shape());
    walk(axis, Some(x), None, out.view_mut(), f, tile, None);
}

/// Every lane overwritten with `f` of it.
pub(super) fn update<A: Element, D: Dimension>(
    axis: Axis,
    x: &mut ArrayRef<A, D>,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: Option<&dyn Columns<A>>,
) {
    walk(axis, None, None, x.view_mut(), f, tile, None);
}

/// A new array of `f` of every lane, which sees `-∞` where the mask is false; what it makes of that is replaced by
/// `hidden`.
///
/// # Panics
/// If the mask cannot be broadcast to the shape of `x`, naming both.
#[track_caller]
pub(super) fn masked<A: Element, D: Dimension, E: Dimension>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    mask: &ArrayRef<bool, E>,
    hidden: A,
    f: &(impl Fn(Strand<'_, A, ()>) + Sync),
    tile: &dyn Columns<A>,
) -> Array<A, D> {
    let Some(mask) = mask.broadcast(x.raw_dim()) else {
        panic!("the mask of shape {:?} cannot be broadcast to {:?}", mask.shape(), x.shape());
    };
    let mut out = apply::new_like(x);
    let all = Masked { x: x.view(), mask, out: out.view_mut() };
    let block = |Masked { x, mask, mut out }: Masked<'_, A, D>| {
        each_slice(axis, Some(x), &mask, &mut out, A::neg_infinity());
        update(axis, &mut out, f, Some(tile));
        each_slice(axis, None, &mask, &mut out, hidden);
    };
    let pieces = parallel::pieces_of_views(Cost::Moderate, singles::<A>(x.len()));
    let mut parts = Vec::new();
    all.cut(axis, (x.len() / pieces).max(BLOCK), &mut |part| parts.push(part));
    if parts.len() < 2 || pieces < 2 {
        // A walk over a whole array may use threads itself.
        parts.into_iter().for_each(|part| part.cut(axis, BLOCK, &mut |part| block(part)));
        return out;
    }
    let few =
        parts.len() < pieces && parallel::pieces(Cost::Moderate, singles::<A>(x.len_of(axis))) > 1;
    let mut tasks = Tasks::new();
    for part in parts {
        tasks.push(|| part.cut(axis, BLOCK, &mut |part| block(part)));
    }
    // A few long lanes are cut further.
    if few {
        tasks.run_in_pool();
    } else {
        tasks.run();
    }
    out
}

/// `x`, or `out` where there is none, into `out` where the mask is true, `hidden` elsewhere.
fn each_slice<A: Element, D: Dimension>(
    axis: Axis,
    x: Option<ArrayView<'_, A, D>>,
    mask: &ArrayView<'_, bool, D>,
    out: &mut ArrayViewMut<'_, A, D>,
    hidden: A,
) {
    let whole = mask.is_standard_layout() && x.as_ref().is_none_or(|x| x.is_standard_layout());
    if let (true, Some(mask), Some(out)) = (whole, mask.as_slice(), out.as_slice_mut()) {
        return A::choose(x.as_ref().and_then(|x| x.as_slice()), mask, out, hidden);
    }
    let mut xs = x.as_ref().map(|x| x.lanes(axis).into_iter());
    for (mask, mut out) in mask.lanes(axis).into_iter().zip(out.lanes_mut(axis)) {
        let x = xs.as_mut().and_then(Iterator::next);
        let slices = x.as_ref().is_none_or(|x| x.as_slice().is_some());
        if let (true, Some(mask), Some(out)) = (slices, mask.as_slice(), out.as_slice_mut()) {
            A::choose(x.as_ref().and_then(|x| x.as_slice()), mask, out, hidden);
            continue;
        }
        if let Some(x) = x {
            out.assign(&x);
        }
        Zip::from(&mut out).and(mask).for_each(|y, &keep| *y = if keep { *y } else { hidden });
    }
}

/// Elements that go through all steps while they stay in the caches of a core.
const BLOCK: usize = 16 << 10;

struct Masked<'a, A, D> {
    x: ArrayView<'a, A, D>,
    mask: ArrayView<'a, bool, D>,
    out: ArrayViewMut<'a, A, D>,
}

impl<'a, A: Element, D: Dimension> Masked<'a, A, D> {
    /// Calls `f` for parts of whole lanes, of about so many elements where that leaves runs of memory.
    fn cut(self, axis: Axis, elements: usize, f: &mut impl FnMut(Self)) {
        let Some(other) = apply::outermost(&self.out, axis) else { return f(self) };
        if self.out.len() <= elements || self.out.stride_of(other).unsigned_abs() == 1 {
            return f(self);
        }
        let middle = self.out.len_of(other) / 2;
        let (x, mask) = (self.x.split_at(other, middle), self.mask.split_at(other, middle));
        let out = self.out.split_at(other, middle);
        Self { x: x.0, mask: mask.0, out: out.0 }.cut(axis, elements, f);
        Self { x: x.1, mask: mask.1, out: out.1 }.cut(axis, elements, f);
    }
}

/// One result for every lane; `empty` is that of an empty one.
pub(super) fn reduce<A: Element, B: Copy + Send, D: RemoveAxis>(
    axis: Axis,
    x: &ArrayRef<A, D>,
    empty: B,
    f: &(impl Fn(Strand<'_, A, B>) + Sync),
    faster: &dyn Reduce<A, B>,
) -> Array<B, D::Smaller> {
    let mut stat = stats(&x.raw_dim(), axis, empty);
    let walk = Walk {
        x: Some(x.view()),
        other: None,
        out: None,
        stat: stat.view_mut(),
        tile: None,
        reduce: Some(faster),
        pairs: None,
    };
    walk.run(axis, Cost::Moderate, f);
    stat.index_axis_move(axis, 0)
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use ndarray::{Array2, Axis};

    use super::assign;
    use crate::activation::Cost;
    use crate::apply::parallel;
    use crate::softmax::Along;
    use crate::softmax::compiled::SoftmaxLoops;

    /// Three lanes, each of which would be worth several threads.
    #[test]
    fn a_few_long_lanes_are_dealt_to_threads_unless_they_are_cut_themselves() {
        let x = Array2::<f32>::zeros((3, 1 << 19));
        let mut out = x.clone();
        let tile = Along::Softmax.tile::<f32>(x.len());
        let threads = parallel::threads(Cost::Moderate, x.len(), 1);
        for (cut, tile) in
            [(true, tile.as_ref().map(<f32 as SoftmaxLoops>::softmax_columns)), (false, None)]
        {
            let (lanes, parts) = (AtomicUsize::new(0), AtomicUsize::new(0));
            assign(
                Axis(1),
                &x,
                &mut out,
                &|_| {
                    lanes.fetch_add(1, Ordering::Relaxed);
                    parts.fetch_add(usize::from(parallel::is_part()), Ordering::Relaxed);
                },
                tile,
            );
            // Three threads take one each.
            let dealt = threads > 1 && (!cut || threads == 3);
            let expected = if dealt { 3 } else { 0 };
            assert_eq!((lanes.into_inner(), parts.into_inner()), (3, expected), "cut: {cut}");
        }
    }
}
