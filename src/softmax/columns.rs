//! Columns of an array: rows are copied into groups of lanes, and come back finished.

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::finish::quotient;
use super::in_place::{in_place, is_better};
use super::input::Input;
use super::lane::{difference, log_softmax, softmax};
use super::rows::Rows;
use super::stream::{shares, stream, width};
use super::strips::{Near, Way, planes, share_a_belt, strips};
use super::sum::{chunk, each};
use super::tile::{Groups, logarithms, quotients};
use super::total::WIDEST;
use crate::apply::{Columns, GROUPS, TILE, read_rows, read_tile, write_rows, write_tile};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run_fused};

/// The softmax, or its logarithm, of columns.
#[derive(Clone, Copy)]
pub(super) struct Along<I, const LOG: bool> {
    pub(super) job: Job,
    pub(super) input: I,
    /// Whether the whole array [`is_far`](super::rows::is_far).
    pub(super) far: bool,
    /// Whether it is [`near`](super::strips::near).
    pub(super) near: Option<Near>,
}

impl<I, const LOG: bool> Along<I, LOG> {
    /// How columns are copied, where that is better than to read whole rows.
    fn way<A: Element>(&self, shape: (usize, usize)) -> Option<Way>
    where
        I: Input<A>,
    {
        if I::PLAIN && self.job.is_fused() { Way::of::<A>(self.near, shape) } else { None }
    }
}

impl<A: Element, I: Input<A>, const LOG: bool> Columns<A> for Along<I, LOG> {
    fn job(&self) -> Job {
        self.job
    }

    fn groups(&self, groups: &mut [A], len: usize) {
        let Self { job, input, .. } = *self;
        if I::PLAIN || job.is_fused() {
            return Groups::<'_, A, I, LOG> { input, groups, len, logs: None }.run_all(job);
        }
        const { assert!(I::PLAIN || !LOG, "logarithms are of the elements themselves") };
        let (mut lane, mut out) = (vec![A::zero(); len], vec![A::zero(); len]);
        for group in groups.chunks_exact_mut(len * A::WIDTH) {
            for j in 0..A::WIDTH {
                for (x, row) in lane.iter_mut().zip(group.chunks_exact(A::WIDTH)) {
                    *x = row[j];
                }
                softmax(job, input, false, &lane, &mut out);
                for (&y, row) in out.iter().zip(group.chunks_exact_mut(A::WIDTH)) {
                    row[j] = y;
                }
            }
        }
    }

    fn rows(&self, x: Option<&[A]>, out: &mut [A], len: usize) -> bool {
        // Where a fused step is emulated, that is where all time goes: longer lanes go one by one, which is less code.
        if !self.job.is_fused() {
            return false;
        }
        if len > chunk::<A>() {
            let is_able = I::PLAIN && x.is_none() && is_better::<A, LOG>(len);
            if is_able {
                out.chunks_exact_mut(len).for_each(|out| in_place::<A, LOG>(self.job, out));
            }
            return is_able;
        }
        let Self { job, input, far, .. } = *self;
        Rows::<'_, A, I, LOG> { input, x, out, len, far }.run_all(job);
        true
    }

    fn takes(&self, len: usize) -> bool {
        // Long columns of products are rare: not worth the code.
        self.job.is_fused() && (I::PLAIN || len <= chunk::<A>())
    }

    fn width(&self, shape: (usize, usize)) -> usize {
        if self.way(shape).is_some() { shape.1 } else { width::<A>(shape.0) }
    }

    fn shares(&self, rows: usize, columns: usize) -> bool {
        I::PLAIN
            && self.job.is_fused()
            && self.way((rows, columns)).is_none()
            // Threads have a belt each.
            && !share_a_belt::<A>((self.near, self.far), (rows, columns))
            && shares::<A>(rows, columns)
    }

    fn stream(&self, x: Option<&ArrayView2<'_, A>>, out: &mut ArrayViewMut2<'_, A>) -> bool {
        if let Some(way) = self.way(out.dim()) {
            return strips::<A, LOG>(self.job, way, x, out);
        }
        I::PLAIN && stream::<A, LOG>(self.job, self.far, x, out)
    }

    fn planes(&self, x: Option<&[A]>, out: &mut [A], shape: (usize, usize)) -> bool {
        let able =
            I::PLAIN && self.job.is_fused() && share_a_belt::<A>((self.near, self.far), shape);
        able && planes::<A, LOG>(self.job, x, out, shape)
    }

    fn columns(
        &self,
        x: Option<ArrayView2<'_, A>>,
        mut out: ArrayViewMut2<'_, A>,
        memory: &mut Vec<A>,
    ) {
        let (len, count) = out.dim();
        let groups = count.div_ceil(A::WIDTH);
        let input = self.input;
        if len > chunk::<A>() {
            return self.gathered(x, out, memory);
        }
        let tile = groups * len * A::WIDTH;
        if memory.len() < tile {
            memory.resize(tile, A::zero());
        }
        let memory = &mut memory[..tile];
        let tops = match &x {
            Some(x) => Gather { input, x: x.view(), memory, len }.run_all(self.job),
            None => Gather { input, x: out.view(), memory, len }.run_all(self.job),
        };
        let mut factors = [[[A::zero(); WIDEST]; 2]; GROUPS];
        let each = memory.chunks_exact_mut(len * A::WIDTH).zip(&tops).zip(&mut factors);
        for ((group, top), factors) in each {
            *factors = run_fused(self.job, Factors::<'_, A, I, LOG> { input, group, top });
        }
        run_fused(
            self.job,
            Scatter::<'_, '_, A, LOG> { out: &mut out, memory, len, factors: &factors },
        );
    }
}

impl<I, const LOG: bool> Along<I, LOG> {
    /// The same of long columns, a cache line of them at a time.
    fn gathered<A: Element>(
        &self,
        x: Option<ArrayView2<'_, A>>,
        mut out: ArrayViewMut2<'_, A>,
        memory: &mut Vec<A>,
    ) where
        I: Input<A>,
    {
        let (len, count) = out.dim();
        let mut lanes = Vec::new();
        for first in (0..count).step_by(TILE) {
            let these = first..count.min(first + TILE);
            match &x {
                Some(x) => read_tile(x, these.clone(), memory),
                None => read_tile(&out.view(), these.clone(), memory),
            };
            lanes.resize(memory.len(), A::zero());
            for (x, lane) in memory.chunks_exact(len).zip(lanes.chunks_exact_mut(len)) {
                if LOG {
                    log_softmax(self.job, false, x, lane);
                } else {
                    softmax(self.job, self.input, false, x, lane);
                }
            }
            write_tile(&mut out, these, &lanes);
        }
    }
}

/// Copies columns into groups; returns the largest key of each.
pub(super) struct Gather<'a, 'b, A, I> {
    pub(super) input: I,
    pub(super) x: ArrayView2<'b, A>,
    pub(super) memory: &'a mut [A],
    pub(super) len: usize,
}

impl<A: Element, I: Input<A>> Gather<'_, '_, A, I> {
    /// Compiled once, not again wherever it is called.
    #[inline(never)]
    pub(super) fn run_all(self, job: Job) -> [[A; WIDEST]; GROUPS] {
        run_fused(job, self)
    }
}

impl<A: Element, I: Input<A>> Kernel for Gather<'_, '_, A, I> {
    type Output = [[A; WIDEST]; GROUPS];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { input, x, memory, len } = self;
        let mut tops = [A::Lanes::<S>::fill(simd, A::neg_infinity()); GROUPS];
        read_rows::<S, A>(
            simd,
            &x,
            #[inline(always)]
            |i, group, x| {
                tops[group] = input.key(x).at_least(tops[group]);
                x.store(&mut memory[(group * len + i) * A::WIDTH..][..A::WIDTH]);
            },
        );
        let mut all = [[A::zero(); WIDEST]; GROUPS];
        for (all, top) in all.iter_mut().zip(tops) {
            *all = each::<S, A>(top + 0.0);
        }
        all
    }
}

/// Sums a group; returns what its elements are then multiplied by or reduced by.
struct Factors<'a, A, I, const LOG: bool> {
    input: I,
    group: &'a mut [A],
    top: &'a [A; WIDEST],
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Factors<'_, A, I, LOG> {
    type Output = [[A; WIDEST]; 2];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { input, group, top } = self;
        let top = A::Lanes::<S>::load(simd, &top[..A::WIDTH]);
        if LOG {
            let log = logarithms::<S, A, I>(simd, input, group, top, &mut ());
            return [each::<S, A>(top), each::<S, A>(log)];
        }
        let inverse = quotients::<S, A, I>(simd, input, group, top, &mut ());
        [each::<S, A>(inverse.0), each::<S, A>(inverse.1)]
    }
}

/// Finishes groups on their way into the columns that they belong to.
struct Scatter<'a, 'b, A, const LOG: bool> {
    out: &'a mut ArrayViewMut2<'b, A>,
    memory: &'a [A],
    len: usize,
    factors: &'a [[[A; WIDEST]; 2]; GROUPS],
}

impl<A: Element, const LOG: bool> Kernel for Scatter<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { out, memory, len, factors } = self;
        let factors = factors.map(
            #[inline(always)]
            |[a, b]| {
                let load = A::Lanes::<S>::load;
                (load(simd, &a[..A::WIDTH]), load(simd, &b[..A::WIDTH]))
            },
        );
        write_rows::<S, A>(
            out,
            #[inline(always)]
            |i, group| {
                let place = (group * len + i) * A::WIDTH;
                let t = A::Lanes::<S>::load(simd, &memory[place..][..A::WIDTH]);
                let (a, b) = factors[group];
                if LOG { difference(t, a, b) } else { quotient(t, (a, b)) }
            },
        );
    }
}
