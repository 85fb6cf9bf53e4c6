//! The testers are tested: the ULP metric, the arithmetic of the references, the references.

mod common;

use common::dd::Real;
use common::reference::{Num, formula};
use common::ulp::{Format, error, error_f32};
use common::vectors::{self, File};

const INF: f64 = f64::INFINITY;

#[test]
fn metric_counts_the_distance_in_units_of_the_exact_value() {
    assert_eq!(error(1.0f32, Real::new(1.0)), 0.0);
    assert_eq!(error(1.0f32.next_up(), Real::new(1.0)), 1.0);
    // Just below a power of two the unit of the exact value is the smaller one.
    assert_eq!(error(1.0f32, Real::new(f64::from(1.0f32.next_down()))), 1.0);
    assert_eq!(error(1.0f32.next_down(), Real::new(1.0)), 0.5);
    assert_eq!(error(1.0f64, Real::new(1.0) + Real::new(f64::EPSILON / 4.0)), 0.25);
    assert_eq!(error(-1.0f64, Real::new(-1.0) - Real::new(f64::EPSILON / 4.0)), 0.25);
}

#[test]
fn metric_sees_less_than_a_double_can_hold() {
    let exact = Real::new(1.0) + Real::new(2f64.powi(-90));
    let got = error(1.0f64, exact);
    assert_eq!(got, 2f64.powi(-38));
}

#[test]
fn metric_at_zero_wants_zero() {
    assert_eq!(error(0.0f32, Real::ZERO), 0.0);
    assert_eq!(error(-0.0f32, Real::ZERO), 0.0);
    assert_eq!(error(f32::from_bits(1), Real::ZERO), INF);
    assert_eq!(error(-f64::from_bits(1), Real::ZERO), INF);
}

#[test]
fn metric_in_the_subnormal_range_has_one_unit() {
    let least = f64::from(f32::from_bits(1));
    assert_eq!(error(0.0f32, Real::new(least)), 1.0);
    assert_eq!(error(0.0f32, Real::new(least * 0.25)), 0.25);
    assert_eq!(error(f32::from_bits(1), Real::new(least * 0.25)), 0.75);
    assert_eq!(error(f32::from_bits(7), Real::new(least * 4.5)), 2.5);
    // Exact values far below the least subnormal double.
    let tiny = Real { exponent: -1080, ..Real::new(1.5) };
    assert_eq!(error(0.0f64, tiny), 1.5 * 2f64.powi(-6));
    assert_eq!(error(f64::from_bits(1), tiny), 1.0 - 1.5 * 2f64.powi(-6));
}

#[test]
fn metric_calls_a_wrong_sign_wrong_in_kind() {
    assert_eq!(error(-f32::from_bits(1), Real::new(1e-50)), INF);
    assert_eq!(error(1.0f64, Real::new(-1.0)), INF);
    assert_eq!(error_f32(-f32::from_bits(1), 1e-50), INF);
}

#[test]
fn metric_calls_nan_wrong_in_kind() {
    assert_eq!(error(f32::NAN, Real::new(1.0)), INF);
    assert_eq!(error(f64::NAN, Real::ZERO), INF);
    assert_eq!(error_f32(f32::NAN, 0.0), INF);
    assert_eq!(error_f32(f32::NAN, 1.0), INF);
}

#[test]
fn metric_wants_infinity_exactly_where_results_overflow() {
    let half_unit = 2f64.powi(127 - 24);
    let limit = f64::from(f32::MAX) + half_unit;
    assert_eq!(error(f32::INFINITY, Real::new(limit)), 0.0);
    assert_eq!(error(f32::MAX, Real::new(limit)), INF);
    assert_eq!(error(f32::INFINITY, Real::new(limit.next_down())), INF);
    assert!(error(f32::MAX, Real::new(limit.next_down())) < 0.5);
    assert_eq!(error(f64::MAX, Real::new(f64::MAX)), 0.0);
    assert_eq!(error(f32::NEG_INFINITY, Real::new(limit)), INF);
    assert_eq!(error(f32::NEG_INFINITY, Real::new(-limit)), 0.0);
    let beyond = Real { exponent: 5000, ..Real::new(1.0) };
    assert_eq!(error(f64::INFINITY, beyond), 0.0);
    assert_eq!(error(f64::MAX, beyond), INF);
}

#[test]
fn quick_metric_equals_the_exact_one() {
    let mut seed = 1u64;
    for _ in 0..200_000 {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let got = f32::from_bits((seed >> 32) as u32);
        let nudge = ((seed & 0xffff) as f64 - 32768.0) * 2f64.powi(-38);
        let exact = f64::from(got) * (1.0 + nudge);
        if got.is_finite() && exact != 0.0 {
            let (a, b) = (error(got, Real::new(exact)), error_f32(got, exact));
            assert!((a - b).abs() <= 1e-12 * a || a == b, "{got:e} {exact:e}: {a} and {b}");
        }
    }
    for (got, exact) in [
        (f32::INFINITY, f64::from(f32::MAX) + 2f64.powi(103)),
        (f32::INFINITY, (f64::from(f32::MAX) + 2f64.powi(103)).next_down()),
        (f32::MAX, f64::from(f32::MAX) + 2f64.powi(103)),
        (f32::INFINITY, -1e300),
        (0.0, 0.0),
        (-0.0, 0.0),
        (f32::from_bits(1), 0.0),
    ] {
        assert_eq!(error(got, Real::new(exact)), error_f32(got, exact), "{got} {exact}");
    }
}

#[test]
fn elementary_functions_agree_with_stored_digits() {
    let text = std::fs::read_to_string(vectors::folder().join("elementary.csv")).unwrap();
    let mut checked = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| f64::from_bits(u64::from_str_radix(fields[i], 16).unwrap());
        let exponent: i32 = fields[4].parse().unwrap();
        let expected = Real::new(number(2)) + Real::new(number(3));
        let expected = Real { exponent: expected.exponent + exponent, ..expected };
        let x = Real::new(number(1));
        let got = match fields[0] {
            "exp" => x.exp(),
            "exp_m1" => x.exp_m1(),
            "ln_1p" => x.ln_1p(),
            "sqrt" => x.sqrt(),
            "erfc" => x.erfc(),
            "tanh" => x.tanh(),
            other => panic!("unknown function {other}"),
        };
        let relative = ((got - expected) / expected).approximate().abs();
        assert!(relative < 2f64.powi(-90), "{line}: off by 2^{}", relative.log2());
        checked += 1;
    }
    assert!(checked > 600);
}

/// The correctly rounded results must be within half an ULP of our references.
fn check_against_vectors<A: Format>(file: &File) {
    let Some(exact) = formula::<Real>(&file.name) else {
        assert!(["exp", "erf"].contains(&&*file.name), "no reference for {}", file.name);
        return;
    };
    let quick = formula::<f64>(&file.name).unwrap();
    let names = common::noun::names();
    let (_, parameters) = names.iter().find(|(name, _)| *name == file.name).unwrap();
    let parameters = common::noun::rounded::<A>(parameters);
    for point in file.points::<A>() {
        let (x, y) = (point.x.to_f64(), point.y.to_f64());
        let place = format!(
            "{}{} {} at {x:e} = {:x}",
            file.name,
            if file.derivative { "'" } else { "" },
            A::NAME,
            point.x.bits()
        );
        if x.is_nan() {
            assert!(y.is_nan(), "{place}");
        } else if x.is_infinite() {
            let limits = (exact.limits)(&parameters);
            let limits = if file.derivative { limits.derivative } else { limits.function };
            let limit = A::from_f64(limits[usize::from(x > 0.0)]);
            assert_eq!(limit.to_f64(), y, "{place}");
        } else {
            let reference = if file.derivative { exact.derivative } else { exact.function };
            let reference = reference(x, &parameters);
            let distance = error(point.y, reference);
            assert!(distance <= 0.5, "{place}: {reference:?}, stored {y:e}, {distance} ULP");
            if A::NAME == "f32" && !near(quick.roots, x, 1e-3) {
                let reference = if file.derivative { quick.derivative } else { quick.function };
                let quick = error_f32(y as f32, reference(x, &parameters));
                assert!((quick - distance).abs() < 1e-5, "{place}: {quick} and {distance}");
            }
        }
    }
}

fn near(places: &[f64], x: f64, distance: f64) -> bool {
    places.iter().any(|place| (place - x).abs() < distance)
}

#[test]
fn references_agree_with_the_stored_f32_vectors() {
    for file in vectors::files().iter().filter(|file| file.element == "f32") {
        check_against_vectors::<f32>(file);
    }
}

#[test]
fn references_agree_with_the_stored_f64_vectors() {
    for file in vectors::files().iter().filter(|file| file.element == "f64") {
        check_against_vectors::<f64>(file);
    }
}

/// Two kinds of numbers, one formula: a slip in either arithmetic shows.
#[test]
fn quick_references_agree_with_the_exact_ones() {
    for (name, parameters) in common::noun::names() {
        let parameters = &common::noun::rounded::<f32>(&parameters)[..];
        let exact = formula::<Real>(name).unwrap_or_else(|| panic!("no reference for {name}"));
        let quick = formula::<f64>(name).unwrap();
        for bits in (0..=u32::MAX - 40_000).step_by(39_989) {
            let x = f64::from(f32::from_bits(bits));
            if !x.is_finite() || near(quick.roots, x, 0.05) {
                continue;
            }
            for (what, exact, quick) in
                [("f", exact.function, quick.function), ("f'", exact.derivative, quick.derivative)]
            {
                let (exact, quick) = (exact(x, parameters), quick(x, parameters));
                let scale = exact.abs().approximate().max(f64::from(f32::MIN_POSITIVE));
                let difference = (exact - Real::new(quick.clamp(-1e300, 1e300))).approximate();
                let close = difference.abs() <= scale * 2f64.powi(-44)
                    || Num::approximate(exact).abs() > 1e290;
                assert!(close, "{name} {what} at {x:e}: {exact:?}, quick {quick:e}");
            }
        }
    }
}
