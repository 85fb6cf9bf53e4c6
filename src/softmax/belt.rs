//! Columns of an array that comes from memory: many vectors of them are summed in the second-level cache, while in the
//! same loop those behind are copied there and those before are finished on their way back.

use core::ops::Range;
use core::slice::{Iter, IterMut};

use fearless_simd::Simd;

use super::strips::{Factors, aligned, factors, finished};
use super::tile::Beside;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Bytes of one of the three copies of columns.
const CELLS: usize = 256 << 10;
/// The most vectors of a row that are copied: a page of memory.
const MOST: usize = 64;
/// Columns are cut into so many copies, since the first and the last of them have less beside them.
const COPIES: usize = 4;

/// The softmax, or its logarithm, of all columns but the last, fewer than a vector; returns how many these are.
pub(super) struct Belt<'a, 'b, 'c, A, const LOG: bool> {
    /// Rows of inputs, if they are not those of the outputs.
    pub(super) xs: Option<&'a [&'b [A]]>,
    pub(super) outs: &'a mut [&'c mut [A]],
}

impl<A: Element, const LOG: bool> Kernel for Belt<'_, '_, '_, A, LOG> {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let Self { xs, outs } = self;
        let (len, columns) = (outs.len(), outs.first().map_or(0, |row| row.len()));
        let all = columns / A::WIDTH;
        // Groups begin a vector more apart: otherwise all of a row could fall into one set of the first-level cache.
        let group = (len + 1) * A::WIDTH;
        let most = (CELLS / size_of::<A>() / group).min(all / COPIES).clamp(1, MOST);
        let mut memory = Vec::new();
        let memory = aligned(&mut memory, 3 * most * group);
        let (mut before, rest) = memory.split_at_mut(most * group);
        let (mut now, mut behind) = rest.split_at_mut(most * group);
        let lowest = [A::Lanes::<S>::fill(simd, A::neg_infinity()); MOST];
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        let (mut tops, mut ready) = (lowest, [(zero, zero); MOST]);
        // Vectors before, now and behind; those before begin at `first`.
        let (mut first, mut counts) = (0, [0, 0, most.min(all)]);
        loop {
            let mut next_tops = lowest;
            let mut next_ready = ready;
            let second = first + counts[0] + counts[1];
            let mut steps = Steps::<S, A, LOG> {
                simd,
                xs: xs.unwrap_or_default().iter(),
                outs: outs.iter_mut(),
                written: first * A::WIDTH..(first + counts[0]) * A::WIDTH,
                read: second * A::WIDTH..(second + counts[2]) * A::WIDTH,
                before,
                ready: &ready,
                behind,
                tops: &mut next_tops,
                group,
                rows: 0,
                output: &mut [],
                input: &[],
                vectors: 0,
                place: 0,
            };
            let groups = now.chunks_exact_mut(group).zip(&tops).take(counts[1]);
            for ((cells, &top), ready) in groups.zip(&mut next_ready) {
                // Zeros are positive, whatever the order of the elements.
                let (cells, top) = (&mut cells[..len * A::WIDTH], top + 0.0);
                *ready = factors::<S, A, LOG>(simd, cells, top, &mut steps);
            }
            steps.finish();
            (before, now, behind) = (now, behind, before);
            (tops, ready) = (next_tops, next_ready);
            first += counts[0];
            let following = all - first - counts[1] - counts[2];
            counts = [counts[1], counts[2], most.min(following)];
            if counts[0] + counts[1] == 0 {
                return all * A::WIDTH;
            }
        }
    }
}

/// The copying of some vectors of each row and the finishing of some others, a vector of both at a time.
struct Steps<'a, 'b, 'c, S: Simd, A: Element, const LOG: bool> {
    simd: S,
    /// The rows that are left, of inputs if they are not those of the outputs.
    xs: Iter<'a, &'b [A]>,
    outs: IterMut<'a, &'c mut [A]>,
    /// The columns that are finished, out of `before` by the factors that are `ready`.
    written: Range<usize>,
    before: &'a [A],
    ready: &'a [Factors<A::Lanes<S>>; MOST],
    /// The columns further right that are copied to `behind`, and the largest element of each so far.
    read: Range<usize>,
    behind: &'a mut [A],
    tops: &'a mut [A::Lanes<S>; MOST],
    /// Elements from group to group in both copies.
    group: usize,
    /// Rows begun.
    rows: usize,
    /// What is left of a row.
    output: &'a mut [A],
    input: &'a [A],
    /// Vectors done of it, and the place of the next in both copies.
    vectors: usize,
    place: usize,
}

impl<S: Simd, A: Element, const LOG: bool> Steps<'_, '_, '_, S, A, LOG> {
    /// Whether there is a vector left, perhaps of another row.
    #[inline(always)]
    fn is_left(&mut self) -> bool {
        if !self.output.is_empty() || !self.input.is_empty() {
            return true;
        }
        let Some(out) = self.outs.next() else { return false };
        let (left, right) = out.split_at_mut(self.read.start);
        self.output = &mut left[self.written.clone()];
        self.input = match self.xs.next() {
            Some(x) => &x[self.read.clone()],
            None => &right[..self.read.len()],
        };
        (self.vectors, self.place) = (0, self.rows * A::WIDTH);
        self.rows += 1;
        true
    }

    #[inline(always)]
    fn finish(mut self) {
        while self.is_left() {
            self.step();
        }
    }
}

impl<S: Simd, A: Element, const LOG: bool> Beside for Steps<'_, '_, '_, S, A, LOG> {
    #[inline(always)]
    fn step(&mut self) {
        if !self.is_left() {
            return;
        }
        let place = self.place..self.place + A::WIDTH;
        if let Some(output) = self.output.split_off_mut(..A::WIDTH) {
            let t = A::Lanes::<S>::load(self.simd, &self.before[place.clone()]);
            finished::<_, LOG>(t, self.ready[self.vectors]).store(output);
        }
        if let Some(input) = self.input.split_off(..A::WIDTH) {
            let x = A::Lanes::<S>::load(self.simd, input);
            self.tops[self.vectors] = x.at_least(self.tops[self.vectors]);
            x.store(&mut self.behind[place]);
        }
        self.vectors += 1;
        self.place += self.group;
    }
}
