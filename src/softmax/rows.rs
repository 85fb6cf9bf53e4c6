//! Lanes in one run of memory, one after the other.
//!
//! Beside the sum of a lane the largest element of a later one is found, and a lane is finished after the sum of the next
//! one, so that hardly anything waits for the end of a sum. Between the loops over elements there is as little as
//! possible: all that an out-of-order core has to look through before it comes to the next loop. On AMD's processors long
//! lanes from memory are finished at once, and the largest element of the next one is found in a loop of its own: many
//! lines are fetched at the same time by one that does nothing else.

use fearless_simd::Simd;

use super::chunk::{Peaks, long_total, rare_total, total};
use super::exp::Origin;
use super::finish::{
    crowned, crowned_below, inverse_of_one, largest, logarithm, nearest, quotient,
};
use super::input::Input;
use super::lane::{crown_all, difference, map, overwrite};
use super::log_rows::log_rows;
use super::max::{max, of_vector};
use super::sum::{SHORT, mode};
use super::total::Total;
use super::wide::Wide;
use crate::apply::is_of_amd;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run_fused};

/// Bytes of lanes that go together, or are copied before they are overwritten: with what comes after them they stay in the
/// first-level cache.
pub(super) const GROUP: usize = 8 << 10;
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
        if len > SHORT && LOG {
            return log_rows(simd, input, x, out, len, far);
        }
        let at_once = far && bytes >= LONG;
        if len > SHORT && x.is_none() && out.len() > len {
            return softmaxes::<S, A, I, true>(simd, input, &[], out, len, at_once);
        }
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
            } else {
                softmaxes::<S, A, I, false>(simd, input, x, out, len, at_once);
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

/// The softmax of longer lanes; in place of several, without `x`.
#[inline(always)]
fn softmaxes<S: Simd, A: Element, I: Input<A>, const IN_PLACE: bool>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    len: usize,
    at_once: bool,
) {
    let mut top = max(simd, input, if IN_PLACE { &out[..len] } else { &x[..len] });
    // Where a lane begins that is added, but not finished, its sum and its largest key.
    let mut waiting = None;
    let mut at = 0;
    loop {
        let ended = if at == out.len() {
            waiting.take()
        } else {
            let (sum, next) = if IN_PLACE {
                add_in_place::<S, A, I>(simd, input, (out, at), len, top, at_once)
            } else {
                let rest = &x[at..];
                let ahead = rest.get(len..2 * len).unwrap_or(&rest[..len]);
                let (lane, out) = ((rest, len), &mut out[at..]);
                add::<S, A, I, { mode::STORE }>(simd, input, lane, ahead, out, top, at_once)
            };
            let this = Some((at, sum, top));
            (at, top) = (at + len, next);
            if at_once { this } else { core::mem::replace(&mut waiting, this) }
        };
        if let Some((start, sum, top)) = ended {
            finish(simd, input, &mut out[start..start + len], sum, top);
        } else if waiting.is_none() {
            return;
        }
    }
}

/// The sum of the exponentials of a lane, the first `len` elements, and the largest key of the lane ahead, found beside it
/// or apart. (For `f64` apart is slower, of products not worth the code.)
#[inline(always)]
pub(super) fn add<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
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
    add_near::<S, A, I, MODE, false>(simd, input, (x, len), ahead, out, (top, origin), apart)
}

/// The same with the exponentials in place of the lane at `at`, one of several. What is next to the last one is the lane
/// before it, whose largest key nobody asks for.
#[inline(always)]
fn add_in_place<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    (all, at): (&mut [A], usize),
    len: usize,
    top: A,
    apart: bool,
) -> (Wide, A) {
    let (before, rest) = all.split_at_mut(at);
    let (lane, after) = rest.split_at_mut(len);
    let ahead = after.get(..len).unwrap_or_else(
        #[inline(always)]
        || &before[at - len..],
    );
    let origin = Peaks::alone(top).origin(simd, input);
    if I::PLAIN && origin.shift.is_some() {
        return (shifted_in_place::<S, A, I>(simd, input, lane, top), max(simd, input, ahead));
    }
    let (x, top) = ((&[][..], len), (top, origin));
    add_near::<S, A, I, { mode::STORE }, true>(simd, input, x, ahead, lane, top, apart)
}

/// From a copy: lanes like this are rare.
#[cold]
#[inline(never)]
fn shifted_in_place<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    lane: &mut [A],
    top: A,
) -> Wide {
    let (copy, peaks) = (lane.to_vec(), Peaks::alone(top));
    rare_total::<S, A, I, { mode::STORE }>(simd, input, &copy, copy.len(), lane, peaks).0
}

/// Of lanes that are not shifted, or of any input that is a product.
#[inline(always)]
fn add_near<S: Simd, A: Element, I: Input<A>, const MODE: u8, const IN_PLACE: bool>(
    simd: S,
    input: I,
    lane: (&[A], usize),
    ahead: &[A],
    out: &mut [A],
    (top, origin): (A, Origin<A::Lanes<S>>),
    apart: bool,
) -> (Wide, A) {
    let origin = origin.of_first(simd);
    let origin = if I::PLAIN { origin.without_shift() } else { origin };
    let top = A::Lanes::<S>::fill(simd, top);
    if size_of::<A>() == 4 && I::PLAIN && apart {
        let nothing = (
            ahead,
            #[inline(always)]
            |_| (),
        );
        let sum =
            long_total::<S, A, I, MODE, IN_PLACE>(simd, input, lane, out, top, origin, nothing);
        return (sum, max(simd, input, ahead));
    }
    let mut next = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let beside = (
        ahead,
        #[inline(always)]
        |x: A::Lanes<S>| next = input.key(x).at_least(next),
    );
    let sum = long_total::<S, A, I, MODE, IN_PLACE>(simd, input, lane, out, top, origin, beside);
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
    use crate::softmax::input::{Input, Plain, Scale};

    fn results<A: Element, I: Input<A>, const LOG: bool>(
        input: I,
        x: &[A],
        in_place: bool,
        len: usize,
        far: bool,
    ) -> Vec<u64> {
        let mut out = if in_place { x.to_vec() } else { vec![A::one(); x.len()] };
        let x = (!in_place).then_some(x);
        Rows::<_, _, LOG> { input, x, out: &mut out, len, far }.run_all(Job::new());
        out.into_iter().map(|y| y.to_f64().to_bits()).collect()
    }

    /// Some lanes are shifted, some have a NaN or an infinity, some one element that is all of the sum.
    fn check<A: Element, I: Input<A>, const LOG: bool>(input: I, len: usize) {
        let x = |i: usize| A::from_f64((i * i % 1013) as f64 / 80.0 - 6.0);
        let mut x: Vec<A> = (0..75 * len).map(x).collect();
        for (i, lane) in x.chunks_exact_mut(len).enumerate() {
            let odd = &mut lane[i * 7 % len];
            match i % 11 {
                3 => lane.iter_mut().for_each(|x| *x += A::from_f64(6000.0)),
                5 => *odd = A::nan(),
                6 => *odd = A::neg_infinity(),
                7 => *odd = A::infinity(),
                9 => *odd = A::from_f64(200.0),
                _ => (),
            }
        }
        let alone = x.chunks(len).flat_map(|x| results::<A, I, LOG>(input, x, false, len, false));
        let alone: Vec<u64> = alone.collect();
        for (in_place, far) in [(false, false), (false, true), (true, false), (true, true)] {
            for lanes in [1, 2, 75] {
                let (x, alone) = (&x[..lanes * len], &alone[..lanes * len]);
                let here = results::<A, I, LOG>(input, x, in_place, len, far);
                assert!(here == alone, "{lanes} of {len}, in place {in_place}, far {far}");
            }
        }
    }

    fn check_all<A: Element>(len: usize) {
        check::<A, _, false>(Plain, len);
        check::<A, _, true>(Plain, len);
        check::<A, _, false>(Scale::new((-0.7, 0.0)), len);
    }

    /// On every machine, whatever the size of the array.
    #[test]
    fn lanes_have_the_same_bits_alone_together_in_place_near_and_far() {
        for level in Level::available() {
            with_level(level, || {
                if !Job::new().is_fused() {
                    return;
                }
                for len in [1, 10, 64, 65, 79, 80, 100, 128, 200, 512, 1000, 4000] {
                    check_all::<f32>(len);
                    check_all::<f64>(len.min(2000));
                }
            });
        }
    }
}
