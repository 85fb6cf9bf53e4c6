//! Initialisers: bounds, moments and seeds.
#![cfg(feature = "rand")]

use ndarray_activations::forward::{Fan, Init, Linear, Shape};
use rand::{SeedableRng, rngs::StdRng};

const INPUTS: usize = 400;
const OUTPUTS: usize = 300;

fn layer(init: Init) -> Linear<f64> {
    Linear::init(INPUTS, OUTPUTS, init, &mut StdRng::seed_from_u64(42))
}

/// The largest magnitude and the standard deviation of the weights, after a look at their mean.
fn moments(init: Init) -> (f64, f64) {
    let weight = layer(init).weight();
    let count = weight.len() as f64;
    let mean = weight.sum() / count;
    let deviation = (weight.mapv(|w| w * w).sum() / count - mean * mean).sqrt();
    // Five standard errors.
    assert!(mean.abs() < 5.0 * deviation / count.sqrt(), "{init:?}: mean {mean}");
    (weight.fold(0.0, |largest: f64, w| largest.max(w.abs())), deviation)
}

fn assert_near(got: f64, expected: f64, what: Init) {
    assert!((got / expected - 1.0).abs() < 0.02, "{what:?}: {got} is not {expected}");
}

#[test]
fn uniform_weights_fill_their_bounds_and_never_leave_them() {
    let (n, m) = (INPUTS as f64, OUTPUTS as f64);
    for (init, bound) in [
        (Init::XavierUniform, (6.0 / (n + m)).sqrt()),
        (Init::HeUniform, (6.0 / n).sqrt()),
        (Init::LecunUniform, (3.0 / n).sqrt()),
        (Init::PyTorch, (1.0 / n).sqrt()),
        (Init::Scaled { scale: 2.0, fan: Fan::Out, shape: Shape::Uniform }, (6.0 / m).sqrt()),
    ] {
        let (largest, deviation) = moments(init);
        assert!(largest <= bound * (1.0 + f64::EPSILON), "{init:?}: {largest} beyond {bound}");
        assert!(largest > 0.999 * bound, "{init:?}: {largest} far from {bound}");
        assert_near(deviation, bound / 3f64.sqrt(), init);
    }
}

#[test]
fn normal_weights_have_their_deviation() {
    let (n, m) = (INPUTS as f64, OUTPUTS as f64);
    for (init, sigma) in [
        (Init::XavierNormal, (2.0 / (n + m)).sqrt()),
        (Init::HeNormal, (2.0 / n).sqrt()),
        (Init::LecunNormal, (1.0 / n).sqrt()),
        (
            Init::Scaled { scale: 3.0, fan: Fan::Average, shape: Shape::Normal },
            (6.0 / (n + m)).sqrt(),
        ),
    ] {
        let (largest, deviation) = moments(init);
        assert_near(deviation, sigma, init);
        assert!(largest > 3.5 * sigma, "{init:?}: no tails");
    }
}

#[test]
fn truncated_weights_have_the_deviation_of_the_name_and_end_at_two_of_the_drawn_one() {
    let (n, m) = (INPUTS as f64, OUTPUTS as f64);
    for (init, sigma) in [
        (Init::XavierTruncated, (2.0 / (n + m)).sqrt()),
        (Init::HeTruncated, (2.0 / n).sqrt()),
        (Init::LecunTruncated, (1.0 / n).sqrt()),
    ] {
        let end = 2.0 * sigma / 0.879_625_661_034_239_8;
        let (largest, deviation) = moments(init);
        assert_near(deviation, sigma, init);
        assert!(largest <= end * (1.0 + f64::EPSILON) && largest > 0.99 * end, "{init:?}");
    }
}

#[test]
fn a_seed_gives_the_same_layer_and_another_seed_another_one() {
    let draw = |seed| Linear::<f64>::init(7, 5, Init::PyTorch, &mut StdRng::seed_from_u64(seed));
    assert_eq!(draw(1).weight(), draw(1).weight());
    assert_eq!(draw(1).bias(), draw(1).bias());
    assert_ne!(draw(1).weight(), draw(2).weight());
}

#[test]
fn a_single_layer_is_the_rounded_double_one() {
    for init in [Init::HeNormal, Init::XavierTruncated, Init::PyTorch] {
        let single = Linear::<f32>::init(9, 4, init, &mut StdRng::seed_from_u64(3));
        let double = Linear::<f64>::init(9, 4, init, &mut StdRng::seed_from_u64(3));
        assert_eq!(single.weight(), double.weight().mapv(|w| w as f32));
        assert_eq!(single.bias(), double.bias().mapv(|b| b as f32));
    }
}

#[test]
fn only_pytorch_draws_a_bias() {
    let bound = (1.0 / INPUTS as f64).sqrt();
    let pytorch = layer(Init::PyTorch);
    assert!(pytorch.bias().iter().all(|b| b.abs() <= bound && *b != 0.0));
    for init in [Init::Zeros, Init::XavierUniform, Init::HeNormal, Init::LecunTruncated] {
        assert!(layer(init).bias().iter().all(|&b| b == 0.0), "{init:?}");
    }
    assert!(layer(Init::Zeros).weight().iter().all(|&w| w == 0.0));
}

#[test]
fn a_layer_without_inputs_is_finite() {
    let layer = Linear::<f32>::init(0, 3, Init::PyTorch, &mut StdRng::seed_from_u64(3));
    assert!(layer.bias().iter().all(|&b| b == 0.0));
}

#[test]
#[should_panic(expected = "the scale must be positive and finite: -1")]
fn a_negative_scale_panics() {
    layer(Init::Scaled { scale: -1.0, fan: Fan::In, shape: Shape::Normal });
}
