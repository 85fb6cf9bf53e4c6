//! Binary cross-entropy from logits.

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewD, Dimension, Zip, arr0};

use super::sum::Sums;
use super::{LossError, Reduction};
use crate::{Element, Elementwise, Sigmoid, Softplus};

/// Binary cross-entropy of logits `x` against targets `z` in 0..1, with a weight `p` for the
/// positive class and a weight `w` for each element.
///
/// ```text
/// bce(x, z)  = w · (p · z · softplus(−x) + (1 − z) · softplus(x))
/// bce'(x, z) = w · (−p · z · σ(−x) + (1 − z) · σ(x))
/// ```
///
/// Both terms of the loss are positive, so that nothing cancels and the loss of a right answer
/// keeps its digits, down to subnormal numbers. The mean divides by the number of elements, as in
/// PyTorch's `binary_cross_entropy_with_logits`, whatever the weights.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::BceWithLogits;
/// let (x, z) = (array![0.0f64, 200.0], array![1.0, 0.0]);
/// let (loss, gradient) = BceWithLogits::new().value_and_gradient(&x, &z)?;
/// assert!((loss - (core::f64::consts::LN_2 + 200.0) / 2.0).abs() < 1e-12);
/// assert_eq!(gradient, array![-0.25, 0.5]);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BceWithLogits<'a, A> {
    positive: Option<ArrayViewD<'a, A>>,
    weight: Option<ArrayViewD<'a, A>>,
    reduction: Reduction,
}

impl<A: Element> Default for BceWithLogits<'_, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, A: Element> BceWithLogits<'a, A> {
    /// Without weights, with the mean as reduction.
    pub fn new() -> Self {
        Self { positive: None, weight: None, reduction: Reduction::Mean }
    }

    /// Weights of the positive class; broadcast to the shape of the logits.
    #[must_use]
    pub fn pos_weight<D: Dimension>(mut self, weight: &'a ArrayRef<A, D>) -> Self {
        self.positive = Some(weight.view().into_dyn());
        self
    }

    /// Weights of the elements; broadcast to the shape of the logits.
    #[must_use]
    pub fn weight<D: Dimension>(mut self, weight: &'a ArrayRef<A, D>) -> Self {
        self.weight = Some(weight.view().into_dyn());
        self
    }

    /// How the losses of the elements become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// The loss as one number.
    ///
    /// # Errors
    /// If the shapes differ, or weights do not broadcast, are negative or not finite.
    pub fn value<D: Dimension>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<A, LossError> {
        let losses = self.losses(logits, targets)?;
        let total = Sums::of(losses.iter().copied());
        Ok(A::from_f64(self.reduction.value(total, losses.len() as f64)))
    }

    /// The loss of every element.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn each<D: Dimension>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<Array<A, D>, LossError> {
        Ok(self.losses(logits, targets)?.mapv(A::from_f64))
    }

    /// The loss as one number, and its gradient with respect to the logits.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_and_gradient<D: Dimension>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<(A, Array<A, D>), LossError> {
        let value = self.value(logits, targets)?;
        let factor = self.reduction.factor(logits.len() as f64);
        let one = arr0(A::one()).into_dyn();
        let one = one.view();
        let positive =
            broadcast("positive weights", self.positive.as_ref().unwrap_or(&one), logits)?;
        let weight = broadcast("weights", self.weight.as_ref().unwrap_or(&one), logits)?;
        let mut gradient = Sigmoid.map(logits);
        let mut opposite = logits.mapv(|x| -x);
        Sigmoid.map_inplace(&mut opposite);
        Zip::from(&mut gradient).and(&opposite).and(targets).and(&positive).and(&weight).for_each(
            |to, &opposite, &z, &p, &w| {
                let (z, p, w) = (z.to_f64(), p.to_f64(), w.to_f64());
                let slope = (1.0 - z) * to.to_f64() - p * z * opposite.to_f64();
                *to = A::from_f64(factor * w * slope);
            },
        );
        Ok((value, gradient))
    }

    fn losses<D: Dimension>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<Array<f64, D>, LossError> {
        if logits.shape() != targets.shape() {
            let (expected, got) = (logits.shape().to_vec(), targets.shape().to_vec());
            return Err(LossError::Shape { what: "targets", expected, got });
        }
        let one = arr0(A::one()).into_dyn();
        let one = one.view();
        let positive =
            broadcast("positive weights", self.positive.as_ref().unwrap_or(&one), logits)?;
        let weight = broadcast("weights", self.weight.as_ref().unwrap_or(&one), logits)?;
        // softplus(±x) = max(±x, 0) + softplus(−|x|), and the last term is the same for both.
        let mut tail = logits.mapv(|x| -x.abs());
        Softplus::default().map_inplace(&mut tail);
        let mut losses = Array::zeros(logits.raw_dim());
        Zip::from(&mut losses)
            .and(logits)
            .and(&tail)
            .and(targets)
            .and(&positive)
            .and(&weight)
            .for_each(|to, &x, &tail, &z, &p, &w| {
                let (x, tail, z) = (x.to_f64(), tail.to_f64(), z.to_f64());
                let miss = times(p.to_f64() * z, (-x).max(0.0) + tail);
                let alarm = times(1.0 - z, x.max(0.0) + tail);
                *to = times(w.to_f64(), miss + alarm);
            });
        Ok(losses)
    }
}

/// A weight times a loss, where nothing of an infinite loss is nothing.
#[inline(always)]
pub(super) fn times(weight: f64, loss: f64) -> f64 {
    if weight == 0.0 && loss.is_infinite() { 0.0 } else { weight * loss }
}

/// Weights in the shape of the logits.
fn broadcast<'b, A: Element, D: Dimension>(
    what: &'static str,
    weights: &'b ArrayViewD<'_, A>,
    logits: &ArrayRef<A, D>,
) -> Result<ArrayView<'b, A, D>, LossError> {
    check_weights(what, weights)?;
    weights.broadcast(logits.raw_dim()).ok_or_else(|| {
        let (expected, got) = (logits.shape().to_vec(), weights.shape().to_vec());
        LossError::Shape { what, expected, got }
    })
}

/// Weights must be finite and not negative.
pub(super) fn check_weights<A: Element, D: Dimension>(
    what: &'static str,
    weights: &ArrayRef<A, D>,
) -> Result<(), LossError> {
    match weights.iter().find(|weight| !(weight.is_finite() && **weight >= A::zero())) {
        Some(&weight) => Err(LossError::Weight { what, value: weight.to_f64() }),
        None => Ok(()),
    }
}

/// The mean binary cross-entropy of logits against targets in 0..1; see [`BceWithLogits`].
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::loss::bce_with_logits;
/// let loss = bce_with_logits(&array![0.0f64, 0.0], &array![1.0, 0.0])?;
/// assert_eq!(loss, core::f64::consts::LN_2);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// If the shapes differ.
pub fn bce_with_logits<A: Element, D: Dimension>(
    logits: &ArrayRef<A, D>,
    targets: &ArrayRef<A, D>,
) -> Result<A, LossError> {
    BceWithLogits::new().value(logits, targets)
}
