//! Axes and layouts, extreme logits, known wrong answers of others, and errors.

use ndarray::{Array, Array1, Array2, Array3, Axis, RemoveAxis, ShapeBuilder, array, s};
use ndarray_activations::loss::*;
use ndarray_activations::{Element, Level, prelude::*, with_level};

use super::{assert_close, labels, torch::Torch};

#[test]
fn the_class_axis_may_be_anywhere() {
    let logits =
        Array3::from_shape_fn((4, 5, 3), |(i, j, k)| ((i * 15 + j * 3 + k) as f64).sin() * 3.0);
    let labels = Array2::from_shape_fn((4, 3), |(i, k)| (i + 2 * k) % 5);
    let (value, gradient) =
        CrossEntropy::along(Axis(1)).value_and_gradient(&logits, &labels).unwrap();
    let mut last = logits.view();
    last.swap_axes(1, 2);
    let mut first = logits.view();
    first.swap_axes(0, 1);
    let (of_last, last) = CrossEntropy::along(Axis(2)).value_and_gradient(&last, &labels).unwrap();
    let (of_first, first) =
        CrossEntropy::along(Axis(0)).value_and_gradient(&first, &labels).unwrap();
    assert_eq!(value.to_bits(), of_last.to_bits());
    assert_eq!(value.to_bits(), of_first.to_bits());
    for ((i, j, k), got) in gradient.indexed_iter() {
        assert_eq!(*got, last[[i, k, j]]);
        assert_eq!(*got, first[[j, i, k]]);
    }
    let one = array![2.0, 0.0];
    let label = ndarray::arr0(0u8);
    assert_close(cross_entropy(&one, &label, Axis(0)).unwrap(), (-2f64).exp().ln_1p(), "one lane");
}

#[test]
fn layouts_give_the_same_bits() {
    let torch = Torch::read();
    let (x, y) = (torch.lanes("logits"), torch.lanes("values"));
    let mut fortran = Array2::zeros((6, 5).f());
    fortran.assign(&x);
    let mut wide = Array2::zeros((6, 10));
    wide.slice_mut(s![.., ..;2]).assign(&x);
    for other in [fortran.view(), wide.slice(s![.., ..;2])] {
        assert_eq!(mse(&other, &y).unwrap().to_bits(), mse(&x, &y).unwrap().to_bits());
        let (a, b) = (bce_with_logits(&other, &y).unwrap(), bce_with_logits(&x, &y).unwrap());
        assert_eq!(a.to_bits(), b.to_bits());
        let loss = CrossEntropy::along(Axis(1)).ignore_index(-100);
        let (a, b) = (loss.value(&other, &labels()).unwrap(), loss.value(&x, &labels()).unwrap());
        assert_eq!(a.to_bits(), b.to_bits());
    }
}

#[test]
fn the_tiny_loss_of_a_confident_right_answer_is_kept() {
    let loss = cross_entropy(&array![[20.0f32, 0.0]], &array![0], Axis(1)).unwrap();
    assert_eq!(loss, 2.061_153_7e-9);
    let (_, gradient) = CrossEntropy::along(Axis(1))
        .value_and_gradient(&array![[20.0f32, 0.0]], &array![0])
        .unwrap();
    assert_eq!(gradient, array![[-2.061_153_6e-9, 2.061_153_6e-9]]);
}

#[test]
fn extreme_logits_give_finite_losses() {
    let logits = array![[1e4f32, -1e4, 0.0], [-1e4, 1e4, 0.0], [3e38, 0.0, 0.0]];
    let (each, labels) = (array![0.0, 2e4, 0.0], array![0, 0, 0]);
    let loss = CrossEntropy::along(Axis(1)).reduction(Reduction::Sum);
    assert_eq!(loss.each(&logits, &labels).unwrap(), each);
    let (_, gradient) = loss.value_and_gradient(&logits, &labels).unwrap();
    assert_eq!(gradient.row(0), array![0.0, 0.0, 0.0]);
    assert_eq!(gradient.row(1), array![-1.0, 1.0, 0.0]);
    let largest = array![[f32::MAX, f32::MIN], [f32::MIN, f32::MAX]];
    for loss in
        CrossEntropy::along(Axis(1)).label_smoothing(0.1).each(&largest, &array![0, 0]).unwrap()
    {
        assert!(!loss.is_nan());
    }
    let bce = BceWithLogits::new();
    let (x, z) = (array![1e4f32, -1e4, f32::MAX, f32::MIN], array![1.0, 0.0, 1.0, 0.0]);
    assert_eq!(bce.each(&x, &z).unwrap(), array![0.0, 0.0, 0.0, 0.0]);
    assert_eq!(bce.each(&x, &z.mapv(|z| 1.0 - z)).unwrap(), x.mapv(f32::abs));
}

#[test]
fn masked_logits_of_minus_infinity_cost_nothing_unless_they_are_the_answer() {
    let hidden = f64::NEG_INFINITY;
    let logits = array![[1.0, hidden, 1.0], [1.0, hidden, 1.0]];
    let loss = CrossEntropy::along(Axis(1));
    let each = loss.each(&logits, &array![0, 1]).unwrap();
    assert_close(each[0], core::f64::consts::LN_2, "beside a mask");
    assert_eq!(each[1], f64::INFINITY);
    let (_, gradient) =
        loss.reduction(Reduction::Sum).value_and_gradient(&logits, &array![0, 1]).unwrap();
    let expected = array![[-0.5, 0.0, 0.5], [0.5, -1.0, 0.5]];
    gradient
        .iter()
        .zip(&expected)
        .for_each(|(got, expected)| assert_close(*got, *expected, "mask"));
    let weights = array![1.0, 0.0, 1.0];
    let each = loss.class_weights(&weights).each(&logits, &array![0, 1]).unwrap();
    assert_eq!(each[1], 0.0);
}

#[test]
fn nan_logits_give_nan() {
    let logits = array![[1.0f64, f64::NAN], [0.0, 0.0]];
    assert!(cross_entropy(&logits, &array![0, 0], Axis(1)).unwrap().is_nan());
    let ignored = CrossEntropy::along(Axis(1)).ignore_index(-1);
    assert!(!ignored.value(&logits, &array![-1, 0]).unwrap().is_nan());
    for z in [0.0, 1.0] {
        assert!(bce_with_logits(&array![f64::NAN], &array![z]).unwrap().is_nan());
    }
    assert!(mse(&array![f64::NAN], &array![0.0]).unwrap().is_nan());
    assert!(mae(&array![f64::NAN], &array![0.0]).unwrap().is_nan());
    assert!(huber(&array![f64::NAN], &array![0.0], 1.0).unwrap().is_nan());
}

#[test]
fn a_mean_over_nothing_is_zero() {
    let loss = CrossEntropy::along(Axis(1)).ignore_index(-100);
    let logits = array![[1.0f64, 2.0], [3.0, 4.0]];
    let (value, gradient) = loss.value_and_gradient(&logits, &array![-100, -100]).unwrap();
    assert_eq!((value, gradient), (0.0, Array2::zeros((2, 2))));
    let none = Array2::<f32>::zeros((0, 5));
    assert_eq!(cross_entropy(&none, &Array1::<u8>::zeros(0), Axis(1)).unwrap(), 0.0);
    assert_eq!(mse(&none, &none).unwrap(), 0.0);
    assert_eq!(bce_with_logits(&none, &none).unwrap(), 0.0);
    let weights = array![0.0, 1.0];
    let unweighted = CrossEntropy::along(Axis(1)).class_weights(&weights);
    assert_eq!(unweighted.value(&logits, &array![0, 0]).unwrap(), 0.0);
}

// Burn's mean divided by the number of all lanes.
#[test]
fn the_mean_does_not_count_padding() {
    let logits = array![[2.0f64, 0.0], [2.0, 0.0], [9.0, 9.0], [9.0, 9.0]];
    let loss = CrossEntropy::along(Axis(1)).ignore_index(0);
    let one = cross_entropy(&logits.slice(s![..2, ..]), &array![1, 1], Axis(1)).unwrap();
    assert_eq!(loss.value(&logits, &array![1, 1, 0, 0]).unwrap(), one);
}

// Candle took the logarithm of a sigmoid that had already become 0.
#[test]
fn bce_of_a_very_wrong_answer_is_its_logit() {
    let loss = bce_with_logits(&array![-200.0f32, 200.0], &array![1.0, 0.0]).unwrap();
    assert_eq!(loss, 200.0);
    let (_, gradient) = BceWithLogits::new()
        .value_and_gradient(&array![-200.0f32, 200.0], &array![1.0, 0.0])
        .unwrap();
    assert_eq!(gradient, array![-0.5, 0.5]);
}

#[test]
fn bce_of_a_right_answer_keeps_its_digits() {
    let loss = bce_with_logits(&array![80.0f32], &array![1.0]).unwrap();
    assert!((f64::from(loss) / (-80f64).exp() - 1.0).abs() < 1e-6, "{loss}");
}

#[test]
fn many_small_errors_add_up() {
    let (x, y) = (Array1::from_elem(20_000_003, 1.0f32), Array1::zeros(20_000_003));
    assert_eq!(Mse::new().reduction(Reduction::Sum).value(&x, &y).unwrap(), 20_000_003.0f32);
    assert_eq!(mae(&x, &y).unwrap(), 1.0);
}

#[test]
fn every_integer_is_a_label() {
    let logits = array![[2.0f32, 0.0]];
    let expected = cross_entropy(&logits, &array![1usize], Axis(1)).unwrap();
    assert_eq!(cross_entropy(&logits, &array![1u8], Axis(1)).unwrap(), expected);
    assert_eq!(cross_entropy(&logits, &array![1i8], Axis(1)).unwrap(), expected);
    assert_eq!(cross_entropy(&logits, &array![1u64], Axis(1)).unwrap(), expected);
    assert_eq!(cross_entropy(&logits, &array![1i64], Axis(1)).unwrap(), expected);
}

fn refused<T: core::fmt::Debug>(result: Result<T, LossError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn bad_arguments_are_errors_that_say_what_was_expected() {
    let logits = Array2::<f64>::zeros((2, 3));
    let loss = CrossEntropy::along(Axis(1));
    assert_eq!(
        refused(loss.value(&logits, &array![0, 3])),
        "label 3 at [1] is not one of 3 classes"
    );
    assert_eq!(
        refused(loss.value(&logits, &array![-1, 0])),
        "label -1 at [0] is not one of 3 classes"
    );
    assert_eq!(
        refused(loss.value(&logits, &array![u64::MAX, 0])),
        "label 18446744073709551615 at [0] is not one of 3 classes"
    );
    assert_eq!(refused(loss.value(&logits, &array![0])), "labels: expected the shape [2], got [1]");
    assert_eq!(
        refused(CrossEntropy::along(Axis(2)).value(&logits, &array![0, 0])),
        "the class axis 2 is out of range for logits with 2 axes"
    );
    let weights = array![1.0, 2.0];
    assert_eq!(
        refused(loss.class_weights(&weights).value(&logits, &array![0, 0])),
        "class weights: expected the shape [3], got [2]"
    );
    let weights = array![1.0, -2.0, 1.0];
    assert_eq!(
        refused(loss.class_weights(&weights).value(&logits, &array![0, 0])),
        "class weights: expected finite numbers that are not negative, got -2"
    );
    assert_eq!(
        refused(loss.label_smoothing(1.5).value(&logits, &array![0, 0])),
        "label smoothing: expected a number in 0..=1, got 1.5"
    );
    assert_eq!(
        refused(loss.value_of_soft(&logits, &Array2::zeros((3, 2)))),
        "targets: expected the shape [2, 3], got [3, 2]"
    );
    assert_eq!(
        refused(mse(&logits, &Array2::zeros((2, 2)))),
        "targets: expected the shape [2, 3], got [2, 2]"
    );
    assert_eq!(
        refused(bce_with_logits(&logits, &Array2::zeros((2, 2)))),
        "targets: expected the shape [2, 3], got [2, 2]"
    );
    let weights = array![1.0, 2.0];
    assert_eq!(
        refused(BceWithLogits::new().pos_weight(&weights).value(&logits, &logits)),
        "positive weights: expected the shape [2, 3], got [2]"
    );
    assert_eq!(refused(huber(&logits, &logits, 0.0)), "delta: expected a positive number, got 0");
    assert!(refused(huber(&logits, &logits, f64::NAN)).starts_with("delta"));
}

/// Cross-entropy against the naive formula, for any shape that has an axis.
fn naive<D: RemoveAxis>(logits: &Array<f64, D>, axis: Axis, classes: &[usize]) -> f64 {
    let lanes = logits.lanes(axis).into_iter().zip(classes);
    let losses: Vec<f64> =
        lanes.map(|(lane, &class)| lane.mapv(f64::exp).sum().ln() - lane[class]).collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn cross_entropy_agrees_with_the_naive_formula_on_small_logits() {
    for axis in 0..3 {
        let logits =
            Array3::from_shape_fn((4, 3, 5), |(i, j, k)| ((i * 7 + j * 3 + k) as f64).cos());
        let classes = logits.shape()[axis];
        let mut shape = logits.shape().to_vec();
        shape.remove(axis);
        let labels = Array2::from_shape_fn((shape[0], shape[1]), |(i, j)| (i * 2 + j) % classes);
        let flat: Vec<usize> = labels.iter().copied().collect();
        let got = cross_entropy(&logits, &labels, Axis(axis)).unwrap();
        assert_close(got, naive(&logits, Axis(axis), &flat), "naive");
    }
}

#[test]
fn log_softmax_and_nll_are_cross_entropy() {
    let logits = Torch::read().lanes("logits");
    let labels = array![0u8, 3, 4, 2, 1, 3];
    let split = nll(&logits.log_softmax(Axis(1)), &labels, Axis(1)).unwrap();
    assert_eq!(split, cross_entropy(&logits, &labels, Axis(1)).unwrap());
}

/// What cross-entropy takes of a lane without its logarithms is what they are made of.
fn losses_are_those_of_logarithms<A: Element>(shape: [usize; 3], axis: usize) {
    let classes = shape[axis];
    let mut state = 1u32;
    let logits = Array3::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let u = f64::from(state >> 8) / f64::from(1 << 24);
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 60.0];
        let rare = special.get((u * 1e4 * classes as f64) as usize % 997);
        A::from_f64(rare.copied().unwrap_or(8.0 * u - 4.0))
    });
    let mut count = 0;
    let labels = logits.map_axis(Axis(axis), |_| {
        count += 7;
        count % classes
    });
    let (loss, nll) = (CrossEntropy::along(Axis(axis)), Nll::along(Axis(axis)));
    let bits = |x: &A| if x.is_nan() { u64::MAX } else { Element::to_f64(*x).to_bits() };
    let expected = nll.each(&logits.log_softmax(Axis(axis)), &labels).unwrap().mapv(|x| bits(&x));
    let got = loss.each(&logits, &labels).unwrap().mapv(|x| bits(&x));
    assert_eq!(got, expected, "{} {shape:?} along {axis}", A::NAME);
    let value = loss.value(&logits, &labels).unwrap();
    let (beside, gradient) = loss.value_and_gradient(&logits, &labels).unwrap();
    let mean = nll.value(&logits.log_softmax(Axis(axis)), &labels).unwrap();
    assert_eq!([bits(&value), bits(&beside)], [bits(&mean); 2], "{} {shape:?}", A::NAME);
    assert_eq!(gradient.shape(), shape);

    // The class axis last, in a run of memory: other loops.
    let mut order = vec![0, 1, 2];
    order.remove(axis);
    let order = [order[0], order[1], axis];
    let last = logits.view().permuted_axes(order).as_standard_layout().into_owned();
    let weights = Array1::from_shape_fn(classes, |c| A::from_f64(0.25 + (c % 5) as f64));
    for (weighted, ignored) in [(false, -1), (false, 2), (true, -1), (true, 2)] {
        let gradient = |axis: usize, logits: &Array3<A>| {
            let loss = CrossEntropy::along(Axis(axis)).ignore_index(ignored);
            let loss = if weighted { loss.class_weights(&weights) } else { loss };
            loss.value_and_gradient(logits, &labels).unwrap().1
        };
        let expected = gradient(2, &last).mapv(|x| bits(&x));
        let got = gradient(axis, &logits).permuted_axes(order).mapv(|x| bits(&x));
        assert_eq!(got, expected, "{} {shape:?} along {axis}, weighted: {weighted}", A::NAME);
    }
}

#[test]
fn each_loss_has_the_bits_of_the_logarithm() {
    let shapes = [[40, 3, 5], [3, 64, 7], [7, 65, 6], [2, 1000, 3], [2, 4100, 1]];
    for level in Level::available() {
        with_level(level, || {
            for shape in shapes {
                for axis in 0..3 {
                    losses_are_those_of_logarithms::<f32>(shape, axis);
                    losses_are_those_of_logarithms::<f64>(shape, axis);
                }
            }
        });
    }
}
