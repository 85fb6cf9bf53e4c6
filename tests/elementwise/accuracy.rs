//! The bound that every room states holds, and is no looser than what is measured.

use crate::common::inputs::sweep;
use crate::common::measure::{Which, Worst, falls};
use crate::common::noun::{Entry, all, named, variants};
use crate::common::ulp::Format;
use ndarray_activations::for_each_activation;

impl<A: Format> Entry<A> {
    /// The bound that the room states.
    pub fn bound(&self, which: Which) -> Option<f64> {
        let bounds = self.curve.bounds()?;
        Some(match (which, A::NAME) {
            (Which::Function, "f32") => bounds.f32,
            (Which::Function, _) => bounds.f64,
            (Which::Derivative, "f32") => bounds.derivative_f32,
            (Which::Derivative, _) => bounds.derivative_f64,
        })
    }
}

/// What every room owes, whatever it states: below 1 ULP for functions and 2 for derivatives.
fn promise(which: Which) -> f64 {
    match which {
        Which::Function => 1.0,
        Which::Derivative => 2.0,
    }
}

fn check_bound<A: Format>(
    entry: &Entry<A>,
    which: Which,
    worst: &Worst<A>,
    failures: &mut Vec<String>,
) {
    let Some(bound) = entry.bound(which) else {
        failures.push(format!("{} states no bounds", entry.name()));
        return;
    };
    if worst.error > bound || worst.error >= promise(which) {
        failures.push(format!("{}, bound {bound}", worst.describe(entry, which)));
    }
}

/// A bound may be this much above what is measured: for rounding it up to a short number.
fn is_loose(bound: f64, measured: f64) -> bool {
    bound - measured > f64::max(0.01, 0.05 * measured)
}

#[test]
fn a_loose_bound_is_noticed() {
    assert!(!is_loose(0.51, 0.502));
    assert!(is_loose(0.6, 0.55));
    assert!(is_loose(1.0, 0.9));
    assert!(!is_loose(1.9, 1.85));
    assert!(is_loose(0.02, 0.0));
}

#[test]
fn f32_errors_stay_within_the_bounds_on_a_sweep() {
    let mut failures = Vec::new();
    for entry in all::<f32>() {
        let mut x = sweep(200, 4000, entry.exact.places);
        x.extend(sweep::<f32>(0, 0, entry.exact.roots));
        x.push(f32::NAN);
        for which in Which::BOTH {
            let got = entry.evaluate(which, &x);
            check_bound(&entry, which, &entry.measure_f32(which, &x, &got), &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn f64_errors_stay_within_the_bounds_on_a_sweep() {
    let mut failures = Vec::new();
    for entry in all::<f64>() {
        let mut x = sweep(2, 200, entry.exact.places);
        x.extend(sweep::<f64>(0, 0, entry.exact.roots));
        x.push(f64::NAN);
        for which in Which::BOTH {
            check_bound(&entry, which, &entry.measure(which, &x), &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Arguments (bits) at which samples of many millions found the largest errors, most of them with results just below the
/// smallest normal number.
const FOUND: [(&str, Which, u64); 12] = [
    ("sigmoid", Which::Function, 0xc086_2667_4449_a111),
    ("silu", Which::Function, 0xc086_5834_911e_8fda),
    ("swish", Which::Function, 0xc086_57d6_d794_f2cd),
    ("mish", Which::Function, 0xc086_57c0_9937_6666),
    ("quick_gelu", Which::Function, 0xc07a_40ca_1561_3f4e),
    ("gelu_tanh", Which::Function, 0xc035_2d72_70de_f2c3),
    ("gelu", Which::Function, 0xc040_5537_4515_2acd),
    ("softplus", Which::Derivative, 0xc086_25f3_15b7_400e),
    ("silu", Which::Derivative, 0xbff6_7adc_cfc9_62d1),
    ("quick_gelu", Which::Derivative, 0xbfea_6a76_37d4_d04c),
    ("gelu_tanh", Which::Derivative, 0xbfe6_3209_7d79_b081),
    ("gelu", Which::Derivative, 0xbfe1_4b10_0297_7e28),
];

#[test]
fn f64_errors_stay_within_the_bounds_where_the_largest_were_found() {
    let mut failures = Vec::new();
    for (name, which, bits) in FOUND {
        let entry = named::<f64>(name);
        let x = [f64::from_bits(bits)];
        check_bound(&entry, which, &entry.measure(which, &x), &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Bounds are stated for the default parameters; with others nothing may be lost but a little more
/// rounding.
fn check_variants<A: Format>() {
    let mut failures = Vec::new();
    for entry in variants::<A>() {
        let x = sweep(2, 100, entry.exact.places);
        for which in Which::BOTH {
            let worst = entry.measure(which, &x);
            if worst.error >= promise(which) + 1.0 {
                failures.push(worst.describe(&entry, which));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn f32_errors_stay_small_with_other_parameters() {
    check_variants::<f32>();
}

#[test]
fn f64_errors_stay_small_with_other_parameters() {
    check_variants::<f64>();
}

/// Runs of neighbours: around every place, at the start of every binade, and wide ones where
/// functions bend.
fn check_order<A: Format>() {
    let mut failures = Vec::new();
    for entry in all::<A>().into_iter().filter(|entry| entry.exact.monotone) {
        let mut starts: Vec<A> = sweep(0, 4, &[]);
        starts.extend(entry.exact.places.iter().flat_map(|&p| [A::from_f64(p), A::from_f64(-p)]));
        for start in starts.into_iter().filter(|x| x.is_finite()) {
            let mut x = vec![start];
            for _ in 0..8 {
                x.insert(0, x[0].down());
            }
            for _ in 0..120 {
                x.push(x[x.len() - 1].up());
            }
            if let Some(at) = falls(&x, &entry.function(&x)) {
                failures.push(format!(
                    "{} falls after {at:e} (bits {:#x}): {:e}, then {:e}",
                    entry.curve.describe(),
                    at.bits(),
                    entry.at(at),
                    entry.at(at.up()),
                ));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn f32_functions_that_should_not_fall_do_not_between_sampled_neighbours() {
    check_order::<f32>();
}

#[test]
fn f64_functions_that_should_not_fall_do_not_between_sampled_neighbours() {
    check_order::<f64>();
}

#[test]
fn sigmoid_and_tanh_stay_in_their_ranges() {
    fn check<A: Format>() {
        let x = sweep::<A>(20, 2000, named::<A>("sigmoid").exact.places);
        for (name, least) in
            [("sigmoid", 0.0), ("tanh", -1.0), ("softsign", -1.0), ("hard_sigmoid", 0.0)]
        {
            for (x, y) in x.iter().zip(named::<A>(name).function(&x)) {
                let y = y.to_f64();
                assert!((least..=1.0).contains(&y), "{name} {} at {x:e}: {y:e}", A::NAME);
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// All inputs in `f32`, 4 · 10⁷ and all hard ones in `f64`; bounds that are exceeded and
/// bounds that are loose.
fn check_exhaustively(name: &str) {
    let mut failures = Vec::new();
    let (single, double) = (named::<f32>(name), named::<f64>(name));
    let worst = single.measure_all(1, &|_| {});
    if let Some(at) = worst[0].falls_at {
        failures.push(format!("{name} f32 falls next to {at:e} (bits {:#x})", at.to_bits()));
    }
    for (which, worst) in Which::BOTH.into_iter().zip(&worst) {
        assert_eq!(worst.inputs, 1 << 32);
        check_tight(&single, which, worst, &mut failures);
    }
    for (which, worst) in Which::BOTH.into_iter().zip(&double.measure_random(40_000_000, &|_| {})) {
        check_tight(&double, which, worst, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check_tight<A: Format>(
    entry: &Entry<A>,
    which: Which,
    worst: &Worst<A>,
    failures: &mut Vec<String>,
) {
    check_bound(entry, which, worst, failures);
    if entry.bound(which).is_some_and(|bound| is_loose(bound, worst.error)) {
        let bound = entry.bound(which).unwrap();
        failures.push(format!("bound {bound} is loose: {}", worst.describe(entry, which)));
    }
}

macro_rules! exhaustive {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        mod exhaustive {
            $(
                #[test]
                #[ignore = "exhaustive: cargo test --release -- --ignored, about 2 minutes each"]
                fn $file() {
                    super::check_exhaustively(stringify!($file));
                }
            )*
        }
    };
}
for_each_activation!(exhaustive);
