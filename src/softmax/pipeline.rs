//! Lanes in one run of memory, one after the other.
//!
//! Beside the sum of a lane the largest element of the next is found, and a lane is finished after the sum of the next
//! one, so that nothing waits for the end of a sum. Between loops there is as little as possible: what an out-of-order
//! core has to look through before it comes to the next one.

use fearless_simd::Simd;

use super::chunk::{Peaks, rare_total};
use super::exp::{Constants, Origin};
use super::finish::{crowned, crowned_below, inverse, largest, logarithm, nearest, quotient};
use super::input::{Input, Plain};
use super::lane::{crown_all, difference, map, overwrite};
use super::max::{load_padded, max, of_vector, store_part};
use super::sum::{BLOCK, each, first, mode, origin, suffices, term, with};
use super::total::{Accumulator, Total};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// Whether there are such loops.
pub(super) const fn is_there<S: Simd, A: Element, I: Input<A>>() -> bool {
    I::PLAIN && A::Lanes::<S>::IS_FUSED
}

/// Lanes of one length, more than [`SHORT`](super::sum::SHORT) and at most a chunk.
#[inline(always)]
pub(super) fn softmaxes<S: Simd, A: Element>(
    simd: S,
    x: &[A],
    out: &mut [A],
    len: usize,
    at_once: bool,
) {
    let mut top = max(simd, Plain, &x[..len]);
    let mut waiting = None;
    let (mut rest, mut at) = (x, 0);
    loop {
        let ended = if rest.is_empty() {
            waiting.take()
        } else {
            let ahead = rest.get(len..2 * len).unwrap_or(&rest[..len]);
            let (sum, next) = one::<S, A>(simd, rest, ahead, &mut out[at..], len, top);
            let this = Some((at, sum, top));
            (rest, at, top) = (&rest[len..], at + len, next);
            if at_once { this } else { core::mem::replace(&mut waiting, this) }
        };
        if let Some((start, sum, top)) = ended {
            finish(simd, &mut out[start..start + len], sum, top);
        } else if rest.is_empty() {
            return;
        }
    }
}

/// The logarithms of the same, of so many lanes at once.
#[inline(always)]
pub(super) fn log_softmaxes<S: Simd, A: Element>(
    simd: S,
    x: &[A],
    out: &mut [A],
    len: usize,
    together: usize,
) {
    let size = together * len;
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    let mut tops = zero;
    for (i, lane) in x.chunks_exact(len).take(together).enumerate() {
        tops = with(simd, tops, i, max(simd, Plain, lane));
    }
    let mut start = 0;
    while start < x.len() {
        let origin = origin::<S, A, _>(simd, Plain, Constants::new(), tops, tops);
        let largest = largest::<S, A, _>(simd, Plain, tops, origin);
        let (highs, each_top) = (largest.highs(), each::<S, A>(tops));
        let (mut sums, mut counts) = (Total::fill(simd, Wide::ONE), zero);
        let end = x.len().min(start + size);
        let (mut i, mut at) = (0, start);
        while at < end {
            let rest = &x[at..];
            let ahead = rest.get(size..size + len).unwrap_or(&rest[..len]);
            // Nobody reads what is stored, but then the output is in the cache: it is fetched beside the arithmetic.
            let (mut sum, next) =
                one::<S, A>(simd, rest, ahead, &mut out[at..], len, each_top[i]);
            tops = with(simd, tops, i, next);
            if !suffices(sum, Wide::from(highs[i])) {
                let peaks = Peaks::alone(each_top[i]);
                let count;
                (sum, count) = rare_total::<S, A, _, { mode::COUNT }>(
                    simd,
                    Plain,
                    rest,
                    len,
                    &mut [],
                    peaks,
                );
                counts = with(simd, counts, i, A::from_f64(count));
            }
            sums = sums.with(simd, i, sum);
            (i, at) = (i + 1, at + len);
        }
        let logs = each::<S, A>(nearest(logarithm::<S, A>(sums, largest, counts)));
        (i, at) = (0, start);
        while at < end {
            let top = A::Lanes::<S>::fill(simd, each_top[i]);
            let log = A::Lanes::<S>::fill(simd, logs[i]);
            map(
                simd,
                &x[at..at + len],
                &mut out[at..at + len],
                #[inline(always)]
                |x| difference(x, top, log),
            );
            (i, at) = (i + 1, at + len);
        }
        start = end;
    }
}

/// The sum of a lane, the first in `all`, and the largest element of the one ahead.
#[inline(always)]
fn one<S: Simd, A: Element>(
    simd: S,
    all: &[A],
    ahead: &[A],
    out: &mut [A],
    len: usize,
    top: A,
) -> (Wide, A) {
    let peaks = Peaks::alone(top);
    let origin = peaks.origin(simd, Plain);
    if origin.shift.is_none() {
        let origin = origin.of_first(simd).without_shift();
        return add::<S, A>(simd, all, ahead, out, len, origin);
    }
    let (sum, _) = rare_total::<S, A, _, { mode::STORE }>(simd, Plain, all, len, out, peaks);
    (sum, max(simd, Plain, ahead))
}

#[inline(always)]
fn finish<S: Simd, A: Element>(simd: S, lane: &mut [A], sum: Wide, top: A) {
    let by = inverse(Total::fill(simd, sum));
    overwrite(
        simd,
        lane,
        #[inline(always)]
        |t| quotient(t, by),
    );
    if sum.high < crowned_below::<A>() {
        crown::<S, A>(simd, lane, sum, top);
    }
}

/// Writes 1 where the largest element is all of the sum.
#[cold]
#[inline(never)]
fn crown<S: Simd, A: Element>(simd: S, lane: &mut [A], sum: Wide, top: A) {
    simd.vectorize(
        #[inline(always)]
        || {
            let origin = Peaks::alone(top).origin(simd, Plain);
            let top = A::Lanes::<S>::fill(simd, top);
            if crowned::<S, A, _>(simd, Plain, Total::fill(simd, sum), top, origin).is_some() {
                crown_all(lane);
            }
        },
    );
}

/// The sum of a lane, and the largest element of the one ahead.
#[inline(always)]
fn add<S: Simd, A: Element>(
    simd: S,
    all: &[A],
    ahead: &[A],
    out: &mut [A],
    len: usize,
    origin: Origin<A::Lanes<S>>,
) -> (Wide, A) {
    let width = A::WIDTH;
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let (mut next, mut total) = (lowest, Total::zero(simd));
    let tail = len % width;
    let whole = len - tail;
    let mut at = 0;
    while at < len {
        let mut accumulator = Accumulator::<_, { mode::STORE }>::new(zero);
        let place = at..whole.min(at + BLOCK * width);
        at = place.end;
        let (xs, aheads, outs) =
            (&all[..whole][place.clone()], &ahead[..whole][place.clone()], &mut out[..whole][place]);
        let vectors = xs.chunks_exact(width).zip(aheads.chunks_exact(width));
        for ((x, ahead), out) in vectors.zip(outs.chunks_exact_mut(width)) {
            next = A::Lanes::<S>::load(simd, ahead).at_least(next);
            let x = A::Lanes::<S>::load(simd, x);
            let e = term::<S, A, _, { mode::STORE }>(simd, Plain, x, zero, origin);
            e.high.store(out);
            accumulator.add(e);
        }
        if at == whole && tail > 0 {
            next = A::Lanes::<S>::load(simd, &ahead[len - width..]).at_least(next);
            let these = first(zero, tail);
            let x = match all.get(at..at + width) {
                Some(more) => Lane::select(these, A::Lanes::<S>::load(simd, more), lowest),
                None => load_padded::<S, A>(simd, &all[at..len], A::neg_infinity()),
            };
            let e = term::<S, A, _, { mode::STORE }>(simd, Plain, x, zero, origin);
            match out.get_mut(at..at + width) {
                Some(out) => e.high.store(out),
                None => store_part::<S, A>(e.high, &mut out[at..len]),
            }
            accumulator.add(e.only(these));
            at = len;
        }
        total = total.plus::<A>(accumulator.total());
    }
    (total.fold::<A>(), of_vector(next))
}
