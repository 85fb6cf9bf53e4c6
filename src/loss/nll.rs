//! Losses of classes from log-probabilities.

use ndarray::{Array, ArrayRef, ArrayRef1, Axis, RemoveAxis};

use super::classes::{Label, weight_of};
use super::{CrossEntropy, LossError, Reduction};
use crate::Element;

/// Negative log-likelihood of log-probabilities `l` along an axis: cross-entropy for networks that
/// end in a [log-softmax](crate::forward::Layer::LogSoftmax).
///
/// ```text
/// nll = −w_y l_y
/// ```
///
/// The gradient, with respect to `l`, is `−w_y` at the class and 0 elsewhere.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::{loss::{CrossEntropy, Nll}, prelude::*};
/// let (logits, labels) = (array![[2.0f64, 0.0], [0.0, 1.0]], array![0u8, 0]);
/// let nll = Nll::along(Axis(1)).value(&logits.log_softmax(Axis(1)), &labels)?;
/// assert_eq!(nll, CrossEntropy::along(Axis(1)).value(&logits, &labels)?);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Nll<'a, A>(CrossEntropy<'a, A>);

impl<'a, A: Element> Nll<'a, A> {
    /// As [`CrossEntropy::along`].
    pub fn along(axis: Axis) -> Self {
        Self(CrossEntropy::along(axis))
    }

    /// As [`CrossEntropy::class_weights`].
    #[must_use]
    pub fn class_weights(self, weights: &'a ArrayRef1<A>) -> Self {
        Self(self.0.class_weights(weights))
    }

    /// As [`CrossEntropy::ignore_index`].
    #[must_use]
    pub fn ignore_index(self, label: i64) -> Self {
        Self(self.0.ignore_index(label))
    }

    /// As [`CrossEntropy::reduction`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self(self.0.reduction(reduction))
    }

    /// The loss as one number.
    ///
    /// # Errors
    /// As [`CrossEntropy::value`].
    pub fn value<L: Label, D: RemoveAxis>(
        &self,
        log_probabilities: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<A, LossError> {
        let classes = self.0.classes(log_probabilities, labels)?;
        Ok(self.0.reduce(log_probabilities, &classes))
    }

    /// The loss of every lane; 0 where it is ignored.
    ///
    /// # Errors
    /// As [`CrossEntropy::value`].
    pub fn each<L: Label, D: RemoveAxis>(
        &self,
        log_probabilities: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<Array<A, D::Smaller>, LossError> {
        let classes = self.0.classes(log_probabilities, labels)?;
        Ok(self.0.lanes(log_probabilities, &classes))
    }

    /// The loss as one number, and its gradient with respect to the log-probabilities.
    ///
    /// # Errors
    /// As [`CrossEntropy::value`].
    pub fn value_and_gradient<L: Label, D: RemoveAxis>(
        &self,
        log_probabilities: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<(A, Array<A, D>), LossError> {
        let classes = self.0.classes(log_probabilities, labels)?;
        let value = self.0.reduce(log_probabilities, &classes);
        let factor = self.0.reduction.factor(classes.weight);
        let mut gradient = Array::zeros(log_probabilities.raw_dim());
        for (mut lane, class) in gradient.lanes_mut(self.0.axis).into_iter().zip(&classes.of_lanes)
        {
            if let Some(class) = *class {
                lane[class] = A::from_f64(-factor * weight_of(self.0.weights, class));
            }
        }
        Ok((value, gradient))
    }
}

/// The mean negative log-likelihood along `axis`; see [`Nll`].
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::loss::nll;
/// let loss = nll(&array![[-0.5f32, -1.0]], &array![1usize], Axis(1))?;
/// assert_eq!(loss, 1.0);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// As [`cross_entropy`](super::cross_entropy).
pub fn nll<A: Element, L: Label, D: RemoveAxis>(
    log_probabilities: &ArrayRef<A, D>,
    labels: &ArrayRef<L, D::Smaller>,
    axis: Axis,
) -> Result<A, LossError> {
    Nll::along(axis).value(log_probabilities, labels)
}
