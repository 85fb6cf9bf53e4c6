//! Masks, projections, gradients and streams beside softmax.

use ndarray::{Array1, Array2, Axis, array};
use ndarray_activations::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-4.0..4.0))
}

#[test]
fn a_masked_lane_is_the_softmax_of_what_is_kept() {
    let x = random(9, 40, 1);
    let mask = x.mapv(|x| x > -1.5);
    let (p, log) = (x.softmax_masked(Axis(1), &mask), x.log_softmax_masked(Axis(1), &mask));
    for i in 0..9 {
        let hidden =
            Array1::from_shape_fn(40, |j| if mask[(i, j)] { x[(i, j)] } else { f64::NEG_INFINITY });
        assert_eq!(p.row(i), hidden.softmax(Axis(0)));
        assert_eq!(log.row(i), hidden.log_softmax(Axis(0)));
    }
}

#[test]
fn masks_broadcast_and_fully_masked_lanes_are_zero() {
    let x = random(4, 6, 2);
    let row = array![true, false, true, true, false, true];
    let wide = row.broadcast((4, 6)).unwrap().to_owned();
    assert_eq!(x.softmax_masked(Axis(0), &row), x.softmax_masked(Axis(0), &wide));
    assert_eq!(x.softmax_masked(Axis(1), &row), x.softmax_masked(Axis(1), &wide));
    let none = array![[true], [false], [true], [true]];
    let p = x.softmax_masked(Axis(1), &none);
    assert!(p.row(1).iter().all(|&p| p == 0.0));
    assert_eq!(p.row(0), x.row(0).softmax(Axis(0)));
    let log = x.log_softmax_masked(Axis(1), &none);
    assert!(log.row(1).iter().all(|&l| l == f64::NEG_INFINITY));
}

#[test]
fn what_is_masked_out_does_not_matter() {
    let x = array![[1.0f32, f32::NAN, 2.0, f32::INFINITY]];
    let p = x.softmax_masked(Axis(1), &array![true, false, true, false]);
    let kept = array![1.0f32, 2.0].softmax(Axis(0));
    assert_eq!(p, array![[kept[0], 0.0, kept[1], 0.0]]);
}

#[test]
#[should_panic(expected = "the mask of shape [3] cannot be broadcast to [2, 2]")]
fn a_mask_of_another_shape_is_named() {
    let _ = Array2::<f32>::zeros((2, 2)).softmax_masked(Axis(1), &array![true, false, true]);
}

#[test]
#[should_panic(expected = "expected [2, 2], got [2, 3]")]
fn an_output_of_another_shape_is_named() {
    Array2::<f32>::zeros((2, 2)).softmax_assign_into(Axis(1), &mut Array2::zeros((2, 3)));
}

#[test]
fn a_factor_of_one_gives_the_bits_of_softmax_and_of_minus_one_those_of_softmin() {
    let x = random(5, 33, 3);
    assert_eq!(Softmax::along(Axis(1)).map(&x), x.softmax(Axis(1)));
    assert_eq!(Softmax::along(Axis(1)).scale(-1.0).map(&x), x.softmin(Axis(1)));
    assert_eq!(x.softmin(Axis(0)), (-&x).softmax(Axis(0)));
    let (mut y, mut out) = (x.clone(), Array2::zeros((5, 33)));
    let cold = Softmax::along(Axis(0)).temperature(0.7);
    cold.map_inplace(&mut y);
    cold.map_assign_into(&x, &mut out);
    assert_eq!(y, cold.map(&x));
    assert_eq!(out, y);
}

#[test]
fn hardmax_takes_the_first_of_equals() {
    let x = array![[3.0f32, 1.0], [3.0, 5.0], [2.0, 5.0]];
    assert_eq!(x.hardmax(Axis(0)), array![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
    assert_eq!(x.hardmax(Axis(1)), array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]);
    assert!(array![1.0f32, f32::NAN].hardmax(Axis(0)).iter().all(|y| y.is_nan()));
}

#[test]
fn sparsemax_is_the_nearest_point_of_the_simplex() {
    let x = random(30, 12, 4);
    for (x, y) in x.rows().into_iter().zip(x.sparsemax(Axis(1)).rows()) {
        assert!((y.sum() - 1.0).abs() < 1e-14);
        // The conditions of Karush, Kuhn and Tucker: x − y is τ on the support, at most τ beside it.
        let tau =
            (0..12).filter(|&i| y[i] > 0.0).map(|i| x[i] - y[i]).fold(f64::NEG_INFINITY, f64::max);
        for i in 0..12 {
            assert!(y[i] >= 0.0 && x[i] - y[i] <= tau + 1e-14);
            assert!(y[i] == 0.0 || (x[i] - y[i] - tau).abs() < 1e-14);
        }
    }
    assert_eq!(array![2.0f64, 0.0, 0.5].sparsemax(Axis(0)), array![1.0, 0.0, 0.0]);
    assert_eq!(array![1e8f32, 1e8, -3.0].sparsemax(Axis(0)), array![0.5, 0.5, 0.0]);
}

#[test]
fn gradients_agree_with_finite_differences() {
    let (x, w) = (random(6, 7, 5), random(6, 7, 6));
    let h = 1e-5;
    for axis in [Axis(0), Axis(1)] {
        let dx = softmax_backward(&x.softmax(axis), &w, axis);
        let dlog = log_softmax_backward(&x.log_softmax(axis), &w, axis);
        for at in [(0, 0), (3, 2), (5, 6)] {
            let (mut up, mut down) = (x.clone(), x.clone());
            up[at] += h;
            down[at] -= h;
            let slope = ((up.softmax(axis) - down.softmax(axis)) * &w).sum() / (2.0 * h);
            assert!((dx[at] - slope).abs() < 1e-8, "{} {slope}", dx[at]);
            let slope = ((up.log_softmax(axis) - down.log_softmax(axis)) * &w).sum() / (2.0 * h);
            assert!((dlog[at] - slope).abs() < 1e-8, "{} {slope}", dlog[at]);
        }
        let (mut a, mut b) = (w.clone(), w.clone());
        softmax_backward_inplace(&x.softmax(axis), &mut a, axis);
        log_softmax_backward_inplace(&x.log_softmax(axis), &mut b, axis);
        assert_eq!((a, b), (dx, dlog));
    }
}

#[test]
fn sums_of_gradients_have_twice_the_digits() {
    let mut rng = StdRng::seed_from_u64(77);
    for len in [2, 9, 40, 700] {
        // Products of y and dy that are large and cancel but for one: 2^60 + 1 - 2^60.
        let mut dy: Array1<f64> =
            Array1::from_shape_simple_fn(len, || rng.random_range(-9..9).into());
        let y = Array1::from_elem(len, 0.25);
        let rest: f64 = dy.iter().skip(1).sum();
        dy[0] = -rest + 2f64.powi(60);
        dy[len - 1] -= 2f64.powi(60) - 4.0;
        let sum = 0.25 * dy.iter().map(|&dy| dy as i128).sum::<i128>() as f64;
        let expected = dy.mapv(|dy| 0.25 * (dy - sum));
        assert_eq!(softmax_backward(&y, &dy, Axis(0)), expected, "{len}");
        let log = Array1::from_elem(len, f64::NEG_INFINITY);
        assert_eq!(log_softmax_backward(&log, &dy, Axis(0)), dy, "{len}");
        // In single precision sums and products are those of doubles.
        let x = random(1, len, len as u64).mapv(|x| x as f32);
        let (y, dy) = (x.softmax(Axis(1)), random(1, len, 99).mapv(|x| 1e3 + x as f32));
        let [y_wide, dy_wide] = [&y, &dy].map(|x| x.mapv(f64::from));
        let wide = softmax_backward(&y_wide, &dy_wide, Axis(1));
        for (&dx, &wide) in softmax_backward(&y, &dy, Axis(1)).iter().zip(&wide) {
            let error = (f64::from(dx) - wide).abs();
            assert!(error <= 0.501 * f64::from(f32::EPSILON) * wide.abs(), "{dx} {wide}");
        }
    }
}

/// Units in the last place between two numbers of one sign.
fn distance(a: f32, b: f32) -> u32 {
    a.to_bits().abs_diff(b.to_bits())
}

#[test]
fn streams_merge_in_any_grouping() {
    let mut rng = StdRng::seed_from_u64(7);
    for spread in [1.0f32, 30.0, 1000.0] {
        let x: Vec<f32> = (0..3000).map(|_| rng.random_range(0.0..spread)).collect();
        let all = Array1::from(x.clone()).logsumexp(Axis(0))[()];
        let part = |x: &[f32]| SoftmaxStats::new().push_slice(x);
        let (a, b, c) = (part(&x[..700]), part(&x[700..701]), part(&x[701..]));
        let one_by_one = x.iter().fold(SoftmaxStats::new(), |stats, &x| stats.push(x));
        for stats in
            [a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b), part(&x), one_by_one]
        {
            assert!(distance(stats.logsumexp(), all) <= 2, "{} {all}", stats.logsumexp());
            assert_eq!(stats.max(), x.iter().copied().fold(f32::MIN, f32::max));
        }
    }
    let stats = SoftmaxStats::new().push(f64::NEG_INFINITY).push(3.0).merge(SoftmaxStats::new());
    assert_eq!((stats.logsumexp(), stats.max()), (3.0, 3.0));
    assert_eq!(SoftmaxStats::new().push(f64::INFINITY).push(1.0).logsumexp(), f64::INFINITY);
    assert!(SoftmaxStats::new().push(f64::NAN).push(1.0).logsumexp().is_nan());
    assert!(SoftmaxStats::new().push(1.0).push(f64::NAN).max().is_nan());
    assert!(SoftmaxStats::new().push(1.0f32).push_slice(&[f32::NAN]).logsumexp().is_nan());
}

#[test]
fn masks_gradients_and_sums_along_the_first_axis_have_the_bits_of_the_last() {
    for (rows, columns) in [(40, 50), (3, 17), (70, 16), (5, 1), (300, 33)] {
        let (x, w) = (random(rows, columns, 12), random(rows, columns, 13));
        let mask = x.mapv(|x| x > -2.0);
        let turned = |x: &Array2<f64>| x.t().as_standard_layout().into_owned();
        let (x_t, w_t) = (turned(&x), turned(&w));
        let mask_t = mask.t().as_standard_layout().into_owned();
        let (first, last) = (Axis(0), Axis(1));
        assert_eq!(x.softmax_masked(first, &mask), x_t.softmax_masked(last, &mask_t).t());
        assert_eq!(x.log_softmax_masked(first, &mask), x_t.log_softmax_masked(last, &mask_t).t());
        let (y, y_t) = (x.softmax(first), x_t.softmax(last));
        assert_eq!(softmax_backward(&y, &w, first), softmax_backward(&y_t, &w_t, last).t());
        let (log, log_t) = (x.log_softmax(first), x_t.log_softmax(last));
        let dx = log_softmax_backward(&log, &w, first);
        assert_eq!(dx, log_softmax_backward(&log_t, &w_t, last).t());
        assert_eq!(x.logsumexp(first), x_t.logsumexp(last));
        let (both, both_t) = (x.softmax_with_logsumexp(first), x_t.softmax_with_logsumexp(last));
        assert_eq!((both.0.view(), both.1), (both_t.0.t(), both_t.1));
    }
}
