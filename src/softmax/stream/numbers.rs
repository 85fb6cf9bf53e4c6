//! What is computed once for each lane of a [`Stream`](super::Stream).

use fearless_simd::Simd;

use super::parts::Known;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};
use crate::softmax::exp::Constants;
use crate::softmax::finish::{crowned, inverse, largest, logarithm, nearest};
use crate::softmax::input::Plain;
use crate::softmax::sum::{Sum, origin};
use crate::softmax::total::{Total, WIDEST};
use crate::softmax::wide::Wide;

/// Vector `v` of some numbers.
#[inline(always)]
pub(super) fn at<S: Simd, A: Element>(simd: S, from: &[A], v: usize) -> A::Lanes<S> {
    A::Lanes::<S>::load(simd, &from[v * A::WIDTH..(v + 1) * A::WIDTH])
}

/// What is known of the lanes of a chunk.
pub(super) struct Origins<'s, A> {
    pub(super) known: &'s mut Known<A>,
    /// Whether the chunk is the whole lane.
    pub(super) alone: bool,
}

impl<A: Element> Kernel for Origins<'_, A> {
    /// Whether no lane is shifted.
    type Output = bool;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let known = self.known;
        for v in 0..known.tops.len() / A::WIDTH {
            let place = v * A::WIDTH..(v + 1) * A::WIDTH;
            let top = at(simd, &known.tops, v);
            let of_lane = if self.alone { top } else { top.splat(0.0) };
            let origin = origin::<S, A, Plain>(simd, Plain, Constants::new(), top, of_lane);
            if origin.shift.is_some() {
                return false;
            }
            origin.floor.store(&mut known.floors[place.clone()]);
            origin.offset.store(&mut known.offsets[place.clone()]);
            origin.exponent.store(&mut known.exponents[place.clone()]);
            let largest = largest::<S, A, Plain>(simd, Plain, top, origin).store();
            known.largest[place].copy_from_slice(&largest[..A::WIDTH]);
        }
        true
    }
}

/// What elements become results by.
pub(super) struct Numbers<A> {
    /// Both parts of the inverse, or maximum and logarithm.
    pub(super) factors: [Vec<A>; 2],
    /// The crowned lanes.
    pub(super) crowns: Option<Vec<A>>,
    /// Floors and offsets of exponentials.
    pub(super) origins: [Vec<A>; 2],
}

/// From the sums to what elements are multiplied by or reduced by.
pub(super) struct Factors<'s, A, const LOG: bool> {
    pub(super) sums: &'s [Sum<A>],
}

impl<A: Element, const LOG: bool> Kernel for Factors<'_, A, LOG> {
    type Output = Numbers<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let zeros = vec![A::zero(); self.sums.len()];
        let mut factors = [zeros.clone(), zeros.clone()];
        let (mut origins, mut crowns) = (factors.clone(), zeros);
        let mut any = false;
        for (v, sums) in self.sums.chunks_exact(A::WIDTH).enumerate() {
            let place = v * A::WIDTH..(v + 1) * A::WIDTH;
            let (mut rest, mut numbers) = ([Wide::ZERO; WIDEST], [[A::zero(); WIDEST]; 2]);
            for (j, sum) in sums.iter().enumerate() {
                (rest[j], numbers[0][j]) = (sum.rest, sum.max);
                numbers[1][j] = A::from_f64(sum.count);
            }
            let total = Total::load(simd, &rest);
            let [top, counts] = [at(simd, &numbers[0], 0), at(simd, &numbers[1], 0)];
            let origin = origin::<S, A, Plain>(simd, Plain, Constants::new(), top, top);
            let pair: (A::Lanes<S>, A::Lanes<S>) = if LOG {
                let largest = largest::<S, A, Plain>(simd, Plain, top, origin);
                (top, nearest(logarithm::<S, A>(total, largest, counts)))
            } else {
                if let Some(crowned) = crowned::<S, A, Plain>(simd, Plain, total, top, origin) {
                    crowned.store(&mut crowns[place.clone()]);
                    any = true;
                }
                inverse(total)
            };
            pair.0.store(&mut factors[0][place.clone()]);
            pair.1.store(&mut factors[1][place.clone()]);
            origin.floor.store(&mut origins[0][place.clone()]);
            origin.offset.store(&mut origins[1][place]);
        }
        Numbers { factors, crowns: any.then_some(crowns), origins }
    }
}
