//! The sum of the exponentials of a chunk of one lane.

use fearless_simd::Simd;

use super::exp::{Constants, Origin, first_half, is_halved, second_half};
use super::input::Input;
use super::max::{load_padded, store_part};
use super::sum::{BLOCK, SHORT, constants_stay_in_memory, count, each, first, mode, origin, term};
use super::total::{Accumulator, Total, WIDEST, total_in_order};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// The largest keys that an origin is made of: of a chunk, and of its lane, which is 0 where it is not known.
#[derive(Clone, Copy)]
pub(crate) struct Peaks<A> {
    pub(crate) chunk: A,
    pub(crate) lane: A,
}

impl<A: Element> Peaks<A> {
    /// Of a chunk that is the whole lane.
    #[inline(always)]
    pub(crate) fn alone(max: A) -> Self {
        Self { chunk: max, lane: max }
    }

    /// The origin, the same in all lanes.
    #[inline(always)]
    pub(crate) fn origin<S: Simd, I: Input<A>>(self, simd: S, input: I) -> Origin<A::Lanes<S>> {
        let (top, of_lane) = (A::Lanes::fill(simd, self.chunk), A::Lanes::fill(simd, self.lane));
        origin::<S, A, I>(simd, input, Constants::new(), top, of_lane)
    }
}

/// The sum of the exponentials of a chunk, the first `len` elements of `x`, and the count. The origin is that of the
/// peaks. What follows the chunk is read and, in `out`, overwritten with anything, where that saves a copy of its tail.
/// `beside` is called with each vector of `ahead`, of which there are as many elements, in chunks of more than
/// [`SHORT`]; the last may overlap the one before.
#[inline(always)]
pub(crate) fn total<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (x, len): (&[A], usize),
    out: &mut [A],
    peaks: Peaks<A>,
    origin: Origin<A::Lanes<S>>,
    (ahead, mut beside): (&[A], impl FnMut(A::Lanes<S>)),
) -> (Wide, f64) {
    let top = A::Lanes::<S>::fill(simd, peaks.chunk);
    if const { MODE != mode::COUNT && !I::PLAIN } {
        let origin = origin.of_first(simd);
        return total_from::<S, A, I, MODE>(
            simd,
            input,
            (x, len),
            out,
            top,
            origin,
            (ahead, beside),
        );
    }
    // Most lanes need no shift, and no count: a loop of their own.
    if MODE != mode::COUNT && origin.shift.is_none() {
        let origin = origin.of_first(simd).without_shift();
        return total_from::<S, A, I, MODE>(
            simd,
            input,
            (x, len),
            out,
            top,
            origin,
            (ahead, beside),
        );
    }
    // Taken apart: put together in memory, a sum would be read from there before its parts have arrived.
    let (Wide { high, low }, count) = rare_total::<S, A, I, MODE>(simd, input, x, len, out, peaks);
    if len > SHORT {
        for vector in ahead[..len].chunks_exact(A::WIDTH) {
            beside(A::Lanes::<S>::load(simd, vector));
        }
        beside(A::Lanes::<S>::load(simd, &ahead[len - A::WIDTH..len]));
    }
    (Wide { high, low }, count)
}

/// The same, with nothing beside, as a function of its own: in line, loops that hardly ever run would be half of
/// the code. It makes its own origin: one that is passed in memory would have to be put there for every lane.
#[cold]
#[inline(never)]
pub(super) fn rare_total<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    x: &[A],
    len: usize,
    out: &mut [A],
    peaks: Peaks<A>,
) -> (Wide, f64) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (x, top) = ((x, len), A::Lanes::<S>::fill(simd, peaks.chunk));
            let origin = peaks.origin(simd, input).of_first(simd);
            let beside = |_| ();
            if MODE == mode::COUNT && I::PLAIN && origin.shift.is_none() {
                let origin = origin.without_shift();
                return total_from::<S, A, I, MODE>(
                    simd,
                    input,
                    x,
                    out,
                    top,
                    origin,
                    (x.0, beside),
                );
            }
            total_from::<S, A, I, MODE>(simd, input, x, out, top, origin, (x.0, beside))
        },
    )
}

/// The same from an origin of one number in all lanes.
#[inline(always)]
fn total_from<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (all, len): (&[A], usize),
    out: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    beside: (&[A], impl FnMut(A::Lanes<S>)),
) -> (Wide, f64) {
    let x = &all[..len];
    let sum = if len <= SHORT {
        short_total::<S, A, I, MODE>(simd, input, x, out, top, origin)
    } else {
        long_total::<S, A, I, MODE, false>(simd, input, (all, len), out, top, origin, beside)
    };
    if const { MODE != mode::COUNT } {
        return (sum, 0.0);
    }
    let vectors = x.chunks_exact(A::WIDTH);
    let key = each::<S, A>(top)[0];
    let mut rest = 0.0;
    for &x in vectors.remainder() {
        rest += if input.scalar_key(x) == key { 1.0 } else { 0.0 };
    }
    let counts = each::<S, A>(count::<S, A, I>(simd, input, vectors, top));
    for count in counts {
        rest += count.to_f64();
    }
    (sum, rest)
}

/// Of at most [`SHORT`] elements.
#[inline(always)]
fn short_total<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Wide {
    let width = A::WIDTH;
    let (mut all_p, mut scales) = ([A::zero(); SHORT], [A::zero(); SHORT]);
    let places = all_p.chunks_exact_mut(width).zip(scales.chunks_exact_mut(width));
    for (i, (vector, (p, scale))) in x.chunks(width).zip(places).enumerate() {
        let x = load_padded::<S, A>(simd, vector, A::neg_infinity());
        let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
        let parts = e.parts();
        parts.0.store(p);
        parts.1.store(scale);
        if const { MODE == mode::STORE } {
            store_part::<S, A>(e.high, &mut out[i * width..][..vector.len()]);
        }
    }
    total_in_order::<A, MODE>(&all_p[..x.len()], &scales[..x.len()])
}

/// Of more than [`SHORT`] elements: those of `all`, or in place those of `out`, which is as long as the chunk then.
#[inline(always)]
pub(super) fn long_total<S: Simd, A: Element, I: Input<A>, const MODE: u8, const IN_PLACE: bool>(
    simd: S,
    input: I,
    (all, len): (&[A], usize),
    out: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    (ahead, mut beside): (&[A], impl FnMut(A::Lanes<S>)),
) -> Wide {
    const { assert!(MODE == mode::STORE || !IN_PLACE, "what is not overwritten is an input") };
    let width = A::WIDTH;
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let (mut total, mut at) = (Total::zero(simd), 0);
    let (tail, whole) = (len % width, len - len % width);
    // In place what follows stays, and the last vector comes from a copy: its end, and nothing behind.
    let mut end = [A::neg_infinity(); 2 * WIDEST];
    if IN_PLACE && tail > 0 {
        A::Lanes::<S>::load(simd, &out[len - width..len]).store(&mut end[..width]);
    }
    while at < len {
        let mut accumulator = Accumulator::<_, MODE>::new(zero);
        let place = at..whole.min(at + BLOCK * width);
        at = place.end;
        // Slices, not iterators: made before the branch, iterators would be in memory and looked at in every round.
        let aheads = &ahead[..whole][place.clone()];
        // In place these are only counted.
        let xs = if IN_PLACE { aheads } else { &all[..whole][place.clone()] };
        if const { MODE == mode::STORE } {
            let outs = &mut out[..whole][place];
            if const { I::PLAIN && is_halved::<A::Lanes<S>>() } && origin.shift.is_none() {
                // The first half runs one vector ahead of what is written.
                let load = A::Lanes::<S>::load;
                let first = if IN_PLACE { &outs[..width] } else { &xs[..width] };
                let mut half = first_half(load(simd, first), origin);
                let last = xs.len() - width;
                if IN_PLACE {
                    let (mut behind, rest) = outs.split_at_mut(width);
                    let vectors = rest.chunks_exact_mut(width).zip(aheads.chunks_exact(width));
                    for (out, ahead) in vectors {
                        let next = first_half(A::Lanes::<S>::load(simd, out), origin);
                        beside(A::Lanes::<S>::load(simd, ahead));
                        let e = second_half(half, origin);
                        e.high.store(behind);
                        accumulator.add(e);
                        (half, behind) = (next, out);
                    }
                } else {
                    // A loop of its own: with the one above it would take 2 % more.
                    let rest = xs[width..].chunks_exact(width).zip(aheads.chunks_exact(width));
                    for ((x, ahead), out) in rest.zip(outs.chunks_exact_mut(width)) {
                        let next = first_half(A::Lanes::<S>::load(simd, x), origin);
                        beside(A::Lanes::<S>::load(simd, ahead));
                        let e = second_half(half, origin);
                        e.high.store(out);
                        accumulator.add(e);
                        half = next;
                    }
                }
                beside(load(simd, &aheads[last..]));
                let e = second_half(half, origin);
                e.high.store(&mut outs[last..]);
                accumulator.add(e);
            } else {
                let vectors = xs.chunks_exact(width).zip(aheads.chunks_exact(width));
                for ((x, ahead), out) in vectors.zip(outs.chunks_exact_mut(width)) {
                    let has_room = const { A::Lanes::<S>::HAS_ROOM };
                    if has_room {
                        beside(A::Lanes::<S>::load(simd, ahead));
                    }
                    let x = A::Lanes::<S>::load(simd, if IN_PLACE { &*out } else { x });
                    let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
                    if has_room {
                        e.high.store(out);
                        accumulator.add(e);
                    } else {
                        // In this order `f64` takes 5 to 10 % less time with AVX2: less is put on the stack.
                        accumulator.add(e);
                        e.high.store(out);
                        beside(A::Lanes::<S>::load(simd, ahead));
                    }
                }
            }
        } else if const { MODE == mode::ADD && I::PLAIN && is_halved::<A::Lanes<S>>() }
            && origin.shift.is_none()
        {
            let mut half = first_half(A::Lanes::<S>::load(simd, &xs[..width]), origin);
            for (x, ahead) in xs[width..].chunks_exact(width).zip(aheads.chunks_exact(width)) {
                let next = first_half(A::Lanes::<S>::load(simd, x), origin);
                beside(A::Lanes::<S>::load(simd, ahead));
                accumulator.add(second_half(half, origin));
                half = next;
            }
            beside(A::Lanes::<S>::load(simd, &aheads[xs.len() - width..]));
            accumulator.add(second_half(half, origin));
        } else {
            for (x, ahead) in xs.chunks_exact(width).zip(aheads.chunks_exact(width)) {
                constants_stay_in_memory::<MODE>();
                beside(A::Lanes::<S>::load(simd, ahead));
                let x = A::Lanes::<S>::load(simd, x);
                accumulator.add(term::<S, A, I, MODE>(simd, input, x, top, origin));
            }
        }
        constants_stay_in_memory::<MODE>();
        if tail > 0 && at == whole {
            beside(A::Lanes::<S>::load(simd, &ahead[len - width..len]));
            let these = first(zero, tail);
            let x = match all.get(at..at + width) {
                _ if IN_PLACE => A::Lanes::<S>::load(simd, &end[width - tail..][..width]),
                Some(more) => Lane::select(these, A::Lanes::<S>::load(simd, more), lowest),
                None => load_padded::<S, A>(simd, &all[at..len], A::neg_infinity()),
            };
            let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
            if const { MODE == mode::STORE } {
                match out.get_mut(at..at + width) {
                    Some(out) => e.high.store(out),
                    None => store_part::<S, A>(e.high, &mut out[at..len]),
                }
            }
            accumulator.add(e.only(these));
            at = len;
        }
        total = total.plus::<A>(accumulator.total());
    }
    total.fold::<A>()
}
