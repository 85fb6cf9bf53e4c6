//! The activation that is chosen when the program runs.

use ndarray::{Array, ArrayRef, Dimension};

use crate::activation::*;
use crate::apply::{self, Eval, Op, Slope, elementwise};
use crate::element::Element;
use crate::lane::{Job, Lane};

mod names;
#[cfg(feature = "serde")]
mod serde;

pub use names::ActivationError;

macro_rules! choice {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        choice!(@variants [] $($noun { $($parameter),* })*);

        /// Hands the noun that `$op` stands for to an expression.
        macro_rules! resolve {
            ($op:expr, $name:ident => $then:expr) => {
                match $op {
                    $(Activation::$noun { $($parameter),* } => {
                        let $name = $noun { $($parameter),* };
                        $then
                    })*
                }
            };
        }

        $(
            impl From<$noun> for Activation {
                fn from(noun: $noun) -> Self {
                    let $noun { $($parameter),* } = noun;
                    Self::$noun { $($parameter),* }
                }
            }
        )*

        impl Activation {
            const COUNT: usize = [$($noun::NAME),*].len();

            fn defaults() -> [Self; Self::COUNT] {
                [$(<$noun>::default().into()),*]
            }

            /// The parameters with their names, in the order in which [`FromStr`] takes them
            /// without names.
            ///
            /// ```
            /// use ndarray_activations::Activation;
            /// let op = Activation::HardTanh { min: 0.0, max: 6.0 };
            /// assert_eq!(op.parameters(), [("min", 0.0), ("max", 6.0)]);
            /// assert!(Activation::Relu.parameters().is_empty());
            /// ```
            ///
            /// [`FromStr`]: core::str::FromStr
            pub fn parameters(self) -> Vec<(&'static str, f64)> {
                match self {
                    $(Self::$noun { $($parameter),* } => {
                        vec![$((stringify!($parameter), $parameter)),*]
                    })*
                }
            }

            fn parameters_mut(&mut self) -> Vec<(&'static str, &mut f64)> {
                match self {
                    $(Self::$noun { $($parameter),* } => {
                        vec![$((stringify!($parameter), $parameter)),*]
                    })*
                }
            }
        }
    };
    (@variants [$($done:tt)*] $noun:ident {} $($rest:tt)*) => {
        choice!(@variants [
            $($done)*
            #[doc = concat!("[`", stringify!($noun), "`](struct@", stringify!($noun), ")")]
            $noun,
        ] $($rest)*);
    };
    (@variants [$($done:tt)*] $noun:ident { $($parameter:ident),+ } $($rest:tt)*) => {
        choice!(@variants [
            $($done)*
            #[doc = concat!("[`", stringify!($noun), "`](struct@", stringify!($noun), ")")]
            $noun {
                $(
                    #[doc = concat!(
                        "[`", stringify!($parameter), "`](field@", stringify!($noun), "::",
                        stringify!($parameter), ")"
                    )]
                    $parameter: f64,
                )+
            },
        ] $($rest)*);
    };
    (@variants [$($variants:tt)*]) => {
        /// Any activation of the catalogue: for programs that choose when they run.
        ///
        /// Every noun converts into it, and it has all the verbs of [`Elementwise`]. Which function
        /// it is is looked up once for each contiguous piece of an array, so it costs nothing in
        /// the loops.
        ///
        /// It is written and read as text. Reading takes the names of this crate and those of
        /// PyTorch, Keras, ONNX and Hugging Face configurations, in any case and with or without
        /// `_`, `-` and spaces; parameters follow in parentheses, by name or by position. What is
        /// left out has its default.
        ///
        /// ```
        /// use ndarray::array;
        /// use ndarray_activations::{Activation, prelude::*};
        ///
        /// let op: Activation = "leaky_relu(0.1)".parse()?;
        /// assert_eq!(op, Activation::LeakyRelu { negative_slope: 0.1 });
        /// assert_eq!(op, LeakyRelu::new(0.1).into());
        /// assert_eq!(op.to_string(), "leaky_relu(negative_slope=0.1)");
        /// assert_eq!(array![-1.0, 2.0].activate(op), array![-0.1, 2.0]);
        ///
        /// assert_eq!("gelu_pytorch_tanh".parse(), Ok(Activation::GeluTanh));
        /// assert_eq!("nn.GELU(approximate='tanh')".parse(), Ok(Activation::GeluTanh));
        /// assert_eq!("nn.Hardtanh(min_val=0)".parse(), Ok(Activation::HardTanh { min: 0.0, max: 1.0 }));
        ///
        /// let error = "sigmod".parse::<Activation>().unwrap_err();
        /// assert_eq!(error.to_string(), "unknown activation \"sigmod\"; did you mean sigmoid?");
        /// # Ok::<(), ndarray_activations::ActivationError>(())
        /// ```
        ///
        /// A name means the same wherever it comes from: defaults are those of this crate. Where
        /// another library has other defaults under the same name (the slope of `leaky_relu` in Keras,
        /// of `hard_sigmoid` in Keras 2 and ONNX), give the parameter: `HardSigmoid(alpha=0.2)`.
        ///
        /// What is not element-wise has a place of its own, which the error names: softmax, gated units, PReLU. Not in this
        /// crate are Keras' `exponential`, `sparse_plus` and `sparse_sigmoid`, and `gelu_10`, `laplace` and `xielu` of Hugging
        /// Face.
        ///
        /// With the feature `serde` it is the same text in configuration files.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Default)]
        pub enum Activation {
            #[default]
            $($variants)*
        }
    };
}
for_each_activation!(choice);

impl Activation {
    /// Every activation, with its default parameters.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::{Activation, prelude::*};
    /// for &op in Activation::ALL {
    ///     println!("{op}: {}", array![-1.0, 0.0, 1.0].activate(op));
    /// }
    /// ```
    pub const ALL: All = All(());

    /// The canonical name, without parameters.
    ///
    /// ```
    /// use ndarray_activations::Activation;
    /// assert_eq!(Activation::Elu { alpha: 2.0 }.name(), "elu");
    /// ```
    pub fn name(self) -> &'static str {
        fn of<T: Spec>(_: T) -> &'static str {
            T::NAME
        }
        resolve!(self, noun => of(noun))
    }

    /// Other names that [`FromStr`](core::str::FromStr) takes, in lower case without separators.
    pub fn aliases(self) -> &'static [&'static str] {
        fn of<T: Spec>(_: T) -> &'static [&'static str] {
            T::ALIASES
        }
        resolve!(self, noun => of(noun))
    }

    /// The largest measured errors, with default parameters.
    pub fn bounds(self) -> Option<Bounds> {
        fn of<T: Spec>(_: T) -> Option<Bounds> {
            T::BOUNDS
        }
        resolve!(self, noun => of(noun))
    }

    /// How much work one element is.
    pub fn cost(self) -> Cost {
        fn of<T: Spec>(_: T) -> Cost {
            T::COST
        }
        resolve!(self, noun => of(noun))
    }

    /// Whether the parameters make sense.
    ///
    /// ```
    /// use ndarray_activations::Activation;
    /// assert!(Activation::Elu { alpha: 2.0 }.check().is_ok());
    /// assert!(Activation::Elu { alpha: f64::NAN }.check().is_err());
    /// ```
    ///
    /// # Errors
    /// If a parameter is NaN or out of its range, naming the activation.
    pub fn check(self) -> Result<(), ActivationError> {
        let reason = if self.parameters().iter().any(|(_, value)| value.is_nan()) {
            Err("a parameter is NaN")
        } else {
            resolve!(self, noun => noun.check())
        };
        reason.map_err(|reason| ActivationError::bad_value(self, reason))
    }
}

/// The type of [`Activation::ALL`]: a slice of activations.
#[derive(Clone, Copy, Debug)]
pub struct All(());

impl core::ops::Deref for All {
    type Target = [Activation];
    fn deref(&self) -> &'static [Activation] {
        static ALL: std::sync::OnceLock<[Activation; Activation::COUNT]> =
            std::sync::OnceLock::new();
        ALL.get_or_init(Activation::defaults)
    }
}

impl IntoIterator for All {
    type Item = &'static Activation;
    type IntoIter = core::slice::Iter<'static, Activation>;
    fn into_iter(self) -> Self::IntoIter {
        let all: &'static [Activation] = core::ops::Deref::deref(&Activation::ALL);
        all.iter()
    }
}

impl IntoIterator for &All {
    type Item = &'static Activation;
    type IntoIter = core::slice::Iter<'static, Activation>;
    fn into_iter(self) -> Self::IntoIter {
        (*self).into_iter()
    }
}

impl From<&Activation> for Activation {
    fn from(op: &Activation) -> Self {
        *op
    }
}

/// The function of an activation that is chosen at run time, resolved once for each piece.
#[derive(Clone, Copy)]
struct ChosenEval(Activation);

/// Its derivative.
#[derive(Clone, Copy)]
struct ChosenSlope(Activation);

impl Op for ChosenEval {
    const COST: Cost = Activation::COST;
    #[inline(always)]
    fn apply<V: Lane>(self, x: V) -> V {
        self.0.eval(x)
    }
    fn cost(self) -> Cost {
        self.0.cost()
    }
    fn is_plain(self) -> bool {
        fn of<T: Elementwise>(_: T) -> bool {
            T::PLAIN_UP_TO > 0
        }
        resolve!(self.0, noun => of(noun))
    }
    fn assign_ahead<A: Element>(self, job: Job, x: &[A], _ahead: &[A], out: &mut [A]) {
        A::assign_eval(self.0, job, x, out);
    }
    fn collect<A: Element>(self, x: &[A]) -> Vec<A> {
        A::collect_eval(self.0, x)
    }
    fn overwrite<A: Element>(self, job: Job, x: &mut [A]) {
        A::overwrite_eval(self.0, job, x);
    }
}

impl Op for ChosenSlope {
    const COST: Cost = Activation::COST;
    #[inline(always)]
    fn apply<V: Lane>(self, x: V) -> V {
        self.0.derivative(x)
    }
    fn cost(self) -> Cost {
        self.0.cost()
    }
    fn assign_ahead<A: Element>(self, job: Job, x: &[A], _ahead: &[A], out: &mut [A]) {
        A::assign_slope(self.0, job, x, out);
    }
    fn collect<A: Element>(self, x: &[A]) -> Vec<A> {
        elementwise::collect_from_zeros(Job::new(), self, x)
    }
}

/// The loops of every activation, for one element type. They are not generic, so they are compiled
/// once, with this crate, and not again in each program that chooses at run time.
pub trait Loops: Sized {
    #[doc(hidden)]
    fn assign_eval(op: Activation, job: Job, x: &[Self], out: &mut [Self]);
    #[doc(hidden)]
    fn collect_eval(op: Activation, x: &[Self]) -> Vec<Self>;
    #[doc(hidden)]
    fn overwrite_eval(op: Activation, job: Job, x: &mut [Self]);
    #[doc(hidden)]
    fn assign_slope(op: Activation, job: Job, x: &[Self], out: &mut [Self]);
}

macro_rules! loops {
    ($($elem:ident)*) => {
        $(
            impl Loops for $elem {
                fn assign_eval(op: Activation, job: Job, x: &[$elem], out: &mut [$elem]) {
                    resolve!(op, noun => Eval(noun).assign(job, x, out));
                }
                fn collect_eval(op: Activation, x: &[$elem]) -> Vec<$elem> {
                    resolve!(op, noun => Eval(noun).collect(x))
                }
                fn overwrite_eval(op: Activation, job: Job, x: &mut [$elem]) {
                    resolve!(op, noun => Eval(noun).overwrite(job, x));
                }
                fn assign_slope(op: Activation, job: Job, x: &[$elem], out: &mut [$elem]) {
                    resolve!(op, noun => Slope(noun).assign(job, x, out));
                }
            }
        )*
    };
}
loops!(f32 f64);

/// The formulas look the function up for every vector: they serve code that is generic over
/// [`Elementwise`] and has loops of its own. The verbs look it up once for each contiguous piece.
impl Elementwise for Activation {
    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        resolve!(self, noun => noun.eval(x))
    }
    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        resolve!(self, noun => noun.derivative(x))
    }
    fn map<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>) -> Array<A, D> {
        apply::map(ChosenEval(self), x)
    }
    fn map_inplace<A: Element, D: Dimension>(self, x: &mut ArrayRef<A, D>) {
        apply::map_inplace(ChosenEval(self), x);
    }
    fn map_assign_into<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        out: &mut ArrayRef<A, D>,
    ) {
        apply::map_assign_into(ChosenEval(self), x, out);
    }
    fn scalar<A: Element>(self, a: A) -> A {
        apply::scalar(ChosenEval(self), a)
    }
    fn gradient<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>) -> Array<A, D> {
        apply::map(ChosenSlope(self), x)
    }
    fn backward_inplace<A: Element, D: Dimension>(
        self,
        x: &ArrayRef<A, D>,
        dy: &mut ArrayRef<A, D>,
    ) {
        apply::scale_inplace(ChosenSlope(self), x, "upstream gradient", dy);
    }
    fn gate_inplace<A: Element, D: Dimension>(self, x: &ArrayRef<A, D>, a: &mut ArrayRef<A, D>) {
        apply::scale_inplace(ChosenEval(self), x, "gated array", a);
    }
}
