//! What happens to one lane: its sum, then one pass over its elements.

use fearless_simd::Simd;

use super::exp::{Constants, Origin, exp};
use super::finish::{crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::{Input, Plain};
use super::max::{load_padded, max, store_part};
use super::stats::SoftmaxStats;
use super::sum::{SHORT, Sum, chunk, mode, origin, suffices, sum, sum_for_log, total};
use super::total::Total;
use super::wide::Wide;
use crate::activation::Cost;
use crate::apply::parallel;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// The softmax of `x` into `out`.
pub(crate) fn softmax<A: Element, I: Input<A>>(job: Job, input: I, x: &[A], out: &mut [A]) {
    if x.is_empty() {
        return;
    }
    if x.len() <= chunk::<A>() {
        return run(job, Softmax { input, x, out });
    }
    let sum = sum::<A, I, { mode::ADD }>(job, input, x);
    pieces(x, out, parallel::pieces(Cost::Moderate, x.len()), &|x, out| {
        run(job, Quotients { input, x, out, sum });
    });
}

/// A lane of at most a chunk.
struct Softmax<'a, A, I> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
}

impl<A: Element, I: Input<A>> Kernel for Softmax<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out } = self;
        let top = A::Lanes::<S>::fill(simd, max(simd, input, x));
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
        let (sum, _) = total::<S, A, I, { mode::STORE }>(simd, input, x, out, top, origin);
        let total = Total::fill(simd, sum);
        let inverse = inverse(total);
        let crowned = crowned::<S, A, I>(simd, input, total, top, origin);
        let mut vectors = out.chunks_exact_mut(A::WIDTH);
        for vector in vectors.by_ref() {
            quotient(A::Lanes::<S>::load(simd, vector), inverse).store(vector);
        }
        let rest = vectors.into_remainder();
        if !rest.is_empty() {
            let t = load_padded::<S, A>(simd, rest, A::zero());
            store_part::<S, A>(quotient(t, inverse), rest);
        }
        if crowned.is_some() {
            crown_all(out);
        }
    }
}

/// Writes 1 where the one element above ½ is.
fn crown_all<A: Element>(out: &mut [A]) {
    for y in out {
        if *y > A::from_f64(0.5) {
            *y = A::one();
        }
    }
}

/// Calls `f` for pieces of `x` and `out`, whole chunks but for the last.
fn pieces<A: Element>(x: &[A], out: &mut [A], count: usize, f: &(impl Fn(&[A], &mut [A]) + Sync)) {
    let chunks = x.len().div_ceil(chunk::<A>());
    if count < 2 || chunks < 2 {
        return f(x, out);
    }
    let middle = chunks / 2 * chunk::<A>();
    let ((x0, x1), (out0, out1)) = (x.split_at(middle), out.split_at_mut(middle));
    parallel::join(|| pieces(x0, out0, count / 2, f), || pieces(x1, out1, count - count / 2, f));
}

/// The softmax of a part of a lane whose sum is known.
struct Quotients<'a, A, I> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
    sum: Sum<A>,
}

impl<A: Element, I: Input<A>> Kernel for Quotients<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, sum } = self;
        let top = A::Lanes::<S>::fill(simd, sum.max);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top).of_first(simd);
        let total = Total::fill(simd, sum.rest);
        let inverse = inverse(total);
        let crowned = crowned::<S, A, I>(simd, input, total, top, origin);
        if I::PLAIN && origin.shift.is_none() {
            let origin = origin.without_shift();
            quotients::<S, A, I>(simd, input, x, out, origin, inverse);
        } else {
            quotients::<S, A, I>(simd, input, x, out, origin, inverse);
        }
        if crowned.is_some() {
            crown_all(out);
        }
    }
}

#[inline(always)]
fn quotients<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    origin: Origin<A::Lanes<S>>,
    inverse: (A::Lanes<S>, A::Lanes<S>),
) {
    map(
        simd,
        x,
        out,
        #[inline(always)]
        |x| {
            let (value, low) = input.value(simd, x);
            quotient(exp(value, low, origin).high, inverse)
        },
    );
}

/// `f` of every element, tails padded.
#[inline(always)]
pub(super) fn map<S: Simd, A: Element>(
    simd: S,
    x: &[A],
    out: &mut [A],
    f: impl Fn(A::Lanes<S>) -> A::Lanes<S>,
) {
    let (mut from, mut to) = (x.chunks_exact(A::WIDTH), out.chunks_exact_mut(A::WIDTH));
    for (x, out) in from.by_ref().zip(to.by_ref()) {
        f(A::Lanes::<S>::load(simd, x)).store(out);
    }
    let (x, out) = (from.remainder(), to.into_remainder());
    if !x.is_empty() {
        store_part::<S, A>(f(load_padded::<S, A>(simd, x, A::zero())), out);
    }
}

/// `ln Σ e^(x − max)` of a counted sum, NaN where the lane's result is not a number.
struct Logarithm<A> {
    sum: Sum<A>,
}

impl<A: Element> Kernel for Logarithm<A> {
    type Output = Wide;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Wide {
        let counts = A::Lanes::<S>::fill(simd, A::from_f64(self.sum.count));
        let (rest, largest) =
            (Total::fill(simd, self.sum.rest), Total::fill(simd, self.sum.largest));
        logarithm::<S, A>(rest, largest, counts).store()[0]
    }
}

/// The logarithm of the softmax of `x` into `out`.
pub(crate) fn log_softmax<A: Element>(job: Job, x: &[A], out: &mut [A]) {
    if x.is_empty() {
        return;
    }
    if x.len() <= chunk::<A>() {
        return run(job, LogSoftmax { x, out });
    }
    let sum = sum_for_log(job, Plain, x);
    let log = A::from_f64(run(job, Logarithm { sum }).value());
    pieces(x, out, parallel::pieces(Cost::Moderate, x.len()), &|x, out| {
        run(job, Differences { x, out, top: sum.max, log });
    });
}

/// A lane of at most a chunk.
struct LogSoftmax<'a, A> {
    x: &'a [A],
    out: &'a mut [A],
}

impl<A: Element> Kernel for LogSoftmax<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, out } = self;
        let top = A::Lanes::<S>::fill(simd, max(simd, Plain, x));
        let origin = origin::<S, A, Plain>(simd, Plain, Constants::new(), top, top);
        let largest = largest::<S, A, Plain>(simd, Plain, top, origin);
        let (mut sum, mut count) = (Wide::ZERO, 0.0);
        if x.len() > SHORT {
            (sum, _) = total::<S, A, Plain, { mode::ADD }>(simd, Plain, x, &mut [], top, origin);
        }
        if !suffices(sum, largest.store()[0]) {
            (sum, count) =
                total::<S, A, Plain, { mode::COUNT }>(simd, Plain, x, &mut [], top, origin);
        }
        let counts = A::Lanes::<S>::fill(simd, A::from_f64(count));
        let log = nearest(logarithm::<S, A>(Total::fill(simd, sum), largest, counts));
        map(
            simd,
            x,
            out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

/// `(x − max) − log`, within 1.5 ULP and what the logarithm lost: neither term is positive, so
/// nothing cancels.
#[inline(always)]
pub(super) fn difference<V: Lane>(x: V, top: V, log: V) -> V {
    (x - top) - log
}

/// The logarithm of the softmax of a part of a lane whose sum is known.
struct Differences<'a, A> {
    x: &'a [A],
    out: &'a mut [A],
    top: A,
    log: A,
}

impl<A: Element> Kernel for Differences<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (top, log) = (A::Lanes::<S>::fill(simd, self.top), A::Lanes::<S>::fill(simd, self.log));
        map(
            simd,
            self.x,
            self.out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

/// `ln Σ e^x`.
pub(crate) fn logsumexp<A: Element, I: Input<A>>(job: Job, input: I, x: &[A]) -> A {
    if x.is_empty() {
        return A::neg_infinity();
    }
    let sum = sum_for_log(job, input, x);
    let max = sum.max.to_f64();
    if max.is_infinite() {
        let nan = x.iter().any(|x| x.is_nan());
        return if nan { A::nan() } else { sum.max };
    }
    let log = run(job, Logarithm { sum });
    let (top, top_low) = input.scalar(sum.max);
    let top = Wide::sum(top.to_f64(), top_low.to_f64());
    let result = top.plus(log);
    // NaN is not less than anything.
    if result.high.abs() < 0.75 * log.high {
        return A::from_f64(careful(job, input, x, top));
    }
    A::from_f64(result.value())
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
        let log = run(job, Logarithm { sum });
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
