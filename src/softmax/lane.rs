//! What happens to one lane: its sum, then one pass over its elements.

use fearless_simd::Simd;

use super::exp::{LIFT, Origin, Reference, exp};
use super::stats::SoftmaxStats;
use super::sum::Plain;
use super::sum::{Input, Sum, chunk, load_padded, max, scaled, shift, store_part, sum, sum_chunk};
use super::wide::{Wide, power_of_two};
use crate::activation::Cost;
use crate::apply::parallel;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};
use crate::math::Pair;
use crate::math::ln::ln_1p_pair;

/// The softmax of `x` into `out`.
pub(crate) fn softmax<A: Element, I: Input<A>>(job: Job, input: I, x: &[A], out: &mut [A]) {
    if x.is_empty() {
        return;
    }
    let stored = x.len() <= chunk::<A>();
    let sum = if stored {
        let top = max(job, input, x);
        let shift = shift(input, top);
        sum_chunk::<A, I, false>(job, input, x, out, top, shift)
    } else {
        sum::<A, I, false>(job, input, x)
    };
    let total = sum.rest;
    let inverse = inverse(sum.max, total);
    let dominated = dominated(job, input, &sum, total);
    if stored {
        run(job, ScaleBy { out, inverse });
    } else {
        let reference = sum.reference;
        pieces(x, out, parallel::pieces(Cost::Moderate, x.len()), &|x, out| {
            run(job, Quotients { input, x, out, reference, inverse });
        });
    }
    // The quotient of a rounded and an exact exponential may be 1 − 2^-24 here.
    if dominated {
        crown(input, sum.max, x, out);
    }
}

/// Whether the largest element is so large that its softmax rounds to 1.
#[inline(always)]
fn dominated<A: Element, I: Input<A>>(job: Job, input: I, sum: &Sum<A>, total: Wide) -> bool {
    may_dominate(total) && dominates::<A>(total, sum.largest(job, input))
}

/// Whether [`dominates`] is possible at all: the exponential of the largest element is below
/// `√2 (1 + 2^-20)`.
#[inline(always)]
pub(super) fn may_dominate(total: Wide) -> bool {
    total.high < 1.4143 * power_of_two(LIFT)
}

/// Whether the largest element is all of the sum but less than a quarter of an ULP.
#[inline(always)]
pub(super) fn dominates<A: Element>(total: Wide, largest: Wide) -> bool {
    let beside = total.plus(largest.negated());
    beside.high <= 0.25 * Element::to_f64(A::epsilon()) * total.high
}

/// Writes 1 where the largest elements are.
fn crown<A: Element, I: Input<A>>(input: I, max: A, x: &[A], out: &mut [A]) {
    let top = input.raw(max);
    for (&x, y) in x.iter().zip(out) {
        if x == top {
            *y = A::one();
        }
    }
}

/// The softmax of `x` with the logarithm of its sum.
pub(crate) fn softmax_with_logsumexp<A: Element, I: Input<A>>(
    job: Job,
    input: I,
    x: &[A],
    out: &mut [A],
) -> A {
    softmax(job, input, x, out);
    logsumexp(job, input, x)
}

/// `1 / total`, as a pair and lowered by the lift of the exponentials: the division and a
/// correction from its exact remainder.
#[inline(always)]
pub(super) fn inverse<A: Element>(max: A, total: Wide) -> (A, A) {
    let first = 1.0 / total.high;
    let rest = (-first).mul_add(total.low, (-first).mul_add(total.high, 1.0));
    let valid = total.high > 0.0 && max.to_f64().abs() < f64::INFINITY;
    let first = if valid { first } else { f64::NAN };
    let high = A::from_f64(first);
    (high, A::from_f64((first - high.to_f64()) + first * rest))
}

/// `t / sum` with one rounding besides those of `t`.
#[inline(always)]
pub(super) fn quotient<V: Lane>(t: V, inverse: (V, V)) -> V {
    t.mul_add(inverse.0, t * inverse.1)
}

struct ScaleBy<'a, A> {
    out: &'a mut [A],
    inverse: (A, A),
}

impl<A: Element> Kernel for ScaleBy<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let fill = |value| A::Lanes::<S>::fill(simd, value);
        let inverse = (fill(self.inverse.0), fill(self.inverse.1));
        let mut vectors = self.out.chunks_exact_mut(A::WIDTH);
        for vector in vectors.by_ref() {
            quotient(A::Lanes::<S>::load(simd, vector), inverse).store(vector);
        }
        let rest = vectors.into_remainder();
        if !rest.is_empty() {
            let t = load_padded::<S, A>(simd, rest, A::zero());
            store_part::<S, A>(quotient(t, inverse), rest);
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

struct Quotients<'a, A, I> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
    reference: Reference<A>,
    inverse: (A, A),
}

impl<A: Element, I: Input<A>> Kernel for Quotients<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, reference, inverse } = self;
        let fill = |value| A::Lanes::<S>::fill(simd, value);
        let origin =
            Origin::new(fill(reference.shift), fill(reference.shift_low), reference.exponent);
        let inverse = (fill(inverse.0), fill(inverse.1));
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

/// `ln Σ e^(x − max)` of a counted sum, NaN or infinite where the lane's result is.
#[inline(always)]
fn log_total<A: Element, I: Input<A>>(job: Job, input: I, sum: &Sum<A>) -> Wide {
    if sum.max.to_f64().is_infinite() || sum.rest.high.is_nan() {
        return Wide::from(f64::NAN);
    }
    let [high, low] = run(job, Logarithm { beside: sum.beside_largest(job, input) });
    Wide { high, low }
}

struct Logarithm {
    beside: Wide,
}

impl Kernel for Logarithm {
    type Output = [f64; 2];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> [f64; 2] {
        let fill = <f64 as Element>::Lanes::<S>::fill;
        let x = Pair { high: fill(simd, self.beside.high), low: fill(simd, self.beside.low) };
        let y = ln_1p_pair(x);
        let (mut high, mut low) = ([0.0; f64::WIDTH], [0.0; f64::WIDTH]);
        y.high.store(&mut high);
        y.low.store(&mut low);
        [high[0], low[0]]
    }
}

/// The logarithm of the softmax of `x` into `out`.
pub(crate) fn log_softmax<A: Element, I: Input<A>>(job: Job, input: I, x: &[A], out: &mut [A]) {
    if x.is_empty() {
        return;
    }
    let sum = sum::<A, I, true>(job, input, x);
    let log = log_total(job, input, &sum);
    let top = scaled(input, sum.max);
    pieces(x, out, parallel::pieces(Cost::Moderate, x.len()), &|x, out| {
        run(job, Logarithms { input, x, out, top, log: pair(log) });
    });
}

/// The number as a pair of elements.
#[inline(always)]
pub(super) fn pair<A: Element>(value: Wide) -> (A, A) {
    let high = A::from_f64(value.high);
    (high, A::from_f64((value.high - high.to_f64()) + value.low))
}

struct Logarithms<'a, A, I> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
    top: (A, A),
    log: (A, A),
}

impl<A: Element, I: Input<A>> Kernel for Logarithms<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, top, log } = self;
        let fill = |value| A::Lanes::<S>::fill(simd, value);
        let top = (fill(top.0), fill(top.1));
        let log = (fill(log.0), fill(log.1));
        map(
            simd,
            x,
            out,
            #[inline(always)]
            |x| {
                let (value, low) = input.value(simd, x);
                logarithm(value, low, top, log)
            },
        );
    }
}

/// `(x − max) − log`, both differences with their errors. Neither term is positive, so nothing
/// cancels.
#[inline(always)]
pub(super) fn logarithm<V: Lane>(x: V, x_low: Option<V>, top: (V, V), log: (V, V)) -> V {
    let (distance, mut error) = difference(x, top.0);
    if let Some(low) = x_low {
        error = error + (low - top.1);
    }
    let (y, last) = difference(distance, log.0);
    let rounded = y + (last + (error - log.1));
    // -∞ and NaN have no errors.
    Lane::select(y.abs().lt(y.splat(f64::INFINITY)), rounded, y)
}

/// `a − b` and its error (Knuth's two-sum).
#[inline(always)]
fn difference<V: Lane>(a: V, b: V) -> (V, V) {
    let high = a - b;
    let b_part = a - high;
    (high, (a - (high + b_part)) + (b_part - b))
}

/// `ln Σ e^x`.
pub(crate) fn logsumexp<A: Element, I: Input<A>>(job: Job, input: I, x: &[A]) -> A {
    let sum = sum::<A, I, true>(job, input, x);
    let max = sum.max.to_f64();
    if max.is_infinite() {
        let nan = x.iter().any(|x| x.is_nan());
        return if nan { A::nan() } else { sum.max };
    }
    let log = log_total(job, input, &sum);
    let (top, top_low) = scaled(input, sum.max);
    let result = Wide::sum(top.to_f64(), top_low.to_f64()).plus(log);
    if result.high.abs() >= 0.25 * log.high {
        return A::from_f64(result.value());
    }
    A::from_f64(careful(job, input, x, Wide::sum(top.to_f64(), top_low.to_f64())))
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
        let log = log_total(job, Plain, &sum::<f64, Plain, true>(job, Plain, &x));
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
    let job = Job::new();
    let sum = sum::<A, Plain, true>(job, Plain, x);
    if x.iter().any(|x| x.is_nan()) {
        return SoftmaxStats::from_parts(A::nan(), Wide::ZERO, 0.0);
    }
    if sum.max.to_f64().is_infinite() {
        return SoftmaxStats::from_parts(sum.max, Wide::ZERO, 1.0);
    }
    let one = sum.beside_largest(job, Plain).plus(Wide::from(1.0 - sum.count));
    SoftmaxStats::from_parts(sum.max, one, sum.count)
}
