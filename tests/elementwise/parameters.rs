//! Parameters far from the usual ones.

use ndarray_activations::{Celu, Element, Elementwise, Elu, LeakyRelu, Softcap, Softplus, Swish};

fn bits<A: Element>(x: A) -> u64 {
    x.to_f64().to_bits()
}

/// Above 0 `elu` is `x` whatever alpha is, below it ends at `−alpha`.
fn elu_has_the_signs_of_its_formula<A: Element>() {
    let (inf, tiny) = (f64::INFINITY, if size_of::<A>() == 4 { 1e-45 } else { 5e-324 });
    for alpha in [-1000.0, -1.5, -1.0, -0.1, 0.0, 0.1, 1.0, 1.5] {
        let elu = Elu::new(alpha);
        let at = |x: f64| elu.scalar(A::from_f64(x));
        for x in [inf, 1e30, 2.0, 0.5, tiny] {
            assert_eq!(bits(at(x)), bits(A::from_f64(x)), "alpha {alpha}, x {x}");
        }
        assert_eq!(at(-inf), A::from_f64(-alpha), "alpha {alpha}");
        assert_eq!(at(0.0), A::zero());
        for x in [-0.5, -3.0, -50.0] {
            let (got, exact) = (at(x).to_f64(), f64::from(alpha as f32) * x.exp_m1());
            assert!((got - exact).abs() <= 1e-6 * exact.abs(), "alpha {alpha}, x {x}: {got}");
        }
        assert!(at(f64::NAN).is_nan());
    }
}

#[test]
fn elu_of_any_alpha_has_the_signs_of_its_formula() {
    elu_has_the_signs_of_its_formula::<f32>();
    elu_has_the_signs_of_its_formula::<f64>();
}

/// Nothing below 0 times a zero has the sign of neither.
#[test]
fn elu_with_an_alpha_of_zero_has_the_zeros_of_its_formula() {
    for (alpha, below) in [(0.0, -0.0), (-0.0, 0.0)] {
        let elu = Elu::new(alpha);
        for x in [-1.0, -1e-30, -700.0, f64::NEG_INFINITY] {
            assert_eq!(bits(elu.scalar(x)), bits(below), "alpha {alpha}, x {x}");
            assert_eq!(bits(elu.scalar(x as f32)), bits(below), "alpha {alpha}, x {x}, f32");
        }
        for x in [0.0, -0.0] {
            assert_eq!(bits(elu.scalar(x)), bits(elu.scalar(x as f32)), "alpha {alpha}, x {x}");
        }
        assert_eq!(elu.scalar(2.0f32), 2.0);
    }
}

/// Where the exponential is multiplied or divided by a parameter, it must be cut later.
#[test]
fn tails_end_in_zero_for_any_parameter_of_f32() {
    let inf = f32::INFINITY;
    for beta in [1e-45, 1e-38, 1e-30, 1e-3, 0.01, 0.03, 1.0, 1e10, 1e38] {
        assert_eq!(bits(Swish::new(beta).scalar(-inf)), bits(-0.0f32), "swish, beta {beta}");
        assert_eq!(bits(Softplus::new(beta).scalar(-inf)), bits(0.0f32), "softplus, beta {beta}");
        assert_eq!(Swish::new(beta).scalar(inf), inf);
        assert_eq!(Softplus::new(beta).scalar(inf), inf);
    }
    for alpha in [1e-38, 1.0, 1e7, 1e20, 1e38] {
        let slopes = Elu::new(alpha).gradient(&ndarray::array![-inf, -1e30]);
        assert_eq!(slopes, ndarray::array![0.0, 0.0], "alpha {alpha}");
    }
    // −150 · 2^100 σ(−150).
    let got = Swish::new(2f64.powi(-100)).scalar(-150.0 * 2f32.powi(100));
    assert!((got / -1.3643272e-33 - 1.0).abs() < 2e-7, "{got}");
}

/// The quotient with alpha is subnormal, and the function the element itself.
#[test]
fn celu_next_to_zero_is_its_argument() {
    for alpha in [0.5, 1.0, 4.0, 10.0, 1000.0, 1e30] {
        for x in [2.3e-308, 1e-323, 5e-324, 1e-300, 0.0] {
            for x in [x, -x] {
                assert_eq!(bits(Celu::new(alpha).scalar(x)), bits(x), "alpha {alpha}, x {x}");
            }
        }
    }
}

#[test]
fn ends_of_softcap_and_celu_are_reached_with_the_largest_parameters() {
    let inf = f64::INFINITY;
    for large in [1e300, 1e305, 6e306, 1e308, f64::MAX] {
        assert_eq!(Softcap::new(large).scalar(1e-300), 1e-300, "cap {large}");
        assert_eq!(Softcap::new(large).scalar(1e290), 1e290, "cap {large}");
        assert_eq!(Celu::new(large).scalar(-1e-300), -1e-300, "alpha {large}");
        assert_eq!(Celu::new(large).scalar(inf), inf, "alpha {large}");
        assert_eq!(Softcap::new(large).gradient(&ndarray::array![0.0]), ndarray::array![1.0]);
        assert_eq!(Celu::new(large).gradient(&ndarray::array![0.0]), ndarray::array![1.0]);
    }
    for large in [1e300, 6e306] {
        assert_eq!(Softcap::new(large).scalar(-inf), -large, "cap {large}");
    }
    for large in [1e300, 3e305, 1e306] {
        assert_eq!(Celu::new(large).scalar(-inf), -large, "alpha {large}");
        assert!(Softcap::new(large).gradient(&ndarray::array![inf])[0] < 1e-70, "cap {large}");
        assert!(Celu::new(large).gradient(&ndarray::array![-inf])[0] < 1e-70, "alpha {large}");
    }
}

#[test]
fn a_zero_times_a_negative_slope_is_positive() {
    for x in [0.0f32, -0.0] {
        assert_eq!(bits(LeakyRelu::new(-0.5).scalar(x)), 0);
    }
}
