//! The logarithm of a lane's sum of exponentials, and its statistics.

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut1};

use super::input::Plain;
use super::normalizers::{self, LANES, Many};
use super::stats::SoftmaxStats;
use super::sum::{chunk, mode, sum};
use super::tile::Groups;
use super::total::single;
use super::wide::Wide;
use crate::apply::Reduce;
use crate::element::Element;
use crate::lane::{Job, Kernel, run};

/// `ln Σ e^x`.
pub(crate) fn logsumexp<A: Element>(job: Job, x: &[A]) -> A {
    if x.is_empty() {
        return A::neg_infinity();
    }
    let (top, log) = normalizers::of_lane(job, x);
    let (usual, suffices) = usual(top, log);
    if suffices { usual } else { unusual(job, x, top) }
}

/// From the largest element of a lane and the logarithm of its sum relative to that, and whether that has digits enough.
/// It has not where the one is not finite or both nearly cancel.
#[inline(always)]
fn usual<A: Element>(top: A, log: Wide) -> (A, bool) {
    let result = if const { single::<A>() } {
        // Neither has a low part: the sum of the high ones, rounded once, is what comes of both.
        Wide::from(top.to_f64() + log.high)
    } else {
        Wide::from(top.to_f64()).plus(log)
    };
    // NaN is not less than anything.
    let cancels = result.high.abs() < const { least::<A>() } * log.high;
    (A::from_f64(result.value()), !cancels & !top.to_f64().is_infinite())
}

/// The part of the logarithm that may be left: with these the worst results of lanes that partly cancel are 0.58 and 0.69 ULP
/// off, with an eighth 0.72 and 1.6, with three quarters 0.53 and 0.58.
const fn least<A>() -> f64 {
    if single::<A>() { 0.25 } else { 0.5 }
}

/// The same of lanes from `first` on; those with too few digits are added to `again`.
#[inline(always)]
fn usual_of_some<A: Element>(
    found: &[(A, Wide)],
    first: usize,
    again: &mut Vec<usize>,
) -> [A; LANES] {
    let (mut results, mut these, mut count) = ([A::zero(); LANES], [0; LANES], 0);
    for (i, (result, &(top, log))) in results.iter_mut().zip(found).enumerate() {
        let (usual, suffices) = usual(top, log);
        *result = usual;
        // Without a branch, which nobody could foresee.
        these[count] = first + i;
        count += usize::from(!suffices);
    }
    again.extend_from_slice(&these[..count]);
    results
}

/// The same of other lanes.
#[cold]
fn unusual<A: Element>(job: Job, x: &[A], top: A) -> A {
    if top.to_f64().is_infinite() {
        let nan = x.iter().any(|x| x.is_nan());
        return if nan { A::nan() } else { top };
    }
    A::from_f64(careful(job, x, top.to_f64()))
}

impl<A: Element> Reduce<A, A> for Many {
    fn rows(&self, x: &[A], len: usize, out: &mut [A]) {
        if len == 0 {
            return out.fill(A::neg_infinity());
        }
        let mut again = Vec::new();
        self.each_row(x, len, &mut |first, found| {
            let usual = usual_of_some(found, first, &mut again);
            out[first..first + found.len()].copy_from_slice(&usual[..found.len()]);
        });
        once_more(self.job, &again, len, |lane, i| x[lane * len + i], |lane, y| out[lane] = y);
    }

    fn columns(&self, x: &ArrayView2<'_, A>, mut out: ArrayViewMut1<'_, A>) -> bool {
        let mut again = Vec::new();
        let done = self.each_column(x, &mut |first, found| {
            let usual = usual_of_some(found, first, &mut again);
            let these = first..first + found.len();
            match out.as_slice_mut() {
                Some(out) => out[these].copy_from_slice(&usual[..found.len()]),
                None => these.zip(usual).for_each(|(lane, usual)| out[lane] = usual),
            }
        });
        once_more(self.job, &again, x.nrows(), |lane, i| x[(i, lane)], |lane, y| out[lane] = y);
        done
    }
}

/// `out` of these lanes, of `len` elements each, of which [`usual`] gives nothing: for `f32` as many at a time as a vector of
/// `f64` has.
fn once_more<A: Element>(
    job: Job,
    lanes: &[usize],
    len: usize,
    element: impl Fn(usize, usize) -> A,
    mut out: impl FnMut(usize, A),
) {
    let alone = |lane| logsumexp(job, &(0..len).map(|i| element(lane, i)).collect::<Vec<_>>());
    if !single::<A>() || len > chunk::<f64>() {
        return lanes.iter().for_each(|&lane| out(lane, alone(lane)));
    }
    let mut group = vec![0.0; len * f64::WIDTH];
    for lanes in lanes.chunks(f64::WIDTH) {
        for (j, &lane) in lanes.iter().enumerate() {
            for (i, row) in group.chunks_exact_mut(f64::WIDTH).enumerate() {
                row[j] = element(lane, i).to_f64();
            }
        }
        let mut found = [(0.0, Wide::ZERO); f64::WIDTH];
        let (input, groups, logs) = (Plain, &mut *group, Some(&mut found[..]));
        Groups::<'_, f64, _, true> { input, groups, len, logs }.run_all(job);
        for (&lane, (top, log)) in lanes.iter().zip(found) {
            out(lane, suffices(top, log).map_or_else(|| alone(lane), A::from_f64));
        }
    }
}

/// `ln Σ e^x` where maximum and logarithm nearly cancel, as for the logarithms of probabilities:
/// the digits of the usual sum do not suffice. `f32` lanes are summed as `f64` first.
#[cold]
fn careful<A: Element>(job: Job, x: &[A], top: f64) -> f64 {
    if single::<A>() {
        let x: Vec<f64> = x.iter().map(|&x| x.to_f64()).collect();
        let (top, log) = normalizers::of_lane(job, &x);
        if let Some(result) = suffices(top, log) {
            return result;
        }
    }
    let top = Wide::from(top);
    top.plus(run(job, Beside { x, top }).ln_1p()).value()
}

/// `ln Σ e^x` of `f32` numbers from the largest and the logarithm of their sum as `f64`, unless it is tiny: the error is below
/// 2^-53 of the logarithm, and so enough for 24 digits.
fn suffices(top: f64, log: Wide) -> Option<f64> {
    let result = Wide::from(top).plus(log).value();
    (top.is_finite() && result.abs() > 2f64.powi(-26) * log.high).then_some(result)
}

/// `Σ e^(x − max) − 1` in double-double, one element after the other.
struct Beside<'a, A> {
    x: &'a [A],
    top: Wide,
}

impl<A: Element> Kernel for Beside<'_, A> {
    type Output = Wide;
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> Wide {
        let mut sum = Wide::ZERO;
        let mut counted = false;
        // −∞ adds nothing, and has no distance that could be computed.
        for &x in self.x.iter().filter(
            #[inline(always)]
            |&&x| x != A::neg_infinity(),
        ) {
            let distance = Wide::from(x.to_f64()).plus(self.top.negated());
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
