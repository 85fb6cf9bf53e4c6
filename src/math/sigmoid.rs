use super::Pair;
use super::exp::{OFFSET_INVERSE, exp_m1_pair, floor, reduce};
use crate::lane::Lane;

/// σ(x) before its last scaling: the pair times the second value.
#[inline(always)]
fn sigmoid_pair<V: Lane>(x: V) -> (Pair<V>, V) {
    let one = x.splat(1.0);
    let e = reduce(floor(-x.abs()), None);
    let m = e.mantissa();
    let power = e.power();
    let divisor = m.scale(power).under(one);
    let negative = x.lt(x.splat(0.0));
    let above = Pair { high: x.splat(1.0), low: x.splat(0.0) };
    let quotient = Pair::select(negative, m, above).divide(divisor);
    (
        quotient.scale(x.splat(OFFSET_INVERSE)),
        V::select(negative, e.scale, x.splat(1.0 / OFFSET_INVERSE)),
    )
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid<V: Lane>(x: V) -> V {
    let (s, scale) = sigmoid_pair(x);
    s.round() * scale
}

/// x σ(x)
#[inline(always)]
pub fn silu<V: Lane>(x: V) -> V {
    let (s, scale) = sigmoid_pair(x);
    let y = s.times(x.at_least(x.constant(-110.0, -760.0))).round() * scale;
    V::select(x.gt(x.constant(40.0, 80.0)), x, y)
}

/// tanh
#[inline(always)]
pub fn tanh<V: Lane>(x: V) -> V {
    let a = x.abs().at_most(x.constant(10.0, 20.0));
    let n = exp_m1_pair(-(a + a));
    let d = n.under(x.splat(2.0));
    n.divide(d).round().copysign(x)
}
