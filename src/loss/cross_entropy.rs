//! Losses of classes.

use ndarray::{Array, ArrayRef, ArrayRef1, ArrayView1, ArrayViewMut1, Axis, RemoveAxis, Zip};

use super::binary::times;
use super::classes::{Classes, Label, class_axis, weight_of};
use super::scaled::Scaled;
use super::sum::Sum;
use super::{LossError, Reduction};
use crate::{ActivationExt, Element, Elementwise, Elu};

/// Cross-entropy of logits `x` along an axis against the class `y` of each lane, with class
/// weights `w`, label smoothing `ε` and `C` classes.
///
/// ```text
/// l   = log_softmax(x)
/// ce  = −(1 − ε) w_y l_y − ε / C · Σ_c w_c l_c
/// ce' = softmax(x) · Σ t − t,   t_c = (1 − ε) w_y [c = y] + ε / C · w_c
/// ```
///
/// The mean divides by the sum of the weights `w_y` of the lanes that are not ignored; it is 0
/// where that sum is 0 (PyTorch: NaN). A loss is NaN only where a logit is NaN or +∞, or all are
/// −∞. A lane whose class has the logit −∞ has the loss +∞, and 0 with the weight 0.
///
/// The logarithm keeps the tiny loss of a confident right answer: it is not `logsumexp − x_y`.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::loss::CrossEntropy;
/// let logits = array![[2.0f64, 0.0], [0.0, 1.0], [5.0, 5.0]];
/// let labels = array![0i64, 1, -100];
/// let loss = CrossEntropy::along(Axis(1)).ignore_index(-100);
/// let (value, gradient) = loss.value_and_gradient(&logits, &labels)?;
/// let expected = ((-2.0f64).exp().ln_1p() + (-1.0f64).exp().ln_1p()) / 2.0;
/// assert!((value - expected).abs() < 1e-15);
/// assert_eq!(gradient.row(2), array![0.0, 0.0]);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy<'a, A> {
    pub(super) axis: Axis,
    pub(super) weights: Option<ArrayView1<'a, A>>,
    ignored: Option<i64>,
    smoothing: f64,
    pub(super) reduction: Reduction,
}

impl<'a, A: Element> CrossEntropy<'a, A> {
    /// With the axis of the classes; without weights, ignored labels and smoothing, with the mean
    /// as reduction.
    pub fn along(axis: Axis) -> Self {
        Self { axis, weights: None, ignored: None, smoothing: 0.0, reduction: Reduction::Mean }
    }

    /// A weight for each class.
    #[must_use]
    pub fn class_weights(mut self, weights: &'a ArrayRef1<A>) -> Self {
        self.weights = Some(weights.view());
        self
    }

    /// The label of lanes that do not count. Without it every label must be a class; PyTorch's
    /// default is −100.
    #[must_use]
    pub fn ignore_index(mut self, label: i64) -> Self {
        self.ignored = Some(label);
        self
    }

    /// The part of the target, in 0..=1, that is spread evenly over all classes.
    #[must_use]
    pub fn label_smoothing(mut self, smoothing: f64) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// How the losses of the lanes become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    fn check_smoothing(&self) -> Result<(), LossError> {
        if (0.0..=1.0).contains(&self.smoothing) {
            return Ok(());
        }
        let (expected, got) = ("a number in 0..=1", self.smoothing);
        Err(LossError::Parameter { name: "label smoothing", expected, got })
    }

    pub(super) fn classes<L: Label, D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<Classes, LossError> {
        self.check_smoothing()?;
        Classes::new(logits, labels, self.axis, self.weights, self.ignored)
    }

    /// The loss as one number.
    ///
    /// # Errors
    /// If the axis does not exist, labels or weights have the wrong shape, a label is no class, or
    /// a weight or the smoothing is out of its range.
    pub fn value<L: Label, D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<A, LossError> {
        let classes = self.classes(logits, labels)?;
        Ok(self.value_from(logits, &classes, &classes.log_probabilities(logits, self.axis)))
    }

    /// The loss of every lane; 0 where it is ignored.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn each<L: Label, D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<Array<A, D::Smaller>, LossError> {
        let classes = self.classes(logits, labels)?;
        if self.smoothing != 0.0 {
            return Ok(self.lanes(&logits.log_softmax(self.axis), &classes));
        }
        let mut losses = classes.log_probabilities(logits, self.axis);
        let all = losses.iter_mut().zip(&classes.of_lanes);
        all.for_each(|(loss, class)| *loss = A::from_f64(self.sharp(*loss, *class)));
        Ok(losses)
    }

    /// The loss as one number, and its gradient with respect to the logits.
    ///
    /// The gradient is small where the answer is right, and keeps its digits there.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_and_gradient<L: Label, D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
    ) -> Result<(A, Array<A, D>), LossError> {
        let classes = self.classes(logits, labels)?;
        let mut complements = classes.log_probabilities(logits, self.axis);
        let value = self.value_from(logits, &classes, &complements);
        let factor = self.reduction.factor(classes.weight);
        // softmax(x)_y − 1 without cancellation, as elu is expm1 of what is not positive.
        Elu::default().map_inplace(&mut complements);

        let mut gradient = logits.softmax(self.axis);
        if self.smoothing == 0.0 {
            self.sharp_gradient(&mut gradient, &classes, &complements, factor);
            return Ok((value, gradient));
        }
        let lanes = gradient.lanes_mut(self.axis).into_iter();
        for ((lane, class), &complement) in lanes.zip(&classes.of_lanes).zip(&complements) {
            self.gradient_of_lane(lane, *class, complement.to_f64(), factor);
        }
        Ok((value, gradient))
    }

    /// Turns probabilities into the gradient, without smoothing: all of them in the order of memory, and then those of the
    /// classes, from `complements`, the probabilities less 1.
    fn sharp_gradient<D: RemoveAxis>(
        &self,
        gradient: &mut Array<A, D>,
        classes: &Classes,
        complements: &ArrayRef<A, D::Smaller>,
        factor: f64,
    ) {
        let weight = |class: &Option<usize>| class.map_or(0.0, |c| weight_of(self.weights, c));
        let lanes = classes.of_lanes.iter();
        if self.weights.is_none() {
            Scaled { weight: 1.0, factor }.map_inplace(gradient);
        } else if gradient.stride_of(self.axis) == 1 {
            for (mut lane, class) in gradient.lanes_mut(self.axis).into_iter().zip(lanes) {
                Scaled { weight: weight(class), factor }.map_inplace(&mut lane);
            }
        } else {
            let mut shape = gradient.raw_dim();
            shape[self.axis.index()] = 1;
            let weights = Array::from_shape_vec(shape, lanes.map(weight).collect());
            Zip::from(&mut *gradient)
                .and_broadcast(&weights.expect("one for each lane"))
                .for_each(|p, &weight| *p = Scaled { weight, factor }.of(*p));
        }
        let lanes = gradient.lanes_mut(self.axis).into_iter().zip(&classes.of_lanes);
        for ((mut lane, class), &complement) in lanes.zip(complements) {
            match class {
                Some(at) => lane[*at] = Scaled { weight: weight(class), factor }.of(complement),
                None => lane.fill(A::zero()),
            }
        }
    }

    /// Turns probabilities into the gradient; `complement` is that of the class less 1.
    fn gradient_of_lane(
        &self,
        mut lane: ArrayViewMut1<'_, A>,
        class: Option<usize>,
        complement: f64,
        factor: f64,
    ) {
        let Some(class) = class else { return lane.fill(A::zero()) };
        let hit = (1.0 - self.smoothing) * weight_of(self.weights, class);
        let spread = self.smoothing / lane.len() as f64;
        let rest: f64 = (0..lane.len()).map(|c| spread * weight_of(self.weights, c)).sum();
        for (c, to) in lane.iter_mut().enumerate() {
            let p = to.to_f64();
            let smooth = rest * p - spread * weight_of(self.weights, c);
            let sharp = hit * if c == class { complement } else { p };
            *to = A::from_f64(factor * (sharp + smooth));
        }
    }

    /// The loss as one number, for targets that are probabilities of the classes, in the shape of
    /// the logits; the mean divides by the number of lanes. Labels to ignore have no meaning here.
    ///
    /// ```text
    /// ce = −Σ_c w_c t_c l_c,   t = (1 − ε) target + ε / C
    /// ```
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_activations::loss::CrossEntropy;
    /// let loss = CrossEntropy::along(Axis(1));
    /// let value = loss.value_of_soft(&array![[0.0f64, 0.0]], &array![[0.25, 0.75]])?;
    /// assert!((value - core::f64::consts::LN_2).abs() < 1e-15);
    /// # Ok::<(), ndarray_activations::loss::LossError>(())
    /// ```
    ///
    /// # Errors
    /// If the axis does not exist, shapes differ, or a weight or the smoothing is out of its range.
    pub fn value_of_soft<D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<A, LossError> {
        Ok(self.soft(logits, targets, false)?.0)
    }

    /// As [`value_of_soft`](Self::value_of_soft), with the gradient with respect to the logits.
    ///
    /// # Errors
    /// As [`value_of_soft`](Self::value_of_soft).
    pub fn value_and_gradient_of_soft<D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
    ) -> Result<(A, Array<A, D>), LossError> {
        self.soft(logits, targets, true)
    }

    /// The gradient is empty of meaning unless it is asked for.
    fn soft<D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        targets: &ArrayRef<A, D>,
        wants_gradient: bool,
    ) -> Result<(A, Array<A, D>), LossError> {
        self.check_smoothing()?;
        let classes = class_axis(logits, self.axis, self.weights)?;
        if logits.shape() != targets.shape() {
            let (expected, got) = (logits.shape().to_vec(), targets.shape().to_vec());
            return Err(LossError::Shape { what: "targets", expected, got });
        }
        let spread = self.smoothing / classes as f64;
        let target = |c: usize, target: A| {
            weight_of(self.weights, c) * ((1.0 - self.smoothing) * target.to_f64() + spread)
        };
        let mut work = logits.log_softmax(self.axis);
        let (mut total, mut lanes) = (Sum::default(), 0usize);
        for (lane, targets) in work.lanes(self.axis).into_iter().zip(targets.lanes(self.axis)) {
            lanes += 1;
            total.extend(
                lane.iter()
                    .zip(targets)
                    .enumerate()
                    .map(|(c, (&l, &t))| times(target(c, t), -l.to_f64())),
            );
        }
        let value = A::from_f64(self.reduction.value(total.total(), lanes as f64));
        if wants_gradient {
            logits.softmax_assign_into(self.axis, &mut work);
            let factor = self.reduction.factor(lanes as f64);
            for (mut lane, targets) in
                work.lanes_mut(self.axis).into_iter().zip(targets.lanes(self.axis))
            {
                let mass: f64 = targets.iter().enumerate().map(|(c, &t)| target(c, t)).sum();
                for (c, (to, &t)) in lane.iter_mut().zip(targets).enumerate() {
                    *to = A::from_f64(factor * (mass * to.to_f64() - target(c, t)));
                }
            }
        }
        Ok((value, work))
    }

    /// The loss, from the log-probabilities of the classes where there is no smoothing.
    fn value_from<D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        classes: &Classes,
        of_classes: &ArrayRef<A, D::Smaller>,
    ) -> A {
        if self.smoothing != 0.0 {
            return self.reduce(&logits.log_softmax(self.axis), classes);
        }
        let each = of_classes.iter().zip(&classes.of_lanes);
        self.reduced(each.map(|(&of_class, class)| self.sharp(of_class, *class)), classes)
    }

    /// The loss of a lane from the log-probability of its class, without smoothing.
    fn sharp(&self, of_class: A, class: Option<usize>) -> f64 {
        class.map_or(0.0, |class| times(weight_of(self.weights, class), -of_class.to_f64()))
    }

    /// The losses of the lanes from log-probabilities.
    fn losses<'b, D: RemoveAxis>(
        &'b self,
        log_probabilities: &'b ArrayRef<A, D>,
        classes: &'b Classes,
    ) -> impl Iterator<Item = f64> + 'b {
        let lanes = log_probabilities.lanes(self.axis).into_iter();
        lanes.zip(&classes.of_lanes).map(move |(lane, class)| match class {
            Some(class) => self.loss_of_lane(lane, *class),
            None => 0.0,
        })
    }

    fn loss_of_lane(&self, lane: ArrayView1<'_, A>, class: usize) -> f64 {
        let hit = (1.0 - self.smoothing) * weight_of(self.weights, class);
        let sharp = times(hit, -lane[class].to_f64());
        if self.smoothing == 0.0 {
            return sharp;
        }
        let all: Sum = lane
            .iter()
            .enumerate()
            .map(|(c, &l)| times(weight_of(self.weights, c), -l.to_f64()))
            .collect();
        sharp + self.smoothing / lane.len() as f64 * all.total()
    }

    pub(super) fn reduce<D: RemoveAxis>(
        &self,
        log_probabilities: &ArrayRef<A, D>,
        classes: &Classes,
    ) -> A {
        self.reduced(self.losses(log_probabilities, classes), classes)
    }

    fn reduced(&self, losses: impl Iterator<Item = f64>, classes: &Classes) -> A {
        let total: Sum = losses.collect();
        A::from_f64(self.reduction.value(total.total(), classes.weight))
    }

    pub(super) fn lanes<D: RemoveAxis>(
        &self,
        log_probabilities: &ArrayRef<A, D>,
        classes: &Classes,
    ) -> Array<A, D::Smaller> {
        let losses = self.losses(log_probabilities, classes).map(A::from_f64).collect();
        let shape = log_probabilities.raw_dim().remove_axis(self.axis);
        Array::from_shape_vec(shape, losses).expect("one loss for each lane")
    }
}

/// The mean cross-entropy of logits along `axis` against labels; see [`CrossEntropy`].
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::loss::cross_entropy;
/// let loss = cross_entropy(&array![[20.0f32, 0.0]], &array![0], Axis(1))?;
/// assert_eq!(loss, 2.061_153_7e-9);
/// # Ok::<(), ndarray_activations::loss::LossError>(())
/// ```
///
/// # Errors
/// If the axis does not exist, the labels have the wrong shape, or a label is no class.
pub fn cross_entropy<A: Element, L: Label, D: RemoveAxis>(
    logits: &ArrayRef<A, D>,
    labels: &ArrayRef<L, D::Smaller>,
    axis: Axis,
) -> Result<A, LossError> {
    CrossEntropy::along(axis).value(logits, labels)
}
