//! Losses of predictions against targets, element by element.

use ndarray::{Array, ArrayRef, Dimension, Zip};

use super::sum::Sums;
use super::{LossError, Reduction};
use crate::Element;

/// The loss of one element and its derivative.
trait Formula: Copy {
    fn loss(self, x: f64, y: f64) -> f64;
    fn slope(self, x: f64, y: f64) -> f64;
}

fn same_shape<A, D: Dimension>(
    predictions: &ArrayRef<A, D>,
    targets: &ArrayRef<A, D>,
) -> Result<(), LossError> {
    if predictions.shape() == targets.shape() {
        return Ok(());
    }
    let (expected, got) = (predictions.shape().to_vec(), targets.shape().to_vec());
    Err(LossError::Shape { what: "targets", expected, got })
}

fn value<A: Element, D: Dimension>(
    formula: impl Formula,
    reduction: Reduction,
    x: &ArrayRef<A, D>,
    y: &ArrayRef<A, D>,
) -> A {
    let f = |x: A, y: A| formula.loss(x.to_f64(), y.to_f64());
    let total = match (x.as_slice(), y.as_slice()) {
        (Some(x), Some(y)) => Sums::of_slices(x, y, f),
        _ => Sums::of(x.iter().zip(y).map(|(&x, &y)| f(x, y))),
    };
    A::from_f64(reduction.value(total, x.len() as f64))
}

fn gradient<A: Element, D: Dimension>(
    formula: impl Formula,
    factor: f64,
    x: &ArrayRef<A, D>,
    y: &ArrayRef<A, D>,
) -> Array<A, D> {
    Zip::from(x)
        .and(y)
        .map_collect(|&x, &y| A::from_f64(factor * formula.slope(x.to_f64(), y.to_f64())))
}

macro_rules! verbs {
    ($noun:ident) => {
        impl $noun {
            /// The loss as one number.
            ///
            /// # Errors
            /// If the shapes differ.
            pub fn value<A: Element, D: Dimension>(
                &self,
                predictions: &ArrayRef<A, D>,
                targets: &ArrayRef<A, D>,
            ) -> Result<A, LossError> {
                self.check()?;
                same_shape(predictions, targets)?;
                Ok(value(*self, self.reduction, predictions, targets))
            }

            /// The loss as one number, and its gradient with respect to the predictions.
            ///
            /// # Errors
            /// If the shapes differ.
            pub fn value_and_gradient<A: Element, D: Dimension>(
                &self,
                predictions: &ArrayRef<A, D>,
                targets: &ArrayRef<A, D>,
            ) -> Result<(A, Array<A, D>), LossError> {
                let value = self.value(predictions, targets)?;
                let factor = self.reduction.factor(predictions.len() as f64);
                Ok((value, gradient(*self, factor, predictions, targets)))
            }

            /// The loss of every element.
            ///
            /// # Errors
            /// If the shapes differ.
            pub fn each<A: Element, D: Dimension>(
                &self,
                predictions: &ArrayRef<A, D>,
                targets: &ArrayRef<A, D>,
            ) -> Result<Array<A, D>, LossError> {
                self.check()?;
                same_shape(predictions, targets)?;
                Ok(Zip::from(predictions)
                    .and(targets)
                    .map_collect(|&x, &y| A::from_f64(self.loss(x.to_f64(), y.to_f64()))))
            }

            /// The same loss with another reduction.
            #[must_use]
            pub fn reduction(mut self, reduction: Reduction) -> Self {
                self.reduction = reduction;
                self
            }
        }
    };
}

/// Squared error, `(x − y)²`, with the gradient `2 (x − y)`.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::{Mse, Reduction};
/// let (x, y) = (array![1.0f64, 2.0], array![0.0, 4.0]);
/// assert_eq!(Mse::new().value_and_gradient(&x, &y)?, (2.5, array![1.0, -2.0]));
/// assert_eq!(Mse::new().reduction(Reduction::Sum).value(&x, &y)?, 5.0);
/// assert_eq!(Mse::new().each(&x, &y)?, array![1.0, 4.0]);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mse {
    reduction: Reduction,
}

impl Mse {
    /// With the mean as reduction.
    pub fn new() -> Self {
        Self::default()
    }

    fn check(&self) -> Result<(), LossError> {
        Ok(())
    }
}

impl Formula for Mse {
    #[inline(always)]
    fn loss(self, x: f64, y: f64) -> f64 {
        (x - y) * (x - y)
    }
    #[inline(always)]
    fn slope(self, x: f64, y: f64) -> f64 {
        2.0 * (x - y)
    }
}

verbs!(Mse);

/// Absolute error, `|x − y|`, with the gradient `sign(x − y)`, which is 0 where both are equal.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::Mae;
/// let (x, y) = (array![1.0f64, 2.0], array![0.0, 4.0]);
/// assert_eq!(Mae::new().value_and_gradient(&x, &y)?, (1.5, array![0.5, -0.5]));
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mae {
    reduction: Reduction,
}

impl Mae {
    /// With the mean as reduction.
    pub fn new() -> Self {
        Self::default()
    }

    fn check(&self) -> Result<(), LossError> {
        Ok(())
    }
}

impl Formula for Mae {
    #[inline(always)]
    fn loss(self, x: f64, y: f64) -> f64 {
        (x - y).abs()
    }
    #[inline(always)]
    fn slope(self, x: f64, y: f64) -> f64 {
        if x == y { 0.0 } else { (x - y).signum() }
    }
}

verbs!(Mae);

/// Huber's loss: squared near 0, linear beyond `delta`.
///
/// ```text
/// d = x − y
/// huber  = d² / 2                    for |d| ≤ delta, else delta (|d| − delta / 2)
/// huber' = d clamped to ±delta
/// ```
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::Huber;
/// let (x, y) = (array![0.5f64, 3.0], array![0.0, 0.0]);
/// assert_eq!(Huber::new(1.0).each(&x, &y)?, array![0.125, 2.5]);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// [Huber, 1964](https://doi.org/10.1214/aoms/1177703732). PyTorch's `smooth_l1_loss` with `beta`
/// is this one divided by `beta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

impl Huber {
    /// With the place where the line begins, a positive number, and the mean as reduction.
    pub fn new(delta: f64) -> Self {
        Self { delta, reduction: Reduction::Mean }
    }

    fn check(&self) -> Result<(), LossError> {
        if self.delta > 0.0 {
            return Ok(());
        }
        let (expected, got) = ("a positive number", self.delta);
        Err(LossError::Parameter { name: "delta", expected, got })
    }
}

impl Formula for Huber {
    #[inline(always)]
    fn loss(self, x: f64, y: f64) -> f64 {
        let distance = (x - y).abs();
        if distance > self.delta {
            self.delta * (distance - 0.5 * self.delta)
        } else {
            0.5 * distance * distance
        }
    }
    #[inline(always)]
    fn slope(self, x: f64, y: f64) -> f64 {
        (x - y).clamp(-self.delta, self.delta)
    }
}

verbs!(Huber);

/// The mean of the squared errors; see [`Mse`].
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::mse;
/// assert_eq!(mse(&array![1.0f32, 2.0], &array![0.0, 4.0])?, 2.5);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// If the shapes differ.
pub fn mse<A: Element, D: Dimension>(
    predictions: &ArrayRef<A, D>,
    targets: &ArrayRef<A, D>,
) -> Result<A, LossError> {
    Mse::new().value(predictions, targets)
}

/// The mean of the absolute errors; see [`Mae`].
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::mae;
/// assert_eq!(mae(&array![1.0f32, 2.0], &array![0.0, 4.0])?, 1.5);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// If the shapes differ.
pub fn mae<A: Element, D: Dimension>(
    predictions: &ArrayRef<A, D>,
    targets: &ArrayRef<A, D>,
) -> Result<A, LossError> {
    Mae::new().value(predictions, targets)
}

/// The mean of Huber's loss; see [`Huber`].
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::huber;
/// assert_eq!(huber(&array![0.5f32, 3.0], &array![0.0, 0.0], 1.0)?, 1.3125);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// If the shapes differ or `delta` is not positive.
pub fn huber<A: Element, D: Dimension>(
    predictions: &ArrayRef<A, D>,
    targets: &ArrayRef<A, D>,
    delta: f64,
) -> Result<A, LossError> {
    Huber::new(delta).value(predictions, targets)
}
