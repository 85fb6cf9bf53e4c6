//! The maximum of a lane.

use core::array;

use fearless_simd::Simd;

use super::input::Input;
use super::total::WIDEST;
use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// The largest key of the elements, `-∞` of none. NaN is left out or is the result: sums know it.
#[inline(always)]
pub(crate) fn max<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, x: &[A]) -> A {
    let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let mut top = [lowest; 4];
    let mut fours = x.chunks_exact(4 * A::WIDTH);
    for four in fours.by_ref() {
        top = array::from_fn(
            #[inline(always)]
            |i| {
                let x = A::Lanes::<S>::load(simd, &four[i * A::WIDTH..(i + 1) * A::WIDTH]);
                input.key(x).at_least(top[i])
            },
        );
    }
    let mut ones = fours.remainder().chunks_exact(A::WIDTH);
    for one in ones.by_ref() {
        top[0] = input.key(A::Lanes::<S>::load(simd, one)).at_least(top[0]);
    }
    let rest = ones.remainder();
    if let Some(&first) = rest.first() {
        // The first element again in place of those that are not there.
        let x = load_padded::<S, A>(simd, rest, first);
        top[1] = input.key(x).at_least(top[1]);
    }
    let top = top[0].at_least(top[1]).at_least(top[2].at_least(top[3]));
    let mut all = [A::neg_infinity(); WIDEST];
    top.store(&mut all[..A::WIDTH]);
    for half in [8, 4, 2, 1] {
        for j in 0..half {
            all[j] = if all[j + half] > all[j] { all[j + half] } else { all[j] };
        }
    }
    // Zeros are positive, whatever the order of the elements.
    all[0] + A::zero()
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
