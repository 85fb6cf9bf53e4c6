//! Lanes in one run of memory, a few at a time.

use fearless_simd::Simd;

use super::chunk::{Peaks, total};
use super::exp::Constants;
use super::finish::{crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::Input;
use super::lane::{crown_all, difference, map, overwrite};
use super::max::{max, of_vector};
use super::pipeline;
use super::sum::{SHORT, chunk, each, mode, origin, suffices};
use super::total::{Total, WIDEST};
use super::wide::Wide;
use crate::apply::{FROM_MEMORY, is_of_amd};
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Lanes that go through their stages together, at most as many as a vector has: while one waits for the last of
/// a sum, the next adds, and the logarithms are taken of all at once.
const TOGETHER: usize = 8;

/// What runs beside the sums of lanes. All gives the same bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Whether the largest elements of later lanes are found there.
    ahead: bool,
    lean: bool,
    together: usize,
    at_once: bool,
    /// The longest lanes that go through a [`pipeline`], where there is one.
    longest: usize,
}

impl Pace {
    /// Bytes of an array up to which it stays in the caches together with its output.
    const NEAR: usize = 8 << 20;
    /// Lanes of which a group leaves most of the first-level cache to a thread that shares the core.
    const SHORT: usize = 128;

    /// Of one lane alone.
    pub(super) const ALONE: Self = Self { ahead: true, longest: 0, lean: true, together: 2048, at_once: true };

    /// For the softmax, or its logarithm, of an array of so many elements.
    ///
    /// Processors of AMD read and write memory best in one stream each: beyond the caches a pipeline takes up to half
    /// more time there, and so does reading ahead from memory. Those of Intel gain by a pipeline there, in the caches
    /// little or nothing.
    pub(super) fn of<A>(elements: usize, log: bool) -> Self {
        let bytes = size_of::<A>() * elements;
        static F: std::sync::OnceLock<Option<Vec<usize>>> = std::sync::OnceLock::new();
        if let Some(v) = F.get_or_init(|| std::env::var("FORCE").ok().map(|v| v.split(',').map(|v| v.parse().unwrap()).collect())) {
            return Self { ahead: v[0] == 1, longest: 0, lean: v[1] == 1, together: v.get(3).copied().unwrap_or(2048), at_once: v[2] == 1 };
        }
        let from_memory = bytes >= FROM_MEMORY;
        Self { ahead: true, longest: 0, lean: true, at_once: from_memory, together: if from_memory { 4096 } else { 8192 } }
    }
}

/// Lanes of at most a chunk, one after the other in `x`, or in `out` where there is none.
pub(super) struct Rows<'a, A, I, const LOG: bool> {
    pub(super) pace: Pace,
    pub(super) input: I,
    pub(super) x: Option<&'a [A]>,
    pub(super) out: &'a mut [A],
    pub(super) len: usize,
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Rows<'_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { pace, input, x, out, len } = self;
        if const { pipeline::is_there::<S, A, I>() }
            && len > SHORT
            && pace.lean
            && let Some(x) = x
        {
            if LOG {
                return pipeline::log_softmaxes::<S, A>(simd, x, out, len, (pace.together / size_of::<A>() / len).clamp(1, 8));
            }
            return pipeline::softmaxes::<S, A>(simd, x, out, len, pace.at_once && len * size_of::<A>() >= 2048);
        }
        let looks_ahead = len > SHORT && (pace.ahead || !A::Lanes::<S>::SINGLE);
        // As many lanes as stay in the first-level cache.
        let size = len * (chunk::<A>() / 2 / len).clamp(1, TOGETHER);
        let mut copy = Vec::new();
        let mut known = None;
        for (i, out) in out.chunks_mut(size).enumerate() {
            let (x, after) = match x {
                Some(x) => x[i * size..].split_at(out.len()),
                None => {
                    copy.clear();
                    copy.extend_from_slice(out);
                    (&*copy, &[][..])
                }
            };
            let after = if looks_ahead { after } else { &[] };
            let lanes = Lanes { x, after, len };
            let tops = known.unwrap_or_else(
                #[inline(always)]
                || tops(simd, input, x, len),
            );
            let next = if LOG {
                logarithms::<S, A, I>(simd, input, lanes, out, &tops)
            } else {
                quotients::<S, A, I>(simd, input, lanes, out, &tops)
            };
            known = (looks_ahead && !after.is_empty()).then_some(next);
        }
    }
}

/// Some lanes, and what comes after them: of as many, their largest keys are found beside the sums, so that they
/// are fetched while there is something else to do.
#[derive(Clone, Copy)]
struct Lanes<'a, A> {
    x: &'a [A],
    after: &'a [A],
    len: usize,
}

impl<A: Element> Lanes<'_, A> {
    /// The sum of the exponentials of lane `index`, which are stored in `out`, and the largest key of the lane as
    /// many lanes further on as there are here, if there is one.
    #[inline(always)]
    fn total<S: Simd, I: Input<A>>(
        self,
        simd: S,
        input: I,
        index: usize,
        out: &mut [A],
        top: A,
    ) -> (Wide, A) {
        let Self { x, after, len } = self;
        let x = &x[index * len..];
        let ahead = after.get(index * len..(index + 1) * len).unwrap_or(&x[..len]);
        let mut next = A::Lanes::<S>::fill(simd, A::neg_infinity());
        let peaks = Peaks::alone(top);
        let (sum, _) = total::<S, A, I, { mode::STORE }>(
            simd,
            input,
            (x, len),
            out,
            peaks,
            peaks.origin(simd, input),
            (
                ahead,
                #[inline(always)]
                |x| next = input.key(x).at_least(next),
            ),
        );
        (sum, of_vector(next))
    }
}

/// The largest key of each lane, one in each lane of a vector, which may have more.
#[inline(always)]
fn tops<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, x: &[A], len: usize) -> [A; WIDEST] {
    let mut tops = [A::zero(); WIDEST];
    for (top, x) in tops.iter_mut().zip(x.chunks_exact(len)) {
        *top = max(simd, input, x);
    }
    tops
}

/// A number for each lane, or that of the only lane everywhere: a vector made of pieces waits for their stores.
#[inline(always)]
fn one_each<S: Simd, A: Element>(simd: S, all: &[A; WIDEST], alone: bool) -> A::Lanes<S> {
    if alone {
        A::Lanes::<S>::fill(simd, all[0])
    } else {
        A::Lanes::<S>::load(simd, &all[..A::WIDTH])
    }
}

/// The same of sums.
#[inline(always)]
fn totals<S: Simd>(simd: S, sums: &([f64; WIDEST], [f64; WIDEST]), alone: bool) -> Total<S> {
    if alone {
        Total::fill(simd, Wide { high: sums.0[0], low: sums.1[0] })
    } else {
        Total::load_parts(simd, &sums.0, &sums.1)
    }
}

#[inline(always)]
fn quotients<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    lanes: Lanes<'_, A>,
    out: &mut [A],
    tops: &[A; WIDEST],
) -> [A; WIDEST] {
    let constants = Constants::new();
    let Lanes { x, len, .. } = lanes;
    let mut next = [A::zero(); WIDEST];
    let mut sums = [Wide::ZERO; TOGETHER];
    for (i, start) in (0..x.len()).step_by(len).enumerate() {
        (sums[i], next[i]) = lanes.total(simd, input, i, &mut out[start..], tops[i]);
    }
    for ((out, &top), &sum) in out.chunks_exact_mut(len).zip(tops).zip(&sums) {
        let top = A::Lanes::<S>::fill(simd, top);
        let origin = origin::<S, A, I>(simd, input, constants, top, top);
        let total = Total::fill(simd, sum);
        let inverse = inverse(total);
        let crowned = crowned::<S, A, I>(simd, input, total, top, origin);
        overwrite(
            simd,
            out,
            #[inline(always)]
            |t| quotient(t, inverse),
        );
        if crowned.is_some() {
            crown_all(out);
        }
    }
    next
}

#[inline(always)]
fn logarithms<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    lanes: Lanes<'_, A>,
    out: &mut [A],
    tops: &[A; WIDEST],
) -> [A; WIDEST] {
    let constants = Constants::new();
    let Lanes { x, len, .. } = lanes;
    let mut next = [A::zero(); WIDEST];
    let alone = x.len() == len;
    let all_tops = one_each::<S, A>(simd, tops, alone);
    let all = origin::<S, A, I>(simd, input, constants, all_tops, all_tops);
    let all = largest::<S, A, I>(simd, input, all_tops, all);
    let largest = all.highs();
    let mut sums = ([1.0; WIDEST], [0.0; WIDEST]);
    let mut counts = [A::zero(); WIDEST];
    for (i, start) in (0..x.len()).step_by(len).enumerate() {
        let (mut sum, mut count) = (Wide::ZERO, 0.0);
        if len > SHORT {
            // Nobody reads what is stored, but then the output is in the cache: it is fetched beside the arithmetic.
            (sum, next[i]) = lanes.total(simd, input, i, &mut out[start..], tops[i]);
        }
        if !suffices(sum, Wide::from(largest[i])) {
            let (x, peaks) = ((&x[start..], len), Peaks::alone(tops[i]));
            (sum, count) = total::<S, A, I, { mode::COUNT }>(
                simd,
                input,
                x,
                &mut [],
                peaks,
                peaks.origin(simd, input),
                (
                    x.0,
                    #[inline(always)]
                    |_| (),
                ),
            );
        }
        (sums.0[i], sums.1[i], counts[i]) = (sum.high, sum.low, A::from_f64(count));
    }
    // The logarithms of all lanes at once.
    let counts = one_each::<S, A>(simd, &counts, alone);
    let logs = nearest(logarithm::<S, A>(totals(simd, &sums, alone), all, counts));
    let logs = each::<S, A>(logs);
    let lanes = x.chunks_exact(len).zip(out.chunks_exact_mut(len));
    for ((x, out), (&top, &log)) in lanes.zip(tops.iter().zip(&logs)) {
        let (top, log) = (A::Lanes::<S>::fill(simd, top), A::Lanes::<S>::fill(simd, log));
        map(
            simd,
            x,
            out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
    next
}

#[cfg(test)]
mod tests {
    use super::{Pace, Rows};
    use crate::lane::{Job, run_fused};
    use crate::softmax::input::Plain;

    fn results<const LOG: bool>(pace: Pace, x: &[f32], len: usize) -> Vec<u32> {
        let mut out = vec![7.0; x.len()];
        run_fused(
            Job::new(),
            Rows::<_, _, LOG> { pace, input: Plain, x: Some(x), out: &mut out, len },
        );
        out.into_iter().map(f32::to_bits).collect()
    }

    /// On every machine, whatever its processor would choose.
    #[test]
    fn every_pace_gives_the_same_bits() {
        if !Job::new().is_fused() {
            return;
        }
        for len in [65, 100, 128, 200, 512, 1000] {
            let x: Vec<f32> = (0..75 * len).map(|i| (i * i % 1013) as f32 / 80.0 - 6.0).collect();
            for (ahead, longest) in [(true, usize::MAX), (false, usize::MAX), (false, 0)] {
                let pace = Pace { ahead, longest, lean: true, together: 2048, at_once: true };
                assert!(results::<false>(pace, &x, len) == results::<false>(Pace::ALONE, &x, len));
                assert!(results::<true>(pace, &x, len) == results::<true>(Pace::ALONE, &x, len));
            }
        }
    }
}
