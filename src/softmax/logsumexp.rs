//! The logarithm of a lane's sum of exponentials, and its statistics.

use fearless_simd::Simd;

use super::input::{Input, Plain};
use super::lane::Logarithm;
use super::stats::SoftmaxStats;
use super::sum::{mode, sum, sum_for_log};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Job, Kernel, run};

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
