//! From the sum of a lane to what its elements are multiplied by or reduced by.

use fearless_simd::Simd;

use super::exp::{LOWER, Origin, exp};
use super::input::Input;
use super::total::{Total, single};
use super::wide::Wide;
use crate::element::Element;
use crate::lane::{Doubles, Lane, LaneIo, Mask};
use crate::math::Pair;
use crate::math::ln::{ln_1p_pair, ln_1p_ratio, ln_ratio};

/// `1 / total` as a pair: the division and, for `f64`, a correction from its exact remainder.
#[inline(always)]
pub(crate) fn inverse<S: Simd, V: LaneIo<S>>(total: Total<S>) -> (V, V) {
    let one = total.first.high.splat(1.0);
    let first = one / total.first.high;
    if V::SINGLE {
        return pair(Pair::exact(first), Pair::exact(one / total.rest.high));
    }
    let rest = first.neg_mul_add(total.first.high, one);
    let rest = first.neg_mul_add(total.first.low, rest);
    pair(Pair { high: first, low: first * rest }, Pair::exact(first))
}

/// The same of one total, in all lanes: less waits for the division where that is done before it is spread.
#[inline(always)]
pub(crate) fn inverse_of_one<S: Simd, V: LaneIo<S>>(simd: S, total: Wide) -> (V, V) {
    if !V::SINGLE {
        return inverse(Total::fill(simd, total));
    }
    let one = 1.0 / total.high;
    let high = V::Elem::from_f64(one);
    let low = V::Elem::from_f64(one - high.to_f64());
    (V::fill(simd, high), V::fill(simd, low))
}

/// The numbers as pairs of elements.
#[inline(always)]
fn pair<S: Simd, V: LaneIo<S>>(first: Pair<Doubles<S>>, rest: Pair<Doubles<S>>) -> (V, V) {
    let high = V::narrow(first.high, rest.high);
    if !V::SINGLE {
        return (high, V::narrow(first.low, rest.low));
    }
    let (back, back_rest) = high.widen();
    let low = (first.high - back) + first.low;
    (high, V::narrow(low, (rest.high - back_rest) + rest.low))
}

/// `t / total` with one rounding besides those of `t`.
#[inline(always)]
pub(crate) fn quotient<V: Lane>(t: V, inverse: (V, V)) -> V {
    t.mul_add(inverse.0, t * inverse.1)
}

/// The exponential of the largest elements.
#[inline(always)]
pub(crate) fn largest<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Total<S> {
    let (value, low) = input.value(simd, input.key(top));
    Total::of(exp(value, low, origin))
}

/// Sums from here on have no element that is all of them: the exponential of the largest is below √2 (1 + 2^-20), that of
/// `f32` times α.
pub(crate) const fn crowned_below<A>() -> f64 {
    if single::<A>() { 1.5383 / LOWER } else { 1.4143 / LOWER }
}

/// 1 in lanes whose largest element is all of the sum but less than a quarter of an ULP: its
/// softmax is 1, and the quotient of a rounded and an exact exponential may be just below. Nothing
/// where there is no such lane.
#[inline(always)]
pub(crate) fn crowned<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    total: Total<S>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Option<A::Lanes<S>> {
    let bound = total.first.high.splat(crowned_below::<A>());
    let possible = total.first.high.lt(bound).any();
    if !(possible | (single::<A>() && total.rest.high.lt(bound).any())) {
        return None;
    }
    let largest = largest::<S, A, I>(simd, input, top, origin);
    let first = share::<S, A>(total.first, largest.first);
    let rest = share::<S, A>(total.rest, largest.rest);
    let crowned = <A::Lanes<S> as LaneIo<S>>::narrow(first, rest);
    crowned.eq(top.splat(1.0)).any().then_some(crowned)
}

/// 1 where the one is all of the other but less than a quarter of an ULP, 0 else.
#[inline(always)]
fn share<S: Simd, A: Element>(total: Pair<Doubles<S>>, largest: Pair<Doubles<S>>) -> Doubles<S> {
    let beside = (total.high - largest.high) + (total.low - largest.low);
    let least = total.high * (0.25 * Element::to_f64(A::epsilon()));
    Lane::select(beside.le(least), beside.splat(1.0), beside.splat(0.0))
}

/// 1 where a crowned lane has its largest element, whose quotient alone is above ½.
#[inline(always)]
pub(crate) fn crown<V: Lane>(y: V, crowned: V) -> V {
    let one = y.splat(1.0);
    V::select(crowned.eq(one) & y.gt(y.splat(0.5)), one, y)
}

/// `ln Σ e^(x − max)` from a sum without its largest elements, NaN where the lane's results are.
#[inline(always)]
pub(crate) fn logarithm<S: Simd, A: Element>(
    rest: Total<S>,
    largest: Total<S>,
    counts: A::Lanes<S>,
) -> Total<S> {
    if <A::Lanes<S> as Lane>::IS_FUSED {
        logarithm_inlined::<S, A>(rest, largest, counts)
    } else {
        logarithm_called::<S, A>(&rest, &largest, counts)
    }
}

/// The same of the first eight lanes; nobody may look at the others.
#[inline(always)]
pub(crate) fn logarithm_of_eight<S: Simd, A: Element>(
    rest: Total<S>,
    largest: Total<S>,
    counts: A::Lanes<S>,
) -> Total<S> {
    if const { !(single::<A>() && <A::Lanes<S> as Lane>::IS_FUSED) } {
        return logarithm::<S, A>(rest, largest, counts);
    }
    let (count, _) = counts.widen();
    let first = log_double(rest.first.high, largest.first.high, count);
    Total { first, rest: first }
}

/// The same as a function of its own, where emulated steps would make it ten times as long.
#[inline(never)]
fn logarithm_called<S: Simd, A: Element>(
    rest: &Total<S>,
    largest: &Total<S>,
    counts: A::Lanes<S>,
) -> Total<S> {
    logarithm_inlined::<S, A>(*rest, *largest, counts)
}

#[inline(always)]
fn logarithm_inlined<S: Simd, A: Element>(
    rest: Total<S>,
    largest: Total<S>,
    counts: A::Lanes<S>,
) -> Total<S> {
    let (count, count_rest) = counts.widen();
    if const { single::<A>() } {
        return Total {
            first: log_double(rest.first.high, largest.first.high, count),
            rest: log_double(rest.rest.high, largest.rest.high, count_rest),
        };
    }
    let beside = rest.first.divide(largest.first);
    let sum = Pair::two_sum(count - 1.0, beside.high);
    let beside = Pair::sum(sum.high, sum.low + beside.low);
    Total { first: valid(ln_1p_pair(beside), beside.high), rest: Pair::exact(count_rest) }
}

/// `ln(rest / largest + count)` in double precision, for an `f32` result.
#[inline(always)]
fn log_double<V: Lane>(rest: V, largest: V, count: V) -> Pair<V> {
    let zero = count.splat(0.0);
    let is_all = count.eq(zero);
    // Most often one of the branches is not taken.
    let of_all = if is_all.any() { ln_ratio(rest, largest) } else { zero };
    if is_all.all() {
        return Pair::exact(of_all);
    }
    let beside = (count - 1.0).mul_add(largest, rest);
    Pair::exact(V::select(is_all, of_all, ln_1p_ratio(beside, largest)))
}

/// The logarithm, NaN where its argument is.
#[inline(always)]
fn valid<V: Lane>(log: Pair<V>, from: V) -> Pair<V> {
    Pair { high: V::select(from.is_nan(), from, log.high), low: log.low }
}

/// Logarithms as the elements need them.
#[inline(always)]
pub(crate) fn nearest<S: Simd, V: LaneIo<S>>(log: Total<S>) -> V {
    V::narrow(log.first.high + log.first.low, log.rest.high + log.rest.low)
}
