//! Logarithms of the softmax of lanes of more than [`SHORT`](super::sum::SHORT) elements in one run of memory, several at
//! a time: a logarithm takes long, and as long for one as for a vector of them.

use fearless_simd::Simd;

use super::chunk::{Peaks, rare_total};
use super::exp::Constants;
use super::finish::{largest, logarithm_of_eight, nearest};
use super::input::Input;
use super::lane::{difference, map, overwrite};
use super::max::max;
use super::rows::{GROUP, add};
use super::sum::{each, mode, origin, suffices, with};
use super::total::{Total, WIDEST, single};
use super::wide::Wide;
use crate::apply::is_of_amd;
use crate::element::Element;
use crate::lane::LaneIo;

/// Lanes whose logarithms are taken at once, at most as many as any vector has.
const TOGETHER: usize = 8;
/// Bytes of such lanes of `f32` that come from memory: fewer, so that less is read before results are written. Two of 256
/// elements take 0.87 to 0.92 of the time of four, one of 500 0.83 to 0.90 of the time of two.
const FAR_GROUP: usize = 2560;

/// The logarithms of the softmax of lanes in `x`, or in `out` where there is none.
#[inline(always)]
pub(super) fn log_rows<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    x: Option<&[A]>,
    out: &mut [A],
    len: usize,
    far: bool,
) {
    // Bytes of lanes that go together, and of the longest whose exponentials are not stored.
    let (group, bare) = match far {
        false if single::<A>() && is_of_amd() => (GROUP, GROUP),
        false => (GROUP, 0),
        true if single::<A>() => (FAR_GROUP, GROUP / 4),
        true => (GROUP / 2, GROUP / 2),
    };
    let together = together::<A>(len, group);
    let (lanes, apart) = ((len, together), far && together == 1);
    if x.is_some() && size_of::<A>() * len > bare {
        in_groups::<S, A, I, { mode::STORE }>(simd, input, x, out, lanes, apart);
    } else {
        in_groups::<S, A, I, { mode::ADD }>(simd, input, x, out, lanes, false);
    }
}

/// The same, of so many lanes at once. Nobody reads what is stored, but then the output is in the cache: it is fetched beside
/// the arithmetic. On AMD's processors lanes of `f32` of up to 8 KiB take 0.93 to 0.99 of the time without (`f64` would take
/// 0.96 to 1.08), and where all comes from memory, where loads wait for such stores, those of up to 2 KiB (`f64` 4 KiB).
#[inline(always)]
fn in_groups<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    x: Option<&[A]>,
    out: &mut [A],
    (len, together): (usize, usize),
    apart: bool,
) {
    let size = together * len;
    let mut tops = first_tops(simd, input, (x.unwrap_or(out), len), together);
    let mut start = 0;
    while start < out.len() {
        // In place nothing is stored before the results.
        let (x_of_all, stored) = match x {
            Some(x) if MODE == mode::STORE => (x, &mut out[start..]),
            Some(x) => (x, &mut [][..]),
            None => (&*out, &mut [][..]),
        };
        let lanes = (&x_of_all[start..], len);
        let first_top = tops;
        let (logs, each_top) =
            logarithms::<S, A, I, MODE>(simd, input, lanes, size, stored, &mut tops, apart);
        let first_log: A::Lanes<S> = nearest(logs);
        let mut logs = [A::zero(); WIDEST];
        if together > 1 {
            first_log.store(&mut logs[..A::WIDTH]);
        }
        let end = out.len().min(start + size);
        let mut i = 0;
        while start < end {
            // One lane alone is in all lanes of the vectors.
            let (top, log) = if together > 1 {
                (A::Lanes::<S>::fill(simd, each_top[i]), A::Lanes::<S>::fill(simd, logs[i]))
            } else {
                (first_top, first_log)
            };
            let here = start..start + len;
            match x {
                Some(x) => map(
                    simd,
                    &x[here.clone()],
                    &mut out[here],
                    #[inline(always)]
                    |x| difference(x, top, log),
                ),
                None => overwrite(
                    simd,
                    &mut out[here],
                    #[inline(always)]
                    |x| difference(x, top, log),
                ),
            }
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
