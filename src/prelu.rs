//! Leaky ReLU with a learnt slope for each channel.

use ndarray::{Array, Array1, ArrayRef, ArrayRef1, ArrayView, ArrayView1, Axis, Dimension, Zip};

use crate::activation::{Elementwise, LeakyRelu};
use crate::apply;
use crate::element::Element;

/// Parametric ReLU: a [`LeakyRelu`] with a slope of its own for each channel, as PyTorch's.
///
/// ```text
/// prelu(x)ᵢ    = xᵢ for xᵢ > 0, else w_c · xᵢ          c: the position of i along the axis
/// ∂prelu/∂xᵢ  = 1 for xᵢ > 0, else w_c
/// ∂prelu/∂w_c = Σ over the channel of xᵢ for xᵢ ≤ 0
/// ```
///
/// One weight alone is shared by all channels. Results are exactly rounded: ½ ULP. NaN stays NaN; −∞ becomes NaN where the
/// weight is 0, and +∞ where it is below.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::Prelu;
///
/// // Two channels along axis 1.
/// let prelu = Prelu::new(array![0.1, 0.5], Axis(1));
/// let x = array![[-1.0, -1.0], [2.0, -4.0]];
/// assert_eq!(prelu.map(&x), array![[-0.1, -0.5], [2.0, -2.0]]);
///
/// let (dx, dw) = prelu.backward(&x, &array![[1.0, 1.0], [1.0, 10.0]]);
/// assert_eq!(dx, array![[0.1, 0.5], [1.0, 5.0]]);
/// assert_eq!(dw, array![-1.0, -41.0]);
/// ```
///
/// [He et al., 2015](https://arxiv.org/abs/1502.01852)
#[derive(Clone, Debug, PartialEq)]
pub struct Prelu<A> {
    weights: Array1<A>,
    axis: Axis,
}

impl<A: Element> Prelu<A> {
    /// From the slopes and the axis of the channels: `Axis(1)` in PyTorch.
    pub const fn new(weights: Array1<A>, axis: Axis) -> Self {
        Self { weights, axis }
    }

    /// The slopes.
    pub fn weights(&self) -> ArrayView1<'_, A> {
        self.weights.view()
    }

    /// The slopes, to be trained.
    pub fn weights_mut(&mut self) -> &mut Array1<A> {
        &mut self.weights
    }

    /// The axis of the channels.
    pub const fn axis(&self) -> Axis {
        self.axis
    }

    /// A new array of `prelu(x)`, in the memory order of `x`.
    ///
    /// # Panics
    /// If there are several weights, and the axis is out of range or its length not their number.
    #[track_caller]
    pub fn map<D: Dimension>(&self, x: &ArrayRef<A, D>) -> Array<A, D> {
        self.check(x);
        let mut out = apply::new_like(x);
        self.assign(x, &mut out);
        out
    }

    /// Overwrites every element with `prelu(x)`.
    ///
    /// # Panics
    /// If there are several weights, and the axis is out of range or its length not their number.
    #[track_caller]
    pub fn map_inplace<D: Dimension>(&self, x: &mut ArrayRef<A, D>) {
        self.check(x);
        match self.shared() {
            Some(w) => update_channel(w, x),
            None if is_unit(x, self.axis) => {
                let weights = self.weights.as_standard_layout();
                let weights = slice(&weights);
                for mut row in x.lanes_mut(self.axis) {
                    let row = row.as_slice_mut().expect("a lane of stride 1 is a slice");
                    for (x, &w) in row.iter_mut().zip(weights) {
                        *x = one(*x, w);
                    }
                }
            }
            None if run(x, self.axis) >= RUN => {
                for (mut x, &w) in x.axis_chunks_iter_mut(self.axis, 1).zip(&self.weights) {
                    update_channel(w, &mut x);
                }
            }
            None => {
                let weights = self.weights.as_standard_layout();
                let weights = along(&weights, self.axis, x);
                Zip::from(&mut *x).and_broadcast(weights).for_each(|x, &w| *x = one(*x, w));
            }
        }
    }

    /// Writes `prelu(x)` into `out`; the layouts may differ.
    ///
    /// # Panics
    /// If the shapes differ, or there are several weights, and the axis is out of range or its length not their number.
    #[track_caller]
    pub fn map_assign_into<D: Dimension>(&self, x: &ArrayRef<A, D>, out: &mut ArrayRef<A, D>) {
        self.check(x);
        apply::assert_same_shape("output", out.shape(), "input", x.shape());
        self.assign(x, out);
    }

    fn assign<D: Dimension>(&self, x: &ArrayRef<A, D>, out: &mut ArrayRef<A, D>) {
        match self.shared() {
            Some(w) => assign_channel(w, x, out),
            None if is_unit(x, self.axis) && is_unit(out, self.axis) => {
                let weights = self.weights.as_standard_layout();
                let weights = slice(&weights);
                for (x, mut out) in x.lanes(self.axis).into_iter().zip(out.lanes_mut(self.axis)) {
                    let x = x.to_slice().expect("a lane of stride 1 is a slice");
                    let out = out.as_slice_mut().expect("a lane of stride 1 is a slice");
                    for ((out, &x), &w) in out.iter_mut().zip(x).zip(weights) {
                        *out = one(x, w);
                    }
                }
            }
            None if run(x, self.axis).min(run(out, self.axis)) >= RUN => {
                let channels =
                    x.axis_chunks_iter(self.axis, 1).zip(out.axis_chunks_iter_mut(self.axis, 1));
                for ((x, mut out), &w) in channels.zip(&self.weights) {
                    assign_channel(w, &x, &mut out);
                }
            }
            None => {
                let weights = self.weights.as_standard_layout();
                let weights = along(&weights, self.axis, x);
                Zip::from(&mut *out)
                    .and(x)
                    .and_broadcast(weights)
                    .for_each(|out, &x, &w| *out = one(x, w));
            }
        }
    }

    /// The gradients of a loss with respect to `x` and to the weights, given `dy`, its gradient
    /// with respect to the output.
    ///
    /// Each weight's gradient is summed in double precision in the logical order of its channel, so
    /// it does not depend on the layout.
    ///
    /// # Panics
    /// If the shapes differ, or there are several weights, and the axis is out of range or its length not their number.
    #[track_caller]
    pub fn backward<D: Dimension>(
        &self,
        x: &ArrayRef<A, D>,
        dy: &ArrayRef<A, D>,
    ) -> (Array<A, D>, Array1<A>) {
        self.check(x);
        apply::assert_same_shape("upstream gradient", dy.shape(), "input", x.shape());
        let mut dx = apply::to_owned(dy);
        let mut dw = vec![0.0f64; self.weights.len()];
        let add = |sum: &mut f64, x: A, dy: A| {
            // A comparison that is false for NaN, so that NaN is added.
            if x > A::zero() {
                return;
            }
            *sum += dy.to_f64() * x.to_f64();
        };
        match self.shared() {
            Some(w) => {
                x.iter().zip(dy).for_each(|(&x, &dy)| add(&mut dw[0], x, dy));
                leaky(w).backward_inplace(x, &mut dx);
            }
            None if run(x, self.axis).min(run(&dx, self.axis)) < RUN => {
                let weights = self.weights.as_standard_layout();
                for (x, mut dx) in x.lanes(self.axis).into_iter().zip(dx.lanes_mut(self.axis)) {
                    for (((x, dx), w), dw) in x.iter().zip(&mut dx).zip(&weights).zip(&mut dw) {
                        add(dw, *x, *dx);
                        *dx *= if *x > A::zero() { A::one() } else { slope_at(*x, *w) };
                    }
                }
            }
            None => {
                let channels =
                    x.axis_chunks_iter(self.axis, 1).zip(dx.axis_chunks_iter_mut(self.axis, 1));
                for (((x, mut dx), &w), dw) in channels.zip(&self.weights).zip(&mut dw) {
                    x.iter().zip(&dx).for_each(|(&x, &dy)| add(dw, x, dy));
                    leaky(w).backward_inplace(&x, &mut dx);
                }
            }
        }
        (dx, dw.into_iter().map(A::from_f64).collect())
    }

    /// The weight of all channels, where they share one.
    fn shared(&self) -> Option<A> {
        (self.weights.len() == 1).then(|| self.weights[0])
    }

    #[track_caller]
    fn check<D: Dimension>(&self, x: &ArrayRef<A, D>) {
        if self.weights.len() == 1 {
            return;
        }
        apply::assert_axis(self.axis, x.ndim());
        assert!(
            x.len_of(self.axis) == self.weights.len(),
            "{} weights for the {} channels along axis {} of shape {:?}",
            self.weights.len(),
            x.len_of(self.axis),
            self.axis.index(),
            x.shape()
        );
    }
}

/// With the zeros of [`LeakyRelu`]: of a negative slope they are positive.
#[inline(always)]
fn one<A: Element>(x: A, w: A) -> A {
    let below = x * w + A::zero().copysign(x);
    if x > A::zero() { x } else { below }
}

/// One channel.
fn assign_channel<A: Element, D: Dimension>(w: A, x: &ArrayRef<A, D>, out: &mut ArrayRef<A, D>) {
    if w.is_finite() {
        leaky(w).map_assign_into(x, out);
    } else {
        // It multiplies 0 by the slope above 0.
        Zip::from(out).and(x).for_each(|out, &x| *out = one(x, w));
    }
}

/// The same, overwriting it.
fn update_channel<A: Element, D: Dimension>(w: A, x: &mut ArrayRef<A, D>) {
    if w.is_finite() {
        leaky(w).map_inplace(x);
    } else {
        x.mapv_inplace(|x| one(x, w));
    }
}

/// The slope at or below 0; NaN has none.
fn slope_at<A: Element>(x: A, w: A) -> A {
    if x.is_nan() { x } else { w }
}

/// Exact: `f32` weights survive the way through `f64`.
fn leaky<A: Element>(weight: A) -> LeakyRelu {
    LeakyRelu { negative_slope: weight.to_f64() }
}

/// The weights as an array of as many axes as `x`, of length 1 but for that of the channels.
fn along<'w, A: Element, D: Dimension>(
    weights: &'w ArrayRef1<A>,
    channels: Axis,
    x: &ArrayRef<A, D>,
) -> ArrayView<'w, A, D> {
    let mut shape = x.raw_dim();
    for axis in 0..shape.ndim() {
        if axis != channels.index() {
            shape[axis] = 1;
        }
    }
    ArrayView::from_shape(shape, slice(weights)).expect("a weight for each channel")
}

fn slice<A>(weights: &ArrayRef1<A>) -> &[A] {
    weights.as_slice().expect("they were made one run")
}

/// Elements of the shortest run of one channel that is worth a call of its own.
const RUN: usize = 32;

/// How many elements of a channel stand side by side: those of the first axes that go on in memory.
fn run<A, D: Dimension>(x: &ArrayRef<A, D>, channels: Axis) -> usize {
    let mut run = 1;
    while let Some(axis) = (0..x.ndim()).find(|&axis| {
        axis != channels.index() && x.shape()[axis] > 1 && x.strides()[axis] == run as isize
    }) {
        run *= x.shape()[axis];
    }
    run
}

/// Whether lanes along the axis are slices.
fn is_unit<A, D: Dimension>(x: &ArrayRef<A, D>, axis: Axis) -> bool {
    x.stride_of(axis) == 1
}
