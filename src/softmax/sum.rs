//! Maximum and sum of a lane, in the one order that every walk follows.
//!
//! The order depends on the length of the lane alone, never on its place, its layout, the number
//! of threads or the SIMD level:
//!
//! 1. A lane is cut into chunks of 16 KiB, and a chunk into blocks of 16 vectors (256 `f32`, 128
//!    `f64`). Each chunk has a power of two of its own as reference, from its maximum.
//! 2. In a block, element `i` goes to accumulator `i mod W` (`W` = 16 or 8), in order of `i`. An
//!    accumulator is a pair: it starts at a number larger than any term, so fast two-sum gives the
//!    exact error of each addition.
//! 3. The accumulators are folded: `j` with `j + W/2`, then with `j + W/4`, and so on.
//! 4. Sums of blocks, then of chunks, are added one after the other in double precision (`f32`)
//!    or double-double (`f64`).

use fearless_simd::Simd;

use super::exp::{Exp, LOWER, Origin, Reference, exp, limit};
pub(crate) use super::max::max;
use super::wide::{Wide, power_of_two};
use crate::activation::Cost;
use crate::apply::parallel;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// Vectors of a block.
pub(crate) const BLOCK: usize = 16;
/// More lanes than any vector has.
pub(crate) const WIDEST: usize = 16;

/// Elements of a chunk.
pub(crate) const fn chunk<A>() -> usize {
    (16 << 10) / size_of::<A>()
}

/// What elements are multiplied by before the exponential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale<A> {
    pub(crate) high: A,
    pub(crate) low: A,
}

impl<A: Element> Scale<A> {
    pub(crate) fn new(factor: f64) -> Self {
        let high = A::from_f64(factor);
        let low = A::from_f64(factor - high.to_f64());
        Self { high, low: if low.is_finite() { low } else { A::zero() } }
    }

    /// ±1, by which elements keep or reverse their order.
    #[inline(always)]
    fn sign(self) -> A {
        if self.high < A::zero() { -A::one() } else { A::one() }
    }
}

/// A compile-time choice: elements as they are, or scaled.
pub(crate) trait Input<A: Element>: Copy + Send + Sync {
    /// The element whose scaled value is the largest sorts highest by this.
    fn key<V: Lane<Elem = A>>(self, x: V) -> V;
    /// The element that has this key.
    fn raw(self, key: A) -> A;
    /// The scaled value of one element; the same bits as in a vector.
    fn scalar(self, raw: A) -> (A, A);
    /// The scaled element as a pair, without error.
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, simd: S, x: V) -> (V, Option<V>);
}

/// Elements as they are.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl<A: Element> Input<A> for Plain {
    #[inline(always)]
    fn key<V: Lane<Elem = A>>(self, x: V) -> V {
        x
    }
    #[inline(always)]
    fn raw(self, key: A) -> A {
        key
    }
    #[inline(always)]
    fn scalar(self, raw: A) -> (A, A) {
        (raw, A::zero())
    }
    #[inline(always)]
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, _simd: S, x: V) -> (V, Option<V>) {
        (x, None)
    }
}

impl<A: Element> Input<A> for Scale<A> {
    #[inline(always)]
    fn key<V: Lane<Elem = A>>(self, x: V) -> V {
        x * self.sign().to_f64()
    }
    #[inline(always)]
    fn raw(self, key: A) -> A {
        key * self.sign()
    }
    #[inline(always)]
    fn scalar(self, raw: A) -> (A, A) {
        let product = raw * self.high;
        let rest = raw.mul_add(self.high, -product) + raw * self.low;
        (product, if product.is_finite() { rest } else { A::zero() })
    }
    #[inline(always)]
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, simd: S, x: V) -> (V, Option<V>) {
        let (high, low) = (V::fill(simd, self.high), V::fill(simd, self.low));
        let product = x * high;
        let rest = x.mul_sub(high, product) + x * low;
        let finite = product.abs().lt(x.splat(f64::INFINITY));
        (product, Some(V::select(finite, rest, x.splat(0.0))))
    }
}

/// One vector from up to `WIDTH` elements, the rest filled.
#[inline(always)]
pub(crate) fn load_padded<S: Simd, A: Element>(simd: S, x: &[A], fill: A) -> A::Lanes<S> {
    let mut padded = [fill; WIDEST];
    padded[..x.len()].copy_from_slice(x);
    A::Lanes::<S>::load(simd, &padded[..A::WIDTH])
}

/// The first up to `WIDTH` lanes.
#[inline(always)]
pub(crate) fn store_part<S: Simd, A: Element>(v: A::Lanes<S>, out: &mut [A]) {
    let mut padded = [A::zero(); WIDEST];
    v.store(&mut padded[..A::WIDTH]);
    out.copy_from_slice(&padded[..out.len()]);
}

/// The sum over a chunk or a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum<A> {
    /// The largest key.
    pub(crate) max: A,
    pub(crate) reference: Reference<A>,
    /// The sum of the exponentials relative to the reference, lifted; without those of the largest
    /// elements where they are counted.
    pub(crate) rest: Wide,
    /// How many elements are the largest; 0 where they are not counted.
    pub(crate) count: f64,
}

struct SumKernel<'a, A, I, const COUNT: bool> {
    x: &'a [A],
    out: &'a mut [A],
    input: I,
    max: A,
    reference: Reference<A>,
}

/// Adds one vector to the accumulators.
#[inline(always)]
pub(crate) fn accumulate<V: Lane>(sum: &mut V, error: &mut V, e: Exp<V>) {
    let next = *sum + e.high;
    *error = *error + ((e.high - (next - *sum)) + e.low);
    *sum = next;
}

impl<A: Element, I: Input<A>, const COUNT: bool> Kernel for SumKernel<'_, A, I, COUNT> {
    type Output = (Wide, f64);
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (Wide, f64) {
        let Self { x, out, input, max, reference } = self;
        let width = A::WIDTH;
        let origin = Origin::new(
            A::Lanes::<S>::fill(simd, reference.shift),
            A::Lanes::<S>::fill(simd, reference.shift_low),
            reference.exponent,
        );
        let max = A::Lanes::<S>::fill(simd, max);
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        // Larger than any term, which is below 1.5 · 2^(LIFT + 1).
        let bias = zero + 4.0 / LOWER;
        let mut total = Wide::ZERO;
        let mut counts = zero;
        let store = !out.is_empty();
        for (i, block) in x.chunks(BLOCK * width).enumerate() {
            let start = i * BLOCK * width;
            let (mut sum, mut error) = (bias, zero);
            let mut vectors = block.chunks_exact(width);
            for (j, vector) in vectors.by_ref().enumerate() {
                let x = A::Lanes::<S>::load(simd, vector);
                let (value, low) = input.value(simd, x);
                let mut e = exp(value, low, origin);
                if store {
                    let at = start + j * width;
                    e.high.store(&mut out[at..at + width]);
                }
                if COUNT {
                    let top = input.key(x).eq(max);
                    counts = counts + Lane::select(top, zero + 1.0, zero);
                    e.high = Lane::select(top, zero, e.high);
                    e.low = Lane::select(top, zero, e.low);
                }
                accumulate(&mut sum, &mut error, e);
            }
            let vector = vectors.remainder();
            if !vector.is_empty() {
                let x = load_padded::<S, A>(simd, vector, A::neg_infinity());
                let valid =
                    load_padded::<S, A>(simd, &[A::one(); WIDEST][..vector.len()], A::zero());
                let valid = valid.gt(zero);
                let (value, low) = input.value(simd, x);
                let e = exp(value, low, origin);
                if store {
                    let at = start + block.len() - vector.len();
                    store_part::<S, A>(e.high, &mut out[at..at + vector.len()]);
                }
                let mut taken = valid;
                if COUNT {
                    let top = input.key(x).eq(max) & valid;
                    counts = counts + Lane::select(top, zero + 1.0, zero);
                    taken = valid & !top;
                }
                let high = Lane::select(taken, e.high, zero);
                let low = Lane::select(taken, e.low, zero);
                accumulate(&mut sum, &mut error, Exp { high, low });
            }
            let (mut highs, mut lows) = ([A::zero(); WIDEST], [A::zero(); WIDEST]);
            (sum - bias).store(&mut highs[..width]);
            error.store(&mut lows[..width]);
            total = add::<A>(total, fold(highs, lows));
        }
        let mut each = [A::zero(); WIDEST];
        counts.store(&mut each[..width]);
        let count = each[..width].iter().map(|&count| Element::to_f64(count)).sum();
        (total, count)
    }
}

/// One addition in the precision that the element type needs.
#[inline(always)]
pub(crate) fn add<A: Element>(a: Wide, b: Wide) -> Wide {
    if size_of::<A>() == 4 { Wide::from(a.high + b.high) } else { a.plus(b) }
}

/// The accumulators of a block folded by halves.
#[inline(always)]
fn fold<A: Element>(high: [A; WIDEST], low: [A; WIDEST]) -> Wide {
    let mut sums: [Wide; WIDEST] = core::array::from_fn(
        #[inline(always)]
        |j| {
            let (high, low) = (high[j].to_f64(), low[j].to_f64());
            if size_of::<A>() == 4 { Wide::from(high + low) } else { Wide::sum(high, low) }
        },
    );
    let mut half = A::WIDTH / 2;
    while half > 0 {
        for j in 0..half {
            sums[j] = add::<A>(sums[j], sums[j + half]);
        }
        half /= 2;
    }
    sums[0]
}

struct One<A, I> {
    input: I,
    raw: A,
    reference: Reference<A>,
}

impl<A: Element, I: Input<A>> Kernel for One<A, I> {
    type Output = Wide;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Wide {
        let origin = Origin::new(
            A::Lanes::<S>::fill(simd, self.reference.shift),
            A::Lanes::<S>::fill(simd, self.reference.shift_low),
            self.reference.exponent,
        );
        let (value, low) = self.input.value(simd, A::Lanes::<S>::fill(simd, self.raw));
        let e = exp(value, low, origin);
        let (mut high, mut low) = ([A::zero(); WIDEST], [A::zero(); WIDEST]);
        e.high.store(&mut high[..A::WIDTH]);
        e.low.store(&mut low[..A::WIDTH]);
        Wide::sum(high[0].to_f64(), low[0].to_f64())
    }
}

/// The scaled value of the element with this key, as a pair.
#[inline(always)]
pub(crate) fn scaled<A: Element, I: Input<A>>(input: I, key: A) -> (A, A) {
    input.scalar(input.raw(key))
}

impl<A: Element> Sum<A> {
    /// No elements.
    fn empty(shift: (A, A)) -> Self {
        let max = A::neg_infinity();
        let reference = Reference::new(max, shift.0, shift.1);
        Self { max, reference, rest: Wide::ZERO, count: 0.0 }
    }

    /// The exponential of the largest element relative to the reference, lifted.
    pub(crate) fn largest<I: Input<A>>(&self, job: Job, input: I) -> Wide {
        run(job, One { input, raw: input.raw(self.max), reference: self.reference })
    }

    /// The next chunk of the lane.
    fn merge<I: Input<A>>(self, job: Job, input: I, next: Self) -> Self {
        let relative = |sum: &Self, to: &Self| {
            // Beyond the depth of exponentials nothing is left.
            let distance = (sum.reference.exponent - to.reference.exponent).max(-2000);
            let counted = Wide::from(sum.count).times(if sum.count > 0.0 && sum.max < to.max {
                sum.largest(job, input)
            } else {
                Wide::ZERO
            });
            let half = distance / 2;
            // Two factors, since one alone may be out of range.
            sum.rest.plus(counted).scaled(power_of_two(half)).scaled(power_of_two(distance - half))
        };
        let top = if next.max > self.max { &next } else { &self };
        let rest = add::<A>(relative(&self, top), relative(&next, top));
        let count = |sum: &Self| if sum.max == top.max { sum.count } else { 0.0 };
        Self { max: top.max, reference: top.reference, rest, count: count(&self) + count(&next) }
    }

    /// `Σ e^(x − max) − 1`, for counted sums.
    pub(crate) fn beside_largest<I: Input<A>>(&self, job: Job, input: I) -> Wide {
        beside::<A>(self.rest, self.largest(job, input), self.count)
    }
}

/// `rest / largest + count − 1`, in the precision that the element type needs.
#[inline(always)]
pub(crate) fn beside<A>(rest: Wide, largest: Wide, count: f64) -> Wide {
    if size_of::<A>() == 4 {
        Wide::from(rest.high / largest.value() + (count - 1.0))
    } else {
        rest.over(largest).plus(Wide::from(count - 1.0))
    }
}

/// The sum over one chunk; lifted exponentials are stored in `out` unless it is empty.
pub(crate) fn sum_chunk<A: Element, I: Input<A>, const COUNT: bool>(
    job: Job,
    input: I,
    x: &[A],
    out: &mut [A],
    max: A,
    shift: (A, A),
) -> Sum<A> {
    let reference = Reference::new(scaled(input, max).0, shift.0, shift.1);
    let kernel = SumKernel::<'_, A, I, COUNT> { x, out, input, max, reference };
    let (rest, count) = run(job, kernel);
    Sum { max, reference, rest, count }
}

/// The shift that a lane with this largest key needs.
#[inline(always)]
pub(crate) fn shift<A: Element, I: Input<A>>(input: I, max: A) -> (A, A) {
    let (value, low) = scaled(input, max);
    if value.to_f64().abs() > limit::<A>() { (value, low) } else { (A::zero(), A::zero()) }
}

/// The sum over a lane of any length.
pub(crate) fn sum<A: Element, I: Input<A>, const COUNT: bool>(
    job: Job,
    input: I,
    x: &[A],
) -> Sum<A> {
    if x.len() <= chunk::<A>() {
        let max = max(job, input, x);
        return sum_chunk::<A, I, COUNT>(job, input, x, &mut [], max, shift(input, max));
    }
    // One pass: most lanes need no shift. Those that do are walked again.
    let first = sum_chunks::<A, I, COUNT>(job, input, x, (A::zero(), A::zero()));
    let shift = shift(input, first.max);
    if shift.0 == A::zero() {
        return first;
    }
    sum_chunks::<A, I, COUNT>(job, input, x, shift)
}

fn sum_chunks<A: Element, I: Input<A>, const COUNT: bool>(
    job: Job,
    input: I,
    x: &[A],
    shift: (A, A),
) -> Sum<A> {
    let one = |x: &[A]| sum_chunk::<A, I, COUNT>(job, input, x, &mut [], max(job, input, x), shift);
    let chunks = x.chunks(chunk::<A>());
    let pieces = parallel::pieces(Cost::Moderate, x.len());
    if pieces < 2 {
        return chunks.fold(Sum::empty(shift), |sum, x| sum.merge(job, input, one(x)));
    }
    let mut sums = vec![Sum::empty(shift); chunks.len()];
    sums_of(pieces, x, &mut sums, &one);
    sums.into_iter().fold(Sum::empty(shift), |sum, next| sum.merge(job, input, next))
}

/// The sum of each chunk, on several threads.
fn sums_of<A: Element>(
    pieces: usize,
    x: &[A],
    sums: &mut [Sum<A>],
    one: &(impl Fn(&[A]) -> Sum<A> + Sync),
) {
    if pieces < 2 || sums.len() < 2 {
        for (x, sum) in x.chunks(chunk::<A>()).zip(sums) {
            *sum = one(x);
        }
        return;
    }
    let middle = sums.len() / 2;
    let (x0, x1) = x.split_at(middle * chunk::<A>());
    let (sums0, sums1) = sums.split_at_mut(middle);
    parallel::join(
        || sums_of(pieces / 2, x0, sums0, one),
        || sums_of(pieces - pieces / 2, x1, sums1, one),
    );
}
