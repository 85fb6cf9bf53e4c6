//! Short lanes of arrays that are no run of memory: some of them at a time are put side by side, so that they go the way of
//! those that stand there.

use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Axis, Dimension, RawData};

use super::{PART, Walk, outermost};
use crate::apply::tiles::{SHORT, short};
use crate::element::Element;

/// Bytes of the longest lane for which this is better than to go lane by lane: rows of 3, 20, 100 and 257 `f32` beside a gap
/// take 0.13, 0.24, 0.55 and 0.78 of the time of softmax, rows of 500 would take 0.97 to 2.1;
const LONGEST: usize = 1280;
/// and of two inputs whose lanes are all slices: gradients of rows of 20 take 0.54 of the time, of 65 they would take 1.14.
const LONGEST_OF_TWO: usize = 192;
/// Elements that are put side by side at a time.
const TOGETHER: usize = 4 * PART;

const RUN: &str = "it was made one run";

/// Memory for what is put side by side.
pub(super) struct Packed<A> {
    x: Vec<A>,
    other: Vec<A>,
    out: Vec<A>,
}

impl<A> Packed<A> {
    pub(super) const fn new() -> Self {
        Self { x: Vec::new(), other: Vec::new(), out: Vec::new() }
    }
}

/// Moves this axis behind all others, which keep their order.
fn lanes_last<S: RawData, D: Dimension>(mut array: ArrayBase<S, D>, axis: Axis) -> ArrayBase<S, D> {
    for axis in axis.index() + 1..array.ndim() {
        array.swap_axes(axis - 1, axis);
    }
    array
}

/// The first elements of memory, which grows where it must.
fn grown<A: Element>(memory: &mut Vec<A>, len: usize) -> &mut [A] {
    if memory.len() < len {
        memory.resize(len, A::zero());
    }
    &mut memory[..len]
}

/// The elements of all lanes, one lane after the other.
fn pack<'s, A: Element, D: Dimension>(
    x: ArrayView<'_, A, D>,
    axis: Axis,
    scratch: &'s mut Vec<A>,
) -> ArrayViewMut<'s, A, D> {
    let x = lanes_last(x, axis);
    let run = grown(scratch, x.len());
    let last = Axis(x.ndim() - 1);
    let len = x.len_of(last);
    if x.stride_of(last) == 1 {
        for (to, lane) in run.chunks_exact_mut(len).zip(x.lanes(last)) {
            to.copy_from_slice(lane.as_slice().expect("its elements stand side by side"));
        }
        return ArrayViewMut::from_shape(x.raw_dim(), run).expect("as many elements");
    }
    let mut all = ArrayViewMut::from_shape(x.raw_dim(), run).expect("as many elements");
    all.assign(&x);
    all
}

/// Puts them back.
fn unpack<A: Element, D: Dimension>(run: &[A], out: ArrayViewMut<'_, A, D>, axis: Axis) {
    let mut out = lanes_last(out, axis);
    let last = Axis(out.ndim() - 1);
    if out.stride_of(last) == 1 {
        let len = out.len_of(last);
        for (from, mut lane) in run.chunks_exact(len).zip(out.lanes_mut(last)) {
            lane.as_slice_mut().expect("its elements stand side by side").copy_from_slice(from);
        }
        return;
    }
    let shape = out.raw_dim();
    out.assign(&ArrayView::from_shape(shape, run).expect("as many elements"));
}

impl<'a, A: Element, B: Send + Clone, D: Dimension> Walk<'a, A, B, D> {
    /// Whether lanes of this length are put side by side, if they do not stand so.
    pub(super) fn is_packed(&self, axis: Axis) -> bool {
        let len = match (&self.x, &self.out) {
            (Some(x), _) => x.len_of(axis),
            (None, Some(out)) => out.len_of(axis),
            (None, None) => 0,
        };
        let has_way = self.tile.is_some() || self.reduce.is_some() || self.pairs.is_some();
        let inputs = [&self.x, &self.other];
        let out = self.out.as_ref().map(|out| out.stride_of(axis));
        let mut strides = inputs.into_iter().flatten().map(|x| x.stride_of(axis)).chain(out);
        let are_slices = self.other.is_some() && strides.all(|stride| stride == 1);
        let longest = if are_slices { LONGEST_OF_TWO } else { LONGEST };
        // Without fused steps longer lanes go one by one anyway.
        let is_taken = self.tile.is_none_or(|tile| len <= SHORT || tile.takes(len));
        has_way && is_taken && len > 0 && len * size_of::<A>() <= longest && self.stat.len() > 1
    }

    /// All lanes so; what cannot be done is handed to `one_by_one`.
    pub(super) fn packed(
        mut self,
        axis: Axis,
        packed: &mut Packed<A>,
        one_by_one: &mut dyn FnMut(Self),
    ) {
        let outer = match (&mut self.out, &self.x) {
            (Some(out), _) => outermost(out, axis),
            (None, Some(x)) => outermost(x, axis),
            (None, None) => None,
        };
        let elements = match (&self.x, &self.out) {
            (Some(x), _) => x.len(),
            (None, out) => out.as_ref().map_or(0, |out| out.len()),
        };
        if let Some(outer) = outer
            && elements > TOGETHER
        {
            let (a, b) = self.split_at(outer);
            a.packed(axis, packed, one_by_one);
            return b.packed(axis, packed, one_by_one);
        }
        if !self.some_packed(axis, packed) {
            one_by_one(self);
        }
    }

    /// A part of them; returns whether that was done.
    fn some_packed(&mut self, axis: Axis, packed: &mut Packed<A>) -> bool {
        let last = Axis(self.stat.ndim() - 1);
        if let (Some(reduce), Some(x)) = (self.reduce, &self.x) {
            let x = pack(x.view(), axis, &mut packed.x);
            let (run, len) = (x.as_slice().expect(RUN), x.len_of(last));
            if let Some(stat) = self.stat.as_slice_mut() {
                reduce.rows(run, len, stat);
            } else {
                let mut stats: Vec<B> = self.stat.iter().cloned().collect();
                reduce.rows(run, len, &mut stats);
                self.stat.iter_mut().zip(stats).for_each(|(to, from)| *to = from);
            }
            return true;
        }
        let Some(out) = &mut self.out else { return false };
        let x = self.x.as_ref().map_or_else(|| out.view(), |x| x.view());
        let mut x = pack(x, axis, &mut packed.x);
        if let (Some(pairs), Some(other)) = (self.pairs, &self.other) {
            let other = pack(other.view(), axis, &mut packed.other);
            let (x, other) = (x.as_slice().expect(RUN), other.as_slice().expect(RUN));
            let run = grown(&mut packed.out, x.len());
            (pairs.rows)(x, other, run, out.len_of(axis));
            unpack(run, out.view_mut(), axis);
            return true;
        }
        let Some(tile) = self.tile else { return false };
        if !short(tile, last, None, &mut x) {
            return false;
        }
        unpack(x.as_slice().expect(RUN), out.view_mut(), axis);
        true
    }
}
