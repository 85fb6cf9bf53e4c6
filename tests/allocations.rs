//! What calls allocate, counted.

use allocation_counter::measure;
use ndarray::{Array1, Array2, Axis};
use ndarray_activations::forward::{Layer, Linear, Sequential, Workspace};
use ndarray_activations::{Activation, Affine, Element, prelude::*};

fn numbers<A: Element>(shape: (usize, usize)) -> Array2<A> {
    Array2::from_shape_fn(shape, |(i, j)| A::from_f64(((i * 31 + j * 7) % 19) as f64 / 19.0 - 0.5))
}

fn layer<A: Element>(inputs: usize, outputs: usize) -> Linear<A> {
    Linear::new(numbers((outputs, inputs)), Array1::from_elem(outputs, A::one())).expect("finite")
}

/// How many blocks of memory the second and third call of a network ask for.
fn blocks<A: Element>(net: &Sequential<A>, batch: usize) -> u64 {
    let x = numbers((batch, net.inputs().unwrap_or(40)));
    let mut workspace = Workspace::new();
    let expected = net.forward(&x).expect("it fits");
    assert_eq!(net.forward_into(&x, &mut workspace).expect("it fits"), expected);
    let count = measure(|| {
        for _ in 0..2 {
            assert!(net.forward_into(&x, &mut workspace).is_ok());
        }
    });
    assert_eq!(net.forward_into(&x, &mut workspace).expect("it fits"), expected);
    count.count_total
}

/// An activation that is chosen when the program runs.
fn chosen() -> Activation {
    "leaky_relu(0.1)".parse().expect("a known name")
}

fn networks<A: Element>() {
    let dense = || {
        let first = Sequential::new().push(layer::<A>(20, 70)).push(Gelu);
        first.push(layer(70, 33)).push(chosen()).push(layer(33, 10))
    };
    let softmax_alone = Sequential::<A>::new().push(Layer::Softmax);
    let wide = Sequential::new().push(layer::<A>(8, 60)).push(Layer::Softmax).push(layer(60, 3));
    for (name, net) in [
        ("dense", dense()),
        ("dense, softmax", dense().push(Layer::Softmax)),
        ("dense, softmax, tanh", dense().push(Layer::Softmax).push(Tanh)),
        ("dense, log_softmax", dense().push(Layer::LogSoftmax)),
        ("softmax between", wide),
        ("softmax", softmax_alone),
    ] {
        for batch in [1, 2, 7, 40] {
            assert_eq!(blocks(&net, batch), 0, "{name}, {batch} rows of {}", A::NAME);
        }
    }
}

#[test]
fn networks_allocate_nothing_after_the_first_call() {
    networks::<f32>();
    networks::<f64>();
}

#[test]
fn calls_with_a_buffer_allocate_nothing() {
    let x = numbers::<f32>((60, 50));
    let (mut out, mut dy) = (Array2::zeros((60, 50)), numbers((60, 50)));
    let map = Affine::new(&numbers((50, 50)), &Array1::zeros(50));
    let count = measure(|| {
        Gelu.map_assign_into(&x, &mut out);
        Relu.map_inplace(&mut out);
        Silu.backward_inplace(&x, &mut dy);
        x.softmax_assign_into(Axis(1), &mut out);
        x.log_softmax_assign_into(Axis(1), &mut out);
        out.softmax_inplace(Axis(1));
        map.map_assign_into(&x, &mut out, |_| ());
    });
    assert_eq!(count.count_total, 0);
}

#[test]
fn a_new_array_is_one_block() {
    let x = numbers::<f32>((60, 50));
    assert_eq!(measure(|| drop(x.sigmoid())).count_total, 1);
    assert_eq!(measure(|| drop(x.softmax(Axis(1)))).count_total, 1);
}
