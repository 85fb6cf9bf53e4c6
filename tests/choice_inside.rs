//! The run-time choice inside a loop that somebody else wrote: a user's generic type over `Elementwise`. A
//! target of its own, since all activations are compiled into that loop.

use ndarray::Array1;
use ndarray_activations::{Activation, Lane, prelude::*};

/// `-f(x)`, for any `f`.
#[derive(Clone, Copy)]
struct Negated<E>(E);

impl<E: Elementwise> Elementwise for Negated<E> {
    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        -self.0.eval(x)
    }
    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        -self.0.derivative(x)
    }
}

fn negated<E: Elementwise>(e: E, x: &Array1<f32>) -> Array1<f32> {
    Negated(e).map(x)
}

/// NaNs are alike.
fn bits(x: &Array1<f32>) -> Vec<u32> {
    x.iter().map(|v| if v.is_nan() { f32::NAN } else { *v }.to_bits()).collect()
}

#[test]
fn an_activation_inside_another_type_gives_the_bits_that_it_gives_alone() {
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40, -1e-40];
    let x: Array1<f32> = (-200..200).map(|i| i as f32 * 0.37).chain(special).collect();
    for &op in Activation::ALL {
        assert_eq!(bits(&negated(op, &x)), bits(&-op.map(&x)), "{op}");
    }
}

#[test]
fn a_noun_inside_another_type_gives_what_the_choice_gives() {
    let x: Array1<f32> = (-200..200).map(|i| i as f32 * 0.37).collect();
    assert_eq!(bits(&negated(Relu, &x)), bits(&negated(Activation::Relu, &x)));
}
