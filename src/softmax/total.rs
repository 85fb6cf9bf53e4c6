//! Sums of exponentials with more digits than the elements have.
//!
//! An accumulator holds a pair of element type. Its total is a double (`f32`) or a double-double
//! (`f64`), and so are sums of totals.

use fearless_simd::Simd;

use super::exp::{Exp, LOWER};
use super::sum::{mode, with};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Doubles, Lane, LaneIo};
use crate::math::Pair;

/// More lanes than any vector has.
pub(crate) const WIDEST: usize = 16;

/// Larger than any term: those are below `1.55 · 2^LIFT`.
pub(crate) const BIAS: f64 = 2.0 / LOWER;

/// A running sum in each lane: of all elements, or of all but the largest.
///
/// With the largest it starts at a number above any term, so fast two-sum gives the exact error of
/// each addition. Terms far below that number lose digits, but there are at most a chunk of them,
/// which is nothing beside the largest. Without the largest those terms may be all there is: then it
/// starts at zero, and two-sum is exact in any order of magnitudes.
#[derive(Clone, Copy)]
pub(crate) struct Accumulator<V, const MODE: u8> {
    sum: V,
    error: V,
}

impl<V: Lane, const MODE: u8> Accumulator<V, MODE> {
    const ALL: bool = MODE != mode::COUNT;
    /// The number that sums start at.
    pub(crate) const START: f64 = if Self::ALL { BIAS } else { 0.0 };

    #[inline(always)]
    pub(crate) fn new(like: V) -> Self {
        Self { sum: like.splat(Self::START), error: like.splat(0.0) }
    }

    /// One that is in memory between additions.
    #[inline(always)]
    pub(crate) fn from_parts(sum: V, error: V) -> Self {
        Self { sum, error }
    }

    #[inline(always)]
    pub(crate) fn parts(self) -> (V, V) {
        (self.sum, self.error)
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, e: Exp<V>) {
        let next = self.sum + e.high;
        let part = next - self.sum;
        let mut error = e.without(part);
        if const { !Self::ALL } {
            error = (self.sum - (next - part)) + error;
        }
        self.error = self.error + error;
        self.sum = next;
    }

    #[inline(always)]
    pub(crate) fn total<S: Simd>(self) -> Total<S>
    where
        V: LaneIo<S>,
    {
        let (sum, sum_rest) = (self.sum - Self::START).widen();
        let (error, error_rest) = self.error.widen();
        if V::SINGLE {
            return Total::double(sum + error, sum_rest + error_rest);
        }
        Total { first: Pair::two_sum(sum, error), rest: Pair::exact(sum_rest) }
    }
}

/// A sum in each lane of a vector: doubles in sixteen lanes, or double-doubles in eight.
#[derive(Clone, Copy)]
pub(crate) struct Total<S: Simd> {
    pub(crate) first: Pair<Doubles<S>>,
    pub(crate) rest: Pair<Doubles<S>>,
}

/// The doubles of sixteen lanes, or the high and then the low parts of eight.
pub(crate) type Packed = [f64; WIDEST];

/// The sums of the lanes.
pub(crate) fn unpacked<A: Element>(packed: &Packed) -> impl Iterator<Item = Wide> + '_ {
    let lows = if const { single::<A>() } { &[0.0; WIDEST][..] } else { &packed[A::WIDTH..] };
    packed[..A::WIDTH].iter().zip(lows).map(|(&high, &low)| Wide { high, low })
}

/// The reverse of [`unpacked`].
pub(crate) fn packed<A: Element>(sums: &[Wide]) -> Packed {
    let mut packed = [0.0; WIDEST];
    for (j, sum) in sums.iter().enumerate() {
        packed[j] = sum.high;
        if const { !single::<A>() } {
            packed[A::WIDTH + j] = sum.low;
        }
    }
    packed
}

/// The sums of `accumulators` of each lane, by halves. Each part has as many, one after the other, of all lanes; those of the
/// first part come first.
#[inline(always)]
pub(crate) fn fold_packed<S: Simd, A: Element>(
    simd: S,
    mut parts: Vec<Vec<Packed>>,
    accumulators: usize,
) -> Vec<Packed> {
    let mut each = accumulators / parts.len();
    while parts.len() > 1 {
        let others = parts.split_off(parts.len() / 2);
        for (part, other) in parts.iter_mut().zip(&others) {
            add_packed::<S, A>(simd, part, other);
        }
    }
    let mut totals = parts.swap_remove(0);
    while each > 1 {
        let half = totals.len() / 2;
        let (these, others) = totals.split_at_mut(half);
        add_packed::<S, A>(simd, these, others);
        totals.truncate(half);
        each /= 2;
    }
    totals
}

#[inline(always)]
fn add_packed<S: Simd, A: Element>(simd: S, these: &mut [Packed], others: &[Packed]) {
    for (a, b) in these.iter_mut().zip(others) {
        let b = Total::unpack::<A>(simd, b);
        *a = Total::unpack::<A>(simd, a).plus::<A>(b).pack::<A>();
    }
}

impl<S: Simd> Total<S> {
    #[inline(always)]
    pub(crate) fn double(first: Doubles<S>, rest: Doubles<S>) -> Self {
        Self { first: Pair::exact(first), rest: Pair::exact(rest) }
    }

    #[inline(always)]
    pub(crate) fn zero(simd: S) -> Self {
        let zero = Doubles::fill(simd, 0.0);
        Self::double(zero, zero)
    }

    /// One exponential.
    #[inline(always)]
    pub(crate) fn of<V: LaneIo<S>>(e: Exp<V>) -> Self {
        let (high, high_rest) = e.high.widen();
        let (low, low_rest) = e.without(e.high).widen();
        if V::SINGLE {
            return Self::double(high + low, high_rest + low_rest);
        }
        Self { first: Pair::sum(high, low), rest: Pair::exact(high_rest) }
    }

    /// One sum in every lane.
    #[inline(always)]
    pub(crate) fn fill(simd: S, sum: Wide) -> Self {
        let pair = Pair { high: Doubles::fill(simd, sum.high), low: Doubles::fill(simd, sum.low) };
        Self { first: pair, rest: pair }
    }

    /// The sums with this one in lane `i` of the first eight.
    #[inline(always)]
    pub(super) fn with(self, simd: S, i: usize, sum: Wide) -> Self {
        let Pair { high, low } = self.first;
        let first = Pair { high: with(simd, high, i, sum.high), low: with(simd, low, i, sum.low) };
        Self { first, ..self }
    }

    #[inline(always)]
    pub(crate) fn plus<A: Element>(self, other: Self) -> Self {
        if const { single::<A>() } {
            let first = self.first.high + other.first.high;
            return Self::double(first, self.rest.high + other.rest.high);
        }
        let sum = Pair::two_sum(self.first.high, other.first.high);
        let low = Pair::two_sum(self.first.low, other.first.low);
        let sum = Pair::sum(sum.high, sum.low + low.high);
        Self { first: Pair::sum(sum.high, sum.low + low.low), rest: self.rest }
    }

    /// The sum over all lanes by halves: lane `j` and `j + W/2`, then `j` and `j + W/4`, and so on.
    #[inline(always)]
    pub(crate) fn fold<A: Element>(self) -> Wide {
        let (mut highs, mut lows) = ([0.0; 8], [0.0; 8]);
        if const { single::<A>() } {
            (self.first.high + self.rest.high).store(&mut highs);
            for half in [4, 2, 1] {
                for j in 0..half {
                    highs[j] += highs[j + half];
                }
            }
            return Wide::from(highs[0]);
        }
        self.first.high.store(&mut highs);
        self.first.low.store(&mut lows);
        let mut sums: [Wide; 8] = core::array::from_fn(
            #[inline(always)]
            |j| Wide { high: highs[j], low: lows[j] },
        );
        for half in [4, 2, 1] {
            for j in 0..half {
                sums[j] = sums[j].plus(sums[j + half]);
            }
        }
        sums[0]
    }

    /// The high part of each lane's sum.
    #[inline(always)]
    pub(crate) fn highs(self) -> [f64; WIDEST] {
        let mut highs = [0.0; WIDEST];
        self.first.high.store(&mut highs[..8]);
        self.rest.high.store(&mut highs[8..]);
        highs
    }

    /// Each lane's sum.
    #[inline(always)]
    pub(crate) fn store(self) -> [Wide; WIDEST] {
        let (mut highs, mut lows) = ([0.0; WIDEST], [0.0; WIDEST]);
        self.first.high.store(&mut highs[..8]);
        self.first.low.store(&mut lows[..8]);
        self.rest.high.store(&mut highs[8..]);
        self.rest.low.store(&mut lows[8..]);
        core::array::from_fn(
            #[inline(always)]
            |j| Wide { high: highs[j], low: lows[j] },
        )
    }

    /// Each lane's sum, packed.
    #[inline(always)]
    pub(crate) fn pack<A: Element>(self) -> Packed {
        let mut packed = [0.0; WIDEST];
        let (first, second) = packed.split_at_mut(8);
        self.first.high.store(first);
        if const { single::<A>() } { self.rest.high } else { self.first.low }.store(second);
        packed
    }

    /// The reverse of [`pack`](Total::pack).
    #[inline(always)]
    pub(crate) fn unpack<A: Element>(simd: S, packed: &Packed) -> Self {
        let (first, second) =
            (Doubles::load(simd, &packed[..8]), Doubles::load(simd, &packed[8..]));
        if const { single::<A>() } {
            return Self::double(first, second);
        }
        let rest = Pair::exact(Doubles::fill(simd, 0.0));
        Self { first: Pair { high: first, low: second }, rest }
    }

    /// The reverse of [`store`](Total::store).
    #[inline(always)]
    pub(crate) fn load(simd: S, sums: &[Wide; WIDEST]) -> Self {
        let highs = sums.map(
            #[inline(always)]
            |sum| sum.high,
        );
        let lows = sums.map(
            #[inline(always)]
            |sum| sum.low,
        );
        Self::load_parts(simd, &highs, &lows)
    }

    /// The same from the parts.
    #[inline(always)]
    pub(crate) fn load_parts(simd: S, highs: &[f64; WIDEST], lows: &[f64; WIDEST]) -> Self {
        let load = Doubles::load;
        Self {
            first: Pair { high: load(simd, &highs[..8]), low: load(simd, &lows[..8]) },
            rest: Pair { high: load(simd, &highs[8..]), low: load(simd, &lows[8..]) },
        }
    }
}

/// Whether the elements are `f32`; known when this is compiled.
pub(crate) const fn single<A>() -> bool {
    size_of::<A>() == 4
}

/// One addition of sums in the precision that the element type needs.
#[inline(always)]
pub(crate) fn add<A: Element>(a: Wide, b: Wide) -> Wide {
    if const { single::<A>() } { Wide::from(a.high + b.high) } else { a.plus(b) }
}

/// An accumulator of one lane alone, term after term; the same bits as in a vector. The terms are
/// given by their [parts](Exp::parts).
#[inline(always)]
pub(crate) fn total_in_order<A: Element, const MODE: u8>(p: &[A], scales: &[A]) -> Wide {
    let all = MODE != mode::COUNT;
    let start = if all { A::from_f64(BIAS) } else { A::zero() };
    let (mut sum, mut error) = (start, A::zero());
    for (&p, &scale) in p.iter().zip(scales) {
        let next = sum + p.mul_add(scale, scale);
        let part = next - sum;
        let mut rest = p.mul_add(scale, scale - part);
        if !all {
            rest = (sum - (next - part)) + rest;
        }
        error += rest;
        sum = next;
    }
    let (sum, error) = ((sum - start).to_f64(), error.to_f64());
    if const { single::<A>() } { Wide::from(sum + error) } else { Wide::sum(sum, error) }
}
