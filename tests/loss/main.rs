//! Losses against PyTorch's values, finite differences and known wrong answers.

mod hard_cases;
mod torch;

use ndarray::{Array1, array};

/// PyTorch's own rounding is a few units of 1e-16 of the terms, which are below 10.
#[track_caller]
fn assert_close(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() <= 4e-15 * expected.abs().max(1.0), "{what}: {got}, {expected}");
}

fn labels() -> Array1<i64> {
    array![0, 3, 4, -100, 1, 3]
}
