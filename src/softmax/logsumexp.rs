//! The logarithm of a lane's sum of exponentials, and its statistics.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut1, Axis};

use super::columns::Gather;
use super::input::{Input, Plain};
use super::lane::Logarithm;
use super::rows::{GROUP, first_tops, logarithms, together};
use super::stats::SoftmaxStats;
use super::sum::{SHORT, chunk, mode, sum, sum_for_log};
use super::tile::Groups;
use super::total::{WIDEST, single};
use super::wide::Wide;
use crate::apply::{GROUPS, Reduce, in_groups};
use crate::element::Element;
use crate::lane::{Job, Kernel, run, run_fused};

/// `ln Σ e^x`.
pub(crate) fn logsumexp<A: Element, I: Input<A>>(job: Job, input: I, x: &[A]) -> A {
    if x.is_empty() {
        return A::neg_infinity();
    }
    let sum = sum_for_log(job, input, x);
    if let Some(usual) = usual(input, sum.max, Logarithm { sum }.of(job)) {
        return usual;
    }
    if sum.max.to_f64().is_infinite() {
        let nan = x.iter().any(|x| x.is_nan());
        return if nan { A::nan() } else { sum.max };
    }
    A::from_f64(careful(job, input, x, key(input, sum.max)))
}

/// From the largest key of a lane and the logarithm of its sum relative to that. Nothing where the one is not finite or
/// both nearly cancel.
#[inline(always)]
fn usual<A: Element, I: Input<A>>(input: I, max: A, log: Wide) -> Option<A> {
    let result = if const { I::PLAIN && single::<A>() } {
        // Neither has a low part: the sum of the high ones, rounded once, is what comes of both.
        Wide::from(max.to_f64() + log.high)
    } else {
        key(input, max).plus(log)
    };
    // NaN is not less than anything.
    let cancels = result.high.abs() < 0.75 * log.high;
    (!cancels && !max.to_f64().is_infinite()).then(
        #[inline(always)]
        || A::from_f64(result.value()),
    )
}

/// The key as what stands for it in the sum.
#[inline(always)]
fn key<A: Element, I: Input<A>>(input: I, max: A) -> Wide {
    let (high, low) = input.scalar(max);
    Wide::sum(high.to_f64(), low.to_f64())
}

/// `ln Σ e^x` of many lanes.
pub struct Many {
    pub(super) job: Job,
}

impl<A: Element> Reduce<A, A> for Many {
    fn rows(&self, x: &[A], len: usize, out: &mut [A]) {
        let (job, input) = (self.job, Plain);
        let fused = job.is_fused();
        if len > SHORT && len <= chunk::<A>() && fused {
            return run_fused(job, Rows { job, input, x, len, out });
        }
        let some = &mut |groups: &mut [A], lanes: Range<usize>| {
            let mut logs = [(A::zero(), Wide::ZERO); GROUPS * WIDEST];
            let logs = &mut logs[..groups.len() / len];
            let made_of = Some(&mut *logs);
            Groups::<'_, A, _, true> { input, groups, len, logs: made_of }.run_all(job);
            for (lane, &mut (top, log)) in lanes.zip(logs) {
                out[lane] = usual(input, top, log)
                    .unwrap_or_else(|| logsumexp(job, input, &x[lane * len..(lane + 1) * len]));
            }
        };
        if len == 0 || len > SHORT || !fused || !in_groups(job, x, len, some) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = logsumexp(job, input, &x[i * len..(i + 1) * len]);
            }
        }
    }

    fn columns(&self, x: &ArrayView2<'_, A>, mut out: ArrayViewMut1<'_, A>) -> bool {
        let (job, input, len) = (self.job, Plain, x.nrows());
        if len == 0 || len > chunk::<A>() || !job.is_fused() {
            return false;
        }
        let mut memory = Vec::new();
        let together = GROUPS * A::WIDTH;
        let parts = x.axis_chunks_iter(Axis(1), together);
        for (x, mut out) in parts.zip(out.axis_chunks_iter_mut(Axis(0), together)) {
            memory.resize(x.ncols().next_multiple_of(A::WIDTH) * len, A::zero());
            let mut logs = [(A::zero(), Wide::ZERO); GROUPS * WIDEST];
            Gather { input, x: x.view(), memory: &mut memory, len }.run_all(job);
            let logs = &mut logs[..memory.len() / len];
            let kernel = Groups::<'_, A, _, true> {
                input,
                groups: &mut memory,
                len,
                logs: Some(&mut *logs),
            };
            kernel.run_all(job);
            for ((out, x), &mut (top, log)) in out.iter_mut().zip(x.columns()).zip(logs) {
                *out = usual(input, top, log).unwrap_or_else(|| logsumexp(job, input, &x.to_vec()));
            }
        }
        true
    }
}

/// Of lanes of at most a chunk, one after the other.
struct Rows<'a, A, I> {
    job: Job,
    input: I,
    x: &'a [A],
    len: usize,
    out: &'a mut [A],
}

impl<A: Element, I: Input<A>> Kernel for Rows<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { job, input, x, len, out } = self;
        let together = together::<A>(len, GROUP);
        let size = together * len;
        let mut tops = first_tops(simd, input, (x, len), together);
        let mut rest = x;
        for out in out.chunks_mut(together) {
            let (logs, tops) = logarithms::<S, A, I, { mode::ADD }>(
                simd,
                input,
                (rest, len),
                size,
                &mut [],
                &mut tops,
                false,
            );
            let lanes = rest.chunks_exact(len).zip(logs.store()).zip(tops);
            for (out, ((x, log), top)) in out.iter_mut().zip(lanes) {
                *out = usual(input, top, log).unwrap_or_else(|| logsumexp(job, input, x));
            }
            rest = rest.get(size..).unwrap_or_default();
        }
    }
}

/// `ln Σ e^x` where maximum and logarithm nearly cancel, as for the logarithms of probabilities:
/// the digits of the usual sum do not suffice. `f32` lanes are summed as `f64` first.
#[cold]
fn careful<A: Element, I: Input<A>>(job: Job, input: I, x: &[A], top: Wide) -> f64 {
    if size_of::<A>() == 4 {
        let wide = |&x: &A| {
            let (high, low) = input.scalar(x);
            high.to_f64() + low.to_f64()
        };
        let x: Vec<f64> = x.iter().map(wide).collect();
        let sum = sum_for_log(job, Plain, &x);
        let log = Logarithm { sum }.of(job);
        // Its error is below 2^-53 of the logarithm: enough for 24 digits unless this is tiny.
        let result = top.plus(log).value();
        if result.abs() > 2f64.powi(-26) * log.high {
            return result;
        }
    }
    top.plus(run(job, Beside { input, x, top }).ln_1p()).value()
}

/// `Σ e^(x − max) − 1` in double-double, one element after the other.
struct Beside<'a, A, I> {
    input: I,
    x: &'a [A],
    top: Wide,
}

impl<A: Element, I: Input<A>> Kernel for Beside<'_, A, I> {
    type Output = Wide;
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> Wide {
        let mut sum = Wide::ZERO;
        let mut counted = false;
        for &x in self.x {
            let (high, low) = self.input.scalar(x);
            let distance = Wide::sum(high.to_f64(), low.to_f64()).plus(self.top.negated());
            // One of the largest is the 1 that is left out.
            if distance == Wide::ZERO && !counted {
                counted = true;
            } else {
                sum = sum.plus(distance.exp());
            }
        }
        sum
    }
}

/// The statistics of a slice.
pub(super) fn counted<A: Element>(x: &[A]) -> SoftmaxStats<A> {
    if x.is_empty() {
        return SoftmaxStats::new();
    }
    let sum = sum::<A, Plain, { mode::COUNT }>(Job::new(), Plain, x);
    if x.iter().any(|x| x.is_nan()) {
        return SoftmaxStats::from_parts(A::nan(), Wide::ZERO, 0.0);
    }
    if sum.max.to_f64().is_infinite() {
        return SoftmaxStats::from_parts(sum.max, Wide::ZERO, 1.0);
    }
    SoftmaxStats::from_parts(sum.max, sum.rest.over(sum.largest), sum.count)
}
