//! Known wrong answers of other libraries, each as a test of ours.

use ndarray::{Array1, Array2, array, s};
use ndarray_activations::*;

/// Whether `got` is within a millionth of `expected`.
#[track_caller]
fn near(got: impl Into<f64>, expected: f64) {
    let got = got.into();
    let difference = (got - expected).abs();
    assert!(difference <= 1e-6 * expected.abs(), "got {got:e}, expected {expected:e}");
}

#[test]
fn relu_keeps_nan() {
    // Seven Rust libraries turn it into 0.
    assert!(Relu.scalar(f32::NAN).is_nan());
    assert!(Relu.map(&Array1::from_elem(100, f64::NAN)).iter().all(|y| y.is_nan()));
}

#[test]
fn gelu_keeps_its_negative_tail_in_f32() {
    // x/2 (1 + erf) is 57 % off at -5.5 and 0 at -6.
    for (x, y) in [
        (-3.0, -4.049694e-3),
        (-4.0, -1.266850e-4),
        (-5.0, -1.433258e-6),
        (-5.5, -1.044426e-7),
        (-6.0, -5.919526e-9),
    ] {
        near(Gelu.scalar(x as f32), y);
    }
    assert!(Gelu.scalar(-14.3f32) < 0.0);
}

#[test]
fn gelu_keeps_its_negative_tail_in_f64() {
    let y = Gelu.scalar(-9.0f64);
    assert!((y + 1.016e-18).abs() < 1e-21, "got {y:e}");
    near(Gelu.scalar(-6.0f64), -5.919526e-9);
}

#[test]
fn gelu_tanh_keeps_its_negative_tail() {
    // x/2 (1 + tanh u) is 30 % off at -5 and 0 at -6.
    let y = GeluTanh.scalar(-6.0f32);
    assert!((y + 8.44e-11).abs() < 1e-13, "got {y:e}");
    near(GeluTanh.scalar(-5.0f32), GeluTanh.scalar(-5.0f64));
    assert!(GeluTanh.scalar(-10.7f32) < 0.0);
}

#[test]
fn elu_celu_and_selu_keep_their_digits_near_zero() {
    // exp(x) - 1 is 19 % off here.
    let x = -1e-7f32;
    near(Elu::default().scalar(x), -9.9999995e-8);
    near(Celu::default().scalar(x), -9.9999995e-8);
    near(Selu.scalar(x), -1.75809925294241e-7);
}

#[test]
fn softplus_does_not_overflow() {
    assert_eq!(Softplus::default().scalar(88.8f32), 88.8);
    assert_eq!(Softplus::default().scalar(1e30f32), 1e30);
    assert_eq!(Softplus::default().scalar(800.0f64), 800.0);
}

#[test]
fn softplus_has_no_threshold_that_loses_digits() {
    // ln(1 + e^20.5) = 20.5 + 1.2501528648e-9; a threshold of 20 gives 20.5.
    let tail = Softplus::default().scalar(20.5f64) - 20.5;
    assert!((tail - 1.25015286e-9).abs() < 1e-14, "got {tail:e}");
}

#[test]
fn sigmoid_reaches_the_smallest_subnormal_number() {
    // Flushed to 0 below -88.7 elsewhere.
    near(Sigmoid.scalar(-89.0f32) * 1e9, 2.227363561477e-39 * 1e9);
    assert_eq!(Sigmoid.scalar(-103.9f32), f32::from_bits(1));
    assert_eq!(Sigmoid.scalar(-104.0f32), 0.0);
    assert!(Sigmoid.scalar(-745.1f64) > 0.0);
}

#[test]
fn silu_keeps_the_normal_numbers_of_its_tail() {
    near(Silu.scalar(-89.0f32), -1.98235357e-37);
    assert!(Silu.scalar(-108.6f32) < 0.0);
    assert!(Mish.scalar(-108.6f32) < 0.0);
}

#[test]
fn limits_at_infinity_are_not_nan() {
    let is_minus_zero = |y: f32| y == 0.0 && y.is_sign_negative();
    assert!(is_minus_zero(Silu.scalar(f32::NEG_INFINITY)));
    assert!(is_minus_zero(Gelu.scalar(f32::NEG_INFINITY)));
    assert!(is_minus_zero(Mish.scalar(f32::NEG_INFINITY)));
    assert!(is_minus_zero(HardSwish.scalar(f32::NEG_INFINITY)));
    assert_eq!(Softsign.scalar(f32::INFINITY), 1.0);
    assert_eq!(Softsign.scalar(f64::NEG_INFINITY), -1.0);
}

#[test]
fn celu_uses_alpha() {
    near(Celu::new(2.0).scalar(-1.0f64), -0.7869386805747332);
    near(Celu::new(2.0).scalar(-1.0f32), -0.7869386805747332);
}

#[test]
fn the_derivative_of_gelu_is_that_of_the_exact_form() {
    near(Gelu.gradient(&array![1.0f64])[0], 1.0833154705876864);
    near(Gelu.gradient(&array![1.0f32])[0], 1.0833154705876864);
    // That of the tanh form is another one.
    let both = Gelu.gradient(&array![2.0f64])[0] - GeluTanh.gradient(&array![2.0f64])[0];
    assert!(both.abs() > 1e-4);
}

#[test]
fn the_backward_of_leaky_relu_uses_the_upstream_gradient() {
    let dx = LeakyRelu::new(0.1).backward(&array![-1.0f64, 2.0], &array![5.0, 7.0]);
    assert_eq!(dx, array![0.5, 7.0]);
}

#[test]
fn doubles_stay_doubles() {
    // Through f32 these would be off by 1e-8.
    let y = Sigmoid.scalar(0.1f64);
    assert!((y - 0.52497918747894).abs() < 1e-15, "got {y}");
    let y = HardSigmoid::default().scalar(0.1f64);
    assert!((y - (0.1 / 6.0 + 0.5)).abs() < 1e-15, "got {y}");
}

#[test]
fn hard_shrink_keeps_nan_in_vectors_and_alone() {
    let x = Array1::from_elem(37, f32::NAN);
    assert!(HardShrink::default().map(&x).iter().all(|y| y.is_nan()));
    assert!(HardShrink::default().scalar(f32::NAN).is_nan());
}

#[test]
fn tanh_shrink_keeps_its_digits_near_zero() {
    // x - tanh x is x³/3 there.
    near(TanhShrink.scalar(1e-3f32), 3.333332e-10);
    near(TanhShrink.scalar(1e-5f64), 3.3333333332e-16);
}

#[test]
fn outputs_that_are_not_contiguous_are_written_right() {
    let x = Array2::from_shape_fn((4, 6), |(i, j)| (i * 6 + j) as f32 - 12.0);
    let mut out = Array2::from_elem((8, 6), f32::NAN);
    Sigmoid.map_assign_into(&x, &mut out.slice_mut(s![..;2, ..]));
    for ((i, j), &y) in out.indexed_iter() {
        if i % 2 == 0 {
            assert_eq!(y, Sigmoid.scalar(x[[i / 2, j]]));
        } else {
            assert!(y.is_nan());
        }
    }
}

#[test]
fn the_same_element_gives_the_same_bits_in_a_strided_array() {
    // Differs by up to 644,937 ULP elsewhere.
    let x = Array1::linspace(-14.0f32, 3.0, 1001);
    let (all, strided) = (Gelu.map(&x), Gelu.map(&x.slice(s![..;3])));
    assert_eq!(all.slice(s![..;3]), strided);
}

#[test]
fn subnormal_outputs_are_not_flushed() {
    let x = f32::from_bits(3);
    assert_eq!(Tanh.scalar(x), x);
    assert_eq!(Relu.scalar(x), x);
    assert_eq!(Elu::default().scalar(-x), -x);
    assert!(Gelu.scalar(-14.0f32) < 0.0 && Gelu.scalar(-14.0f32) > -f32::MIN_POSITIVE);
}
