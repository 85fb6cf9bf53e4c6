//! Finite differences in `f64` against `derivative`, for the whole registry: whether f' is the
//! derivative of f at all, independently of every reference.

use crate::common::noun::{Entry, all, variants};

/// The derivative by central differences, extrapolated once (error of order h⁴).
fn difference(entry: &Entry<f64>, x: f64) -> f64 {
    // Steps of powers of two, so that x ± h is exact.
    let h = 2f64.powi(-9);
    let slope = |h: f64| (entry.at(x + h) - entry.at(x - h)) / (2.0 * h);
    (4.0 * slope(h / 2.0) - slope(h)) / 3.0
}

#[test]
fn derivatives_agree_with_finite_differences() {
    let mut failures = Vec::new();
    for entry in all::<f64>().into_iter().chain(variants()) {
        let kinks: Vec<f64> = match entry.name() {
            "hard_sigmoid" => vec![2.5, 2.0, 3.0],
            "hard_swish" => vec![3.0],
            "relu6" => vec![0.0, 6.0],
            "selu" | "elu" | "celu" | "relu" | "leaky_relu" | "step" | "sign" => vec![0.0],
            // Only f'' jumps here, but differences see that as well.
            "softsign" | "relu_squared" => vec![0.0],
            "hard_tanh" | "threshold" | "thresholded_relu" | "soft_shrink" | "hard_shrink"
            | "shrink" => {
                vec![0.0, entry.curve.parameters()[0], *entry.curve.parameters().last().unwrap()]
            }
            _ => vec![],
        };
        for i in -1600..=1600 {
            let x = f64::from(i) / 128.0 + 2f64.powi(-20);
            if kinks.iter().any(|kink| (x.abs() - kink.abs()).abs() < 0.01) {
                continue;
            }
            let (expected, got) = (difference(&entry, x), entry.slope_at(x));
            if (got - expected).abs() > 2e-9 * (1.0 + x.abs()) {
                failures.push(format!(
                    "{} at {x}: {got}, differences {expected}",
                    entry.curve.describe()
                ));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
