//! Gated linear units along every axis of every layout.

use ndarray::{Array2, Array3, ArrayD, Axis, array, s};
use ndarray_activations::{
    Element, bilinear, gated, gated_backward, geglu, glu, prelude::*, reglu, swiglu,
};

fn sample<A: Element>(shape: (usize, usize, usize)) -> Array3<A> {
    let mut seed = 7u32;
    Array3::from_shape_simple_fn(shape, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        A::from_f64(f64::from(seed >> 8) / f64::from(1 << 24) * 8.0 - 4.0)
    })
}

/// What a reader would write: halves, the gate element by element, one product.
fn naive<A: Element>(x: &ArrayD<A>, axis: Axis, gate: impl Elementwise) -> ArrayD<A> {
    let (a, b) = x.view().split_at(axis, x.len_of(axis) / 2);
    let mut out = a.to_owned();
    out.zip_mut_with(&b, |a, &b| *a *= gate.scalar(b));
    out
}

fn agrees_in_every_layout<A: Element>() {
    let x = sample::<A>((6, 40, 8));
    let (whole, sliced) = (x.view(), x.slice(s![1..5, ..;-2, 2..]));
    let mut turned = x.view();
    turned.swap_axes(0, 2);
    let fortran = turned.to_owned();
    for x in [whole, sliced, turned, fortran.t()] {
        for axis in (0..3).map(Axis) {
            let own = x.to_owned().into_dyn();
            assert_eq!(glu(&x, axis).into_dyn(), naive(&own, axis, Sigmoid), "{axis:?}");
            assert_eq!(swiglu(&x, axis).into_dyn(), naive(&own, axis, Silu), "{axis:?}");
            assert_eq!(geglu(&x, axis).into_dyn(), naive(&own, axis, Gelu), "{axis:?}");
            assert_eq!(reglu(&x, axis).into_dyn(), naive(&own, axis, Relu), "{axis:?}");
            assert_eq!(bilinear(&x, axis).into_dyn(), naive(&own, axis, Identity), "{axis:?}");
            let leaky = LeakyRelu::new(0.25);
            assert_eq!(gated(&x, axis, leaky).into_dyn(), naive(&own, axis, leaky), "{axis:?}");
        }
    }
}

#[test]
fn every_gate_along_every_axis_of_every_layout_agrees_with_the_naive_form_in_f32() {
    agrees_in_every_layout::<f32>();
}

#[test]
fn every_gate_along_every_axis_of_every_layout_agrees_with_the_naive_form_in_f64() {
    agrees_in_every_layout::<f64>();
}

#[test]
fn a_large_array_gives_the_bits_of_its_rows() {
    let x = sample::<f32>((3, 700, 300));
    let whole = glu(&x, Axis(2));
    for (i, row) in x.outer_iter().enumerate() {
        assert_eq!(whole.index_axis(Axis(0), i), glu(&row, Axis(1)));
    }
}

#[test]
fn torch_values() {
    // torch.nn.functional.glu(torch.tensor([[1., -2., 0.5, 3.]], dtype=torch.float64), 1)
    let y = glu(&array![[1.0f64, -2.0, 0.5, 3.0]], Axis(1));
    assert!((y[[0, 0]] - 0.6224593312018546).abs() < 1e-15);
    assert!((y[[0, 1]] + 1.9051482536448665).abs() < 1e-15);
}

fn gradient_agrees_with_differences(gate: impl Elementwise) {
    let x = sample::<f64>((2, 6, 4));
    for axis in (0..3).map(Axis) {
        let dy = gated(&x, axis, gate);
        let dy = Array3::from_shape_fn(dy.raw_dim(), |(i, j, k)| {
            0.5 + 0.25 * (i + 2 * j + 3 * k) as f64
        });
        let loss = |x: &Array3<f64>| (gated(x, axis, gate) * &dy).sum();
        let dx = gated_backward(&x, &dy, axis, gate);
        for (index, &slope) in dx.indexed_iter() {
            let step = 1e-5;
            let (mut up, mut down) = (x.clone(), x.clone());
            up[index] += step;
            down[index] -= step;
            let difference = (loss(&up) - loss(&down)) / (2.0 * step);
            assert!((slope - difference).abs() < 1e-7, "{axis:?} {index:?}");
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    gradient_agrees_with_differences(Sigmoid);
    gradient_agrees_with_differences(Identity);
}

/// What a gate closes may be large: the product with it comes first.
#[test]
fn gradients_of_large_halves_are_finite_behind_a_shut_gate() {
    let dx = gated_backward(&array![1e30f32, -1.0], &array![1e30], Axis(0), Relu);
    assert_eq!(dx, array![0.0, 0.0]);
    let dx = gated_backward(&array![1e200f64, -1.0], &array![1e200], Axis(0), Relu);
    assert_eq!(dx, array![0.0, 0.0]);
    let dx = gated_backward(&array![1e20f32, -50.0], &array![1e20], Axis(0), Sigmoid);
    assert!((dx[1] / 1.928_75e18 - 1.0).abs() < 1e-6, "{dx}");
}

#[test]
fn the_result_has_the_memory_order_of_the_input() {
    let x = sample::<f32>((4, 6, 8));
    assert!(glu(&x, Axis(0)).is_standard_layout());
    assert!(glu(&x.t(), Axis(2)).t().is_standard_layout());
}

#[test]
fn empty_axes_give_empty_results() {
    assert_eq!(glu(&Array2::<f32>::zeros((3, 0)), Axis(1)).shape(), [3, 0]);
    assert_eq!(glu(&Array2::<f32>::zeros((0, 4)), Axis(1)).shape(), [0, 2]);
}

#[test]
#[should_panic(expected = "axis 1 of shape [2, 3] has the odd length 3")]
fn an_odd_length_panics_and_names_it() {
    glu(&Array2::<f32>::zeros((2, 3)), Axis(1));
}

#[test]
#[should_panic(expected = "axis 2 is out of range for an array with 2 axes")]
fn an_axis_out_of_range_panics_and_names_it() {
    glu(&Array2::<f32>::zeros((2, 4)), Axis(2));
}

#[test]
#[should_panic(expected = "expected [2, 2], got [2, 4]")]
fn a_gradient_of_another_shape_panics_and_names_both() {
    let x = Array2::<f32>::zeros((2, 4));
    gated_backward(&x, &x, Axis(1), Sigmoid);
}
