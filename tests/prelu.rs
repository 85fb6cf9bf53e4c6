//! Parametric ReLU along every axis of every layout.

use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, array, s};
use ndarray_activations::{Element, Prelu};

fn sample<A: Element>(shape: (usize, usize, usize)) -> Array3<A> {
    let mut seed = 3u32;
    let mut x = Array3::from_shape_simple_fn(shape, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        A::from_f64(f64::from(seed >> 8) / f64::from(1 << 24) * 8.0 - 4.0)
    });
    x[[0, 0, 0]] = A::neg_zero();
    x[[1, 1, 1]] = A::neg_infinity();
    x
}

fn weights<A: Element>(len: usize) -> Array1<A> {
    (0..len).map(|i| A::from_f64(0.3 * i as f64 - 0.5)).collect()
}

fn naive<A: Element>(x: &ArrayView3<A>, w: &Array1<A>, axis: usize) -> Array3<A> {
    Array3::from_shape_fn(x.raw_dim(), |at| {
        let channel = if w.len() == 1 { 0 } else { [at.0, at.1, at.2][axis] };
        if x[at] > A::zero() { x[at] } else { x[at] * w[channel] }
    })
}

fn agrees_in_every_layout<A: Element>() {
    let x = sample::<A>((6, 40, 8));
    let mut turned = x.view();
    turned.swap_axes(0, 2);
    let fortran = turned.to_owned();
    for x in [x.view(), x.slice(s![1..5, ..;-2, 2..]), turned, fortran.t()] {
        for axis in 0..3 {
            for channels in [1, x.len_of(Axis(axis))] {
                let w = weights(channels);
                let expected = naive(&x, &w, axis);
                let prelu = Prelu::new(w, Axis(axis));
                assert_eq!(prelu.map(&x), expected);
                let mut y = x.to_owned();
                prelu.map_inplace(&mut y);
                assert_eq!(y, expected);
                let mut y = Array3::zeros(x.t().raw_dim());
                prelu.map_assign_into(&x, &mut y.view_mut().reversed_axes());
                assert_eq!(y.reversed_axes(), expected);
            }
        }
    }
}

#[test]
fn every_axis_of_every_layout_agrees_with_the_naive_form_in_f32() {
    agrees_in_every_layout::<f32>();
}

#[test]
fn every_axis_of_every_layout_agrees_with_the_naive_form_in_f64() {
    agrees_in_every_layout::<f64>();
}

#[test]
fn gradients_do_not_depend_on_the_layout_and_agree_with_differences() {
    let x = sample::<f64>((3, 5, 4)).mapv(|x| x.max(-4.0));
    let dy = sample::<f64>((3, 5, 4)).mapv(|x| x.max(-4.0) + 0.5);
    for axis in 0..3 {
        let w = weights::<f64>(x.len_of(Axis(axis)));
        let prelu = Prelu::new(w.clone(), Axis(axis));
        let (dx, dw) = prelu.backward(&x, &dy);

        let fortran = |x: &Array3<f64>| {
            let mut y = Array3::zeros(x.t().raw_dim()).reversed_axes();
            y.assign(x);
            y
        };
        assert_eq!(prelu.backward(&fortran(&x), &fortran(&dy)), (dx.clone(), dw.clone()));

        for (at, &slope) in dx.indexed_iter() {
            let channel = [at.0, at.1, at.2][axis];
            let expected = if x[at] > 0.0 { dy[at] } else { dy[at] * w[channel] };
            assert_eq!(slope, expected, "{at:?}");
        }
        let loss = |w: Array1<f64>| (Prelu::new(w, Axis(axis)).map(&x) * &dy).sum();
        for channel in 0..w.len() {
            let (mut up, mut down) = (w.clone(), w.clone());
            up[channel] += 0.5;
            down[channel] -= 0.5;
            // The loss is linear in the weights, so a wide step is exact.
            assert!((dw[channel] - (loss(up) - loss(down))).abs() < 1e-12);
        }
    }
}

#[test]
fn one_weight_gathers_the_gradient_of_all_channels() {
    let (dx, dw) = Prelu::new(array![0.5f32], Axis(1))
        .backward(&array![[-1.0, 2.0], [0.0, -3.0]], &array![[1.0, 1.0], [1.0, 2.0]]);
    assert_eq!(dx, array![[0.5, 1.0], [0.5, 1.0]]);
    assert_eq!(dw, array![-7.0]);
}

#[test]
fn nan_stays_nan_in_values_and_gradients() {
    for axis in [Axis(0), Axis(1)] {
        let prelu = Prelu::new(array![0.5f32, 0.5], axis);
        let x = array![[f32::NAN, 1.0], [1.0, -1.0]];
        assert!(prelu.map(&x)[[0, 0]].is_nan());
        let (dx, dw) = prelu.backward(&x, &Array2::ones((2, 2)));
        assert!(dx[[0, 0]].is_nan() && dw[0].is_nan());
        assert_eq!((dx[[1, 1]], dw[1]), (0.5, -1.0));
    }
}

#[test]
fn negative_zero_keeps_its_sign_under_a_positive_slope() {
    let y = Prelu::new(array![0.5f32, 0.5], Axis(0)).map(&array![-0.0f32, 0.0]);
    assert!(y[0].is_sign_negative() && y[1].is_sign_positive());
}

#[test]
fn empty_arrays_stay_empty() {
    let prelu = Prelu::new(Array1::<f32>::zeros(3), Axis(1));
    assert_eq!(prelu.map(&Array2::zeros((0, 3))).shape(), [0, 3]);
    let (_, dw) = prelu.backward(&Array2::zeros((0, 3)), &Array2::zeros((0, 3)));
    assert_eq!(dw, array![0.0, 0.0, 0.0]);
}

#[test]
#[should_panic(expected = "2 weights for the 3 channels along axis 1 of shape [4, 3]")]
fn another_number_of_channels_panics_and_names_both() {
    Prelu::new(array![0.1f32, 0.2], Axis(1)).map(&Array2::zeros((4, 3)));
}

#[test]
#[should_panic(expected = "axis 2 is out of range for an array with 2 axes")]
fn an_axis_out_of_range_panics_and_names_it() {
    Prelu::new(array![0.1f32, 0.2], Axis(2)).map(&Array2::zeros((4, 2)));
}

#[test]
#[should_panic(expected = "expected [2, 2], got [2, 3]")]
fn a_buffer_of_another_shape_panics_and_names_both() {
    let mut out = Array2::zeros((2, 3));
    Prelu::new(array![0.1f32, 0.2], Axis(1)).map_assign_into(&Array2::zeros((2, 2)), &mut out);
}

#[test]
fn a_weight_that_is_not_finite_leaves_what_is_above_zero_in_every_layout() {
    let x = array![[1.0f32, -1.0], [-2.0, 3.0], [f32::INFINITY, 2.0]];
    let mut fortran = Array2::zeros((2, 3));
    fortran.assign(&x.t());
    for w in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for prelu in [Prelu::new(array![w, 0.5], Axis(1)), Prelu::new(array![w], Axis(1))] {
            let y = prelu.map(&x);
            assert_eq!((y[[0, 0]], y[[2, 0]], y[[1, 1]]), (1.0, f32::INFINITY, 3.0), "{w}");
            assert!(if w.is_nan() { y[[1, 0]].is_nan() } else { y[[1, 0]] == -2.0 * w }, "{w}");
            let bits = |y: &Array2<f32>| y.mapv(f32::to_bits);
            assert_eq!(bits(&prelu.map(&fortran.t())), bits(&y), "{w}");
            let mut inside = fortran.clone();
            prelu.map_inplace(&mut inside.view_mut().reversed_axes());
            assert_eq!(bits(&inside.t().to_owned()), bits(&y), "{w}");
            let (dx, _) = prelu.backward(&x, &Array2::ones((3, 2)));
            assert_eq!((dx[[0, 0]], dx[[1, 1]]), (1.0, 1.0), "{w}");
        }
    }
}

#[test]
fn zeros_have_the_same_sign_in_every_layout() {
    let x = array![[0.0f32, -0.0], [1.0, 0.0]];
    for slope in [-0.5, 0.5] {
        let prelu = Prelu::new(array![slope, slope], Axis(1));
        let bits = |y: Array2<f32>| y.mapv(f32::to_bits);
        let expected = bits(prelu.map(&x));
        let fortran = x.t().as_standard_layout().into_owned().reversed_axes();
        assert_eq!(bits(prelu.map(&fortran)), expected);
        let mut out = fortran.clone();
        prelu.map_inplace(&mut out);
        assert_eq!(bits(out), expected);
        let alone = Prelu::new(array![slope], Axis(1));
        assert_eq!(bits(alone.map(&x)), expected);
    }
}
