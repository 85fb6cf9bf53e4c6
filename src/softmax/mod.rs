//! Softmax and its family along an axis.
//!
//! ```text
//! softmax(x)ᵢ     = e^(xᵢ − max) / Σⱼ e^(xⱼ − max)
//! log_softmax(x)ᵢ = (xᵢ − max) − ln Σⱼ e^(xⱼ − max)
//! logsumexp(x)    = max + ln Σⱼ e^(xⱼ − max)
//! ```
//!
//! The textbook quotient of powers overflows for elements of 89 (`f32`) or 710 (`f64`) and more. The maximum in the exponents
//! divides numerators and sum by the same number: the quotients stay, and no power exceeds 1. softmax, softmin,
//! log_softmax and logsumexp are within 2 ULP, in lanes of up to 2²⁴ elements.
//!
//! Most of the family are methods of arrays, in [`ActivationExt`](crate::ActivationExt):
//!
//! ```
//! use ndarray::{Axis, array};
//! use ndarray_activations::prelude::*;
//! let logits = array![[1.0f32, 2.0, 3.0], [1000.0, 1000.0, f32::NEG_INFINITY]];
//! let p = logits.softmax(Axis(1));
//! assert_eq!(p.row(1), array![0.5, 0.5, 0.0]);
//! assert!((p.row(0).sum() - 1.0).abs() < 1e-6);
//! ```
//!
//! # Semantics
//!
//! | lane | softmax | log_softmax | logsumexp |
//! |------|---------|-------------|-----------|
//! | has a NaN | all NaN | all NaN | NaN |
//! | has a +∞ | all NaN | all NaN | +∞ |
//! | all −∞ | all NaN | all NaN | −∞ |
//! | −∞ beside finite ones | exactly 0 there | −∞ there | as without it |
//! | of length 0 | empty | empty | −∞ |
//! | of one finite element | 1 | 0 | the element |
//!
//! Masked forms: what is masked out is 0 (log: −∞), and so is all of a fully masked lane.
//!
//! # Same bits everywhere
//!
//! The result of a lane depends on its elements alone: not on its axis, place or layout, on the
//! form of the call, the number of threads or the SIMD level.

mod along;
mod backward;
mod belt;
mod chunk;
mod columns;
mod compiled;
mod exp;
mod finish;
mod in_place;
mod input;
mod lane;
mod log_rows;
mod logsumexp;
mod masked;
mod max;
mod normalizers;
mod project;
mod rows;
mod stats;
mod stream;
mod strips;
mod sum;
mod tile;
mod total;
mod wide;

use ndarray::{Array, ArrayRef, Axis, Dimension, RemoveAxis};

pub use backward::{
    log_softmax_backward, log_softmax_backward_inplace, softmax_backward, softmax_backward_inplace,
};
pub(crate) use masked::{log_softmax_masked, softmax_masked};
pub use stats::SoftmaxStats;

pub(crate) use self::compiled::{SoftmaxColumns, SoftmaxLoops};
use self::input::Factor;
use self::normalizers::Many;
pub(crate) use self::normalizers::Normalizer;
use self::rows::is_far;
use crate::apply::{self, Strand};
use crate::element::Element;
use crate::lane::Job;

/// Softmax along an axis with a temperature or a scale.
///
/// ```text
/// softmax(x · scale / temperature)
/// ```
///
/// Factor and product are carried as sums of two numbers of the element type, so the bound of 2 ULP holds for the scaled
/// softmax too, as long as the factor is a normal number of that type and no product is beyond its range: such a product is
/// infinite, as that of `x * scale` is. Products of a factor that is more than one such number (1/3; 0.7 for `f32`) have
/// twice the digits, not all: there the bound ends where they pass 2²⁴ (`f32`) or 2⁵⁴ (`f64`). With a factor of 1 the bits are those of
/// [`softmax`](crate::ActivationExt::softmax).
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{prelude::*, softmax::Softmax};
/// let x = array![[1.0f32, 2.0, 4.0]];
/// let sharp = Softmax::along(Axis(1)).temperature(0.5).map(&x);
/// assert_eq!(sharp, (&x * 2.0).softmax(Axis(1)));
/// // Attention scores, scaled by 1/√64:
/// let attention = Softmax::along(Axis(1)).scale(0.125).map(&x);
/// assert_eq!(attention, (&x / 8.0).softmax(Axis(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Softmax {
    axis: Axis,
    factor: Factor,
}

impl Softmax {
    /// Softmax along `axis`.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let p = Softmax::along(Axis(0)).map(&array![0.0f64, 0.0]);
    /// assert_eq!(p, array![0.5, 0.5]);
    /// ```
    pub fn along(axis: Axis) -> Self {
        Self { axis, factor: (1.0, 0.0) }
    }

    /// Divides the elements by `temperature` first: above 1 the result is flatter, below 1 sharper.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let x = array![2.0f64, 0.0];
    /// let cold = Softmax::along(Axis(0)).temperature(0.1).map(&x);
    /// assert!(cold[0] > 0.999_999);
    /// ```
    ///
    /// # Panics
    /// If the temperature is 0 or NaN, or so small that the factor of all calls together is not finite.
    #[track_caller]
    pub fn temperature(self, temperature: f64) -> Self {
        assert!(
            temperature != 0.0 && !temperature.is_nan(),
            "the temperature must be a number other than 0, got {temperature}"
        );
        let (high, low) = self.factor;
        let quotient = high / temperature;
        let rest = (-quotient).mul_add(temperature, high) + low;
        Self { factor: finite(quotient, rest / temperature), ..self }
    }

    /// Multiplies the elements by `scale` first, as `1/√d` in attention.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let p = Softmax::along(Axis(0)).scale(0.0).map(&array![2.0f64, 0.0]);
    /// assert_eq!(p, array![0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the scale, or the factor of all calls together, is infinite or NaN.
    #[track_caller]
    pub fn scale(self, scale: f64) -> Self {
        assert!(scale.is_finite(), "the scale must be finite, got {scale}");
        let (high, low) = self.factor;
        let product = high * scale;
        let rest = high.mul_add(scale, -product) + low * scale;
        Self { factor: finite(product, rest), ..self }
    }

    fn tile<A: Element>(self, elements: usize) -> SoftmaxColumns<A> {
        SoftmaxColumns::new(Job::new(), Some(self.factor), elements)
    }

    /// The softmax of `x`, as a new array in its memory order.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let p = Softmax::along(Axis(1)).temperature(2.0).map(&array![[3.0f32, 3.0]]);
    /// assert_eq!(p, array![[0.5, 0.5]]);
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range, naming it and the number of axes.
    #[track_caller]
    pub fn map<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>) -> Array<A, D> {
        apply::assert_axis(self.axis, x.ndim());
        along::lanes(
            self.axis,
            x,
            &softmax_of(self.factor, x.len()),
            Some(A::softmax_columns(&self.tile(x.len()))),
        )
    }

    /// Overwrites `x` with its softmax.
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let mut x = array![[3.0f32, 3.0]];
    /// Softmax::along(Axis(1)).map_inplace(&mut x);
    /// assert_eq!(x, array![[0.5, 0.5]]);
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range, naming it and the number of axes.
    #[track_caller]
    pub fn map_inplace<A: Element, D: Dimension>(self, x: &mut ArrayRef<A, D>) {
        apply::assert_axis(self.axis, x.ndim());
        along::update(
            self.axis,
            x,
            &softmax_of(self.factor, COPIED),
            Some(A::softmax_columns(&self.tile(x.len()))),
        );
    }

    /// Writes the softmax of `x` into `out`; the layouts may differ.
    ///
    /// ```
    /// use ndarray::{Array2, Axis, array};
    /// use ndarray_activations::softmax::Softmax;
    /// let mut out = Array2::zeros((1, 2));
    /// Softmax::along(Axis(1)).map_assign_into(&array![[3.0f32, 3.0]], &mut out);
    /// assert_eq!(out, array![[0.5, 0.5]]);
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range, naming it and the number of axes, or the shapes differ, naming
    /// both.
    #[track_caller]
    pub fn map_assign_into<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        out: &mut ArrayRef<A, D>,
    ) {
        apply::assert_axis(self.axis, x.ndim());
        along::assign(
            self.axis,
            x,
            out,
            &softmax_of(self.factor, x.len()),
            Some(A::softmax_columns(&self.tile(x.len()))),
        );
    }
}

#[track_caller]
fn finite(factor: f64, rest: f64) -> Factor {
    assert!(factor.is_finite(), "the factor of the elements must be finite, got {factor}");
    let rest = if rest.is_finite() { rest } else { 0.0 };
    let high = factor + rest;
    let low = rest - (high - factor);
    // What is left there is rounding.
    (high, if low.abs() < high.abs() * 2f64.powi(-103) { 0.0 } else { low })
}

/// Elements of an array that lanes in place may count as part of: they are copied first, and near then.
const COPIED: usize = 0;

/// The softmax of a lane of `x · factor`, of an array of so many elements.
fn softmax_of<A: Element>(factor: Factor, elements: usize) -> impl Fn(Strand<'_, A, ()>) + Sync {
    let (job, far) = (Job::new(), is_far::<A>(elements));
    move |lane| A::softmax_lane(job, factor, far, lane.x, lane.out)
}

/// What the methods of arrays do, by name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Along {
    Softmax,
    Softmin,
    LogSoftmax,
    Hardmax,
    Sparsemax,
}

impl Along {
    /// What happens to a lane of an array of so many elements.
    fn lane<A: Element>(self, elements: usize) -> impl Fn(Strand<'_, A, ()>) + Sync {
        let (job, far) = (Job::new(), is_far::<A>(elements));
        move |lane| match self {
            Self::Softmax => A::softmax_lane(job, (1.0, 0.0), far, lane.x, lane.out),
            Self::Softmin => A::softmax_lane(job, (-1.0, 0.0), far, lane.x, lane.out),
            Self::LogSoftmax => A::log_softmax_lane(job, far, lane.x, lane.out),
            Self::Hardmax => project::hardmax(lane.x, lane.out),
            Self::Sparsemax => project::sparsemax(lane.x, lane.out),
        }
    }

    /// The same of lanes side by side, where there is a faster way.
    fn tile<A: Element>(self, elements: usize) -> Option<SoftmaxColumns<A>> {
        let factor = match self {
            Self::Softmax => Some((1.0, 0.0)),
            Self::Softmin => Some((-1.0, 0.0)),
            Self::LogSoftmax => None,
            Self::Hardmax | Self::Sparsemax => return None,
        };
        Some(SoftmaxColumns::new(Job::new(), factor, elements))
    }

    #[track_caller]
    pub(crate) fn map<A: Element, D: Dimension>(
        self,
        axis: Axis,
        x: &ArrayRef<A, D>,
    ) -> Array<A, D> {
        apply::assert_axis(axis, x.ndim());
        along::lanes(
            axis,
            x,
            &self.lane(x.len()),
            self.tile(x.len()).as_ref().map(A::softmax_columns),
        )
    }

    #[track_caller]
    pub(crate) fn map_inplace<A: Element, D: Dimension>(self, axis: Axis, x: &mut ArrayRef<A, D>) {
        apply::assert_axis(axis, x.ndim());
        along::update(
            axis,
            x,
            &self.lane(COPIED),
            self.tile(x.len()).as_ref().map(A::softmax_columns),
        );
    }

    #[track_caller]
    pub(crate) fn assign_into<A: Element, D: Dimension>(
        self,
        axis: Axis,
        x: &ArrayRef<A, D>,
        out: &mut ArrayRef<A, D>,
    ) {
        apply::assert_axis(axis, x.ndim());
        along::assign(
            axis,
            x,
            out,
            &self.lane(x.len()),
            self.tile(x.len()).as_ref().map(A::softmax_columns),
        );
    }
}

#[track_caller]
pub(crate) fn logsumexp<A: Element, D: RemoveAxis>(
    axis: Axis,
    x: &ArrayRef<A, D>,
) -> Array<A, D::Smaller> {
    apply::assert_axis(axis, x.ndim());
    let job = Job::new();
    let lane = |lane: Strand<'_, A, A>| *lane.stat = A::logsumexp_lane(job, lane.x);
    along::reduce(axis, x, A::neg_infinity(), &lane, A::logsumexp_of_many(&Many { job }))
}

/// What the logarithm of the softmax of each lane is made of, without that itself.
pub(crate) fn normalizers<A: Element, D: RemoveAxis>(
    axis: Axis,
    x: &ArrayRef<A, D>,
) -> Array<Normalizer<A>, D::Smaller> {
    let job = Job::new();
    let lane = |lane: Strand<'_, A, Normalizer<A>>| {
        *lane.stat = A::normalizer_of_lane(job, lane.x);
    };
    along::reduce(axis, x, Normalizer::none(), &lane, A::normalizers_of_many(&Many { job }))
}

#[track_caller]
pub(crate) fn softmax_with_logsumexp<A: Element, D: RemoveAxis>(
    axis: Axis,
    x: &ArrayRef<A, D>,
) -> (Array<A, D>, Array<A, D::Smaller>) {
    (Along::Softmax.map(axis, x), logsumexp(axis, x))
}
