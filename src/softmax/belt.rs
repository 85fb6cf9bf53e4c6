//! Columns of an array that comes from memory: many vectors of them are summed in the second-level cache, while in the
//! same loop the next ones are copied there and the last ones are finished on their way back. Planes of columns follow one
//! another without a stop.

use fearless_simd::Simd;

use super::strips::{Factors, aligned, factors, finished};
use super::tile::Beside;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Bytes of one of the three copies of columns.
const CELLS: usize = 256 << 10;
/// The most vectors of a row that are copied: a page of memory.
const MOST: usize = 64;
/// Columns are cut into so many parts, since the first and the last of them have less beside them.
const PARTS: usize = 4;

/// The softmax, or its logarithm, of all columns of some planes.
pub(super) struct Belt<'a, 'b, 'c, A, const LOG: bool> {
    /// Rows of inputs, if they are not those of the outputs: at least a vector long, and then whole ones.
    pub(super) xs: Option<&'a [&'b [A]]>,
    pub(super) outs: &'a mut [&'c mut [A]],
    /// Rows of a plane.
    pub(super) len: usize,
    /// Memory for copies, of any length.
    pub(super) memory: &'a mut Vec<A>,
}

/// Some vectors of all rows of a plane.
#[derive(Clone, Copy, Default)]
struct Part {
    /// The first row.
    row: usize,
    /// The first vector.
    first: usize,
    vectors: usize,
}

impl Part {
    /// The part with this number of all planes, of so many in each.
    #[inline(always)]
    fn of(index: usize, in_plane: usize, vectors: usize, len: usize) -> Self {
        let (plane, index) = (index / in_plane, index % in_plane);
        let (first, end) = (index * vectors / in_plane, (index + 1) * vectors / in_plane);
        Self { row: plane * len, first, vectors: end - first }
    }
}

impl<A: Element, const LOG: bool> Kernel for Belt<'_, '_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { xs, outs, len, memory } = self;
        let columns = outs.first().map_or(0, |row| row.len());
        let (planes, vectors) = (outs.len() / len.max(1), columns.div_ceil(A::WIDTH));
        // Groups begin a vector more apart: otherwise all of a row could fall into one set of the first-level cache.
        let group = (len + 1) * A::WIDTH;
        let most = (CELLS / size_of::<A>() / group).min(planes * vectors / PARTS).clamp(1, MOST);
        let in_plane = vectors.div_ceil(most);
        let memory = aligned(memory, 3 * most * group);
        let (mut last, rest) = memory.split_at_mut(most * group);
        let (mut now, mut next) = rest.split_at_mut(most * group);
        let lowest = [A::Lanes::<S>::fill(simd, A::neg_infinity()); MOST];
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        let (mut tops, mut ready) = (lowest, [(zero, zero); MOST]);
        let (mut write, mut sum) = (Part::default(), Part::default());
        let all = planes * in_plane;
        for index in 0..all + 2 {
            let read =
                if index < all { Part::of(index, in_plane, vectors, len) } else { Part::default() };
            let (mut next_tops, mut next_ready) = (lowest, ready);
            let mut steps = Steps::<S, A, LOG> {
                simd,
                xs,
                outs: &mut *outs,
                write,
                last,
                ready: &ready,
                read,
                next,
                tops: &mut next_tops,
                group,
                len,
                tail: columns - A::WIDTH,
                row: 0,
                vector: 0,
                place: 0,
            };
            let groups = now.chunks_exact_mut(group).zip(&tops).take(sum.vectors);
            for ((cells, &top), ready) in groups.zip(&mut next_ready) {
                // Zeros are positive, whatever the order of the elements.
                let (cells, top) = (&mut cells[..len * A::WIDTH], top + 0.0);
                *ready = factors::<S, A, LOG>(simd, cells, top, &mut steps);
            }
            steps.finish();
            (last, now, next) = (now, next, last);
            (tops, ready) = (next_tops, next_ready);
            (write, sum) = (sum, read);
        }
    }
}

/// The finishing of one part and the copying of another, a vector of both at a time.
struct Steps<'a, 'b, 'c, S: Simd, A: Element, const LOG: bool> {
    simd: S,
    xs: Option<&'a [&'b [A]]>,
    outs: &'a mut [&'c mut [A]],
    /// What is finished, out of `last` by the factors that are `ready`.
    write: Part,
    last: &'a [A],
    ready: &'a [Factors<A::Lanes<S>>; MOST],
    /// What is copied to `next`, and the largest element of each column so far.
    read: Part,
    next: &'a mut [A],
    tops: &'a mut [A::Lanes<S>; MOST],
    /// Elements from group to group in both copies.
    group: usize,
    /// Rows of a part.
    len: usize,
    /// The last place in a row where a vector may begin; that one may overlap the one before.
    tail: usize,
    /// Where the steps are: the row and the vector of both parts, and the place in both copies.
    row: usize,
    vector: usize,
    place: usize,
}

impl<S: Simd, A: Element, const LOG: bool> Steps<'_, '_, '_, S, A, LOG> {
    #[inline(always)]
    fn finish(mut self) {
        while self.row < self.len {
            self.step();
        }
    }
}

impl<S: Simd, A: Element, const LOG: bool> Beside for Steps<'_, '_, '_, S, A, LOG> {
    #[inline(always)]
    fn step(&mut self) {
        if self.row >= self.len {
            return;
        }
        let (write, read, cells) = (self.write, self.read, self.place..self.place + A::WIDTH);
        if self.vector < write.vectors {
            let at = ((write.first + self.vector) * A::WIDTH).min(self.tail);
            let t = A::Lanes::<S>::load(self.simd, &self.last[cells.clone()]);
            let out = &mut self.outs[write.row + self.row][at..at + A::WIDTH];
            finished::<_, LOG>(t, self.ready[self.vector]).store(out);
        }
        if self.vector < read.vectors {
            let (row, at) = (read.row + self.row, (read.first + self.vector) * A::WIDTH);
            let at = at.min(self.tail);
            let x = match self.xs {
                Some(xs) => xs[row],
                None => &*self.outs[row],
            };
            let x = A::Lanes::<S>::load(self.simd, &x[at..at + A::WIDTH]);
            self.tops[self.vector] = x.at_least(self.tops[self.vector]);
            x.store(&mut self.next[cells]);
        }
        self.vector += 1;
        self.place += self.group;
        if self.vector >= write.vectors.max(read.vectors) {
            self.row += 1;
            (self.vector, self.place) = (0, self.row * A::WIDTH);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Belt;
    use crate::element::Element;
    use crate::lane::{Job, run_fused};
    use crate::prelude::*;
    use ndarray::{Array3, Axis};

    fn belt<A: Element, const LOG: bool>(x: &Array3<A>, in_place: bool) -> Array3<A> {
        let (_, len, columns) = x.dim();
        let mut out = if in_place { x.clone() } else { Array3::from_elem(x.raw_dim(), A::one()) };
        let xs: Vec<&[A]> = x.as_slice().expect("new").chunks(columns).collect();
        let all = out.as_slice_mut().expect("new");
        let mut outs: Vec<&mut [A]> = all.chunks_mut(columns).collect();
        let (xs, outs) = ((!in_place).then_some(&xs[..]), &mut outs[..]);
        let memory = &mut Vec::new();
        run_fused(Job::new(), Belt::<'_, '_, '_, A, LOG> { xs, outs, len, memory });
        out
    }

    fn check<A: Element>() {
        for shape in [(1, 1, 16), (1, 33, 70), (2, 70, 48), (3, 5, 1100), (5, 64, 17), (9, 130, 32)]
        {
            let x = Array3::from_shape_fn(shape, |(i, j, k)| {
                A::from_f64(((i * 31 + j * j * 7 + k * 13) % 101) as f64 / 8.0 - 6.0)
            });
            let near = (x.softmax(Axis(1)), x.log_softmax(Axis(1)));
            assert_eq!(
                (belt::<A, false>(&x, false), belt::<A, true>(&x, false)),
                near,
                "{shape:?}"
            );
            if shape.2.is_multiple_of(16) {
                let in_place = (belt::<A, false>(&x, true), belt::<A, true>(&x, true));
                assert_eq!(in_place, near, "{shape:?} in place");
            }
        }
    }

    /// Whatever the size of an array from which on it goes over a belt: one part and many, of one plane and of several.
    #[test]
    fn a_belt_gives_the_bits_of_arrays_in_the_caches() {
        if Job::new().is_fused() {
            check::<f32>();
            check::<f64>();
        }
    }
}
