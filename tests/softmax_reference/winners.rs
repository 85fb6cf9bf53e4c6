//! log_softmax of lanes that one element leads.

use ndarray::{Array1, Axis};
use ndarray_activations::{Element, prelude::*};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::softmax_reference::{Exact, ulp_error};

/// One element beside others that are together about `2^-power` of it.
fn winner<A: Element>(len: usize, power: f64, rng: &mut StdRng) -> Array1<A> {
    let others: Vec<f64> = (1..len).map(|_| 3.0 * rng.random::<f64>() - 10.0).collect();
    let sum: f64 = others.iter().map(|x| x.exp()).sum();
    let winner = sum.ln() + power * core::f64::consts::LN_2;
    let place = rng.random_range(0..len);
    let mut x = others;
    x.insert(place, winner);
    x.into_iter().map(A::from_f64).collect()
}

/// On both sides of the ratio from which on the largest elements are counted.
fn winners<A: Element>() {
    let (mut rng, mut worst) = (StdRng::seed_from_u64(11), 0.0f64);
    for (len, count) in [(65, 300), (300, 100), (4096, 20), (5000, 20), (100_000, 2)] {
        for _ in 0..count {
            let power = rng.random_range(-1.0..8.0);
            let x = winner::<A>(len, power, &mut rng);
            let (exact, log) = (Exact::new(&x, 1.0), x.log_softmax(Axis(0)));
            let top = (0..len).max_by(|&i, &j| x[i].partial_cmp(&x[j]).unwrap()).unwrap();
            let error = ulp_error(log[top], exact.log_softmax(top));
            worst = worst.max(error);
            assert!(error <= 1.0, "{} {len}, 2^-{power} beside: {error} ULP", A::NAME);
        }
    }
    println!("{} winners: {worst:.3} ULP", A::NAME);
}

#[test]
fn winners_of_any_lead_keep_their_digits() {
    winners::<f32>();
    winners::<f64>();
}
