//! The sum of the exponentials of a chunk of one lane.

use fearless_simd::Simd;

use super::exp::{Constants, Origin};
use super::input::Input;
use super::max::{load_padded, store_part};
use super::sum::{BLOCK, SHORT, constants_stay_in_memory, count, each, first, mode, origin, term};
use super::total::{Accumulator, Total, total_in_order};
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
    let sum = rare_total::<S, A, I, MODE>(simd, input, x, len, out, peaks);
    if len > SHORT {
        for vector in ahead[..len].chunks_exact(A::WIDTH) {
            beside(A::Lanes::<S>::load(simd, vector));
        }
        beside(A::Lanes::<S>::load(simd, &ahead[len - A::WIDTH..len]));
    }
    sum
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

#[inline(always)]
fn total_from<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    (all, len): (&[A], usize),
    out: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    (ahead, mut beside): (&[A], impl FnMut(A::Lanes<S>)),
) -> (Wide, f64) {
    let width = A::WIDTH;
    let zero = A::Lanes::<S>::fill(simd, A::zero());
    let (x, ahead) = (&all[..len], &ahead[..len]);
    let sum = if x.len() <= SHORT {
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
    } else {
        let mut total = Total::zero(simd);
        for (i, block) in x.chunks(BLOCK * width).enumerate() {
            let start = i * BLOCK * width;
            let mut accumulator = Accumulator::<_, MODE>::new(zero);
            let (whole, vector) = block.split_at(block.len() / width * width);
            let place = start..start + whole.len();
            let vectors = whole.chunks_exact(width).zip(ahead[place.clone()].chunks_exact(width));
            if const { MODE == mode::STORE } {
                for ((vector, ahead), out) in vectors.zip(out[place].chunks_exact_mut(width)) {
                    beside(A::Lanes::<S>::load(simd, ahead));
                    let x = A::Lanes::<S>::load(simd, vector);
                    let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
                    e.high.store(out);
                    accumulator.add(e);
                }
            } else {
                for (vector, ahead) in vectors {
                    constants_stay_in_memory::<MODE>();
                    beside(A::Lanes::<S>::load(simd, ahead));
                    let x = A::Lanes::<S>::load(simd, vector);
                    accumulator.add(term::<S, A, I, MODE>(simd, input, x, top, origin));
                }
            }
            constants_stay_in_memory::<MODE>();
            if !vector.is_empty() {
                beside(A::Lanes::<S>::load(simd, &ahead[len - width..]));
                let at = len - vector.len();
                let these = first(zero, vector.len());
                let x = match all.get(at..at + width) {
                    Some(more) => {
                        let x = A::Lanes::<S>::load(simd, more);
                        Lane::select(these, x, A::Lanes::<S>::fill(simd, A::neg_infinity()))
                    }
                    None => load_padded::<S, A>(simd, vector, A::neg_infinity()),
                };
                let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
                if const { MODE == mode::STORE } {
                    match out.get_mut(at..at + width) {
                        Some(out) => e.high.store(out),
                        None => store_part::<S, A>(e.high, &mut out[at..len]),
                    }
                }
                accumulator.add(e.only(these));
            }
            total = total.plus::<A>(accumulator.total());
        }
        total.fold::<A>()
    };
    if const { MODE != mode::COUNT } {
        return (sum, 0.0);
    }
    let vectors = x.chunks_exact(width);
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
