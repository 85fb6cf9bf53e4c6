//! Every stored vector: correctly rounded results from 120-bit arithmetic.

use crate::common::dd::Real;
use crate::common::measure::Which;
use crate::common::noun::all;
use crate::common::ulp::{Format, error};
use crate::common::vectors::{File, Point, files};

/// The bound of a room that does not state one yet.
fn default_bound(which: Which) -> f64 {
    match which {
        Which::Function => 1.0,
        Which::Derivative => 2.0,
    }
}

fn complain<A: Format>(what: &str, point: &Point<A>, got: A, failures: &mut Vec<String>) {
    failures.push(format!(
        "{what} at {:e} (bits {:#x}): got {got:e} (bits {:#x}), correctly rounded {:e} (bits {:#x})",
        point.x,
        point.x.bits(),
        got.bits(),
        point.y,
        point.y.bits(),
    ));
}

/// Only the first failures of one file are worth reading.
const SHOWN: usize = 3;

fn check<A: Format>(file: &File, bound: f64, evaluate: &dyn Fn(&[A]) -> Vec<A>) -> Vec<String> {
    let points = file.points::<A>();
    let x: Vec<A> = points.iter().map(|point| point.x).collect();
    let what = format!("{}{} {}", file.name, if file.derivative { "'" } else { "" }, A::NAME);
    let mut failures = Vec::new();
    for (point, got) in points.iter().zip(evaluate(&x)) {
        let y = point.y.to_f64();
        let right = if !y.is_finite() {
            got == point.y || (got.is_nan() && y.is_nan())
        } else if y == 0.0 {
            // Where the exact value only rounds to zero, the least subnormal is within 1 ULP.
            got == A::zero() || (!point.open_sign && got.abs() <= A::from_bits_of(1))
        } else {
            // The stored value is half an ULP from the exact one, at most.
            error(got, Real::new(y)) <= bound + 0.5
        };
        if !right {
            complain(&what, point, got, &mut failures);
        }
    }
    failures.truncate(SHOWN);
    failures
}

fn check_catalogue<A: Format>() {
    let catalogue = all::<A>();
    let mut failures = Vec::new();
    let mut checked = 0;
    for file in files().iter().filter(|file| file.element == A::NAME) {
        let Some(entry) = catalogue.iter().find(|entry| entry.name() == file.name) else {
            assert!(["exp", "erf"].contains(&&*file.name), "no activation {}", file.name);
            continue;
        };
        let which = if file.derivative { Which::Derivative } else { Which::Function };
        let bound = entry.bound(which).unwrap_or(default_bound(which));
        failures.extend(check::<A>(file, bound, &|x| entry.evaluate(which, x)));
        checked += 1;
    }
    assert_eq!(checked, 33, "files of element type {}", A::NAME);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn stored_f32_vectors_are_met() {
    check_catalogue::<f32>();
}

#[test]
fn stored_f64_vectors_are_met() {
    check_catalogue::<f64>();
}

/// `math::exp` is public too, though no activation of its own.
#[test]
fn stored_vectors_of_exp_are_met() {
    use ndarray_activations::{Elementwise, Lane, math};

    #[derive(Clone, Copy)]
    struct Exp;
    impl Elementwise for Exp {
        #[inline(always)]
        fn eval<V: Lane>(self, x: V) -> V {
            math::exp(x)
        }
        #[inline(always)]
        fn derivative<V: Lane>(self, x: V) -> V {
            math::exp(x)
        }
    }
    let mut failures = Vec::new();
    for file in files().iter().filter(|file| file.name == "exp") {
        failures.extend(match &*file.element {
            "f32" => check::<f32>(file, 1.0, &|x| Exp.map(&ndarray::aview1(x)).to_vec()),
            _ => check::<f64>(file, 1.0, &|x| Exp.map(&ndarray::aview1(x)).to_vec()),
        });
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
