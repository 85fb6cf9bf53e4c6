//! Random shapes, slices and axis orders: what holds for one element holds for all.

use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, Slice};
use ndarray_activations::{Activation, ActivationExt, Affine, Elementwise, Relu, Silu, gated};
use proptest::prelude::*;

use super::layouts::{bits, numbers};

/// A shape, and for each axis a start, a step and a rank that orders the axes.
fn layouts() -> impl Strategy<Value = Vec<(usize, usize, isize, u32)>> {
    let step = prop_oneof![Just(1isize), Just(-1), Just(2), Just(-3)];
    prop::collection::vec((0usize..9, 0usize..3, step, any::<u32>()), 0..=5)
}

/// The array and what takes the view out of it.
fn view_mut<'a>(
    x: &'a mut ArrayD<f32>,
    layout: &[(usize, usize, isize, u32)],
) -> ndarray::ArrayViewMutD<'a, f32> {
    let mut view = x.view_mut();
    for (axis, &(length, start, step, _)) in layout.iter().enumerate() {
        let start = start.min(length) as isize;
        view.slice_axis_inplace(Axis(axis), Slice { start, end: None, step });
    }
    let mut axes: Vec<usize> = (0..layout.len()).collect();
    axes.sort_by_key(|&axis| layout[axis].3);
    view.permuted_axes(IxDyn(&axes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_view_maps_as_its_elements(layout in layouts()) {
        let shape: Vec<usize> = layout.iter().map(|axis| axis.0).collect();
        let mut x = ArrayD::from_shape_vec(IxDyn(&shape), numbers(shape.iter().product())).unwrap();
        let x = view_mut(&mut x, &layout);
        let expected = x.mapv(|a| bits(Silu.scalar(a)));
        let y = Silu.map(&x);
        prop_assert_eq!(y.mapv(bits), expected.clone());
        prop_assert_eq!(y.raw_dim(), x.raw_dim());
        let mut out = ArrayD::zeros(x.raw_dim());
        Silu.map_assign_into(&x, &mut out);
        prop_assert_eq!(out.mapv(bits), expected);
    }

    #[test]
    fn in_place_touches_the_view_and_nothing_else(layout in layouts()) {
        let shape: Vec<usize> = layout.iter().map(|axis| axis.0).collect();
        let x = ArrayD::from_shape_vec(IxDyn(&shape), numbers::<f32>(shape.iter().product())).unwrap();
        let (mut ours, mut plain) = (x.clone(), x);
        Relu.map_inplace(&mut view_mut(&mut ours, &layout));
        view_mut(&mut plain, &layout).mapv_inplace(|a| Relu.scalar(a));
        prop_assert_eq!(ours.mapv(bits), plain.mapv(bits));
    }

    #[test]
    fn backward_is_the_product_with_the_gradient(length in 0usize..200, scale in -3.0f32..3.0) {
        let x = ArrayD::from_shape_vec(IxDyn(&[length]), numbers::<f32>(length)).unwrap();
        let dy = x.mapv(|_| scale);
        let product = &dy * &Silu.gradient(&x);
        prop_assert_eq!(Silu.backward(&x, &dy).mapv(bits), product.mapv(bits));
    }

    #[test]
    fn slopes_of_relu_are_zero_or_one(bits in any::<u32>()) {
        let x = f32::from_bits(bits);
        let slope = Relu.gradient(&ndarray::arr1(&[x]))[0];
        prop_assert!(slope == 0.0 || slope == 1.0 || x.is_nan() && slope.is_nan());
    }
}

/// Where the caller stands, not a line of this crate.
#[test]
fn panics_point_to_the_call() {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    thread_local! {
        static FILE: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
    }
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let file = info.location().map_or_else(String::new, |place| place.file().to_owned());
        FILE.set(file);
        before(info);
    }));
    let (x, mut other) = (Array2::<f32>::zeros((2, 3)), Array2::<f32>::zeros((3, 2)));
    let op = Activation::Relu;
    let mut check = |name: &str, call: &mut dyn FnMut(&mut Array2<f32>)| {
        assert!(catch_unwind(AssertUnwindSafe(|| call(&mut other))).is_err(), "{name}");
        assert_eq!(FILE.take(), file!(), "{name}");
    };
    check("map_assign_into", &mut |y| Silu.map_assign_into(&x, y));
    check("map_assign_into of a choice", &mut |y| op.map_assign_into(&x, y));
    check("backward", &mut |y| drop(Silu.backward(&x, y)));
    check("backward of a choice", &mut |y| drop(op.backward(&x, y)));
    check("backward_inplace", &mut |y| Silu.backward_inplace(&x, y));
    check("gate_inplace", &mut |y| op.gate_inplace(&x, y));
    check("gated", &mut |_| drop(gated(&x, Axis(1), Silu)));
    check("softmax", &mut |_| drop(x.softmax(Axis(2))));
    check("softmax_assign_into", &mut |y| x.softmax_assign_into(Axis(1), y));
    check("Affine::new", &mut |y| drop(Affine::new(y, &Array1::zeros(2))));
    check("Affine::map", &mut |y| drop(Affine::new(&x, &Array1::zeros(2)).map(y)));
}
