//! What happens to one lane: its sum, then one pass over its elements.

use fearless_simd::Simd;

use super::exp::{Constants, Origin, exp};
use super::finish::{crowned, inverse, logarithm, quotient};
use super::input::{Input, Plain};
use super::max::{load_padded, store_part};
use super::rows::Rows;
use super::sum::{SHORT, Sum, chunk, merged, mode, origin, share, suffices, sum_for_log, sums};
use super::total::Total;
use super::wide::{Wide, power_of_two};
use crate::activation::Cost;
use crate::apply::parallel::{self, Tasks, singles};
use crate::apply::{beyond_cache, line_in};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// Bytes of the longest lane that stays in the second-level cache together with its output.
const BESIDE: usize = 512 << 10;
/// Bytes of a lane from which on it matters how it comes from memory: with 160 KiB it takes 0.91 to 0.95 of the time, with
/// 80 KiB 0.98, with 40 KiB it would take 1.01 to 1.07.
const LONG: usize = 64 << 10;

/// Whether a lane of an array that [`is_far`](super::rows::is_far) is one for which that matters.
fn is_long_and_far<A>(far: bool, x: &[A]) -> bool {
    far && size_of_val(x) >= LONG
}

/// The softmax of `x`, a lane of an array that [`is_far`](super::rows::is_far) or not, into `out`.
pub(crate) fn softmax<A: Element, I: Input<A>>(
    job: Job,
    input: I,
    far: bool,
    x: &[A],
    out: &mut [A],
) {
    if x.is_empty() {
        return;
    }
    if x.len() <= chunk::<A>() && job.is_fused() {
        let (x, len, far) = (Some(x), x.len(), false);
        return Rows::<'_, A, I, false> { input, x, out, len, far }.run_all(job);
    }
    let far = is_long_and_far(far, x);
    let mut sums = sums::<A, I, { mode::STORE }>(job, input, far, x, out);
    let sum = merged(&sums);
    let pieces = parallel::pieces(Cost::Light, singles::<A>(x.len()));
    let last = beyond_cache::<A>(job, x.len(), false);
    share(pieces, x, out, &mut sums, &|x, out, sums| {
        let chunks = x.chunks(chunk::<A>()).zip(out.chunks_mut(chunk::<A>()));
        for ((x, out), of_chunk) in chunks.zip(sums) {
            let distance = of_chunk.exponent - sum.exponent;
            if distance < deepest::<A>() {
                run(job, Quotients { input, x, out, sum });
            } else {
                finish_chunk(last, input, out, of_chunk, sum);
            }
        }
    });
}

/// From the exponentials of a chunk, which is not as far below its lane as [`deepest`], to the softmax.
pub(super) fn finish_chunk<A: Element, I: Input<A>>(
    job: Job,
    input: I,
    out: &mut [A],
    of_chunk: &Sum<A>,
    sum: Sum<A>,
) {
    // A chunk is above its lane only where that has no softmax.
    let power = A::from_f64(power_of_two((of_chunk.exponent - sum.exponent).min(0)));
    run(job, Products { input, out, sum, power });
}

/// The logarithms of the softmax in place of the elements.
pub(super) fn reduce_by<A: Element>(job: Job, out: &mut [A], top: A, log: A) {
    run(job, Reduced { out, top, log });
}

struct Reduced<'a, A> {
    out: &'a mut [A],
    top: A,
    log: A,
}

impl<A: Element> Kernel for Reduced<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (top, log) = (A::Lanes::<S>::fill(simd, self.top), A::Lanes::<S>::fill(simd, self.log));
        overwrite(
            simd,
            self.out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

/// Exponentials of a chunk are multiplied by the power of two that brings them to the lane's exponent,
/// which is exact wherever the result is not zero. Beyond this distance that power is not a normal
/// number, and they are made again.
pub(super) const fn deepest<A>() -> i32 {
    if size_of::<A>() == 4 { -100 } else { -1000 }
}

/// The softmax from the exponentials of a chunk, relative to its exponent.
struct Products<'a, A, I> {
    input: I,
    out: &'a mut [A],
    sum: Sum<A>,
    /// From the exponent of the chunk to that of the lane.
    power: A,
}

impl<A: Element, I: Input<A>> Kernel for Products<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, out, sum, power } = self;
        let top = A::Lanes::<S>::fill(simd, sum.max);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
        let total = Total::fill(simd, sum.rest);
        let inverse = inverse(total);
        let crowned = crowned::<S, A, I>(simd, input, total, top, origin);
        if power == A::one() {
            overwrite(
                simd,
                out,
                #[inline(always)]
                |t| quotient(t, inverse),
            );
        } else {
            let power = A::Lanes::<S>::fill(simd, power);
            overwrite(
                simd,
                out,
                #[inline(always)]
                |t| quotient(t * power, inverse),
            );
        }
        if crowned.is_some() {
            crown_all(out);
        }
    }
}

/// `f` of every element in its place.
#[inline(always)]
pub(super) fn overwrite<S: Simd, A: Element>(
    simd: S,
    out: &mut [A],
    f: impl Fn(A::Lanes<S>) -> A::Lanes<S>,
) {
    let Some(tail) = out.len().checked_sub(A::WIDTH) else {
        let t = load_padded::<S, A>(simd, out, A::zero());
        return store_part::<S, A>(f(t), out);
    };
    let line = line_in(out);
    // Read before the vectors that they overlap are written.
    let first = A::Lanes::<S>::load(simd, &out[..A::WIDTH]);
    let last = A::Lanes::<S>::load(simd, &out[tail..]);
    for vector in out[line..].chunks_exact_mut(A::WIDTH) {
        f(A::Lanes::<S>::load(simd, vector)).store(vector);
    }
    if line > 0 {
        f(first).store(&mut out[..A::WIDTH]);
    }
    if !(out.len() - line).is_multiple_of(A::WIDTH) {
        f(last).store(&mut out[tail..]);
    }
}

/// Writes 1 where the one element above ½ is.
pub(super) fn crown_all<A: Element>(out: &mut [A]) {
    for y in out {
        if *y > A::from_f64(0.5) {
            *y = A::one();
        }
    }
}

/// Calls `f` for pieces of `x` and `out`, whole chunks but for the last.
fn pieces<A: Element>(x: &[A], out: &mut [A], count: usize, f: &(dyn Fn(&[A], &mut [A]) + Sync)) {
    if count < 2 {
        return f(x, out);
    }
    let size = x.len().div_ceil(count).next_multiple_of(chunk::<A>());
    let mut tasks = Tasks::new();
    for (x, out) in x.chunks(size).zip(out.chunks_mut(size)) {
        tasks.push(move || f(x, out));
    }
    tasks.run();
}

/// The softmax of a part of a lane whose sum is known, from its elements.
struct Quotients<'a, A, I> {
    input: I,
    x: &'a [A],
    out: &'a mut [A],
    sum: Sum<A>,
}

impl<A: Element, I: Input<A>> Kernel for Quotients<'_, A, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, sum } = self;
        let top = A::Lanes::<S>::fill(simd, sum.max);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top).of_first(simd);
        let total = Total::fill(simd, sum.rest);
        let inverse = inverse(total);
        let crowned = crowned::<S, A, I>(simd, input, total, top, origin);
        if I::PLAIN && origin.shift.is_none() {
            let origin = origin.without_shift();
            anew::<S, A, I>(simd, input, x, out, origin, inverse);
        } else {
            anew::<S, A, I>(simd, input, x, out, origin, inverse);
        }
        if crowned.is_some() {
            crown_all(out);
        }
    }
}

#[inline(always)]
fn anew<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    x: &[A],
    out: &mut [A],
    origin: Origin<A::Lanes<S>>,
    inverse: (A::Lanes<S>, A::Lanes<S>),
) {
    map(
        simd,
        x,
        out,
        #[inline(always)]
        |x| {
            let (value, low) = input.value(simd, x);
            quotient(exp(value, low, origin).high, inverse)
        },
    );
}

/// `f` of every element of `x` into `out`.
#[inline(always)]
pub(super) fn map<S: Simd, A: Element>(
    simd: S,
    x: &[A],
    out: &mut [A],
    f: impl Fn(A::Lanes<S>) -> A::Lanes<S>,
) {
    let Some(tail) = x.len().checked_sub(A::WIDTH) else {
        return store_part::<S, A>(f(load_padded::<S, A>(simd, x, A::zero())), out);
    };
    let line = line_in(out);
    for (x, out) in x[line..].chunks_exact(A::WIDTH).zip(out[line..].chunks_exact_mut(A::WIDTH)) {
        f(A::Lanes::<S>::load(simd, x)).store(out);
    }
    if line > 0 {
        f(A::Lanes::<S>::load(simd, &x[..A::WIDTH])).store(&mut out[..A::WIDTH]);
    }
    if !(x.len() - line).is_multiple_of(A::WIDTH) {
        f(A::Lanes::<S>::load(simd, &x[tail..])).store(&mut out[tail..]);
    }
}

/// `ln Σ e^(x − max)` of a counted sum, NaN where the lane's result is not a number.
pub(super) struct Logarithm<A> {
    pub(super) sum: Sum<A>,
}

impl<A: Element> Logarithm<A> {
    /// Compiled once, not again wherever it is called.
    #[inline(never)]
    pub(super) fn of(self, job: Job) -> Wide {
        run(job, self)
    }
}

impl<A: Element> Kernel for Logarithm<A> {
    type Output = Wide;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Wide {
        let counts = A::Lanes::<S>::fill(simd, A::from_f64(self.sum.count));
        let (rest, largest) =
            (Total::fill(simd, self.sum.rest), Total::fill(simd, self.sum.largest));
        logarithm::<S, A>(rest, largest, counts).store()[0]
    }
}

/// The sum over a lane for its logarithm, while the output is fetched into the second-level cache, where it fits
/// there: the exponentials that are stored are not used.
fn sum_beside<A: Element>(job: Job, far: bool, x: &[A], out: &mut [A]) -> Sum<A> {
    if size_of_val(x) > BESIDE || x.len() <= SHORT {
        return sum_for_log(job, Plain, x);
    }
    let sum = merged(&sums::<A, Plain, { mode::STORE }>(job, Plain, far, x, out));
    if suffices(sum.rest, sum.largest) {
        return sum;
    }
    merged(&sums::<A, Plain, { mode::COUNT }>(job, Plain, far, x, &mut []))
}

/// The logarithm of the softmax of `x`, a lane of an array that [`is_far`](super::rows::is_far) or not, into `out`.
pub(crate) fn log_softmax<A: Element>(job: Job, far: bool, x: &[A], out: &mut [A]) {
    if x.is_empty() {
        return;
    }
    if x.len() <= chunk::<A>() && job.is_fused() {
        let (input, x, len, far) = (Plain, Some(x), x.len(), false);
        return Rows::<'_, A, _, true> { input, x, out, len, far }.run_all(job);
    }
    let far = is_long_and_far(far, x);
    let sum = sum_beside(job, far, x, out);
    let (top, log) = (sum.max, A::from_f64(Logarithm { sum }.of(job).value()));
    let threads = parallel::pieces(Cost::Moderate, singles::<A>(x.len()));
    if threads < 2 && far && size_of_val(x) <= BESIDE {
        // What was read and stored last is still in the second-level cache.
        let chunks = x.chunks(chunk::<A>()).zip(out.chunks_mut(chunk::<A>()));
        return chunks.rev().for_each(|(x, out)| run(job, Differences { x, out, top, log }));
    }
    // Two subtractions: nothing is fused.
    let job = beyond_cache::<A>(job, x.len(), true);
    pieces(x, out, threads, &|x, out| run(job, Differences { x, out, top, log }));
}

/// `(x − max) − log`, within 1.5 ULP and what the logarithm lost: neither term is positive, so
/// nothing cancels.
#[inline(always)]
pub(super) fn difference<V: Lane>(x: V, top: V, log: V) -> V {
    (x - top) - log
}

/// The logarithm of the softmax of a part of a lane whose sum is known.
struct Differences<'a, A> {
    x: &'a [A],
    out: &'a mut [A],
    top: A,
    log: A,
}

impl<A: Element> Kernel for Differences<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (top, log) = (A::Lanes::<S>::fill(simd, self.top), A::Lanes::<S>::fill(simd, self.log));
        map(
            simd,
            self.x,
            self.out,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{log_softmax, softmax};
    use crate::element::Element;
    use crate::lane::{Job, Level, with_level};
    use crate::softmax::input::Plain;

    fn check<A: Element>(x: &[A]) {
        let job = Job::new();
        let bits = |&y: &A| Element::to_f64(y).to_bits();
        let results = |far: bool| {
            let mut out = [vec![A::one(); x.len()], vec![A::one(); x.len()]];
            softmax(job, Plain, far, x, &mut out[0]);
            log_softmax(job, far, x, &mut out[1]);
            out.map(|out| out.iter().map(bits).collect::<Vec<_>>())
        };
        assert!(results(true) == results(false), "{} elements", x.len());
    }

    /// On every machine, whatever the size of the array: chunks with peaks of their own, far below the largest, and of one
    /// element that is nearly all of the sum.
    #[test]
    fn long_lanes_have_the_same_bits_near_and_far() {
        for level in Level::available() {
            for len in [4097, 20_000, 50_003, 131_072, 140_001] {
                let x =
                    |i: usize| (i * i % 1013) as f32 / 80.0 - 6.0 - (i / 9000 * 20 % 190) as f32;
                let mut x: Vec<f32> = (0..len).map(x).collect();
                with_level(level, || check(&x));
                let double: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                with_level(level, || check(&double));
                x[len / 2] = 300.0;
                with_level(level, || check(&x));
            }
        }
    }
}
