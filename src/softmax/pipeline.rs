//! Lanes in one run of memory as a pipeline: while one is added, the largest element of a later one is found and an
//! earlier one is finished, all in one loop.
//!
//! So the ends of sums hide behind the arithmetic of other lanes, and memory is read and written all the time. What is
//! computed, and the order in which a lane is added, are as everywhere.

use fearless_simd::Simd;

use super::chunk::{Peaks, rare_total, total};
use super::exp::{Constants, Origin};
use super::finish::{crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::{Input, Plain};
use super::lane::{crown_all, difference, map};
use super::max::{load_padded, max, of_vector};
use super::sum::{BLOCK, chunk, each, first, mode, origin, suffices, term};
use super::total::{Accumulator, Total, WIDEST};
use super::wide::Wide;
use crate::apply::{LINE, line_in};
use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// Lanes that are added before they are finished, at most.
const TOGETHER: usize = 8;
/// Groups of lanes from which on the beginning and the end, where steps have nothing beside them, are little.
const GROUPS: usize = 8;

/// Whether there are such loops: registers must hold the constants of all three steps. `f64` lanes gain nothing.
pub(super) const fn is_there<S: Simd, A: Element, I: Input<A>>() -> bool {
    I::PLAIN && A::Lanes::<S>::SINGLE && A::Lanes::<S>::HAS_ROOM && A::Lanes::<S>::IS_FUSED
}

/// The elements of a group of lanes of at most a chunk, which stay in the first caches with those before and after.
fn group<A, const LOG: bool>(len: usize) -> usize {
    let most = if LOG { chunk::<A>() } else { chunk::<A>() / 2 };
    len * (most / len).clamp(1, TOGETHER)
}

/// Whether so many elements in lanes of one length are worth it.
pub(super) fn pays<A, const LOG: bool>(elements: usize, len: usize) -> bool {
    elements >= GROUPS * group::<A, LOG>(len)
}

/// What is known of the lanes of a group that are added, but not finished.
struct Known<A> {
    /// The largest keys.
    tops: [A; WIDEST],
    /// What exponentials are multiplied by, in two parts; or the logarithms, in the first.
    by: ([A; WIDEST], [A; WIDEST]),
    crowned: [bool; WIDEST],
}

impl<A: Element> Known<A> {
    fn nothing() -> Self {
        let zeros = [A::zero(); WIDEST];
        Self { tops: zeros, by: (zeros, zeros), crowned: [false; WIDEST] }
    }

    /// What finishes a vector of lane `i`: of exponentials, or of elements where logarithms are wanted.
    #[inline(always)]
    fn finish<S: Simd, const LOG: bool>(
        &self,
        simd: S,
        i: usize,
    ) -> impl Fn(A::Lanes<S>) -> A::Lanes<S> + use<A, S, LOG> {
        let (top, high) = (self.tops[i], self.by.0[i]);
        let (top, high) = (A::Lanes::<S>::fill(simd, top), A::Lanes::<S>::fill(simd, high));
        let low = A::Lanes::<S>::fill(simd, self.by.1[i]);
        #[inline(always)]
        move |v| if LOG { difference(v, top, high) } else { quotient(v, (high, low)) }
    }
}

/// Lanes of one length, more than [`SHORT`](super::sum::SHORT) and at most a chunk. `LOG` as in
/// [`Rows`](super::rows::Rows).
#[inline(always)]
pub(super) fn rows<S: Simd, A: Element, const LOG: bool>(
    simd: S,
    x: &[A],
    out: &mut [A],
    len: usize,
) {
    let size = group::<A, LOG>(len).min(x.len());
    // Exponentials of two groups, each with room for a vector that begins in its last lane.
    let room = if LOG { 0 } else { size + 2 * WIDEST };
    let mut memory = vec![A::zero(); 2 * room + WIDEST];
    let begin = memory.as_ptr().align_offset(LINE).min(WIDEST);
    let (mut kept, mut kept_before) = memory[begin..].split_at_mut(room);
    let mut known = Known::nothing();
    let mut tops = [A::zero(); WIDEST];
    for (top, x) in tops.iter_mut().zip(x[..size].chunks_exact(len)) {
        *top = max(simd, Plain, x);
    }
    // Where this group begins, and the elements before it that are not finished.
    let (mut at, mut waiting) = (0, 0);
    while at < x.len() {
        let here = &x[at..];
        let some = size.min(here.len());
        let (mut sums, mut next) = ([Wide::ZERO; TOGETHER], [A::zero(); WIDEST]);
        for (i, start) in (0..some).step_by(len).enumerate() {
            let lane = &here[start..];
            let ahead = lane.get(size..size + len).unwrap_or(&lane[..len]);
            let place = at - waiting + start;
            let from = if LOG { &x[place..] } else { &kept_before[start..] };
            // The first group has none before it: the same loop, with results that are overwritten later.
            let to = &mut out[place..];
            let finish = known.finish::<S, LOG>(simd, i);
            let peaks = Peaks::alone(tops[i]);
            let origin = peaks.origin(simd, Plain);
            (sums[i], next[i]) = if origin.shift.is_none() {
                let top = A::Lanes::<S>::fill(simd, tops[i]);
                let origin = origin.of_first(simd).without_shift();
                let kept = if LOG { &mut [][..] } else { &mut kept[start..] };
                let step = Step { len, lane, ahead, kept, from, to: &mut *to };
                step.run::<S, LOG>(simd, top, origin, finish)
            } else {
                map(simd, &from[..len], &mut to[..len], finish);
                let mut unread = if LOG { vec![A::zero(); len + WIDEST] } else { Vec::new() };
                let kept = if LOG { &mut unread[..] } else { &mut kept[start..] };
                let sum =
                    rare_total::<S, A, _, { mode::STORE }>(simd, Plain, lane, len, kept, peaks);
                (sum.0, max(simd, Plain, ahead))
            };
            if !LOG && known.crowned[i] {
                crown_all(&mut to[..len]);
            }
        }
        if some < waiting {
            let place = at - waiting + some..at;
            let from = if LOG { &x[place.clone()] } else { &kept_before[some..waiting] };
            finish_all::<S, A, LOG>(simd, from, &mut out[place], len, &known, some / len);
        }
        known = know::<S, A, LOG>(simd, &here[..some], len, &tops, &sums);
        tops = next;
        core::mem::swap(&mut kept, &mut kept_before);
        (at, waiting) = (at + some, some);
    }
    let place = at - waiting..at;
    let from = if LOG { &x[place.clone()] } else { &kept_before[..waiting] };
    finish_all::<S, A, LOG>(simd, from, &mut out[place], len, &known, 0);
}

/// What finishes the lanes of a group, from their sums.
#[inline(always)]
fn know<S: Simd, A: Element, const LOG: bool>(
    simd: S,
    x: &[A],
    len: usize,
    tops: &[A; WIDEST],
    sums: &[Wide; TOGETHER],
) -> Known<A> {
    let constants = Constants::new();
    let mut known = Known { tops: *tops, ..Known::nothing() };
    if !LOG {
        for (i, (&top, &sum)) in tops.iter().zip(&sums[..x.len() / len]).enumerate() {
            let top = A::Lanes::<S>::fill(simd, top);
            let origin = origin::<S, A, _>(simd, Plain, constants, top, top);
            let total = Total::fill(simd, sum);
            let (high, low): (A::Lanes<S>, _) = inverse(total);
            (known.by.0[i], known.by.1[i]) = (each::<S, A>(high)[0], each::<S, A>(low)[0]);
            known.crowned[i] = crowned::<S, A, _>(simd, Plain, total, top, origin).is_some();
        }
        return known;
    }
    // The logarithms of all lanes at once.
    let all = A::Lanes::<S>::load(simd, &tops[..A::WIDTH]);
    let origin = origin::<S, A, _>(simd, Plain, constants, all, all);
    let largest = largest::<S, A, _>(simd, Plain, all, origin);
    let highs = largest.highs();
    let (mut parts, mut counts) = (([1.0; WIDEST], [0.0; WIDEST]), [A::zero(); WIDEST]);
    for (i, lane) in x.chunks_exact(len).enumerate() {
        let (mut sum, mut count) = (sums[i], 0.0);
        if !suffices(sum, Wide::from(highs[i])) {
            let peaks = Peaks::alone(tops[i]);
            (sum, count) = total::<S, A, _, { mode::COUNT }>(
                simd,
                Plain,
                (lane, len),
                &mut [],
                peaks,
                peaks.origin(simd, Plain),
                (
                    lane,
                    #[inline(always)]
                    |_| (),
                ),
            );
        }
        (parts.0[i], parts.1[i], counts[i]) = (sum.high, sum.low, A::from_f64(count));
    }
    let counts = A::Lanes::<S>::load(simd, &counts[..A::WIDTH]);
    let sums = Total::load_parts(simd, &parts.0, &parts.1);
    known.by.0 = each::<S, A>(nearest(logarithm::<S, A>(sums, largest, counts)));
    known
}

/// Finishes lanes with nothing beside, of which the first is lane `first` of its group.
#[inline(always)]
fn finish_all<S: Simd, A: Element, const LOG: bool>(
    simd: S,
    from: &[A],
    to: &mut [A],
    len: usize,
    known: &Known<A>,
    first: usize,
) {
    for (i, (from, to)) in from.chunks_exact(len).zip(to.chunks_exact_mut(len)).enumerate() {
        map(simd, from, to, known.finish::<S, LOG>(simd, first + i));
        if !LOG && known.crowned[first + i] {
            crown_all(to);
        }
    }
}

/// One round of the pipeline: what is read and written, from the first element of a lane on.
struct Step<'a, A> {
    len: usize,
    /// Is added.
    lane: &'a [A],
    /// Its largest element is found.
    ahead: &'a [A],
    /// Gets the exponentials, where they are wanted.
    kept: &'a mut [A],
    /// Is finished.
    from: &'a [A],
    /// Gets that, and behind it anything.
    to: &'a mut [A],
}

impl<A: Element> Step<'_, A> {
    /// The sum, and the largest element of the lane ahead.
    #[inline(always)]
    fn run<S: Simd, const LOG: bool>(
        self,
        simd: S,
        top: A::Lanes<S>,
        origin: Origin<A::Lanes<S>>,
        finish: impl Fn(A::Lanes<S>) -> A::Lanes<S>,
    ) -> (Wide, A) {
        let Self { len, lane: all, ahead, kept, from, to } = self;
        let width = A::WIDTH;
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
        let (mut next, mut total) = (lowest, Total::zero(simd));
        // Vectors that are finished begin at a cache line, and may reach behind the lane.
        let line = if from.len().min(to.len()) < len + width { 0 } else { line_in(to) };
        finish(A::Lanes::<S>::load(simd, &from[..width])).store(&mut to[..width]);
        let (x, ahead) = (&all[..len], &ahead[..len]);
        for (i, block) in x.chunks(BLOCK * width).enumerate() {
            let start = i * BLOCK * width;
            let mut accumulator = Accumulator::<_, { mode::STORE }>::new(zero);
            let (whole, tail) = block.split_at(block.len() / width * width);
            let place = start..start + whole.len();
            let from = from[line..][place.clone()].chunks_exact(width);
            let finished = from.zip(to[line..][place.clone()].chunks_exact_mut(width));
            let vectors = whole.chunks_exact(width).zip(ahead[place.clone()].chunks_exact(width));
            if LOG {
                for ((x, ahead), (from, to)) in vectors.zip(finished) {
                    next = A::Lanes::<S>::load(simd, ahead).at_least(next);
                    let x = A::Lanes::<S>::load(simd, x);
                    accumulator.add(term::<S, A, _, { mode::STORE }>(simd, Plain, x, top, origin));
                    finish(A::Lanes::<S>::load(simd, from)).store(to);
                }
            } else {
                let vectors = vectors.zip(kept[place].chunks_exact_mut(width));
                for (((x, ahead), kept), (from, to)) in vectors.zip(finished) {
                    next = A::Lanes::<S>::load(simd, ahead).at_least(next);
                    let x = A::Lanes::<S>::load(simd, x);
                    let e = term::<S, A, _, { mode::STORE }>(simd, Plain, x, top, origin);
                    e.high.store(kept);
                    accumulator.add(e);
                    finish(A::Lanes::<S>::load(simd, from)).store(to);
                }
            }
            if !tail.is_empty() {
                let at = len - tail.len();
                next = A::Lanes::<S>::load(simd, &ahead[len - width..]).at_least(next);
                let these = first(zero, tail.len());
                let x = match all.get(at..at + width) {
                    Some(more) => Lane::select(these, A::Lanes::<S>::load(simd, more), lowest),
                    None => load_padded::<S, A>(simd, tail, A::neg_infinity()),
                };
                let e = term::<S, A, _, { mode::STORE }>(simd, Plain, x, top, origin);
                if !LOG {
                    e.high.store(&mut kept[at..at + width]);
                }
                accumulator.add(e.only(these));
            }
            total = total.plus::<A>(accumulator.total());
        }
        finish(A::Lanes::<S>::load(simd, &from[len - width..len])).store(&mut to[len - width..len]);
        (total.fold::<A>(), of_vector(next))
    }
}
