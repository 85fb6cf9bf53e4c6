//! Softmax statistics of a stream.

use super::wide::Wide;
use crate::element::Element;

/// The maximum and the sum of exponentials of numbers that arrive one by one, in slices, or on
/// other threads and machines.
///
/// ```text
/// logsumexp = ln Σ eˣ = max + ln Σ e^(x − max)
/// ```
///
/// The state is kept in double-double arithmetic, with the largest element left out of the sum and
/// counted instead, so that merging in any grouping gives the same result to within 2 ULP, and
/// [`logsumexp`](crate::ActivationExt::logsumexp) of all elements at once the same, unless it is nearly 0.
///
/// ```
/// use ndarray_activations::softmax::SoftmaxStats;
/// let logits = [1.0f32, 3.0, 2.0, -1.0];
/// let (left, right) = logits.split_at(2);
/// let whole = SoftmaxStats::new().push_slice(left).merge(SoftmaxStats::new().push_slice(right));
/// assert_eq!(whole.max(), 3.0);
/// assert!((whole.logsumexp() - 3.419_72).abs() < 1e-5);
/// // The softmax of any element follows:
/// assert!(((2.0 - whole.logsumexp()).exp() - 0.241_7).abs() < 1e-4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxStats<A> {
    max: A,
    /// `Σ e^(x − max)` without the largest elements.
    rest: Wide,
    /// How many elements are the largest.
    count: f64,
}

impl<A: Element> Default for SoftmaxStats<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Element> SoftmaxStats<A> {
    /// The statistics of no elements: `logsumexp` is `-∞`.
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// assert_eq!(SoftmaxStats::<f64>::new().logsumexp(), f64::NEG_INFINITY);
    /// ```
    pub fn new() -> Self {
        Self { max: A::neg_infinity(), rest: Wide::ZERO, count: 0.0 }
    }

    pub(super) fn from_parts(max: A, rest: Wide, count: f64) -> Self {
        Self { max, rest, count }
    }

    /// With one more element.
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// let stats = [1000.0f32, 1000.0].into_iter().fold(SoftmaxStats::new(), SoftmaxStats::push);
    /// assert_eq!(stats.logsumexp(), 1000.6932);
    /// ```
    #[must_use]
    pub fn push(self, value: A) -> Self {
        if value.is_nan() {
            return Self { max: value, ..self };
        }
        self.merge(Self { max: value, rest: Wide::ZERO, count: 1.0 })
    }

    /// With all elements of a slice, at the speed of [`logsumexp`](crate::ActivationExt::logsumexp).
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// let stats = SoftmaxStats::new().push_slice(&[0.0f64; 8]);
    /// assert_eq!(stats.logsumexp(), 8.0f64.ln());
    /// ```
    #[must_use]
    pub fn push_slice(self, values: &[A]) -> Self {
        self.merge(A::softmax_stats(values))
    }

    /// With everything that another one has seen.
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// let (a, b) = (SoftmaxStats::new().push(1.0f64), SoftmaxStats::new().push(2.0));
    /// assert_eq!(a.merge(b).logsumexp(), b.merge(a).logsumexp());
    /// ```
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        // NaN wins over everything, an empty side adds nothing.
        if self.max.is_nan() || other.count == 0.0 && !other.max.is_nan() {
            return self;
        }
        if other.max.is_nan() || self.count == 0.0 {
            return other;
        }
        let (top, under) = if other.max > self.max { (other, self) } else { (self, other) };
        if top.max == under.max {
            let count = top.count + under.count;
            return Self { max: top.max, rest: self.rest.plus(other.rest), count };
        }
        if top.max.to_f64().is_infinite() || under.max.to_f64().is_infinite() {
            // +∞ beside anything, or -∞ below a number: what is below does not count.
            return top;
        }
        let distance = Wide::sum(under.max.to_f64(), -top.max.to_f64());
        let all = under.rest.plus(Wide::from(under.count));
        Self { rest: top.rest.plus(all.times(distance.exp())), ..top }
    }

    /// `ln Σ eˣ` of everything seen; within 2 ULP unless it is nearly 0, NaN where a NaN was seen,
    /// `-∞` of nothing.
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// assert_eq!(SoftmaxStats::new().push(5.0f32).logsumexp(), 5.0);
    /// ```
    pub fn logsumexp(&self) -> A {
        let max = self.max.to_f64();
        if !max.is_finite() || self.count == 0.0 {
            return self.max;
        }
        let beside = self.rest.plus(Wide::from(self.count - 1.0));
        A::from_f64(beside.ln_1p().plus(Wide::from(max)).value())
    }

    /// The largest element seen; `-∞` of nothing, NaN where one was seen.
    ///
    /// ```
    /// use ndarray_activations::softmax::SoftmaxStats;
    /// assert_eq!(SoftmaxStats::new().push_slice(&[1.0f32, 4.0, 2.0]).max(), 4.0);
    /// ```
    pub fn max(&self) -> A {
        self.max
    }
}
