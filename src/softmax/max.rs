//! The maximum of a lane.

use core::array;

use fearless_simd::Simd;

use super::sum::{Input, WIDEST};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

struct Max<'a, A, I> {
    x: &'a [A],
    input: I,
}

impl<A: Element, I: Input<A>> Kernel for Max<'_, A, I> {
    type Output = A;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> A {
        let lowest = A::neg_infinity();
        let mut top = [A::Lanes::<S>::fill(simd, lowest); 4];
        let mut fours = self.x.chunks_exact(4 * A::WIDTH);
        for four in fours.by_ref() {
            top = array::from_fn(
                #[inline(always)]
                |i| {
                    let x = A::Lanes::<S>::load(simd, &four[i * A::WIDTH..(i + 1) * A::WIDTH]);
                    self.input.key(x).at_least(top[i])
                },
            );
        }
        let mut ones = fours.remainder().chunks_exact(A::WIDTH);
        for one in ones.by_ref() {
            top[0] = self.input.key(A::Lanes::<S>::load(simd, one)).at_least(top[0]);
        }
        let mut largest = lowest;
        let mut all = [A::zero(); 4 * WIDEST];
        for (top, to) in top.into_iter().zip(all.chunks_exact_mut(A::WIDTH)) {
            top.store(to);
        }
        for &value in &all[..4 * A::WIDTH] {
            if value > largest {
                largest = value;
            }
        }
        for &value in ones.remainder() {
            let mut key = [A::zero(); WIDEST];
            self.input.key(A::Lanes::<S>::fill(simd, value)).store(&mut key[..A::WIDTH]);
            if key[0] > largest {
                largest = key[0];
            }
        }
        // Zeros are positive, whatever the order of the elements.
        largest + A::zero()
    }
}

/// The largest key of the elements, leaving NaN out; `-∞` of none.
pub(crate) fn max<A: Element, I: Input<A>>(job: Job, input: I, x: &[A]) -> A {
    run(job, Max { x, input })
}
