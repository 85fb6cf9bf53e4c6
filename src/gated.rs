//! Gated linear units: one half of an axis, gated by the other.

use ndarray::{Array, ArrayRef, ArrayView, Axis, Dimension};

use crate::activation::{Elementwise, Gelu, Identity, Relu, Sigmoid, Silu};
use crate::apply;
use crate::element::Element;

/// The two halves of `x` along an axis.
#[track_caller]
fn halves<A, D: Dimension>(
    x: &ArrayRef<A, D>,
    axis: Axis,
) -> (ArrayView<'_, A, D>, ArrayView<'_, A, D>) {
    x.view().split_at(axis, half(x, axis))
}

#[track_caller]
fn half<A, D: Dimension>(x: &ArrayRef<A, D>, axis: Axis) -> usize {
    apply::assert_axis(axis, x.ndim());
    let len = x.len_of(axis);
    assert!(
        len.is_multiple_of(2),
        "a gated linear unit halves its axis: axis {} of shape {:?} has the odd length {len}",
        axis.index(),
        x.shape()
    );
    len / 2
}

/// A gated linear unit with any gate: `a · gate(b)`, where `a` is the first half of `x` along
/// `axis` and `b` the second, as in `torch.nn.functional.glu`.
///
/// `x` has any layout; the result has half the length along `axis`. It is written in place: there
/// is no copy of either half. The product is rounded once, so the error is that of the gate and half
/// a ULP more.
///
/// The usual gates have names of their own: [`glu`], [`swiglu`], [`geglu`], [`reglu`] and
/// [`bilinear`].
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{gated, prelude::*};
/// let x = array![[3.0f32, 5.0, -1.0, 2.0]];
/// assert_eq!(gated(&x, Axis(1), Relu), array![[0.0, 10.0]]);
/// assert_eq!(gated(&x, Axis(1), LeakyRelu::new(0.5)), array![[-1.5, 10.0]]);
/// ```
///
/// [Shazeer, 2020](https://arxiv.org/abs/2002.05202)
///
/// # Panics
/// If the axis is out of range, or its length is odd.
#[track_caller]
pub fn gated<A: Element, D: Dimension>(
    x: &ArrayRef<A, D>,
    axis: Axis,
    gate: impl Elementwise,
) -> Array<A, D> {
    let (a, b) = halves(x, axis);
    let mut out = apply::to_owned(&a);
    gate.gate_inplace(&b, &mut out);
    out
}

/// The gradient of a loss with respect to `x`, given `dy`, its gradient with respect to
/// [`gated`]`(x, axis, gate)`: `dy · gate(b)` in the first half, `dy · gate'(b) · a` in the second.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{gated_backward, prelude::*};
/// let x = array![3.0f64, 5.0, -1.0, 2.0];
/// let dx = gated_backward(&x, &array![1.0, 10.0], Axis(0), Relu);
/// assert_eq!(dx, array![0.0, 20.0, 0.0, 50.0]);
/// ```
///
/// # Panics
/// If the axis is out of range, its length is odd, or `dy` does not have the shape of the output.
#[track_caller]
pub fn gated_backward<A: Element, D: Dimension>(
    x: &ArrayRef<A, D>,
    dy: &ArrayRef<A, D>,
    axis: Axis,
    gate: impl Elementwise,
) -> Array<A, D> {
    let (a, b) = halves(x, axis);
    apply::assert_same_shape("upstream gradient", dy.shape(), "output", a.shape());
    let mut dx = apply::new_like(x);
    let (mut da, mut db) = dx.view_mut().split_at(axis, a.len_of(axis));
    da.assign(dy);
    gate.gate_inplace(&b, &mut da);
    db.assign(dy);
    // A shut gate first, so that nothing overflows that is multiplied by it.
    gate.backward_inplace(&b, &mut db);
    Identity.gate_inplace(&a, &mut db);
    dx
}

macro_rules! family {
    ($($(#[$doc:meta])* $name:ident, $gate:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// The halves are those of [`gated`], and its shapes and errors apply.
        ///
        /// # Panics
        /// If the axis is out of range, or its length is odd.
        #[track_caller]
        pub fn $name<A: Element, D: Dimension>(x: &ArrayRef<A, D>, axis: Axis) -> Array<A, D> {
            gated(x, axis, $gate)
        }
    )*};
}

family! {
    /// The gated linear unit, `a · σ(b)`: [`gated`] by [`Sigmoid`].
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::glu;
    /// assert_eq!(glu(&array![[4.0f32, 0.0]], Axis(1)), array![[2.0]]);
    /// ```
    ///
    /// [Dauphin et al., 2016](https://arxiv.org/abs/1612.08083)
    glu, Sigmoid;
    /// `a · silu(b)`: [`gated`] by [`Silu`]. Some programs put the gate first: mind which half
    /// is which.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::swiglu;
    /// assert_eq!(swiglu(&array![[4.0f32], [0.0]], Axis(0)), array![[0.0]]);
    /// ```
    swiglu, Silu;
    /// `a · gelu(b)`: [`gated`] by the exact [`Gelu`].
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::geglu;
    /// assert_eq!(geglu(&array![4.0f64, 0.0], Axis(0)), array![0.0]);
    /// ```
    geglu, Gelu;
    /// `a · relu(b)`: [`gated`] by [`Relu`].
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::reglu;
    /// assert_eq!(reglu(&array![4.0f64, 5.0, -1.0, 2.0], Axis(0)), array![0.0, 10.0]);
    /// ```
    reglu, Relu;
    /// `a · b`, gated by nothing but the other half.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::bilinear;
    /// assert_eq!(bilinear(&array![4.0f64, 5.0, -1.0, 2.0], Axis(0)), array![-4.0, 10.0]);
    /// ```
    bilinear, Identity;
}
