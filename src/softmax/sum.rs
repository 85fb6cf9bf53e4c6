//! Maximum and sum of a lane, in the one order that every walk follows.
//!
//! The order depends on the length of the lane alone, never on its place, its layout, the number
//! of threads or the SIMD level:
//!
//! 1. A lane is cut into chunks of 16 KiB. Each has a power of two of its own as reference, from
//!    its maximum.
//! 2. A chunk of at most [`SHORT`] elements is added one element after the other.
//! 3. In a longer one element `i` goes to accumulator `i mod W` (`W` = 16 or 8), in order of `i`; a
//!    total is taken after every 64 of its elements.
//! 4. The totals of the accumulators are folded: `j` with `j + W/2`, then with `j + W/4`, and so on.
//! 5. Sums of chunks are added one after the other.

use fearless_simd::Simd;

use super::chunk::{Peaks, total};
use super::exp::{Constants, Exp, Origin, exp, limit};
use super::input::{Input, Plain};
use super::max::{max, of_vector};
use super::total::{Total, WIDEST, add, single};
use super::wide::{Wide, power_of_two};
use crate::activation::Cost;
use crate::apply::parallel::{self, Tasks, singles};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, Mask, run};

/// Elements of a chunk that is added in order: lanes that short are walked side by side.
pub(crate) const SHORT: usize = 64;
/// Elements of an accumulator between two totals.
pub(crate) const BLOCK: usize = 64;

/// Elements of a chunk.
pub(crate) const fn chunk<A>() -> usize {
    (16 << 10) / size_of::<A>()
}

/// What a walk over exponentials does besides adding them.
pub(crate) mod mode {
    /// Stores them.
    pub(crate) const STORE: u8 = 0;
    /// Nothing.
    pub(crate) const ADD: u8 = 1;
    /// Leaves those of the largest elements out and counts them.
    pub(crate) const COUNT: u8 = 2;
}

/// One vector of exponentials, for the modes.
#[inline(always)]
pub(crate) fn term<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    x: A::Lanes<S>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Exp<A::Lanes<S>> {
    let (value, low) = input.value(simd, x);
    let e = exp(value, low, origin);
    if const { MODE != mode::COUNT } {
        return e;
    }
    e.but_where(input.key(x).eq(top))
}

/// How many elements have this key, in each lane of the vectors.
#[inline(always)]
pub(crate) fn count<'a, S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    rows: impl Iterator<Item = &'a [A]>,
    top: A::Lanes<S>,
) -> A::Lanes<S> {
    let (zero, one) = (top.splat(0.0), top.splat(1.0));
    let mut counts = zero;
    for row in rows {
        let largest = input.key(A::Lanes::<S>::load(simd, row)).eq(top);
        counts = counts + Lane::select(largest, one, zero);
    }
    counts
}

/// The origin of chunks with these largest keys, in lanes with those.
#[inline(always)]
pub(crate) fn origin<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    constants: Constants,
    top: A::Lanes<S>,
    of_lane: A::Lanes<S>,
) -> Origin<A::Lanes<S>> {
    let (value, low) = input.value(simd, input.key(of_lane));
    let zero = top.splat(0.0);
    let far = value.abs().gt(top.splat(limit::<A>()));
    let shift = (!I::PLAIN || far.any())
        .then_some((Lane::select(far, value, zero), Lane::select(far, low.unwrap_or(zero), zero)));
    Origin::new(constants, input.value(simd, input.key(top)).0, shift)
}

/// Whether a lane with this largest key is shifted.
#[inline(always)]
pub(crate) fn is_shifted<A: Element, I: Input<A>>(input: I, max: A) -> bool {
    input.scalar(max).0.to_f64().abs() > limit::<A>()
}

/// In loops that store nothing the compiler would load all constants before the first round, and run
/// out of registers. It may not where something unknown might have changed memory.
#[inline(always)]
pub(crate) fn constants_stay_in_memory<const MODE: u8>() {
    if const { MODE != mode::STORE } {
        core::hint::black_box(0u8);
    }
}

/// The numbers of the lanes of a vector.
const NUMBERS: ([f32; 16], [f64; 8]) = {
    let mut all = ([0.0; 16], [0.0; 8]);
    let mut i = 0;
    while i < 16 {
        all.0[i] = i as f32;
        all.1[i % 8] = (i % 8) as f64;
        i += 1;
    }
    all
};

/// The first lanes.
#[inline(always)]
pub(crate) fn first<V: Lane>(like: V, count: usize) -> V::Mask {
    like.row(&NUMBERS.0, &NUMBERS.1).lt(like.splat(count as f64))
}

/// The numbers with this one in lane `i`. In registers: a vector that is read where its lanes were written one by one
/// waits for these writes, and so for all before them, which may go to memory.
#[inline(always)]
pub(super) fn with<S: Simd, V: LaneIo<S>>(simd: S, all: V, i: usize, value: V::Elem) -> V {
    let here = all.row(&NUMBERS.0, &NUMBERS.1).eq(all.splat(i as f64));
    V::select(here, V::fill(simd, value), all)
}

/// The sum over a chunk or a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum<A> {
    /// The largest key.
    pub(crate) max: A,
    /// The binary exponent that the sum is relative to.
    pub(crate) exponent: i32,
    /// The sum of the exponentials relative to the origin, lifted; without those of the largest
    /// elements where they are counted.
    pub(crate) rest: Wide,
    /// The exponential of the largest element relative to the origin, lifted.
    pub(crate) largest: Wide,
    /// How many elements are the largest; 0 where they are not counted but part of the sum.
    pub(crate) count: f64,
}

impl<A: Element> Sum<A> {
    /// A place for a sum.
    fn nothing() -> Self {
        Self { max: A::zero(), exponent: 0, rest: Wide::ZERO, largest: Wide::ZERO, count: 0.0 }
    }

    /// With the next chunk of the lane.
    #[inline(always)]
    pub(crate) fn merge(self, next: Self) -> Self {
        let top = if next.max > self.max { &next } else { &self };
        let relative = |sum: &Self| {
            // Beyond the depth of exponentials nothing is left.
            let distance = (sum.exponent - top.exponent).clamp(-2000, 0);
            let counted = if sum.max < top.max { sum.count } else { 0.0 };
            let sum = sum.rest.plus(sum.largest.times(Wide::from(counted)));
            let half = distance / 2;
            // Two factors, since one alone may be out of range.
            sum.scaled(power_of_two(half)).scaled(power_of_two(distance - half))
        };
        let rest = add::<A>(relative(&self), relative(&next));
        let count = |sum: &Self| if sum.max == top.max { sum.count } else { 0.0 };
        Self { rest, count: count(&self) + count(&next), ..*top }
    }
}

/// The sums over neighbouring chunks of a lane whose largest key is `of_lane`, or 0 where it is not known.
struct Chunks<'a, A, I, const MODE: u8> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
    sums: &'a mut [Sum<A>],
    of_lane: A,
    /// Where the largest key of a chunk comes from.
    tops: Tops,
}

/// Where the largest key of a chunk comes from.
#[derive(Clone, Copy, PartialEq)]
enum Tops {
    /// It is found beside the sum of the chunk before,
    Beside,
    /// or in a loop of its own,
    Apart,
    /// or was found before.
    Known,
}

impl<A: Element, I: Input<A>, const MODE: u8> Kernel for Chunks<'_, A, I, MODE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, mut out, sums, of_lane, tops } = self;
        let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
        let (mut rest, mut known) = (x, None);
        for sum in sums {
            let (x, after) = rest.split_at(rest.len().min(chunk::<A>()));
            let (here, after_out) = out.split_at_mut(x.len().min(out.len()));
            // The largest key of the next chunk is found beside this sum, so that it is fetched meanwhile.
            let ahead = after.get(..x.len()).filter(|_| tops == Tops::Beside).unwrap_or(x);
            let mut next = lowest;
            let known_top = if tops == Tops::Known { Some(sum.max) } else { known };
            let max = known_top.unwrap_or_else(
                #[inline(always)]
                || max(simd, input, x),
            );
            let (top, peaks) =
                (A::Lanes::<S>::fill(simd, max), Peaks { chunk: max, lane: of_lane });
            let origin = peaks.origin(simd, input);
            let (rest_of_sum, count) = total::<S, A, I, MODE>(
                simd,
                input,
                (x, x.len()),
                here,
                peaks,
                origin,
                (
                    ahead,
                    #[inline(always)]
                    |x| next = input.key(x).at_least(next),
                ),
            );
            let (value, low) = input.value(simd, input.key(top));
            let largest = Total::of(exp(value, low, origin)).store()[0];
            let exponent = each::<S, A>(origin.exponent)[0].to_f64() as i32;
            *sum = Sum { max, exponent, rest: rest_of_sum, largest, count };
            known = (tops == Tops::Beside && after.len() >= x.len()).then_some(of_vector(next));
            (rest, out) = (after, after_out);
        }
    }
}

/// The largest elements of neighbouring chunks.
struct TopsOf<'a, A> {
    x: &'a [A],
    sums: &'a mut [Sum<A>],
}

impl<A: Element> Kernel for TopsOf<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (x, sum) in self.x.chunks(chunk::<A>()).zip(self.sums) {
            sum.max = max(simd, Plain, x);
        }
    }
}

/// Sums of nothing, for each chunk of `x`, with the largest elements.
pub(super) fn tops<A: Element>(job: Job, x: &[A]) -> Vec<Sum<A>> {
    let mut sums = vec![Sum::nothing(); x.len().div_ceil(chunk::<A>())];
    run(job, TopsOf { x, sums: &mut sums });
    sums
}

/// The sums of neighbouring chunks of a lane that is not shifted and whose [`tops`] are known, as in [`sums`].
pub(super) fn sums_below<A: Element, const MODE: u8>(
    job: Job,
    x: &[A],
    out: &mut [A],
    sums: &mut [Sum<A>],
) {
    let (input, of_lane, tops) = (Plain, A::zero(), Tops::Known);
    run(job, Chunks::<'_, A, Plain, MODE> { input, x, out, sums, of_lane, tops });
}

/// The lanes of a vector.
#[inline(always)]
pub(crate) fn each<S: Simd, A: Element>(v: A::Lanes<S>) -> [A; WIDEST] {
    let mut all = [A::zero(); WIDEST];
    v.store(&mut all[..A::WIDTH]);
    all
}

/// The sum over a lane of any length but 0.
pub(crate) fn sum<A: Element, I: Input<A>, const MODE: u8>(job: Job, input: I, x: &[A]) -> Sum<A> {
    merged(&sums::<A, I, MODE>(job, input, false, x, &mut []))
}

/// The sum over all chunks.
pub(crate) fn merged<A: Element>(sums: &[Sum<A>]) -> Sum<A> {
    sums[1..].iter().fold(sums[0], |sum, &next| sum.merge(next))
}

/// The sum over each chunk of a lane of any length but 0. `out` gets the exponentials, relative to the
/// exponent of their chunk, where they are stored. `far` is whether the lane is a long one that comes from memory, of a
/// processor where loops that only read have more lines under way.
pub(crate) fn sums<A: Element, I: Input<A>, const MODE: u8>(
    job: Job,
    input: I,
    far: bool,
    x: &[A],
    out: &mut [A],
) -> Vec<Sum<A>> {
    let mut sums = vec![Sum::nothing(); x.len().div_ceil(chunk::<A>())];
    // One pass: most lanes need no shift. Those that do are walked again.
    let mut of_lane = A::zero();
    // A loop that stores waits for what it reads from memory longer than one that only reads.
    let is_apart = far && const { MODE == mode::STORE && single::<A>() };
    let tops = if is_apart { Tops::Apart } else { Tops::Beside };
    loop {
        let some = |x: &[A], out: &mut [A], sums: &mut [Sum<A>]| {
            run(job, Chunks::<'_, A, I, MODE> { input, x, out, sums, of_lane, tops });
        };
        share(parallel::pieces(Cost::Moderate, singles::<A>(x.len())), x, out, &mut sums, &some);
        if of_lane != A::zero() {
            return sums;
        }
        let max = sums[1..].iter().fold(
            sums[0].max,
            |max, next| {
                if next.max > max { next.max } else { max }
            },
        );
        if !is_shifted(input, max) {
            return sums;
        }
        of_lane = max;
    }
}

/// The sum over a lane of any length but 0, for its logarithm.
pub(crate) fn sum_for_log<A: Element, I: Input<A>>(job: Job, input: I, x: &[A]) -> Sum<A> {
    if x.len() > SHORT {
        let all = sum::<A, I, { mode::ADD }>(job, input, x);
        if suffices(all.rest, all.largest) {
            return all;
        }
    }
    sum::<A, I, { mode::COUNT }>(job, input, x)
}

/// Whether the sum of all elements gives the logarithm as well as the sum of all but the largest: besides one of
/// the largest there is at least 2^-6 of it, and little cancels. Accumulators are exact but for the roundings of their
/// low parts, typically 2^-40 of the largest term for `f32` and 2^-98 for `f64`, of which the logarithm takes 2^6 times as
/// much. Otherwise, and in lanes of at most [`SHORT`] elements, the largest are counted.
#[inline(always)]
pub(crate) fn suffices(all: Wide, largest: Wide) -> bool {
    all.high >= (1.0 + 1.0 / 64.0) * largest.high
}

/// What is done with chunks, their part of the output and their sums.
type Visit<'a, A> = &'a (dyn Fn(&[A], &mut [A], &mut [Sum<A>]) + Sync);

/// Calls `f` for pieces of a lane of whole chunks, their part of `out` (empty where the lane has none) and their
/// sums, on several threads where there are several pieces.
pub(crate) fn share<A: Element>(
    pieces: usize,
    x: &[A],
    out: &mut [A],
    sums: &mut [Sum<A>],
    f: Visit<'_, A>,
) {
    if pieces < 2 {
        return f(x, out, sums);
    }
    let mut tasks = Tasks::new();
    cut(&mut tasks, pieces, x, out, sums, f);
    tasks.run();
}

fn cut<'a, A: Element>(
    tasks: &mut Tasks<'a>,
    pieces: usize,
    x: &'a [A],
    out: &'a mut [A],
    sums: &'a mut [Sum<A>],
    f: Visit<'a, A>,
) {
    if pieces < 2 || sums.len() < 2 {
        return tasks.push(move || f(x, out, sums));
    }
    let (middle, size) = (sums.len() / 2, chunk::<A>());
    let (sums0, sums1) = sums.split_at_mut(middle);
    let (x0, x1) = x.split_at(middle * size);
    let (out0, out1) = out.split_at_mut((middle * size).min(out.len()));
    cut(tasks, pieces / 2, x0, out0, sums0, f);
    cut(tasks, pieces - pieces / 2, x1, out1, sums1, f);
}
