//! Columns of an array that comes from memory: many vectors of them are summed in the second-level cache, while in the
//! same loop the next ones are copied there and the last ones are finished on their way back. Planes of columns follow one
//! another without a stop.
//!
//! Planes with long rows are copied, summed and finished one after the other instead, each in loops of its own.

use fearless_simd::Simd;

use super::strips::{Factors, aligned, factors, finished};
use super::tile::Beside;
use super::total::single;
use crate::apply::is_of_amd;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Bytes of the largest plane that is copied in one piece on AMD's processors, of `f32` and of `f64`: its rows are then read
/// one after the other. With a second-level cache of 1 MiB (Zen 4) 256 × 784 columns take 0.6 of the time of parts, and
/// beyond these sizes whole rows take less;
const WHOLE: [usize; 2] = [3 << 19, 1 << 20];
/// if columns are not shorter than so many elements, or for those that are.
const LONG: usize = 64;
const SHORT_WHOLE: usize = 512 << 10;
/// Bytes of a part of a larger one,
const CELLS: usize = 256 << 10;
/// and the most vectors of a row that belong to it, elsewhere and on AMD's processors: 20 × 131072 columns take 0.92 to
/// 0.97 of the time there that parts of a page of memory take.
const MOST: [usize; 2] = [64, 128];
/// Columns are cut into so many parts, since the first and the last of them have less beside them.
pub(super) const PARTS: usize = 4;
/// Bytes of the shortest rows of planes whose long columns are copied in loops of their own. They take 0.74 to 0.9 of the
/// time; with rows of 784 bytes they would take 1.1 to 1.4, and columns of 32 elements up to 1.2.
const APART: usize = 2 << 10;
/// Vectors of a row that are copied together there.
const TOGETHER: usize = 4;

/// Whether planes of these rows and columns are better copied in one piece.
pub(super) fn is_whole<A: Element>((len, columns): (usize, usize)) -> bool {
    let whole = if len < LONG { SHORT_WHOLE } else { WHOLE[usize::from(!single::<A>())] };
    is_of_amd() && len * columns * size_of::<A>() <= whole
}

/// The softmax, or its logarithm, of all columns of some planes.
pub(super) struct Belt<'a, 'b, 'c, A, const LOG: bool> {
    /// Rows of inputs, if they are not those of the outputs: at least a vector long, and then whole ones.
    pub(super) xs: Option<&'a [&'b [A]]>,
    pub(super) outs: &'a mut [&'c mut [A]],
    /// Rows of a plane.
    pub(super) len: usize,
    /// Whether planes are copied in one piece: for [`PARTS`] of them and more, if they are [whole](is_whole).
    pub(super) whole: bool,
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
        let Self { xs, outs, len, whole, memory } = self;
        let columns = outs.first().map_or(0, |row| row.len());
        let (planes, vectors) = (outs.len() / len.max(1), columns.div_ceil(A::WIDTH));
        // Groups begin a vector more apart: otherwise all of a row could fall into one set of the first-level cache.
        let group = (len + 1) * A::WIDTH;
        let most = if whole {
            vectors
        } else {
            let fit = CELLS / size_of::<A>() / group;
            fit.min(planes * vectors / PARTS).clamp(1, MOST[usize::from(is_of_amd())])
        };
        let in_plane = vectors.div_ceil(most);
        let parts = (0..planes * in_plane).map(
            #[inline(always)]
            |index| Part::of(index, in_plane, vectors, len),
        );
        let shape = Shape { group, len, tail: columns - A::WIDTH, whole: columns / A::WIDTH };
        let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
        let (mut tops, mut ready) = (vec![lowest; most], vec![(lowest, lowest); most]);
        let nothing = Part::default();
        if whole && len >= LONG && columns * size_of::<A>() >= APART {
            let cells = aligned(memory, most * group);
            for part in parts {
                tops.fill(lowest);
                let write = Write { part: nothing, cells: &[], ready: &[] };
                let read = Read { part, cells: &mut *cells, tops: &mut tops };
                Steps::<S, A, LOG>::new(simd, xs, outs, shape, write, read).apart();
                let groups = cells.chunks_exact_mut(group).zip(&tops);
                for ((cells, &top), ready) in groups.zip(&mut ready) {
                    // Zeros are positive, whatever the order of the elements.
                    let (cells, top) = (&mut cells[..len * A::WIDTH], top + 0.0);
                    *ready = factors::<S, A, LOG>(simd, cells, top, &mut ());
                }
                let write = Write { part, cells: &*cells, ready: &ready };
                let read = Read { part: nothing, cells: &mut [], tops: &mut [] };
                Steps::<S, A, LOG>::new(simd, xs, outs, shape, write, read).apart();
            }
            return;
        }
        let memory = aligned(memory, 3 * most * group);
        let (mut last, rest) = memory.split_at_mut(most * group);
        let (mut now, mut next) = rest.split_at_mut(most * group);
        let (mut next_tops, mut next_ready) = (tops.clone(), ready.clone());
        let (mut part, mut sum) = (nothing, nothing);
        // What was read is summed beside the next part, and written beside the one after that.
        for next_part in parts.chain([nothing; 2]) {
            next_tops.fill(lowest);
            let write = Write { part, cells: last, ready: &ready };
            let read = Read { part: next_part, cells: &mut *next, tops: &mut next_tops };
            let mut steps = Steps::<S, A, LOG>::new(simd, xs, outs, shape, write, read);
            let groups = now.chunks_exact_mut(group).zip(&tops).take(sum.vectors);
            for ((cells, &top), ready) in groups.zip(&mut next_ready) {
                let (cells, top) = (&mut cells[..len * A::WIDTH], top + 0.0);
                *ready = factors::<S, A, LOG>(simd, cells, top, &mut steps);
            }
            steps.finish();
            (last, now, next) = (now, next, last);
            core::mem::swap(&mut tops, &mut next_tops);
            core::mem::swap(&mut ready, &mut next_ready);
            (part, sum) = (sum, next_part);
        }
    }
}

/// Where rows and their copies are.
#[derive(Clone, Copy)]
struct Shape {
    /// Elements from group to group of copies.
    group: usize,
    /// Rows of a part.
    len: usize,
    /// The last place in a row where a vector may begin; that one may overlap the one before.
    tail: usize,
    /// Vectors of a row that do not.
    whole: usize,
}

/// A part that is finished, its copy, and the factors of each of its columns.
struct Write<'a, S: Simd, A: Element> {
    part: Part,
    cells: &'a [A],
    ready: &'a [Factors<A::Lanes<S>>],
}

/// A part that is copied, the place for that, and the largest element of each column so far.
struct Read<'a, S: Simd, A: Element> {
    part: Part,
    cells: &'a mut [A],
    tops: &'a mut [A::Lanes<S>],
}

/// The finishing of one part and the copying of another, some vectors of both at a time.
struct Steps<'a, 'b, 'c, S: Simd, A: Element, const LOG: bool> {
    simd: S,
    xs: Option<&'a [&'b [A]]>,
    outs: &'a mut [&'c mut [A]],
    shape: Shape,
    write: Write<'a, S, A>,
    read: Read<'a, S, A>,
    /// Where the steps are: the row and the vector of both parts, and the place in both copies.
    row: usize,
    vector: usize,
    place: usize,
    /// Vectors of a row in the longer part.
    vectors: usize,
}

impl<'a, 'b, 'c, S: Simd, A: Element, const LOG: bool> Steps<'a, 'b, 'c, S, A, LOG> {
    #[inline(always)]
    fn new(
        simd: S,
        xs: Option<&'a [&'b [A]]>,
        outs: &'a mut [&'c mut [A]],
        shape: Shape,
        write: Write<'a, S, A>,
        read: Read<'a, S, A>,
    ) -> Self {
        let vectors = write.part.vectors.max(read.part.vectors);
        Self { simd, xs, outs, shape, write, read, row: 0, vector: 0, place: 0, vectors }
    }

    /// All of them, of one part alone.
    #[inline(always)]
    fn apart(mut self) {
        let whole = self.shape.whole - self.write.part.first.max(self.read.part.first);
        while self.row < self.shape.len {
            while self.vector + TOGETHER <= self.vectors.min(whole) {
                self.some::<TOGETHER>();
            }
            while self.vector < self.vectors {
                self.some::<1>();
            }
            self.next_row();
        }
    }

    /// What is left of them.
    #[inline(always)]
    fn finish(mut self) {
        while self.row < self.shape.len {
            self.step();
        }
    }

    /// The next vectors of a row.
    #[inline(always)]
    fn some<const N: usize>(&mut self) {
        let Shape { group, tail, .. } = self.shape;
        let Self { simd, row, vector, place, .. } = *self;
        let cell = place..place + (N - 1) * group + A::WIDTH;
        let Write { part, cells, ready } = &self.write;
        if vector < part.vectors {
            let at = ((part.first + vector) * A::WIDTH).min(tail);
            let out = &mut self.outs[part.row + row][at..at + N * A::WIDTH];
            let cells = &cells[cell.clone()];
            for n in 0..N {
                let t = A::Lanes::<S>::load(simd, &cells[n * group..][..A::WIDTH]);
                let out = &mut out[n * A::WIDTH..(n + 1) * A::WIDTH];
                finished::<_, LOG>(t, ready[vector + n]).store(out);
            }
        }
        let Read { part, cells, tops } = &mut self.read;
        if vector < part.vectors {
            let at = ((part.first + vector) * A::WIDTH).min(tail);
            let x = match self.xs {
                Some(xs) => xs[part.row + row],
                None => &*self.outs[part.row + row],
            };
            let x = &x[at..at + N * A::WIDTH];
            let cells = &mut cells[cell];
            for n in 0..N {
                let x = A::Lanes::<S>::load(simd, &x[n * A::WIDTH..(n + 1) * A::WIDTH]);
                tops[vector + n] = x.at_least(tops[vector + n]);
                x.store(&mut cells[n * group..][..A::WIDTH]);
            }
        }
        self.vector += N;
        self.place += N * group;
    }

    #[inline(always)]
    fn next_row(&mut self) {
        self.row += 1;
        (self.vector, self.place) = (0, self.row * A::WIDTH);
    }
}

impl<S: Simd, A: Element, const LOG: bool> Beside for Steps<'_, '_, '_, S, A, LOG> {
    #[inline(always)]
    fn step(&mut self) {
        if self.row >= self.shape.len {
            return;
        }
        self.some::<1>();
        if self.vector >= self.vectors {
            self.next_row();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Belt;
    use crate::element::Element;
    use crate::lane::{Job, Level, run_fused, with_level};
    use crate::prelude::*;
    use ndarray::{Array3, Axis};

    fn belt<A: Element, const LOG: bool>(x: &Array3<A>, in_place: bool, whole: bool) -> Array3<A> {
        let (_, len, columns) = x.dim();
        let mut out = if in_place { x.clone() } else { Array3::from_elem(x.raw_dim(), A::one()) };
        let xs: Vec<&[A]> = x.as_slice().expect("new").chunks(columns).collect();
        let all = out.as_slice_mut().expect("new");
        let mut outs: Vec<&mut [A]> = all.chunks_mut(columns).collect();
        let (xs, outs) = ((!in_place).then_some(&xs[..]), &mut outs[..]);
        let memory = &mut Vec::new();
        run_fused(Job::new(), Belt::<'_, '_, '_, A, LOG> { xs, outs, len, whole, memory });
        out
    }

    fn check<A: Element>() {
        for shape in [
            (1, 1, 16),
            (1, 33, 70),
            (2, 70, 48),
            (3, 5, 1100),
            (4, 3, 2200),
            (1, 20, 8200),
            (4, 290, 896),
            (5, 64, 17),
            (9, 130, 32),
            (4, 70, 529),
            (5, 20, 1040),
        ] {
            let x = Array3::from_shape_fn(shape, |(i, j, k)| {
                A::from_f64(((i * 31 + j * j * 7 + k * 13) % 101) as f64 / 8.0 - 6.0)
            });
            let near = (x.softmax(Axis(1)), x.log_softmax(Axis(1)));
            for whole in [false, true] {
                let y = (belt::<A, false>(&x, false, whole), belt::<A, true>(&x, false, whole));
                assert_eq!(y, near, "{shape:?}, {whole}");
                if shape.2.is_multiple_of(16) {
                    let y = (belt::<A, false>(&x, true, whole), belt::<A, true>(&x, true, whole));
                    assert_eq!(y, near, "{shape:?} in place, {whole}");
                }
            }
        }
    }

    /// Whatever the size of an array from which on it goes over a belt: one part and many, of one plane and of several, on
    /// every machine in one piece as well.
    #[test]
    fn a_belt_gives_the_bits_of_arrays_in_the_caches() {
        for level in Level::available() {
            with_level(level, || {
                if Job::new().is_fused() {
                    check::<f32>();
                    check::<f64>();
                }
            });
        }
    }
}
