//! The catalogue: one file for each activation, and the registry that everything else is made from.
//!
//! To add an activation, write its file and add it to the two lists below.

use ndarray::{Array, ArrayBase, ArrayRef, DataMut, Dimension};

use crate::apply::{self, Eval, Slope};
use crate::element::Element;
use crate::lane::{DoubleKernel, Half, Lane, WideHalf};

/// An element-wise function with its derivative, applied to arrays by the verbs below.
///
/// Implementing the two formulas is all it takes: the verbs then run on every layout with SIMD
/// instructions, padded tails and, for large arrays, on all cores. Mark both methods
/// `#[inline(always)]`: without it the compiler may leave the SIMD context, at many times the cost.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{Elementwise, Lane, math, prelude::*};
///
/// /// A bump, `e^(-x²)`.
/// #[derive(Clone, Copy)]
/// struct Gaussian;
///
/// impl Elementwise for Gaussian {
///     #[inline(always)]
///     fn eval<V: Lane>(self, x: V) -> V {
///         math::exp(-x * x)
///     }
///     #[inline(always)]
///     fn derivative<V: Lane>(self, x: V) -> V {
///         x * -2.0 * math::exp(-x * x)
///     }
/// }
///
/// let y = array![0.0f64, 1.0].activate(Gaussian);
/// assert_eq!(y[0], 1.0);
/// assert!((y[1] - (-1.0f64).exp()).abs() < 1e-15);
/// ```
pub trait Elementwise: Copy + Send + Sync {
    /// How much work one element is; decides from which size on threads pay.
    const COST: Cost = Cost::Moderate;

    /// The largest errors, measured; `None` for functions that nobody has measured.
    const BOUNDS: Option<Bounds> = None;

    /// For which elements loops use [`begin`](Elementwise::begin) and [`finish`](Elementwise::finish).
    #[doc(hidden)]
    const HALVED: Halved = Halved::No;

    /// Bytes of the largest new array that is not worth better instructions than every processor has; 0 where a step is fused
    /// or where there are many. With any other number arrays without rows, however large, are not worth them either.
    #[doc(hidden)]
    const PLAIN_UP_TO: usize = 0;

    /// `f(x)`.
    fn eval<V: Lane>(self, x: V) -> V;

    /// `f'(x)`.
    fn derivative<V: Lane>(self, x: V) -> V;

    /// The first half of the formula: `f(x)` is `finish(x, middle(x, begin(x)))`. Loops run the second half of one vector
    /// beside the first half of another, which does not wait for it.
    #[doc(hidden)]
    #[inline(always)]
    fn begin<V: Lane>(self, x: V) -> Half<V> {
        [x; 3]
    }
    /// What comes between the halves, of a formula in thirds; in loops of halves it belongs to the second.
    #[doc(hidden)]
    #[inline(always)]
    fn middle<V: Lane>(self, _x: V, half: Half<V>) -> Half<V> {
        half
    }
    /// The second half, with the bits of [`eval`](Elementwise::eval).
    #[doc(hidden)]
    #[inline(always)]
    fn finish<V: Lane>(self, x: V, _half: Half<V>) -> V {
        self.eval(x)
    }

    /// The first half of the formula of `f32` values in `f64` lanes.
    #[doc(hidden)]
    #[inline(always)]
    fn begin_wide<W: Lane<Elem = f64>>(self, x: W) -> WideHalf<W> {
        [x; 2]
    }
    /// The second half, with the bits of [`eval`](Elementwise::eval) of `f32` values.
    #[doc(hidden)]
    #[inline(always)]
    fn finish_wide<W: Lane<Elem = f64>>(self, x: W, _half: WideHalf<W>) -> W {
        self.eval(x)
    }

    /// A new array of `f(x)`, in the memory order of `x` where `x` is contiguous in any order, else
    /// in C order, as [`mapv`](ndarray::ArrayRef::mapv).
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// assert_eq!(Relu.map(&array![-1.0f32, 2.0]), array![0.0, 2.0]);
    /// ```
    fn map<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>) -> Array<A, D> {
        apply::map(Eval(self), x)
    }

    /// Overwrites every element with `f(x)`.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// let mut x = array![[-1.0f64, 2.0], [3.0, -4.0]];
    /// Relu.map_inplace(&mut x.column_mut(1));
    /// assert_eq!(x, array![[-1.0, 2.0], [3.0, 0.0]]);
    /// ```
    fn map_inplace<A: Element, D: Dimension>(self, x: &mut ArrayRef<A, D>) {
        apply::map_inplace(Eval(self), x);
    }

    /// Consumes an array that owns its elements or borrows them mutably, and gives it back with
    /// `f(x)` in the same buffer, as [`mapv_into`](ndarray::ArrayBase::mapv_into).
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// assert_eq!(Relu.map_into(array![-1.0f32, 2.0]), array![0.0, 2.0]);
    /// ```
    fn map_into<S, D>(self, mut x: ArrayBase<S, D>) -> ArrayBase<S, D>
    where
        S: DataMut,
        S::Elem: Element,
        D: Dimension,
    {
        self.map_inplace(&mut *x);
        x
    }

    /// Writes `f(x)` into `out`; the layouts may differ.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use ndarray_activations::prelude::*;
    /// let mut out = Array2::zeros((1, 2));
    /// Relu.map_assign_into(&array![[-1.0f32, 2.0]], &mut out);
    /// assert_eq!(out, array![[0.0, 2.0]]);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ, naming both.
    #[track_caller]
    fn map_assign_into<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        out: &mut ArrayRef<A, D>,
    ) {
        apply::map_assign_into(Eval(self), x, out);
    }

    /// `f(a)` of one element, with the same bits as inside an array.
    ///
    /// ```
    /// use ndarray_activations::prelude::*;
    /// assert_eq!(Sigmoid.scalar(0.0f32), 0.5);
    /// ```
    fn scalar<A: Element>(self, a: A) -> A {
        apply::scalar(Eval(self), a)
    }

    /// A new array of `f'(x)`.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// assert_eq!(Relu.gradient(&array![-1.0f32, 2.0]), array![0.0, 1.0]);
    /// ```
    fn gradient<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>) -> Array<A, D> {
        apply::map(Slope(self), x)
    }

    /// The gradient of a loss with respect to `x`, given `dy`, its gradient with respect to
    /// `f(x)`: a new array of `dy · f'(x)` in the memory order of `dy`. An infinite
    /// `dy` where the slope is 0 gives NaN, as any such product.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// let dx = Relu.backward(&array![-1.0f32, 2.0], &array![5.0, 5.0]);
    /// assert_eq!(dx, array![0.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ, naming both.
    #[track_caller]
    fn backward<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        dy: &ArrayRef<A, D>,
    ) -> Array<A, D> {
        let mut dx = apply::to_owned(dy);
        self.backward_inplace(x, &mut dx);
        dx
    }

    /// Multiplies `dy` by `f'(x)`.
    ///
    /// # Panics
    /// If the shapes differ, naming both.
    #[track_caller]
    fn backward_inplace<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        dy: &mut ArrayRef<A, D>,
    ) {
        apply::scale_inplace(Slope(self), x, "upstream gradient", dy);
    }

    /// Multiplies `a` by `f(x)`: the second half of a gated linear unit, see
    /// [`gated`](crate::gated).
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::prelude::*;
    /// let mut a = array![5.0, 5.0];
    /// Relu.gate_inplace(&array![-1.0, 2.0], &mut a);
    /// assert_eq!(a, array![0.0, 10.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ, naming both.
    #[track_caller]
    fn gate_inplace<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>, a: &mut ArrayRef<A, D>) {
        apply::scale_inplace(Eval(self), x, "gated array", a);
    }
}

/// For which elements a formula is there in two halves.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halved {
    No,
    /// For `f64`.
    Double,
    /// For `f64`, and for `f32` in `f64` lanes.
    Wide,
    /// For `f32`, in three parts where registers keep what lies between, else the last of them apart.
    Single,
    /// For both, in three parts where registers keep what lies between, else the first of them apart.
    Thirds,
    /// For `f32` like [`Halved::Single`], for `f64` like [`Halved::Thirds`].
    Tabled,
}

/// Largest errors of an activation in units in the last place (ULP) of the exact value, over the
/// whole domain, with the default parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Of the function, in `f32`.
    pub f32: f64,
    /// Of the function, in `f64`.
    pub f64: f64,
    /// Of the derivative, in `f32`.
    pub derivative_f32: f64,
    /// Of the derivative, in `f64`.
    pub derivative_f64: f64,
}

/// [`Elementwise::begin_wide`] and [`Elementwise::finish_wide`] in one.
#[derive(Clone, Copy)]
pub(crate) struct Whole<T>(pub(crate) T);

impl<T: Elementwise> DoubleKernel for Whole<T> {
    #[inline(always)]
    fn call<W: Lane<Elem = f64>>(self, x: W) -> W {
        self.0.finish_wide(x, self.0.begin_wide(x))
    }
}

/// What the registry knows of an activation beside its formulas.
pub trait Spec: Elementwise + Default + PartialEq + core::fmt::Debug + 'static {
    /// The canonical name, as the enum [`Activation`](crate::Activation) prints it.
    const NAME: &'static str;
    /// Other names that configurations use, in lower case without `_`, `-` and spaces.
    const ALIASES: &'static [&'static str];

    /// Whether the parameters make sense. One that does may still be out of reach of the element
    /// type: where it rounds to 0 or to infinity, or where its product with an element or a quotient
    /// of them does, results may be NaN or infinite.
    ///
    /// # Errors
    /// A phrase that says what they must be.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// How much work one element of an [`Elementwise`] function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// A few instructions: bound by memory.
    Light,
    /// About one exponential and one division.
    Moderate,
    /// Several of them, or double precision inside.
    Heavy,
}

mod celu;
mod elu;
mod gelu;
mod gelu_tanh;
mod hard_shrink;
mod hard_sigmoid;
mod hard_swish;
mod hard_tanh;
mod identity;
mod leaky_relu;
mod log_sigmoid;
mod mish;
mod quick_gelu;
mod relu;
mod relu6;
mod relu_squared;
mod selu;
mod shrink;
mod sigmoid;
mod sign;
mod silu;
mod soft_shrink;
mod softcap;
mod softplus;
mod softsign;
mod squareplus;
mod step;
mod swish;
mod tanh;
mod tanh_shrink;
mod threshold;
mod thresholded_relu;

/// Calls the macro `$then` with the whole catalogue, one row for each activation: the noun with
/// its parameters, then the names of its methods on arrays; `_` where ndarray owns the name.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_activation {
    ($then:ident) => {
        $then! {
            identity::Identity {} => identity, identity_inplace;
            sigmoid::Sigmoid {} => sigmoid, sigmoid_inplace;
            tanh::Tanh {} => _, tanh_inplace;
            relu::Relu {} => relu, relu_inplace;
            leaky_relu::LeakyRelu { negative_slope } => leaky_relu, leaky_relu_inplace;
            step::Step {} => step, step_inplace;
            sign::Sign {} => sign, sign_inplace;
            relu6::Relu6 {} => relu6, relu6_inplace;
            hard_tanh::HardTanh { min, max } => hard_tanh, hard_tanh_inplace;
            threshold::Threshold { threshold, value } => threshold, threshold_inplace;
            thresholded_relu::ThresholdedRelu { alpha } => thresholded_relu, thresholded_relu_inplace;
            elu::Elu { alpha } => elu, elu_inplace;
            celu::Celu { alpha } => celu, celu_inplace;
            selu::Selu {} => selu, selu_inplace;
            gelu::Gelu {} => gelu, gelu_inplace;
            gelu_tanh::GeluTanh {} => gelu_tanh, gelu_tanh_inplace;
            quick_gelu::QuickGelu {} => quick_gelu, quick_gelu_inplace;
            silu::Silu {} => silu, silu_inplace;
            swish::Swish { beta } => swish, swish_inplace;
            mish::Mish {} => mish, mish_inplace;
            softplus::Softplus { beta } => softplus, softplus_inplace;
            softsign::Softsign {} => softsign, softsign_inplace;
            log_sigmoid::LogSigmoid {} => log_sigmoid, log_sigmoid_inplace;
            hard_sigmoid::HardSigmoid { slope, offset } => hard_sigmoid, hard_sigmoid_inplace;
            hard_swish::HardSwish {} => hard_swish, hard_swish_inplace;
            tanh_shrink::TanhShrink {} => tanh_shrink, tanh_shrink_inplace;
            soft_shrink::SoftShrink { lambda } => soft_shrink, soft_shrink_inplace;
            hard_shrink::HardShrink { lambda } => hard_shrink, hard_shrink_inplace;
            shrink::Shrink { lambda, bias } => shrink, shrink_inplace;
            squareplus::Squareplus { b } => squareplus, squareplus_inplace;
            relu_squared::ReluSquared {} => relu_squared, relu_squared_inplace;
            softcap::Softcap { cap } => softcap, softcap_inplace;
        }
    };
}
pub(crate) use for_each_activation;

macro_rules! reexport {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        $(pub use self::$file::$noun;)*
    };
}
for_each_activation!(reexport);
