//! The softmax family: accuracy against double-double arithmetic, axes, layouts, special lanes.

#[path = "softmax_reference/cancelling.rs"]
mod cancelling;
mod softmax_reference;
#[path = "softmax_reference/winners.rs"]
mod winners;

use ndarray::{Array, Array1, Array2, ArrayD, Axis, IxDyn, Slice, array, s};
use ndarray_activations::{Element, Level, prelude::*, with_level};
use rand::{Rng, SeedableRng, rngs::StdRng};
use softmax_reference::{Dd, Exact, ulp_error};

/// The families of lanes that the bounds are checked on.
fn lane<A: Element>(kind: usize, len: usize, rng: &mut StdRng) -> Array1<A> {
    let deep = if size_of::<A>() == 4 { 100.0 } else { 740.0 };
    let x: Vec<f64> = (0..len)
        .map(|i| {
            let u: f64 = rng.random();
            let normal = (-2.0 * (1.0 - u).ln()).sqrt()
                * (core::f64::consts::TAU * rng.random::<f64>()).cos();
            match kind {
                0 => -100.0 * u,
                1 => 4.0 * normal,
                2 => {
                    if i == len / 2 {
                        30.0
                    } else {
                        normal
                    }
                }
                3 => 1e4 + 3.0 * normal,
                4 => {
                    if i % 3 == 1 {
                        f64::NEG_INFINITY
                    } else {
                        normal
                    }
                }
                5 => {
                    if i == 0 {
                        0.0
                    } else {
                        -deep - 8.0 * u
                    }
                }
                6 => -3000.0 + 20.0 * u,
                7 => normal,
                8 => {
                    if i % 5 == 0 {
                        1e-3
                    } else {
                        -20.3 * u
                    }
                }
                9 => {
                    if i == 0 {
                        0.0
                    } else {
                        -17.3
                    }
                }
                10 => 0.1 * normal,
                _ => 1e30 * normal,
            }
        })
        .collect();
    x.into_iter().map(A::from_f64).collect()
}
const KINDS: usize = 12;

fn bounds<A: Element>(lengths: &[usize]) {
    let mut rng = StdRng::seed_from_u64(7);
    let mut worst = [0.0f64; 3];
    for &len in lengths {
        for kind in 0..KINDS {
            let x = lane::<A>(kind, len, &mut rng);
            let exact = Exact::new(&x, 1.0);
            let (y, log) = (x.softmax(Axis(0)), x.log_softmax(Axis(0)));
            let step = len / 3000 + 1;
            for i in (0..len).step_by(step) {
                let errors =
                    [ulp_error(y[i], exact.softmax(i)), ulp_error(log[i], exact.log_softmax(i))];
                for (which, error) in errors.into_iter().enumerate() {
                    assert!(
                        error <= 2.0,
                        "{} kind {kind} length {len} [{i}] of function {which}: {error} ULP, {:?} {:?}",
                        A::NAME,
                        y[i],
                        log[i]
                    );
                    worst[which] = worst[which].max(error);
                }
            }
            let lse = x.logsumexp(Axis(0))[()];
            let error = ulp_error(lse, exact.logsumexp());
            assert!(
                error <= 2.0,
                "{} kind {kind} length {len} logsumexp: {error} ULP, {lse:?}",
                A::NAME
            );
            worst[2] = worst[2].max(error);
            let zero = Dd(0.0, 0.0);
            let sum = y.iter().fold(zero, |sum, &y| sum.add(Dd(Element::to_f64(y), 0.0))).0;
            let ulp = Element::to_f64(A::epsilon());
            assert!(
                (sum - 1.0).abs() <= 4.0 * ulp,
                "{} kind {kind} length {len}: sum {sum}",
                A::NAME
            );
        }
    }
    println!(
        "{} worst: softmax {:.3}, log_softmax {:.3}, logsumexp {:.3} ULP",
        A::NAME,
        worst[0],
        worst[1],
        worst[2]
    );
}

#[test]
fn short_f32_lanes_are_within_2_ulp() {
    bounds::<f32>(&(1..=64).collect::<Vec<_>>());
}

#[test]
fn short_f64_lanes_are_within_2_ulp() {
    bounds::<f64>(&(1..=64).collect::<Vec<_>>());
}

#[test]
fn long_f32_lanes_are_within_2_ulp() {
    bounds::<f32>(&[100, 1000, 1024, 4096, 4097, 100_000, 1 << 20]);
}

#[test]
fn long_f64_lanes_are_within_2_ulp() {
    bounds::<f64>(&[100, 1000, 1024, 2048, 2049, 100_000]);
}

#[test]
#[ignore = "four minutes"]
fn the_longest_f32_lanes_are_within_2_ulp() {
    bounds::<f32>(&[1 << 24]);
}

#[test]
#[ignore = "four minutes"]
fn the_longest_f64_lanes_are_within_2_ulp() {
    bounds::<f64>(&[1 << 24]);
}

/// Within 2 ULP, where the largest element is finite.
fn assert_softmax<A: Element>(y: &Array1<A>, exact: &Exact, what: &str) {
    for (i, &y) in y.iter().enumerate().filter(|_| !exact.top.is_infinite()) {
        let error = ulp_error(y, exact.softmax(i));
        assert!(error <= 2.0, "{} {what} [{i}]: {error}", A::NAME);
    }
}

fn scaled<A: Element>() {
    let mut rng = StdRng::seed_from_u64(8);
    for factor in [-1.0, 0.125, 0.7, -3.3, 1.0 / 0.7, 1e-3, 40.0] {
        let factor = A::from_f64(factor).to_f64();
        for kind in 0..KINDS {
            let x = lane::<A>(kind, 300, &mut rng);
            let exact = Exact::new(&x, factor);
            let y = Softmax::along(Axis(0)).scale(factor).map(&x);
            assert_softmax(&y, &exact, &format!("kind {kind} factor {factor}"));
        }
    }
}

#[test]
fn scaled_softmax_is_within_2_ulp_of_the_exact_product() {
    scaled::<f32>();
    scaled::<f64>();
}

fn warm<A: Element>() {
    let mut rng = StdRng::seed_from_u64(9);
    let softmax = || Softmax::along(Axis(0));
    let seven = softmax().temperature(3.0).scale(-6.0).temperature(14.0).scale(-1.0);
    let over = |temperature| (softmax().temperature(temperature), temperature);
    for (op, temperature) in [over(3.0), over(-0.7), over(1e-3), over(49.0), (seven, 7.0)] {
        let far = Array1::from_iter([0.0, -30.0, -200.0, -2100.0].map(A::from_f64));
        let lanes = (0..KINDS).map(|kind| lane::<A>(kind, 300, &mut rng)).chain([far]);
        for (kind, x) in lanes.enumerate() {
            let exact = Exact::divided(&x, temperature);
            let y = op.map(&x);
            assert_softmax(&y, &exact, &format!("kind {kind} over {temperature}"));
        }
    }
}

#[test]
fn factors_of_several_calls_that_are_1_are_none() {
    for factor in 2..2000 {
        let twice = Softmax::along(Axis(0)).temperature(f64::from(factor)).scale(f64::from(factor));
        assert_eq!(twice, Softmax::along(Axis(0)), "over {factor}, times {factor}");
    }
}

#[test]
fn softmax_with_a_temperature_is_within_2_ulp_of_the_exact_quotient() {
    warm::<f32>();
    warm::<f64>();
}

#[test]
fn order_is_kept_between_adjacent_numbers() {
    // Around every place where the power of two changes.
    let mut x = vec![];
    for k in -60..=0 {
        let boundary = (f64::from(k) - 0.5) * core::f64::consts::LN_2;
        let mut v = boundary as f32;
        for _ in 0..40 {
            v = v.next_down();
        }
        for _ in 0..80 {
            x.push(v);
            v = v.next_up();
        }
    }
    let mut state = 1u32;
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let v = -(state as f32 / u32::MAX as f32) * 90.0;
        x.extend([v, v.next_up(), v.next_up().next_up()]);
    }
    for shift in [0.0f32, 5.0, -7.25] {
        let mut x: Vec<f32> = x.iter().map(|x| x + shift).collect();
        x.sort_by(f32::total_cmp);
        let x = Array1::from(x);
        for y in [x.softmax(Axis(0)), x.log_softmax(Axis(0))] {
            for i in 1..x.len() {
                assert!(y[i - 1] <= y[i], "{} -> {}: {} {}", x[i - 1], x[i], y[i - 1], y[i]);
            }
        }
    }
}

#[test]
fn every_axis_of_every_shape_agrees_with_the_lane_alone() {
    let mut rng = StdRng::seed_from_u64(3);
    let shapes: [&[usize]; 9] = [
        &[7],
        &[5, 33],
        &[33, 5],
        &[3, 17, 20],
        &[2, 3, 4, 5],
        &[2, 1, 3, 2, 19],
        &[2, 2, 2, 2, 2, 3],
        &[300, 40],
        &[1, 5000],
    ];
    for shape in shapes {
        let x = ArrayD::from_shape_simple_fn(IxDyn(shape), || rng.random_range(-9.0f32..9.0));
        for axis in (0..shape.len()).map(Axis) {
            let softmax = x.softmax(axis);
            let log = x.log_softmax(axis);
            let lse = x.logsumexp(axis);
            for (((x, y), l), lse) in
                x.lanes(axis).into_iter().zip(softmax.lanes(axis)).zip(log.lanes(axis)).zip(&lse)
            {
                let x = x.to_owned();
                assert_eq!(y, x.softmax(Axis(0)));
                assert_eq!(l, x.log_softmax(Axis(0)));
                assert_eq!(*lse, x.logsumexp(Axis(0))[()]);
            }
            let (p, l) = x.softmax_with_logsumexp(axis);
            assert_eq!((&p, &l), (&softmax, &lse));
            let mut inplace = x.clone();
            inplace.softmax_inplace(axis);
            assert_eq!(inplace, softmax);
            let mut out = ArrayD::from_elem(x.raw_dim(), f32::NAN);
            x.softmax_assign_into(axis, &mut out);
            assert_eq!(out, softmax);
        }
    }
}

#[test]
fn every_layout_gives_the_same_bits() {
    let mut rng = StdRng::seed_from_u64(4);
    let plain = Array2::from_shape_simple_fn((37, 70), || rng.random_range(-9.0f64..9.0));
    for axis in [Axis(0), Axis(1)] {
        let expected = plain.softmax(axis);
        let log = plain.log_softmax(axis);
        let mut fortran = Array2::zeros((70, 37)).reversed_axes();
        fortran.assign(&plain);
        assert_eq!(fortran.softmax(axis), expected);
        fortran.softmax_inplace(axis);
        assert_eq!(fortran, expected);
        let mut wide = Array2::zeros((37 * 3, 70 * 2));
        wide.slice_mut(s![..;-3, ..;2]).assign(&plain);
        let view = wide.slice(s![..;-3, ..;2]);
        assert_eq!(view.softmax(axis), expected);
        assert_eq!(view.log_softmax(axis), log);
        assert_eq!(view.logsumexp(axis), plain.logsumexp(axis));
        let mut out = Array2::zeros((37 * 2, 70));
        let mut strided = out.slice_axis_mut(Axis(0), Slice::new(0, None, -2));
        plain.softmax_assign_into(axis, &mut strided);
        assert_eq!(strided, expected);
        wide.slice_mut(s![..;-3, ..;2]).softmax_inplace(axis);
        assert_eq!(wide.slice(s![..;-3, ..;2]), expected);
        let row = plain.row(3);
        let broadcast = row.broadcast((37, 70)).unwrap();
        assert_eq!(broadcast.softmax(axis), broadcast.to_owned().softmax(axis));
    }
}

#[test]
fn every_level_and_thread_count_gives_the_same_bits() {
    let mut rng = StdRng::seed_from_u64(5);
    let huge = Array2::from_shape_simple_fn((1, 400_000), || rng.random_range(-9.0f32..9.0));
    let rows = Array2::from_shape_simple_fn((700, 300), || rng.random_range(-9.0f64..9.0));
    let all = || {
        (
            huge.softmax(Axis(1)),
            huge.log_softmax(Axis(1)),
            huge.logsumexp(Axis(1)),
            rows.softmax(Axis(0)),
            rows.log_softmax(Axis(1)),
            rows.logsumexp(Axis(0)),
        )
    };
    let expected = all();
    for level in Level::available() {
        assert!(with_level(level, all) == expected, "{level:?}");
    }
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(all) == expected, "{threads} threads");
    }
}

#[test]
fn special_lanes_follow_the_table() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for len in [1, 3, 16, 40, 5000] {
        for at in [0, len / 2, len - 1] {
            for (fill, special, lse) in [
                (1.0, nan, nan),
                (-inf, nan, nan),
                (1.0, inf, inf),
                (inf, nan, nan),
                (-inf, -inf, -inf),
            ] {
                let mut x = Array1::from_elem(len, fill);
                x[at] = special;
                assert!(x.softmax(Axis(0)).iter().all(|y| y.is_nan()), "{fill} {special}");
                assert!(x.log_softmax(Axis(0)).iter().all(|y| y.is_nan()), "{fill} {special}");
                let l = x.logsumexp(Axis(0))[()];
                assert!(l == lse || l.is_nan() && lse.is_nan(), "{fill} {special}: {l}");
            }
        }
    }
    assert_eq!(array![1.0f32, -inf].softmax(Axis(0)), array![1.0, 0.0]);
    assert_eq!(array![1.0f32, -inf].log_softmax(Axis(0)), array![0.0, -inf]);
    assert_eq!(array![-3.7f64].softmax(Axis(0)), array![1.0]);
    assert_eq!(array![1e300f64].log_softmax(Axis(0)), array![0.0]);
    let empty = Array2::<f32>::zeros((3, 0));
    assert_eq!(empty.softmax(Axis(1)).shape(), [3, 0]);
    assert_eq!(empty.softmax(Axis(0)).shape(), [3, 0]);
    assert_eq!(empty.logsumexp(Axis(1)), array![-inf, -inf, -inf]);
    assert_eq!(empty.logsumexp(Axis(0)).len(), 0);
}

#[test]
#[should_panic(expected = "axis 0 is out of range for an array with 0 axes")]
fn an_array_without_axes_has_no_softmax() {
    let _ = ndarray::arr0(1.0f32).softmax(Axis(0));
}

#[test]
#[should_panic(expected = "axis 2 is out of range for an array with 2 axes")]
fn an_axis_out_of_range_is_named() {
    let _ = Array2::<f32>::zeros((2, 2)).log_softmax(Axis(2));
}

#[test]
fn shifting_a_lane_changes_nothing() {
    let x = array![0.5f64, 3.0, -2.25, 7.0];
    for shift in [1e3, -64.0, 4096.0] {
        let shifted = (&x + shift).softmax(Axis(0));
        for (a, b) in shifted.iter().zip(&x.softmax(Axis(0))) {
            assert!((a / b - 1.0).abs() < 5e-16, "{a} {b}");
        }
    }
}

#[test]
fn known_wrong_answers_of_others_are_right_here() {
    // linfa: the maximum of the whole array instead of that of the row.
    let x = array![[0.0f64, 1.0], [1000.0, 1001.0]];
    assert_eq!(x.logsumexp(Axis(1))[0], 1.313_261_687_518_222_8);
    // concision: no maximum at all.
    let y = array![1010.0f64, 1000.0, 990.0].softmax(Axis(0));
    let expected = [9.99954600e-01, 4.53978686e-05, 2.06106005e-09];
    for (y, e) in y.iter().zip(expected) {
        assert!((y / e - 1.0).abs() < 1e-8);
    }
    // Everybody: the winner's log-probability is lost.
    assert_eq!(array![20.0f32, 0.0].log_softmax(Axis(0))[0], -2.061_153_7e-9);
    // torch: softmax into an output that is not contiguous.
    let x = Array2::from_shape_fn((6, 4), |(i, j)| (i * j) as f32);
    let mut out = Array2::from_elem((6, 8), 9.0f32);
    x.softmax_assign_into(Axis(1), &mut out.slice_mut(s![.., ..;2]));
    assert_eq!(out.slice(s![.., ..;2]), x.softmax(Axis(1)));
    assert!(out.slice(s![.., 1..;2]).iter().all(|&v| v == 9.0));
    // onnxruntime, jax, tensorflow: subnormal results flushed.
    let y = array![0.0f32, -100.0].softmax(Axis(0));
    assert!(y[1] > 0.0 && y[1] < f32::MIN_POSITIVE, "{}", y[1]);
    // A row alone and in a batch.
    let batch = Array::from_shape_fn((5, 13), |(i, j)| ((i * 7 + j * 5) % 11) as f32 * 0.37);
    for (row, y) in batch.rows().into_iter().zip(batch.softmax(Axis(1)).rows()) {
        assert_eq!(row.softmax(Axis(0)), y);
    }
}

#[test]
fn where_lines_of_the_cache_begin_changes_no_bit() {
    let mut rng = StdRng::seed_from_u64(77);
    let x = lane::<f32>(1, 1060, &mut rng);
    let memory = Array2::<f32>::zeros((1, 1100));
    for len in [600, 1043] {
        let x = x.slice(s![..len]).insert_axis(Axis(0)).to_owned();
        let (p, log) = (x.softmax(Axis(1)), x.log_softmax(Axis(1)));
        for to in 0..17 {
            let mut memory = memory.clone();
            let mut out = memory.slice_mut(s![.., to..to + len]);
            x.softmax_assign_into(Axis(1), &mut out);
            assert_eq!(out, p, "{len} to {to}");
            x.log_softmax_assign_into(Axis(1), &mut out);
            assert_eq!(out, log, "{len} to {to}");
            out.assign(&x);
            out.softmax_inplace(Axis(1));
            assert_eq!(out, p, "{len} in place at {to}");
            let beside = memory.slice(s![0, ..to]).sum() + memory.slice(s![0, to + len..]).sum();
            assert_eq!(beside, 0.0);
        }
    }
}
