//! What becomes of an element before its exponential: nothing, or a product.

use fearless_simd::Simd;

use crate::element::Element;
use crate::lane::{Lane, LaneIo};

/// A factor of elements as the sum of two numbers: a quotient has digits beyond those of `f64`.
pub(crate) type Factor = (f64, f64);

/// What elements are multiplied by before the exponential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale<A> {
    high: A,
    low: A,
}

impl<A: Element> Scale<A> {
    pub(crate) fn new((factor, rest): Factor) -> Self {
        let high = A::from_f64(factor);
        let low = A::from_f64(factor - high.to_f64() + rest);
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
    /// Whether [`value`](Input::value) is the element itself.
    const PLAIN: bool;
    /// The element whose scaled value is the largest sorts highest by this. Its own inverse.
    fn key<V: Lane<Elem = A>>(self, x: V) -> V;
    /// The key of one element.
    fn scalar_key(self, x: A) -> A;
    /// The scaled element as a pair, to about twice its digits.
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, simd: S, x: V) -> (V, Option<V>);
    /// The same of one element.
    fn scalar(self, raw: A) -> (A, A);
}

/// Elements as they are.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl<A: Element> Input<A> for Plain {
    const PLAIN: bool = true;
    #[inline(always)]
    fn key<V: Lane<Elem = A>>(self, x: V) -> V {
        x
    }
    #[inline(always)]
    fn scalar_key(self, x: A) -> A {
        x
    }
    #[inline(always)]
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, _simd: S, x: V) -> (V, Option<V>) {
        (x, None)
    }
    #[inline(always)]
    fn scalar(self, raw: A) -> (A, A) {
        (raw, A::zero())
    }
}

impl<A: Element> Input<A> for Scale<A> {
    const PLAIN: bool = false;
    #[inline(always)]
    fn key<V: Lane<Elem = A>>(self, x: V) -> V {
        x * self.sign().to_f64()
    }
    #[inline(always)]
    fn scalar_key(self, x: A) -> A {
        x * self.sign()
    }
    #[inline(always)]
    fn value<S: Simd, V: LaneIo<S, Elem = A>>(self, simd: S, x: V) -> (V, Option<V>) {
        let (high, low) = (V::fill(simd, self.high), V::fill(simd, self.low));
        let product = x * high;
        let rest = x.mul_sub(high, product) + x * low;
        let finite = product.abs().lt(x.splat(f64::INFINITY));
        (product, Some(V::select(finite, rest, x.splat(0.0))))
    }
    #[inline(always)]
    fn scalar(self, raw: A) -> (A, A) {
        let product = raw * self.high;
        let rest = raw.mul_add(self.high, -product) + raw * self.low;
        (product, if product.is_finite() { rest } else { A::zero() })
    }
}
