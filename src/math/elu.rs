//! The exponential below zero with a factor: `elu`, `selu`, `celu` and their slopes.

use super::Pair;
use super::exp::{exp_m1_pair, split, split_careful};
use super::gate::FLOOR_WIDE;
use super::wide::{Grade, wide};
use crate::lane::{Half, Lane};

/// The exponential of `z = x + low <= 0` for [`exp_m1_below`]; `f64` lanes only.
#[inline(always)]
pub(crate) fn begin<V: Lane>(x: V, low: Option<V>) -> Half<V> {
    let e = split_careful(x.at_least(x.splat(-40.0)), low, 0);
    [e.p, e.low, e.scale]
}

/// `factor · (eᶻ − 1)` after [`begin`], within 0.85 ULP.
#[inline(always)]
pub(crate) fn exp_m1_below<V: Lane>([p, low, scale]: Half<V>, factor: Pair<V>) -> V {
    exp_m1_pair(p, low, scale).times_pair(factor).round()
}

/// `factor · eᶻ` for `z = x + low <= 0`, within 0.78 ULP, subnormal results included; `f64` lanes only.
#[inline(always)]
pub(crate) fn exp_below<V: Lane>(x: V, low: Option<V>, factor: Pair<V>) -> V {
    const OFFSET: i32 = 128;
    let e = split(x.at_least(x.splat(-790.0)), low, OFFSET);
    let mantissa = Pair::sum(x.splat(1.0), e.p).plus_low(e.low);
    mantissa.times_pair(factor).round() * e.scale * 2f64.powi(-OFFSET)
}

/// `eᶻ − 1` for `z <= 0`, of `f32` values in `f64` lanes.
#[inline(always)]
pub(crate) fn exp_m1_below_wide<W: Lane>(z: W) -> W {
    wide(z.at_least(z.splat(-40.0)), Grade::Relative).minus_one()
}

/// `eᶻ` for `z <= 0`, of `f32` values in `f64` lanes.
#[inline(always)]
pub(crate) fn exp_below_wide<W: Lane>(z: W) -> W {
    wide(z.at_least(z.splat(FLOOR_WIDE)), Grade::Value).value()
}
