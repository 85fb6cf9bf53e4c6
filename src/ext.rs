//! The methods on arrays.

use ndarray::{Array, ArrayRef, Axis, Dimension, RemoveAxis};

use crate::activation::*;
use crate::element::Element;
use crate::softmax::{self, Along};

macro_rules! methods {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        /// Activations as methods of every array and view.
        pub trait ActivationExt<A: Element, D: Dimension>: Sealed {
            /// `op` of every element, as a new array; see [`Elementwise::map`].
            fn activate(&self, op: impl Elementwise) -> Array<A, D>;
            /// `op` of every element, in place; see [`Elementwise::map_inplace`].
            fn activate_inplace(&mut self, op: impl Elementwise);
            $(
                methods!(@declare $noun $method ($($parameter),*));
                #[doc = concat!("[`", stringify!($noun), "`] of every element, in place.")]
                fn $inplace(&mut self $(, $parameter: f64)*);
            )*

            /// Softmax along `axis`, as a new array in the memory order of `self`.
            ///
            /// ```text
            /// softmax(x)ᵢ = e^(xᵢ − max) / Σⱼ e^(xⱼ − max)
            /// ```
            ///
            /// Every element is within 2 ULP of the exact value, at any length up to 2²⁴ and any range; see
            /// [`softmax`](crate::softmax) for NaN, infinities and empty lanes.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let p = array![[1010.0, 1000.0, 990.0f64]].softmax(Axis(1));
            /// assert!((p[[0, 0]] - 0.999_954_600_070_331).abs() < 1e-15);
            /// assert!((p.sum() - 1.0).abs() < 1e-15);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn softmax(&self, axis: Axis) -> Array<A, D>;

            /// [`softmax`](Self::softmax), overwriting `self`.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let mut x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let y = x.softmax(Axis(0));
            /// x.softmax_inplace(Axis(0));
            /// assert_eq!(x, y);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn softmax_inplace(&mut self, axis: Axis);

            /// [`softmax`](Self::softmax) into `out`; the layouts may differ.
            ///
            /// ```
            /// use ndarray::{Array2, Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let mut out = Array2::zeros((2, 2));
            /// x.softmax_assign_into(Axis(0), &mut out);
            /// assert_eq!(out, x.softmax(Axis(0)));
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes, or the shapes
            /// differ, naming both.
            #[track_caller]
            fn softmax_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>);

            /// The logarithm of softmax along `axis`, as a new array in the memory order of `self`.
            ///
            /// ```text
            /// log_softmax(x)ᵢ = (xᵢ − max) − ln(1 + Σ e^(xⱼ − max) without the maximum)
            /// ```
            ///
            /// Every element is within 2 ULP of the exact value; see [`softmax`](crate::softmax) for NaN,
            /// infinities and empty lanes.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let l = array![20.0f32, 0.0].log_softmax(Axis(0));
            /// // The winner's tiny log-probability is kept.
            /// assert_eq!(l, array![-2.061_153_7e-9, -20.0]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn log_softmax(&self, axis: Axis) -> Array<A, D>;

            /// [`log_softmax`](Self::log_softmax), overwriting `self`.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let mut x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let y = x.log_softmax(Axis(0));
            /// x.log_softmax_inplace(Axis(0));
            /// assert_eq!(x, y);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn log_softmax_inplace(&mut self, axis: Axis);

            /// [`log_softmax`](Self::log_softmax) into `out`; the layouts may differ.
            ///
            /// ```
            /// use ndarray::{Array2, Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let mut out = Array2::zeros((2, 2));
            /// x.log_softmax_assign_into(Axis(0), &mut out);
            /// assert_eq!(out, x.log_softmax(Axis(0)));
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes, or the shapes
            /// differ, naming both.
            #[track_caller]
            fn log_softmax_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>);

            /// Softmin, the softmax of the negated elements, along `axis`, as a new array in the memory order of `self`.
            ///
            /// ```text
            /// softmin(x)ᵢ = e^−xᵢ / Σⱼ e^−xⱼ
            /// ```
            ///
            /// Within 2 ULP, as [`softmax`](Self::softmax).
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![1.0f32, 2.0, 4.0];
            /// assert_eq!(x.softmin(Axis(0)), (-&x).softmax(Axis(0)));
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn softmin(&self, axis: Axis) -> Array<A, D>;

            /// [`softmin`](Self::softmin), overwriting `self`.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let mut x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let y = x.softmin(Axis(0));
            /// x.softmin_inplace(Axis(0));
            /// assert_eq!(x, y);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn softmin_inplace(&mut self, axis: Axis);

            /// [`softmin`](Self::softmin) into `out`; the layouts may differ.
            ///
            /// ```
            /// use ndarray::{Array2, Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[1.0f64, 2.0], [3.0, 5.0]];
            /// let mut out = Array2::zeros((2, 2));
            /// x.softmin_assign_into(Axis(0), &mut out);
            /// assert_eq!(out, x.softmin(Axis(0)));
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes, or the shapes
            /// differ, naming both.
            #[track_caller]
            fn softmin_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>);

            /// The logarithm of the sum of exponentials along `axis`, which is gone from the result.
            ///
            /// ```text
            /// logsumexp(x) = max + ln Σⱼ e^(xⱼ − max)
            /// ```
            ///
            /// Within 2 ULP; `-∞` of no elements.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[0.0f64, 1.0], [1000.0, 1001.0]];
            /// let l = x.logsumexp(Axis(1));
            /// assert_eq!(l, array![1.313_261_687_518_222_8, 1_001.313_261_687_518_2]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn logsumexp(&self, axis: Axis) -> Array<A, D::Smaller>
            where
                D: RemoveAxis;

            /// [`softmax`](Self::softmax) and [`logsumexp`](Self::logsumexp) along `axis`.
            ///
            /// ```text
            /// (softmax(x), logsumexp(x))
            /// ```
            ///
            /// With the bits of each.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[0.0f32, 1.0]];
            /// let (p, l) = x.softmax_with_logsumexp(Axis(1));
            /// assert_eq!((p, l), (x.softmax(Axis(1)), x.logsumexp(Axis(1))));
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn softmax_with_logsumexp(&self, axis: Axis) -> (Array<A, D>, Array<A, D::Smaller>)
            where
                D: RemoveAxis;

            /// [`softmax`](Self::softmax) over the elements where `mask` is true.
            ///
            /// ```text
            /// softmax(x)ᵢ = e^(xᵢ − max) / Σⱼ e^(xⱼ − max)   over kept i, j; 0 elsewhere
            /// ```
            ///
            /// What is masked out is 0, whatever it was, and so is all of a fully masked lane.
            /// The mask is broadcast to the shape of `self`.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let causal = array![[true, false], [true, true]];
            /// let p = array![[1.0f32, 5.0], [2.0, 2.0]].softmax_masked(Axis(1), &causal);
            /// assert_eq!(p, array![[1.0, 0.0], [0.5, 0.5]]);
            /// let nothing = array![false, false];
            /// let p = array![[1.0f32, 5.0]].softmax_masked(Axis(1), &nothing);
            /// assert_eq!(p, array![[0.0, 0.0]]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes, or the mask cannot be
            /// broadcast, naming both shapes.
            #[track_caller]
            fn softmax_masked<E: Dimension>(&self, axis: Axis, mask: &ArrayRef<bool, E>)
            -> Array<A, D>;

            /// [`log_softmax`](Self::log_softmax) over the elements where `mask` is true.
            ///
            /// ```text
            /// log_softmax(x)ᵢ = (xᵢ − max) − ln Σⱼ e^(xⱼ − max)   over kept i, j; −∞ elsewhere
            /// ```
            ///
            /// What is masked out is `-∞`, and so is all of a fully masked lane. The mask is broadcast to
            /// the shape of `self`.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let x = array![[1.0f32, 5.0]];
            /// let l = x.log_softmax_masked(Axis(1), &array![true, false]);
            /// assert_eq!(l, array![[0.0, f32::NEG_INFINITY]]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes, or the mask cannot be
            /// broadcast, naming both shapes.
            #[track_caller]
            fn log_softmax_masked<E: Dimension>(&self, axis: Axis, mask: &ArrayRef<bool, E>)
            -> Array<A, D>;

            /// 1 at the largest element of each lane along `axis`, 0 elsewhere.
            ///
            /// ```text
            /// hardmax(x)ᵢ = 1 if i is the first index of the maximum, else 0
            /// ```
            ///
            /// Of several largest elements the first counts, as in ONNX. A lane with a NaN is all NaN.
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let y = array![[1.0f32, 3.0, 3.0]].hardmax(Axis(1));
            /// assert_eq!(y, array![[0.0, 1.0, 0.0]]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn hardmax(&self, axis: Axis) -> Array<A, D>;

            /// The Euclidean projection of each lane along `axis` onto the probability simplex.
            ///
            /// ```text
            /// sparsemax(x)ᵢ = max(xᵢ − τ, 0)   with τ such that the sum is 1
            /// ```
            ///
            /// A lane with a NaN or +∞, or all -∞, is all NaN.
            /// [Martins and Astudillo, 2016](https://arxiv.org/abs/1602.02068)
            ///
            /// ```
            /// use ndarray::{Axis, array};
            /// use ndarray_activations::prelude::*;
            /// let y = array![[1.0f64, 0.5, -1.0]].sparsemax(Axis(1));
            /// assert_eq!(y, array![[0.75, 0.25, 0.0]]);
            /// ```
            ///
            /// # Panics
            /// If the axis is out of range, naming it and the number of axes.
            #[track_caller]
            fn sparsemax(&self, axis: Axis) -> Array<A, D>;
        }

        impl<A: Element, D: Dimension> ActivationExt<A, D> for ArrayRef<A, D> {
            fn activate(&self, op: impl Elementwise) -> Array<A, D> {
                op.map(self)
            }
            fn activate_inplace(&mut self, op: impl Elementwise) {
                op.map_inplace(self);
            }
            $(
                methods!(@define $noun $method ($($parameter),*));
                fn $inplace(&mut self $(, $parameter: f64)*) {
                    ($noun { $($parameter),* }).map_inplace(self);
                }
            )*

            fn softmax(&self, axis: Axis) -> Array<A, D> {
                Along::Softmax.map(axis, self)
            }
            fn softmax_inplace(&mut self, axis: Axis) {
                Along::Softmax.map_inplace(axis, self);
            }
            fn softmax_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>) {
                Along::Softmax.assign_into(axis, self, out);
            }

            fn log_softmax(&self, axis: Axis) -> Array<A, D> {
                Along::LogSoftmax.map(axis, self)
            }
            fn log_softmax_inplace(&mut self, axis: Axis) {
                Along::LogSoftmax.map_inplace(axis, self);
            }
            fn log_softmax_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>) {
                Along::LogSoftmax.assign_into(axis, self, out);
            }

            fn softmin(&self, axis: Axis) -> Array<A, D> {
                Along::Softmin.map(axis, self)
            }
            fn softmin_inplace(&mut self, axis: Axis) {
                Along::Softmin.map_inplace(axis, self);
            }
            fn softmin_assign_into(&self, axis: Axis, out: &mut ArrayRef<A, D>) {
                Along::Softmin.assign_into(axis, self, out);
            }

            fn logsumexp(&self, axis: Axis) -> Array<A, D::Smaller>
            where
                D: RemoveAxis,
            {
                softmax::logsumexp(axis, self)
            }
            fn softmax_with_logsumexp(&self, axis: Axis) -> (Array<A, D>, Array<A, D::Smaller>)
            where
                D: RemoveAxis,
            {
                softmax::softmax_with_logsumexp(axis, self)
            }
            fn softmax_masked<E: Dimension>(
                &self,
                axis: Axis,
                mask: &ArrayRef<bool, E>,
            ) -> Array<A, D> {
                softmax::softmax_masked(axis, self, mask)
            }
            fn log_softmax_masked<E: Dimension>(
                &self,
                axis: Axis,
                mask: &ArrayRef<bool, E>,
            ) -> Array<A, D> {
                softmax::log_softmax_masked(axis, self, mask)
            }
            fn hardmax(&self, axis: Axis) -> Array<A, D> {
                Along::Hardmax.map(axis, self)
            }
            fn sparsemax(&self, axis: Axis) -> Array<A, D> {
                Along::Sparsemax.map(axis, self)
            }
        }
    };
    (@declare $noun:ident _ ($($parameter:ident),*)) => {};
    (@declare $noun:ident $method:ident ($($parameter:ident),*)) => {
        #[doc = concat!("[`", stringify!($noun), "`] of every element, as a new array.")]
        fn $method(&self $(, $parameter: f64)*) -> Array<A, D>;
    };
    (@define $noun:ident _ ($($parameter:ident),*)) => {};
    (@define $noun:ident $method:ident ($($parameter:ident),*)) => {
        fn $method(&self $(, $parameter: f64)*) -> Array<A, D> {
            ($noun { $($parameter),* }).map(self)
        }
    };
}

/// Only ndarray's arrays have these methods.
pub trait Sealed {}
impl<A, D: Dimension> Sealed for ArrayRef<A, D> {}

for_each_activation!(methods);
