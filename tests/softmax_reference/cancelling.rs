//! logsumexp of lanes whose largest element and logarithm cancel.

use ndarray::{Array1, Array2, Axis};
use ndarray_activations::{Element, prelude::*};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::softmax_reference::{Dd, Exact, ulp_error};

/// Within 2 ULP; beyond that `f64` results may only be off by what double-double itself resolves,
/// here and in the reference: results below 1e-15 have no more digits than that.
fn normalised<A: Element>(lengths: &[usize]) {
    let resolution = if size_of::<A>() == 4 { 0.0 } else { 2f64.powi(-98) };
    let mut rng = StdRng::seed_from_u64(11);
    let check = |p: &[f64]| {
        let x: Array1<A> = p.iter().map(|p| A::from_f64(p.ln())).collect();
        // Probabilities of 0 add nothing.
        let finite: Array1<A> = x.iter().copied().filter(|x| x.is_finite()).collect();
        let exact = Exact::new(&finite, 1.0).logsumexp();
        for lse in [x.logsumexp(Axis(0))[()], x.softmax_with_logsumexp(Axis(0)).1[()]] {
            let error = ulp_error(lse, exact);
            let distance = exact.0.add(Dd(-Element::to_f64(lse), 0.0)).0.abs();
            assert!(
                error <= 2.0 || distance <= resolution,
                "{} {} elements: {error} ULP, {lse:?} {distance:e}",
                A::NAME,
                p.len()
            );
        }
    };
    check(&[0.3, 0.7]);
    check(&[0.5, 0.25, 0.25]);
    check(&[0.1; 10]);
    check(&[0.5, 0.5, 0.0]);
    check(&[0.25, 0.0, 0.75]);
    check(&[0.0, (-0.5f64).exp(), (-0.5f64).exp()]);
    for &len in lengths {
        for off in [0.0, 1e-3, -1e-7, 1e-12, -1e-15] {
            let p: Vec<f64> = (0..len).map(|_| rng.random_range(1e-9..1.0f64).powi(3)).collect();
            let sum: f64 = p.iter().sum();
            let mut p: Vec<_> = p.iter().map(|p| p / sum * (1.0 + off)).collect();
            check(&p);
            p.insert(rng.random_range(0..=len), 0.0);
            check(&p);
        }
    }
}

#[test]
fn logsumexp_of_logarithms_of_probabilities_is_within_2_ulp() {
    normalised::<f32>(&[2, 3, 7, 17, 64, 300, 5000]);
    normalised::<f64>(&[2, 3, 7, 17, 64, 300, 3000]);
}

/// Lanes whose maximum and logarithm cancel to between 2^-9 of the logarithm and all of it; returns the worst error.
fn cancelling<A: Element>(lengths: &[usize]) -> f64 {
    let mut rng = StdRng::seed_from_u64(13);
    let mut worst: f64 = 0.0;
    for &len in lengths {
        let mut lanes = Array2::<A>::zeros((len, 150));
        for mut lane in lanes.columns_mut() {
            let spread = rng.random_range(0.1..8.0);
            lane.mapv_inplace(|_| A::from_f64(spread * rng.random_range(-1.0..1.0)));
            let exact = Exact::new(&lane, 1.0).logsumexp().0.0;
            let log = exact - lane.iter().fold(f64::MIN, |max, x| max.max(Element::to_f64(*x)));
            let left = log * 2f64.powf(rng.random_range(-9.0..0.0));
            let left = if rng.random() { left } else { -left };
            lane.mapv_inplace(|x| A::from_f64(Element::to_f64(x) - exact + left));
        }
        let with_nothing = {
            let mut lanes = lanes.clone();
            lanes.push_row(Array1::from_elem(150, A::neg_infinity()).view()).expect("as wide");
            lanes.logsumexp(Axis(0))
        };
        let columns = lanes.logsumexp(Axis(0));
        let rows = lanes.reversed_axes().as_standard_layout().into_owned();
        assert_eq!(columns, rows.logsumexp(Axis(1)), "{} lanes of {len}", A::NAME);
        for ((lane, &lse), &other) in rows.rows().into_iter().zip(&columns).zip(&with_nothing) {
            assert_eq!(lse, lane.logsumexp(Axis(0))[()], "{} a lane of {len}", A::NAME);
            let exact = Exact::new(&lane, 1.0).logsumexp();
            let error = ulp_error(lse, exact).max(ulp_error(other, exact));
            assert!(error <= 2.0, "{} {len} elements: {error} ULP, {lse:?}", A::NAME);
            worst = worst.max(error);
        }
    }
    worst
}

#[test]
fn logsumexp_of_what_partly_cancels_is_within_1_ulp() {
    let (single, double) = (
        cancelling::<f32>(&[2, 3, 5, 8, 17, 64, 65, 300, 2049, 4097]),
        cancelling::<f64>(&[2, 3, 5, 8, 17, 64, 65, 300, 2049]),
    );
    println!("logsumexp of what partly cancels: f32 {single:.3}, f64 {double:.3} ULP");
    assert!(single <= 0.6 && double <= 0.75, "f32 {single}, f64 {double} ULP");
}
