//! What normalises lanes: of each the largest element, and the logarithm of its sum relative to that.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut1, Axis};

use super::columns::Gather;
use super::input::Plain;
use super::lane::Logarithm;
use super::log_rows::{first_tops, logarithms, together};
use super::rows::GROUP;
use super::sum::{SHORT, chunk, mode, sum_for_log};
use super::tile::Groups;
use super::total::WIDEST;
use super::wide::Wide;
use crate::apply::{GROUPS, Reduce, in_groups};
use crate::element::Element;
use crate::lane::{Job, Kernel, run_fused};

/// What the logarithm of the softmax of a lane is made of, besides its elements.
#[derive(Clone, Copy, Debug)]
pub struct Normalizer<A> {
    top: A,
    log: A,
}

impl<A: Element> Normalizer<A> {
    /// Of an empty lane.
    pub(super) fn none() -> Self {
        Self { top: A::neg_infinity(), log: A::zero() }
    }

    fn new((top, log): (A, Wide)) -> Self {
        Self { top, log: A::from_f64(log.value()) }
    }

    pub(super) fn of_lane(job: Job, x: &[A]) -> Self {
        if x.is_empty() { Self::none() } else { Self::new(of_lane(job, x)) }
    }

    /// The logarithm of the softmax where the lane has this element, with the bits that it has in an array.
    #[inline(always)]
    pub(crate) fn log_softmax(self, x: A) -> A {
        (x - self.top) - self.log
    }
}

/// The largest element of a lane that is not empty, and the logarithm of its sum of exponentials relative to that: NaN where
/// the lane has no softmax.
pub(super) fn of_lane<A: Element>(job: Job, x: &[A]) -> (A, Wide) {
    let sum = sum_for_log(job, Plain, x);
    (sum.max, Logarithm { sum }.of(job))
}

/// Lanes whose results are handed on together.
pub(super) const LANES: usize = GROUPS * WIDEST;

/// Takes what [`of_lane`] gives for some lanes, and which is the first of them.
type Found<'a, A> = &'a mut dyn FnMut(usize, &[(A, Wide)]);

/// Many lanes.
pub struct Many {
    pub(super) job: Job,
}

impl Many {
    /// Lanes of `len` elements, at least one, one after the other.
    pub(super) fn each_row<A: Element>(&self, x: &[A], len: usize, found: Found<'_, A>) {
        let job = self.job;
        let fused = job.is_fused();
        let mut all = [(A::zero(), Wide::ZERO); LANES];
        if len > SHORT && len <= chunk::<A>() && fused {
            for (i, x) in x.chunks(LANES * len).enumerate() {
                let out = &mut all[..x.len() / len];
                run_fused(job, Rows { x, len, out: &mut *out });
                found(i * LANES, out);
            }
            return;
        }
        let some = &mut |groups: &mut [A], lanes: Range<usize>| {
            let logs = &mut all[..groups.len() / len];
            let made_of = Some(&mut *logs);
            Groups::<'_, A, _, true> { input: Plain, groups, len, logs: made_of }.run_all(job);
            found(lanes.start, &logs[..lanes.len()]);
        };
        if len > SHORT || !fused || !in_groups(job, x, len, some) {
            for (i, x) in x.chunks_exact(len).enumerate() {
                found(i, &[of_lane(job, x)]);
            }
        }
    }

    /// Columns, which are rows of memory side by side; returns whether that was done.
    pub(super) fn each_column<A: Element>(
        &self,
        x: &ArrayView2<'_, A>,
        found: Found<'_, A>,
    ) -> bool {
        let (job, len) = (self.job, x.nrows());
        if len == 0 || len > chunk::<A>() || !job.is_fused() {
            return false;
        }
        let mut memory = Vec::new();
        let together = GROUPS * A::WIDTH;
        for (i, x) in x.axis_chunks_iter(Axis(1), together).enumerate() {
            memory.resize(x.ncols().next_multiple_of(A::WIDTH) * len, A::zero());
            let mut all = [(A::zero(), Wide::ZERO); LANES];
            Gather { input: Plain, x: x.view(), memory: &mut memory, len }.run_all(job);
            let logs = &mut all[..memory.len() / len];
            let made_of = Some(&mut *logs);
            let (input, groups) = (Plain, &mut *memory);
            Groups::<'_, A, _, true> { input, groups, len, logs: made_of }.run_all(job);
            found(i * together, &logs[..x.ncols()]);
        }
        true
    }
}

impl<A: Element> Reduce<A, Normalizer<A>> for Many {
    fn rows(&self, x: &[A], len: usize, out: &mut [Normalizer<A>]) {
        if len == 0 {
            return out.fill(Normalizer::none());
        }
        self.each_row(x, len, &mut |first, found| {
            for (out, &found) in out[first..].iter_mut().zip(found) {
                *out = Normalizer::new(found);
            }
        });
    }

    fn columns(&self, x: &ArrayView2<'_, A>, mut out: ArrayViewMut1<'_, Normalizer<A>>) -> bool {
        self.each_column(x, &mut |first, found| {
            for (lane, &found) in (first..).zip(found) {
                out[lane] = Normalizer::new(found);
            }
        })
    }
}

/// Of lanes of at most a chunk, one after the other.
struct Rows<'a, A> {
    x: &'a [A],
    len: usize,
    out: &'a mut [(A, Wide)],
}

impl<A: Element> Kernel for Rows<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, len, out } = self;
        let together = together::<A>(len, GROUP);
        let size = together * len;
        let mut tops = first_tops(simd, Plain, (x, len), together);
        let mut rest = x;
        for out in out.chunks_mut(together) {
            let (logs, tops) = logarithms::<S, A, Plain, { mode::ADD }>(
                simd,
                Plain,
                (rest, len),
                size,
                &mut [],
                &mut tops,
                false,
            );
            for (out, found) in out.iter_mut().zip(tops.into_iter().zip(logs.store())) {
                *out = found;
            }
            rest = rest.get(size..).unwrap_or_default();
        }
    }
}
