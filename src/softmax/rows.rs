//! Lanes in one run of memory, one after the other.
//!
//! Beside the sum of a lane the largest element of a later one is found, and a lane is finished after the sum of the next
//! one, so that hardly anything waits for the end of a sum. Between the loops over elements there is as little as
//! possible: all that an out-of-order core has to look through before it comes to the next loop. On AMD's processors long
//! lanes from memory are finished at once, and the largest element of the next one is found in a loop of its own: many
//! lines are fetched at the same time by one that does nothing else.

use fearless_simd::Simd;

use super::chunk::{Peaks, long_total, rare_total, total};
use super::exp::Constants;
use super::finish::{
    crowned, crowned_below, inverse_of_one, largest, logarithm, logarithm_of_eight, nearest,
    quotient,
};
use super::input::Input;
use super::lane::{crown_all, difference, map, overwrite};
use super::max::{max, of_vector};
use super::sum::{SHORT, each, mode, origin, suffices, with};
use super::total::{Total, WIDEST, single};
use super::wide::Wide;
use crate::apply::is_of_amd;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run_fused};

/// Lanes whose logarithms are taken at once, at most as many as any vector has.
const TOGETHER: usize = 8;
/// Bytes of such lanes, and of lanes that are copied before they are overwritten: with what comes after them they stay
/// in the first-level cache.
pub(super) const GROUP: usize = 8 << 10;
/// Bytes of such lanes of `f32` that come from memory: fewer, so that less is read before results are written. Two of 256
/// elements take 0.87 to 0.92 of the time of four, one of 500 0.83 to 0.90 of the time of two.
const FAR_GROUP: usize = 2560;
/// Bytes of an array up to which it stays in the caches together with its output.
const NEAR: usize = 8 << 20;
/// Bytes of a lane from which on one that is far from the caches is finished before the next is added: of 384 to 500
/// elements it takes 0.88 to 0.98 of the time so, and 0.68 to 0.76 on pages of 4 KiB; of 350 it would take 1.07 and 0.8.
const LONG: usize = 1536;

/// Whether so many elements are read from and written to memory by a processor of AMD. On Intel's, what is done for that
/// costs up to a fifth of the time of arrays that fit their third-level cache, and hardly gains anything from memory.
pub(super) fn is_far<A>(elements: usize) -> bool {
    size_of::<A>() * elements > NEAR && is_of_amd()
}

/// Lanes of at most a chunk, one after the other in `x`, or in `out` where there is none.
pub(super) struct Rows<'a, A, I, const LOG: bool> {
    pub(super) input: I,
    pub(super) x: Option<&'a [A]>,
    pub(super) out: &'a mut [A],
    pub(super) len: usize,
    /// Whether they are part of an array that [`is_far`]. The bits are the same.
    pub(super) far: bool,
}

impl<A: Element, I: Input<A>, const LOG: bool> Rows<'_, A, I, LOG> {
    /// Compiled once, not again wherever it is called.
    ///
    /// # Panics
    /// If the job is not fused.
    #[inline(never)]
    pub(super) fn run_all(self, job: Job) {
        run_fused(job, self);
    }
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Rows<'_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, len, far } = self;
        let bytes = size_of::<A>() * len;
        let size = if x.is_some() { out.len() } else { len * (GROUP / bytes).max(1) };
        let mut copy = Vec::new();
        for out in out.chunks_mut(size) {
            let x = x.unwrap_or_else(
                #[inline(always)]
                || {
                    copy.clear();
                    copy.extend_from_slice(out);
                    &copy
                },
            );
            if len <= SHORT {
                short::<S, A, I, LOG>(simd, input, x, out, len);
            } else if LOG {
                // Bytes of lanes that go together, and of the longest whose exponentials are not stored.
                let (group, bare) = match far {
                    false => (GROUP, 0),
                    true if single::<A>() => (FAR_GROUP, GROUP / 4),
                    true => (GROUP / 2, GROUP / 2),
                };
                let together = together::<A>(len, group);
                let lanes = (x, len);
                if bytes <= bare {
                    log_softmaxes::<S, A, I, { mode::ADD }>(
                        simd, input, lanes, out, together, false,
                    );
                } else {
                    let apart = far && together == 1;
                    log_softmaxes::<S, A, I, { mode::STORE }>(
                        simd, input, lanes, out, together, apart,
                    );
                }
            } else {
                softmaxes::<S, A, I>(simd, input, x, out, len, far && bytes >= LONG);
            }
        }
    }
}

/// Lanes of at most [`SHORT`] elements.
#[inline(always)]
fn short<S: Simd, A: Element, I: Input<A>, const LOG: bool>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    len: usize,
) {
    for (x, out) in x.chunks_exact(len).zip(out.chunks_exact_mut(len)) {
        let top = max(simd, input, x);
        let peaks = Peaks::alone(top);
        let origin = peaks.origin(simd, input);
        let nothing = (
            x,
            #[inline(always)]
            |_| (),
        );
        if !LOG {
            let (sum, _) = total::<S, A, I, { mode::STORE }>(
                simd,
                input,
                (x, len),
                out,
                peaks,
                origin,
                nothing,
            );
            finish(simd, input, out, sum, top);
            continue;
        }
        let top = A::Lanes::<S>::fill(simd, top);
        let largest = largest::<S, A, I>(simd, input, top, origin);
        let (sum, count) =
            rare_total::<S, A, I, { mode::COUNT }>(simd, input, x, len, &mut [], peaks);
        let count = A::Lanes::<S>::fill(simd, A::from_f64(count));
        let log = nearest(logarithm::<S, A>(Total::fill(simd, sum), largest, count));
        map(
            simd,
            x,
            out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

/// The softmax of longer lanes.
#[inline(always)]
fn softmaxes<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    len: usize,
    at_once: bool,
) {
    let mut top = max(simd, input, &x[..len]);
    // Where a lane begins that is added, but not finished, its sum and its largest key.
    let mut waiting = None;
    let (mut rest, mut at) = (x, 0);
    loop {
        let ended = if rest.is_empty() {
            waiting.take()
        } else {
            let ahead = rest.get(len..2 * len).unwrap_or(&rest[..len]);
            let lane = (rest, len);
            let (sum, next) = add::<S, A, I, { mode::STORE }>(
                simd,
                input,
                lane,
                ahead,
                &mut out[at..],
                top,
                at_once,
            );
            let this = Some((at, sum, top));
            (rest, at, top) = (&rest[len..], at + len, next);
            if at_once { this } else { core::mem::replace(&mut waiting, this) }
        };
        if let Some((start, sum, top)) = ended {
            finish(simd, input, &mut out[start..start + len], sum, top);
        } else if waiting.is_none() {
            return;
        }
    }
}

/// The logarithms of the softmax of longer lanes, of so many lanes at once. Nobody reads what is stored, but then the
/// output is in the cache: it is fetched beside the arithmetic. Where all comes from memory, loads from there wait for such
/// stores, and lanes of up to 2 KiB (`f64` 4 KiB) take less time without.
#[inline(always)]
fn log_softmaxes<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (x, len): (&[A], usize),
    out: &mut [A],
    together: usize,
    apart: bool,
) {
    let size = together * len;
    let mut tops = first_tops(simd, input, (x, len), together);
    let mut start = 0;
    while start < x.len() {
        let lanes = (&x[start..], len);
        let stored = &mut out[start..];
        let first_top = tops;
        let (logs, each_top) =
            logarithms::<S, A, I, MODE>(simd, input, lanes, size, stored, &mut tops, apart);
        let first_log: A::Lanes<S> = nearest(logs);
        let mut logs = [A::zero(); WIDEST];
        if together > 1 {
            first_log.store(&mut logs[..A::WIDTH]);
        }
        let end = x.len().min(start + size);
        let mut i = 0;
        while start < end {
            // One lane alone is in all lanes of the vectors.
            let (top, log) = if together > 1 {
                (A::Lanes::<S>::fill(simd, each_top[i]), A::Lanes::<S>::fill(simd, logs[i]))
            } else {
                (first_top, first_log)
            };
            map(
                simd,
                &x[start..start + len],
                &mut out[start..start + len],
                #[inline(always)]
                |x| difference(x, top, log),
            );
            (i, start) = (i + 1, start + len);
        }
    }
}

/// Lanes of so many elements whose logarithms are taken at once.
pub(super) fn together<A>(len: usize, bytes: usize) -> usize {
    (bytes / (size_of::<A>() * len)).clamp(1, TOGETHER)
}

/// The largest keys of the first lanes.
#[inline(always)]
pub(super) fn first_tops<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    (x, len): (&[A], usize),
    together: usize,
) -> A::Lanes<S> {
    if together == 1 {
        return A::Lanes::<S>::fill(simd, max(simd, input, &x[..len]));
    }
    let mut tops = A::Lanes::<S>::fill(simd, A::zero());
    for (i, lane) in x.chunks_exact(len).take(together).enumerate() {
        tops = with(simd, tops, i, max(simd, input, lane));
    }
    tops
}

/// The numbers with this one in lane `i`, or in all of them.
#[inline(always)]
fn placed<S: Simd, V: LaneIo<S>>(simd: S, alone: bool, all: V, i: usize, value: V::Elem) -> V {
    if alone { V::fill(simd, value) } else { with(simd, all, i, value) }
}

/// The logarithms of the sums of the first lanes in `size` elements, relative to their largest keys, which are given and
/// returned; `tops` become those of the lanes after them.
#[inline(always)]
pub(super) fn logarithms<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (x, len): (&[A], usize),
    size: usize,
    out: &mut [A],
    tops: &mut A::Lanes<S>,
    apart: bool,
) -> (Total<S>, [A; WIDEST]) {
    let origin = origin::<S, A, I>(simd, input, Constants::new(), *tops, *tops);
    let largest = largest::<S, A, I>(simd, input, *tops, origin);
    let (highs, each_top) = (largest.highs(), each::<S, A>(*tops));
    let mut counts = A::Lanes::<S>::fill(simd, A::zero());
    let mut sums = Total::fill(simd, Wide::ONE);
    let end = x.len().min(size);
    let alone = size == len;
    let (mut i, mut at) = (0, 0);
    while at < end {
        let lane = (&x[at..], len);
        let ahead = lane.0.get(size..size + len).unwrap_or(&lane.0[..len]);
        let out = if MODE == mode::STORE { &mut out[at..] } else { &mut [] };
        let (mut sum, next) =
            add::<S, A, I, MODE>(simd, input, lane, ahead, out, each_top[i], apart);
        *tops = placed(simd, alone, *tops, i, next);
        if !suffices(sum, Wide::from(highs[i])) {
            let peaks = Peaks::alone(each_top[i]);
            let none = &mut [];
            let counted =
                rare_total::<S, A, I, { mode::COUNT }>(simd, input, lane.0, len, none, peaks);
            sum = counted.0;
            counts = placed(simd, alone, counts, i, A::from_f64(counted.1));
        }
        sums = if alone { Total::fill(simd, sum) } else { sums.with(simd, i, sum) };
        (i, at) = (i + 1, at + len);
    }
    (logarithm_of_eight::<S, A>(sums, largest, counts), each_top)
}

/// The sum of the exponentials of a lane, the first `len` elements, and the largest key of the lane ahead, found beside it or apart. (For `f64` apart is slower, of products not worth
/// the code.)
#[inline(always)]
fn add<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (x, len): (&[A], usize),
    ahead: &[A],
    out: &mut [A],
    top: A,
    apart: bool,
) -> (Wide, A) {
    let peaks = Peaks::alone(top);
    let origin = peaks.origin(simd, input);
    if I::PLAIN && origin.shift.is_some() {
        let (sum, _) = rare_total::<S, A, I, MODE>(simd, input, x, len, out, peaks);
        return (sum, max(simd, input, ahead));
    }
    let origin = origin.of_first(simd);
    let origin = if I::PLAIN { origin.without_shift() } else { origin };
    let top = A::Lanes::<S>::fill(simd, top);
    let lane = (x, len);
    if size_of::<A>() == 4 && I::PLAIN && apart {
        let nothing = (
            x,
            #[inline(always)]
            |_| (),
        );
        let sum = long_total::<S, A, I, MODE>(simd, input, lane, out, top, origin, nothing);
        return (sum, max(simd, input, ahead));
    }
    let mut next = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let beside = (
        ahead,
        #[inline(always)]
        |x: A::Lanes<S>| next = input.key(x).at_least(next),
    );
    let sum = long_total::<S, A, I, MODE>(simd, input, lane, out, top, origin, beside);
    (sum, of_vector(next))
}

/// From exponentials and their sum to the softmax of a lane.
#[inline(always)]
fn finish<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, lane: &mut [A], sum: Wide, top: A) {
    let by = inverse_of_one(simd, sum);
    overwrite(
        simd,
        lane,
        #[inline(always)]
        |t| quotient(t, by),
    );
    if sum.high < crowned_below::<A>() {
        crown(simd, input, lane, sum, top);
    }
}

/// Writes 1 where the largest element is all of the sum.
#[cold]
#[inline(never)]
fn crown<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, lane: &mut [A], sum: Wide, top: A) {
    simd.vectorize(
        #[inline(always)]
        || {
            let origin = Peaks::alone(top).origin(simd, input);
            let (top, total) = (A::Lanes::<S>::fill(simd, top), Total::fill(simd, sum));
            if crowned::<S, A, I>(simd, input, total, top, origin).is_some() {
                crown_all(lane);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::Rows;
    use crate::element::Element;
    use crate::lane::{Job, Level, with_level};
    use crate::softmax::input::Plain;

    fn results<A: Element, const LOG: bool>(
        x: &[A],
        in_place: bool,
        len: usize,
        far: bool,
    ) -> Vec<u64> {
        let mut out = if in_place { x.to_vec() } else { vec![A::one(); x.len()] };
        let x = (!in_place).then_some(x);
        Rows::<_, _, LOG> { input: Plain, x, out: &mut out, len, far }.run_all(Job::new());
        out.into_iter().map(|y| y.to_f64().to_bits()).collect()
    }

    fn check<A: Element, const LOG: bool>(len: usize) {
        let x = |i: usize| A::from_f64((i * i % 1013) as f64 / 80.0 - 6.0);
        let x: Vec<A> = (0..75 * len).map(x).collect();
        let alone: Vec<u64> =
            x.chunks(len).flat_map(|lane| results::<A, LOG>(lane, false, len, false)).collect();
        for (in_place, far) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(results::<A, LOG>(&x, in_place, len, far) == alone, "{len} {in_place} {far}");
        }
    }

    /// On every machine, whatever the size of the array.
    #[test]
    fn lanes_have_the_same_bits_alone_together_near_and_far() {
        for level in Level::available() {
            with_level(level, || {
                if !Job::new().is_fused() {
                    return;
                }
                for len in [1, 10, 64, 65, 100, 128, 200, 512, 1000, 4000] {
                    check::<f32, false>(len);
                    check::<f32, true>(len);
                    let len = len.min(2000);
                    check::<f64, false>(len);
                    check::<f64, true>(len);
                }
            });
        }
    }
}
