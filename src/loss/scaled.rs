//! From probabilities to gradients.

use crate::{Cost, DoubleKernel, Element, Elementwise, Lane};

/// The gradient of a probability in a lane of this weight: the product, rounded once. Zeros are positive.
#[derive(Clone, Copy)]
pub(super) struct Scaled {
    pub(super) weight: f64,
    pub(super) factor: f64,
}

impl Scaled {
    /// Of one, with the same bits.
    #[inline(always)]
    pub(super) fn of<A: Element>(self, p: A) -> A {
        A::from_f64(self.factor * (self.weight * p.to_f64() + 0.0))
    }
}

impl Elementwise for Scaled {
    const COST: Cost = Cost::Light;

    #[inline(always)]
    fn eval<V: Lane>(self, p: V) -> V {
        p.through_double(self)
    }

    #[inline(always)]
    fn derivative<V: Lane>(self, p: V) -> V {
        p.splat(self.factor * self.weight)
    }
}

impl DoubleKernel for Scaled {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, p: W) -> W {
        (p * self.weight + 0.0) * self.factor
    }
}
