//! Neighbouring lanes at once, one in each lane of the vectors.
//!
//! Every number is computed as in a walk along one lane, in the same order, so the bits are the
//! same: what is lane `j` of an accumulator there is an accumulator of its own here.

use fearless_simd::Simd;

use super::exp::{LOWER, Origin, Reference, exp, floor};
use super::lane::{dominates, inverse, logarithm, may_dominate, pair, quotient};
use super::sum::{BLOCK, Input, WIDEST, accumulate, add, beside, chunk, scaled, shift};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};
use crate::math::Pair;
use crate::math::ln::ln_1p_pair;

/// The softmax, or its logarithm, of `WIDTH` lanes of at most a chunk: element `i` of lane `j`
/// stands at `i · WIDTH + j`.
pub(super) fn tile<A: Element, I: Input<A>, const LOG: bool>(
    job: Job,
    input: I,
    x: &[A],
    out: &mut [A],
) {
    debug_assert!(x.len() <= A::WIDTH * chunk::<A>());
    run(job, Tile::<'_, A, I, LOG> { input, x, out });
}

struct Tile<'a, A, I, const LOG: bool> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
}

/// One number of each lane.
type Each<T> = [T; WIDEST];

/// The lanes of a vector.
#[inline(always)]
fn each<S: Simd, A: Element>(v: A::Lanes<S>) -> Each<A> {
    let mut all = [A::zero(); WIDEST];
    v.store(&mut all[..A::WIDTH]);
    all
}

/// The vector of these lanes.
#[inline(always)]
fn gather<S: Simd, A: Element>(simd: S, values: &Each<A>) -> A::Lanes<S> {
    A::Lanes::<S>::load(simd, &values[..A::WIDTH])
}

/// The sums of exponentials, lifted; stored in `out` or, with `LOG`, without those of the largest
/// elements, which are counted.
#[inline(always)]
fn sums<S: Simd, A: Element, I: Input<A>, const LOG: bool>(
    simd: S,
    tile: &mut Tile<'_, A, I, LOG>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> (Each<Wide>, Each<A>) {
    let width = A::WIDTH;
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    let bias = zero + 4.0 / LOWER;
    let mut totals = [Wide::ZERO; WIDEST];
    let mut counts = zero;
    for (b, block) in tile.x.chunks(BLOCK * width * width).enumerate() {
        let start = b * BLOCK * width * width;
        let rows = block.len() / width;
        let mut folded = [[Wide::ZERO; WIDEST]; WIDEST];
        let used = rows.min(width);
        for (j, folded) in folded[..used].iter_mut().enumerate() {
            let (mut sum, mut error) = (bias, zero);
            for i in (j..rows).step_by(width) {
                let at = i * width;
                let x = A::Lanes::<S>::load(simd, &block[at..at + width]);
                let (value, low) = tile.input.value(simd, x);
                let mut e = exp(value, low, origin);
                if LOG {
                    let largest = tile.input.key(x).eq(top);
                    counts = counts + Lane::select(largest, zero + 1.0, zero);
                    e.high = Lane::select(largest, zero, e.high);
                    e.low = Lane::select(largest, zero, e.low);
                } else {
                    e.high.store(&mut tile.out[start + at..start + at + width]);
                }
                accumulate(&mut sum, &mut error, e);
            }
            let (high, low) = (each::<S, A>(sum - bias), each::<S, A>(error));
            for lane in 0..width {
                let (high, low) = (high[lane].to_f64(), low[lane].to_f64());
                folded[lane] =
                    if size_of::<A>() == 4 { Wide::from(high + low) } else { Wide::sum(high, low) };
            }
        }
        // Accumulators that are not used are zero and change nothing.
        let (mut half, mut used) = (width / 2, used);
        while half > 0 {
            let (left, right) = folded.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(&right[..used.saturating_sub(half)]) {
                for lane in 0..width {
                    left[lane] = add::<A>(left[lane], right[lane]);
                }
            }
            used = used.min(half);
            half /= 2;
        }
        for lane in 0..width {
            totals[lane] = add::<A>(totals[lane], folded[0][lane]);
        }
    }
    (totals, each::<S, A>(counts))
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Tile<'_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (width, input) = (A::WIDTH, self.input);
        let mut top = A::Lanes::<S>::fill(simd, A::neg_infinity());
        for row in self.x.chunks_exact(width) {
            top = input.key(A::Lanes::<S>::load(simd, row)).at_least(top);
        }
        let top = top + 0.0;
        let max = each::<S, A>(top);
        let (mut raw, mut scaled_top) = ([A::zero(); WIDEST], [[A::zero(); WIDEST]; 2]);
        let (mut shifts, mut floors) = ([[A::zero(); WIDEST]; 2], [A::zero(); WIDEST]);
        let mut exponents = [A::zero(); WIDEST];
        for lane in 0..width {
            raw[lane] = input.raw(max[lane]);
            let scaled = scaled(input, max[lane]);
            let shift = shift(input, max[lane]);
            let reference = Reference::new(scaled.0, shift.0, shift.1);
            (scaled_top[0][lane], scaled_top[1][lane]) = scaled;
            (shifts[0][lane], shifts[1][lane]) = shift;
            floors[lane] = A::from_f64(floor::<A>(reference.exponent));
            exponents[lane] = A::from_f64(f64::from(reference.exponent));
        }
        let origin = Origin::each(
            gather(simd, &shifts[0]),
            gather(simd, &shifts[1]),
            gather(simd, &floors),
            gather(simd, &exponents),
        );
        let (totals, counts) = sums::<S, A, I, LOG>(simd, &mut self, top, origin);
        let raw = gather(simd, &raw);
        let (value, low) = input.value(simd, raw);
        let e = exp(value, low, origin);
        let (high, low) = (each::<S, A>(e.high), each::<S, A>(e.low));
        let mut largest = [Wide::ZERO; WIDEST];
        for lane in 0..width {
            largest[lane] = Wide::sum(high[lane].to_f64(), low[lane].to_f64());
        }
        let (mut first, mut second) = ([A::zero(); WIDEST], [A::zero(); WIDEST]);
        if LOG {
            let log = logarithms::<S, A>(simd, &max, &totals, &largest, &counts);
            for lane in 0..width {
                (first[lane], second[lane]) = pair(log[lane]);
            }
            let top = (gather(simd, &scaled_top[0]), gather(simd, &scaled_top[1]));
            let log = (gather(simd, &first), gather(simd, &second));
            for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
                let (value, low) = input.value(simd, A::Lanes::<S>::load(simd, x));
                logarithm(value, low, top, log).store(out);
            }
            return;
        }
        let mut crowned = [A::zero(); WIDEST];
        let mut any = false;
        for lane in 0..width {
            (first[lane], second[lane]) = inverse(max[lane], totals[lane]);
            let dominated =
                may_dominate(totals[lane]) & dominates::<A>(totals[lane], largest[lane]);
            crowned[lane] = if dominated { A::one() } else { A::zero() };
            any |= dominated;
        }
        let inverse = (gather(simd, &first), gather(simd, &second));
        for out in self.out.chunks_exact_mut(width) {
            quotient(A::Lanes::<S>::load(simd, out), inverse).store(out);
        }
        if any {
            let crowned = gather(simd, &crowned);
            let one = crowned.splat(1.0);
            for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
                let here = A::Lanes::<S>::load(simd, x).eq(raw) & crowned.eq(one);
                Lane::select(here, one, A::Lanes::<S>::load(simd, out)).store(out);
            }
        }
    }
}

/// `ln Σ e^(x − max)` of each lane, NaN where its results are.
#[inline(always)]
fn logarithms<S: Simd, A: Element>(
    simd: S,
    max: &Each<A>,
    totals: &Each<Wide>,
    largest: &Each<Wide>,
    counts: &Each<A>,
) -> Each<Wide> {
    let (mut highs, mut lows) = ([0.0; WIDEST], [0.0; WIDEST]);
    for lane in 0..A::WIDTH {
        let beside = beside::<A>(totals[lane], largest[lane], counts[lane].to_f64());
        (highs[lane], lows[lane]) = (beside.high, beside.low);
    }
    let lanes = highs[..A::WIDTH].chunks_exact_mut(f64::WIDTH);
    for (high, low) in lanes.zip(lows.chunks_exact_mut(f64::WIDTH)) {
        let load = <f64 as Element>::Lanes::<S>::load;
        let y = ln_1p_pair(Pair { high: load(simd, high), low: load(simd, low) });
        y.high.store(high);
        y.low.store(low);
    }
    let mut logs = [Wide::ZERO; WIDEST];
    for lane in 0..A::WIDTH {
        let valid = max[lane].to_f64().abs() < f64::INFINITY && !totals[lane].high.is_nan();
        let high = if valid { highs[lane] } else { f64::NAN };
        logs[lane] = Wide { high, low: lows[lane] };
    }
    logs
}
