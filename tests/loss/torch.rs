//! Values and gradients of PyTorch, and gradients against finite differences.

use std::collections::HashMap;

use ndarray::{Array, Array1, Array2, Axis, Dimension};
use ndarray_activations::loss::*;

use super::{assert_close, labels};

/// The lines of `tools/losses.py`: values and gradients by name.
pub struct Torch(HashMap<&'static str, (Vec<f64>, Vec<f64>)>);

impl Torch {
    pub fn read() -> Self {
        let numbers = |text: &'static str| {
            text.split_whitespace().map(|number| number.parse().unwrap()).collect()
        };
        let lines = include_str!("../data/loss/torch.csv").lines().map(|line| {
            let mut parts = line.split(';');
            let (name, values) = (parts.next().unwrap(), numbers(parts.next().unwrap()));
            (name, (values, parts.next().map_or(Vec::new(), numbers)))
        });
        Self(lines.collect())
    }

    pub fn lanes(&self, name: &str) -> Array2<f64> {
        Array2::from_shape_vec((6, 5), self.0[name].0.clone()).unwrap()
    }

    fn weights(&self) -> Array1<f64> {
        Array1::from_vec(self.0["weights"].0.clone())
    }

    /// Compares one loss in all its reductions, in the numbers of elements of `each`.
    fn check(
        &self,
        name: &str,
        mean_and_sum: impl Fn(Reduction) -> (f64, Array2<f64>),
        each: Option<Vec<f64>>,
    ) {
        for (word, reduction) in [("mean", Reduction::Mean), ("sum", Reduction::Sum)] {
            let (value, gradient) = mean_and_sum(reduction);
            let (expected, slopes) = &self.0[format!("{name}.{word}").as_str()];
            assert_close(value, expected[0], name);
            assert_eq!(gradient.len(), slopes.len());
            for (got, expected) in gradient.iter().zip(slopes) {
                assert_close(*got, *expected, name);
            }
        }
        if let Some(each) = each {
            let (expected, _) = &self.0[format!("{name}.none").as_str()];
            assert_eq!(each.len(), expected.len());
            each.iter()
                .zip(expected)
                .for_each(|(got, expected)| assert_close(*got, *expected, name));
        }
    }
}
#[test]
fn cross_entropy_is_that_of_pytorch() {
    let torch = Torch::read();
    let (logits, targets, weights) =
        (torch.lanes("logits"), torch.lanes("targets"), torch.weights());
    for (word, weighted) in [("plain", false), ("weighted", true)] {
        for smoothing in [0.0, 0.1, 1.0] {
            let loss = |reduction| {
                let loss = CrossEntropy::along(Axis(1)).label_smoothing(smoothing);
                let loss = loss.ignore_index(-100).reduction(reduction);
                if weighted { loss.class_weights(&weights) } else { loss }
            };
            torch.check(
                &format!("cross_entropy.{word}.{smoothing:?}"),
                |reduction| loss(reduction).value_and_gradient(&logits, &labels()).unwrap(),
                Some(loss(Reduction::Sum).each(&logits, &labels()).unwrap().to_vec()),
            );
            torch.check(
                &format!("soft.{word}.{smoothing:?}"),
                |reduction| loss(reduction).value_and_gradient_of_soft(&logits, &targets).unwrap(),
                None,
            );
        }
    }
}

#[test]
fn nll_is_that_of_pytorch() {
    let torch = Torch::read();
    let (logits, weights) = (torch.lanes("logits"), torch.weights());
    for (word, weighted) in [("plain", false), ("weighted", true)] {
        let loss = |reduction| {
            let loss = Nll::along(Axis(1)).ignore_index(-100).reduction(reduction);
            if weighted { loss.class_weights(&weights) } else { loss }
        };
        torch.check(
            &format!("nll.{word}"),
            |reduction| loss(reduction).value_and_gradient(&logits, &labels()).unwrap(),
            Some(loss(Reduction::Sum).each(&logits, &labels()).unwrap().to_vec()),
        );
    }
}

#[test]
fn bce_with_logits_is_that_of_pytorch() {
    let torch = Torch::read();
    let (logits, targets, positive) =
        (torch.lanes("logits"), torch.lanes("binary"), torch.weights());
    let mut weights = positive.clone();
    weights.invert_axis(Axis(0));
    for (first, weighted) in [("plain", false), ("weighted", true)] {
        for (second, is_positive) in [("plain", false), ("positive", true)] {
            let loss = |reduction| {
                let mut loss = BceWithLogits::new().reduction(reduction);
                if weighted {
                    loss = loss.weight(&weights);
                }
                if is_positive {
                    loss = loss.pos_weight(&positive);
                }
                loss
            };
            torch.check(
                &format!("bce.{first}.{second}"),
                |reduction| loss(reduction).value_and_gradient(&logits, &targets).unwrap(),
                Some(loss(Reduction::Sum).each(&logits, &targets).unwrap().into_iter().collect()),
            );
        }
    }
}

#[test]
fn losses_of_regression_are_those_of_pytorch() {
    let torch = Torch::read();
    let (x, y) = (torch.lanes("logits"), torch.lanes("values"));
    torch.check(
        "mse",
        |r| Mse::new().reduction(r).value_and_gradient(&x, &y).unwrap(),
        Some(Mse::new().each(&x, &y).unwrap().into_iter().collect()),
    );
    torch.check(
        "mae",
        |r| Mae::new().reduction(r).value_and_gradient(&x, &y).unwrap(),
        Some(Mae::new().each(&x, &y).unwrap().into_iter().collect()),
    );
    for delta in [0.5, 1.0, 3.0] {
        torch.check(
            &format!("huber.{delta:?}"),
            |r| Huber::new(delta).reduction(r).value_and_gradient(&x, &y).unwrap(),
            Some(Huber::new(delta).each(&x, &y).unwrap().into_iter().collect()),
        );
    }
}

/// The gradient against central differences with an error of about 1e-10.
fn check_gradient<D: Dimension>(
    x: &Array<f64, D>,
    f: impl Fn(&Array<f64, D>) -> (f64, Array<f64, D>),
) {
    let (_, gradient) = f(x);
    let step = 1e-5;
    for place in 0..x.len() {
        let moved = |by: f64| {
            let mut x = x.clone();
            *x.iter_mut().nth(place).unwrap() += by;
            f(&x).0
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        let got = *gradient.iter().nth(place).unwrap();
        assert!((got - slope).abs() < 1e-8, "at {place}: {got} is not {slope}");
    }
}

#[test]
fn gradients_are_the_slopes_of_the_values() {
    let torch = Torch::read();
    let (x, weights) = (torch.lanes("logits"), torch.weights());
    let (binary, y) = (torch.lanes("binary"), torch.lanes("values"));
    let loss = CrossEntropy::along(Axis(1))
        .class_weights(&weights)
        .ignore_index(-100)
        .label_smoothing(0.2);
    check_gradient(&x, |x| loss.value_and_gradient(x, &labels()).unwrap());
    let soft = torch.lanes("targets");
    check_gradient(&x, |x| loss.value_and_gradient_of_soft(x, &soft).unwrap());
    let nll = Nll::along(Axis(1)).class_weights(&weights).ignore_index(-100);
    check_gradient(&x, |x| nll.value_and_gradient(x, &labels()).unwrap());
    let bce = BceWithLogits::new().pos_weight(&weights);
    check_gradient(&x, |x| bce.value_and_gradient(x, &binary).unwrap());
    check_gradient(&x, |x| Mse::new().value_and_gradient(x, &y).unwrap());
    check_gradient(&x, |x| Huber::new(0.7).value_and_gradient(x, &y).unwrap());
}
