//! The maximum of a lane.

use fearless_simd::Simd;

use super::input::Input;
use super::total::WIDEST;
use crate::apply::copy_short;
use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// The largest key of the elements, `-∞` of none. NaN is left out or is the result: sums know it.
#[inline(always)]
pub(crate) fn max<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, x: &[A]) -> A {
    let lowest = A::Lanes::<S>::fill(simd, A::neg_infinity());
    let mut top = [lowest; 4];
    let mut fours = x.chunks_exact(4 * A::WIDTH);
    for four in fours.by_ref() {
        // Not by `from_fn`, which becomes a call where this is used often.
        for (top, one) in top.iter_mut().zip(four.chunks_exact(A::WIDTH)) {
            *top = input.key(A::Lanes::<S>::load(simd, one)).at_least(*top);
        }
    }
    let mut ones = fours.remainder().chunks_exact(A::WIDTH);
    for one in ones.by_ref() {
        top[0] = input.key(A::Lanes::<S>::load(simd, one)).at_least(top[0]);
    }
    if !ones.remainder().is_empty() {
        // The last vector again, or the first element in place of those that are not there.
        let x = match x.len().checked_sub(A::WIDTH) {
            Some(last) => A::Lanes::<S>::load(simd, &x[last..]),
            None => load_padded::<S, A>(simd, x, x[0]),
        };
        top[1] = input.key(x).at_least(top[1]);
    }
    of_vector(top[0].at_least(top[1]).at_least(top[2].at_least(top[3])))
}

/// The largest lane.
#[inline(always)]
pub(super) fn of_vector<S: Simd, V: LaneIo<S>>(tops: V) -> V::Elem {
    // Zeros are positive, whatever the order of the elements.
    tops.largest() + Element::from_f64(0.0)
}

/// One vector from up to `WIDTH` elements, the rest filled.
#[inline(always)]
pub(crate) fn load_padded<S: Simd, A: Element>(simd: S, x: &[A], fill: A) -> A::Lanes<S> {
    let mut padded = [fill; WIDEST];
    copy_short(x, &mut padded[..x.len()]);
    A::Lanes::<S>::load(simd, &padded[..A::WIDTH])
}

/// The first up to `WIDTH` lanes.
#[inline(always)]
pub(crate) fn store_part<S: Simd, A: Element>(v: A::Lanes<S>, out: &mut [A]) {
    let mut padded = [A::zero(); WIDEST];
    v.store(&mut padded[..A::WIDTH]);
    copy_short(&padded[..out.len()], out);
}
