//! The registry as values: every activation with its verbs behind one object-safe trait, so that a
//! test names none of them and the compiler instantiates each verb once.

use ndarray::{ArrayD, ArrayRefD, ArrayView1};
use ndarray_activations::{Bounds, Spec, for_each_activation};

use super::dd::Real;
use super::reference::{Formula, formula};
use super::ulp::Format;

/// One activation on slices of `A`.
pub trait Curve<A>: Sync + Send {
    fn name(&self) -> &'static str;
    fn aliases(&self) -> &'static [&'static str];
    /// With its parameters.
    fn describe(&self) -> String;
    /// The parameters as a call uses them: rounded to the element type.
    fn parameters(&self) -> &[f64];
    fn bounds(&self) -> Option<Bounds>;
    /// `f` of a slice.
    fn function(&self, x: &[A]) -> Vec<A>;
    /// `f'` of a slice.
    fn derivative(&self, x: &[A]) -> Vec<A>;
}

/// Every verb of one activation on arrays of `A`.
pub trait Verbs<A>: Curve<A> {
    fn map(&self, x: &ArrayRefD<A>) -> ArrayD<A>;
    fn map_inplace(&self, x: &mut ArrayRefD<A>);
    fn map_into(&self, x: ArrayD<A>) -> ArrayD<A>;
    fn map_assign_into(&self, x: &ArrayRefD<A>, out: &mut ArrayRefD<A>);
    fn scalar(&self, a: A) -> A;
    fn gradient(&self, x: &ArrayRefD<A>) -> ArrayD<A>;
    fn backward(&self, x: &ArrayRefD<A>, dy: &ArrayRefD<A>) -> ArrayD<A>;
    fn backward_inplace(&self, x: &ArrayRefD<A>, dy: &mut ArrayRefD<A>);
}

struct Row<T> {
    noun: T,
    parameters: Vec<f64>,
}

impl<A: Format, T: Spec> Curve<A> for Row<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn aliases(&self) -> &'static [&'static str] {
        T::ALIASES
    }
    fn describe(&self) -> String {
        format!("{:?} {}", self.noun, A::NAME)
    }
    fn parameters(&self) -> &[f64] {
        &self.parameters
    }
    fn bounds(&self) -> Option<Bounds> {
        T::BOUNDS
    }
    fn function(&self, x: &[A]) -> Vec<A> {
        self.noun.map(&ArrayView1::from(x)).into_raw_vec_and_offset().0
    }
    fn derivative(&self, x: &[A]) -> Vec<A> {
        self.noun.gradient(&ArrayView1::from(x)).into_raw_vec_and_offset().0
    }
}

impl<A: Format, T: Spec> Verbs<A> for Row<T> {
    fn map(&self, x: &ArrayRefD<A>) -> ArrayD<A> {
        self.noun.map(x)
    }
    fn map_inplace(&self, x: &mut ArrayRefD<A>) {
        self.noun.map_inplace(x);
    }
    fn map_into(&self, x: ArrayD<A>) -> ArrayD<A> {
        self.noun.map_into(x)
    }
    fn map_assign_into(&self, x: &ArrayRefD<A>, out: &mut ArrayRefD<A>) {
        self.noun.map_assign_into(x, out);
    }
    fn scalar(&self, a: A) -> A {
        self.noun.scalar(a)
    }
    fn gradient(&self, x: &ArrayRefD<A>) -> ArrayD<A> {
        self.noun.gradient(x)
    }
    fn backward(&self, x: &ArrayRefD<A>, dy: &ArrayRefD<A>) -> ArrayD<A> {
        self.noun.backward(x, dy)
    }
    fn backward_inplace(&self, x: &ArrayRefD<A>, dy: &mut ArrayRefD<A>) {
        self.noun.backward_inplace(x, dy);
    }
}

/// One activation on elements `A`, with its exact reference.
pub struct Entry<A> {
    pub curve: Box<dyn Curve<A>>,
    pub exact: Formula<Real>,
    pub fast: Formula<f64>,
}

/// Parameters as a call uses them: rounded to the element type, but for 1/6, which stands for itself.
pub fn rounded<A: Format>(parameters: &[f64]) -> Vec<f64> {
    let round = |p| if p == 1.0 / 6.0 { p } else { A::from_f64(p).to_f64() };
    parameters.iter().map(|&p| round(p)).collect()
}

fn entry<A: Format, T: Spec>(noun: T, parameters: &[f64]) -> Entry<A> {
    Entry {
        curve: Box::new(Row { noun, parameters: rounded::<A>(parameters) }),
        exact: formula(T::NAME).unwrap_or_else(|| panic!("no reference for {}", T::NAME)),
        fast: formula(T::NAME).unwrap_or_else(|| panic!("no reference for {}", T::NAME)),
    }
}

fn name_of<T: Spec>(_: &T) -> &'static str {
    T::NAME
}

macro_rules! catalogue {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        /// Every activation of the registry with its default parameters.
        pub fn all<A: Format>() -> Vec<Entry<A>> {
            vec![$({
                let noun = ndarray_activations::$noun::default();
                let parameters: &[f64] = &[$(noun.$parameter),*];
                entry(noun, parameters)
            }),*]
        }

        /// Every verb of every activation of the registry.
        pub fn verbs<A: Format>() -> Vec<Box<dyn Verbs<A>>> {
            vec![$({
                let noun = ndarray_activations::$noun::default();
                let parameters: &[f64] = &[$(noun.$parameter),*];
                let row = Row { noun, parameters: rounded::<A>(parameters) };
                Box::new(row) as Box<dyn Verbs<A>>
            }),*]
        }

        /// Names and default parameters, without instantiating any verb.
        pub fn names() -> Vec<(&'static str, Vec<f64>)> {
            vec![$({
                let noun = ndarray_activations::$noun::default();
                let _ = &noun;
                (name_of(&noun), vec![$(noun.$parameter),*])
            }),*]
        }

        /// `(file, type, method)` of every row of the registry.
        pub const ROWS: &[(&str, &str, &str)] =
            &[$((stringify!($file), stringify!($noun), stringify!($method))),*];
    };
}
for_each_activation!(catalogue);

/// Parameters beside the default ones; all of them exact in `f32`.
pub fn variants<A: Format>() -> Vec<Entry<A>> {
    use ndarray_activations::*;
    macro_rules! with {
        ($($noun:ident { $($parameter:ident: $value:expr),* };)*) => {
            vec![$(entry($noun { $($parameter: $value),* }, &[$($value),*])),*]
        };
    }
    with! {
        LeakyRelu { negative_slope: 0.25 };
        HardTanh { min: -2.0, max: 0.5 };
        Threshold { threshold: 0.5, value: -7.0 };
        ThresholdedRelu { alpha: 0.25 };
        Elu { alpha: 0.3125 };
        Elu { alpha: 2.0 };
        Elu { alpha: 1.671875 };
        Elu { alpha: 1000.0 };
        Elu { alpha: 0.10009765625 };
        Celu { alpha: 2.0 };
        Celu { alpha: 0.75 };
        Swish { beta: 1.5 };
        Swish { beta: 0.0078125 };
        Softplus { beta: 2.0 };
        Softplus { beta: 0.75 };
        Softplus { beta: 0.0001220703125 };
        HardSigmoid { slope: 0.25, offset: 0.5 };
        SoftShrink { lambda: 2.0 };
        HardShrink { lambda: 0.0 };
        Shrink { lambda: 1.5, bias: 0.5 };
        Squareplus { b: 1.0 };
        Softcap { cap: 50.0 };
    }
}

/// The activation of the registry with this name.
pub fn named<A: Format>(name: &str) -> Entry<A> {
    all().into_iter().find(|e| e.name() == name).unwrap_or_else(|| panic!("no {name}"))
}

impl<A: Format> Entry<A> {
    pub fn name(&self) -> &'static str {
        self.curve.name()
    }

    /// `f` of a slice.
    pub fn function(&self, x: &[A]) -> Vec<A> {
        self.curve.function(x)
    }

    /// `f'` of a slice.
    pub fn derivative(&self, x: &[A]) -> Vec<A> {
        self.curve.derivative(x)
    }

    /// `f` of one element.
    pub fn at(&self, x: A) -> A {
        self.function(&[x])[0]
    }

    /// `f'` of one element.
    pub fn slope_at(&self, x: A) -> A {
        self.derivative(&[x])[0]
    }
}
