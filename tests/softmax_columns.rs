//! Softmax along the first axis: every way of reading columns gives the bits of the lane alone.

use ndarray::{Array1, Array2, Array4, ArrayView2, ArrayView4, Axis, s};
use ndarray_activations::softmax::{log_softmax_backward, log_softmax_backward_inplace};
use ndarray_activations::softmax::{softmax_backward, softmax_backward_inplace};
use ndarray_activations::{Element, Level, prelude::*, with_level};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn bits<A: Element>(value: A) -> u64 {
    if value.is_nan() { u64::MAX } else { Element::to_f64(value).to_bits() }
}

fn assert_same<A: Element>(got: ArrayView2<'_, A>, expected: ArrayView2<'_, A>, what: &str) {
    assert_eq!(got.dim(), expected.dim(), "{what}");
    for (place, &got) in got.indexed_iter() {
        let expected = expected[place];
        assert_eq!(bits(got), bits(expected), "{what} {place:?}: {got:?}, expected {expected:?}");
    }
}

/// Columns that need every special case now and then: infinities, NaN, a dominant element, numbers so
/// large that the lane is shifted, chunks far below the rest.
fn columns<A: Element>(rows: usize, count: usize, kind: usize, rng: &mut StdRng) -> Array2<A> {
    let mut x = Array2::from_shape_simple_fn((rows, count), || rng.random_range(-6.0..6.0f64));
    let column = rng.random_range(0..count);
    let row = rng.random_range(0..rows);
    match kind {
        1 => x[(row, column)] = 40.0,
        2 => x[(row, column)] = f64::NAN,
        3 => x[(row, column)] = f64::INFINITY,
        4 => x.column_mut(column).fill(f64::NEG_INFINITY),
        5 => x.column_mut(column).mapv_inplace(|x| x + 3000.0),
        6 => x.slice_mut(s![..rows / 2, column]).mapv_inplace(|x| x - 120.0),
        7 => x.slice_mut(s![rows / 2.., ..]).mapv_inplace(|x| x - 700.0),
        8 => x.slice_mut(s![..rows - 1, ..]).fill(f64::NEG_INFINITY),
        _ => {}
    }
    x.mapv(A::from_f64)
}
const KINDS: usize = 9;

fn check<A: Element>(rows: usize, count: usize, kind: usize, rng: &mut StdRng) {
    let x = columns::<A>(rows, count, kind, rng);
    let what = format!("{} {rows} x {count} kind {kind}", A::NAME);
    // One lane after the other, each in memory of its own.
    let (mut soft, mut log) = (x.clone(), x.clone());
    for j in 0..count {
        let lane = x.column(j).to_owned();
        soft.column_mut(j).assign(&lane.softmax(Axis(0)));
        log.column_mut(j).assign(&lane.log_softmax(Axis(0)));
    }
    assert_same(x.softmax(Axis(0)).view(), soft.view(), &format!("softmax {what}"));
    assert_same(x.log_softmax(Axis(0)).view(), log.view(), &format!("log_softmax {what}"));
    let mut y = x.clone();
    y.softmax_inplace(Axis(0));
    assert_same(y.view(), soft.view(), &format!("softmax in place {what}"));
    let mut y = x.clone();
    y.log_softmax_inplace(Axis(0));
    assert_same(y.view(), log.view(), &format!("log_softmax in place {what}"));
    // Inside of a larger array, where rows are slices but do not follow one another.
    let mut wide = Array2::from_elem((rows + 2, count + 5), A::from_f64(7.0));
    wide.slice_mut(s![1..=rows, 3..count + 3]).assign(&x);
    let inner = wide.slice(s![1..=rows, 3..count + 3]);
    assert_same(inner.softmax(Axis(0)).view(), soft.view(), &format!("softmax of a part {what}"));
    let mut out = wide.clone();
    inner.softmax_assign_into(Axis(0), &mut out.slice_mut(s![1..=rows, 3..count + 3]));
    assert_same(out.slice(s![1..=rows, 3..count + 3]), soft.view(), &format!("into a part {what}"));
    let around = |at: (usize, usize)| at.0 == 0 || at.0 > rows || at.1 < 3 || at.1 >= count + 3;
    for (at, &value) in out.indexed_iter() {
        assert!(!around(at) || value == A::from_f64(7.0), "{what} wrote beside its output: {at:?}");
    }
}

fn shapes<A: Element>() {
    let mut rng = StdRng::seed_from_u64(5);
    for rows in [1, 2, 16, 63, 64, 65, 66, 80, 127, 128, 129, 512, 1023, 1024, 1025, 1040] {
        for count in [1, 2, 7, 8, 10, 15, 16, 17, 20, 31, 33, 47, 64, 65, 80, 130] {
            let kind = rng.random_range(0..KINDS);
            check::<A>(rows, count, kind, &mut rng);
        }
    }
    // Beyond a chunk, with last chunks of all kinds.
    for rows in [2048, 2049, 2100, 2300, 4096, 4097, 4160, 4161, 4200, 8192, 8500] {
        for (count, kind) in [(10, 0), (3, 6), (16, 7), (40, 1), (21, 5), (70, 6), (12, 7)] {
            check::<A>(rows, count, kind, &mut rng);
        }
    }
}

#[test]
fn columns_of_f32_have_the_bits_of_lanes() {
    shapes::<f32>();
}

#[test]
fn columns_of_f64_have_the_bits_of_lanes() {
    shapes::<f64>();
}

#[test]
fn every_kind_of_lane_has_the_same_bits_in_columns() {
    let mut rng = StdRng::seed_from_u64(6);
    for (rows, count) in
        [(20, 18), (70, 10), (200, 33), (4500, 10), (4500, 20), (4500, 64), (4500, 75)]
    {
        for kind in 0..KINDS {
            check::<f32>(rows, count, kind, &mut rng);
            check::<f64>(rows, count, kind, &mut rng);
        }
    }
}

#[test]
fn columns_have_the_same_bits_on_every_level() {
    let mut rng = StdRng::seed_from_u64(7);
    for (rows, count) in [(70, 10), (300, 65), (5000, 3), (60, 40)] {
        let x = columns::<f32>(rows, count, 1, &mut rng);
        let (soft, log) = (x.softmax(Axis(0)), x.log_softmax(Axis(0)));
        for level in Level::available() {
            let (got, got_log) = with_level(level, || (x.softmax(Axis(0)), x.log_softmax(Axis(0))));
            assert_same(got.view(), soft.view(), &format!("{level:?} {rows} x {count}"));
            assert_same(got_log.view(), log.view(), &format!("{level:?} {rows} x {count}, log"));
        }
    }
}

/// Wider than a tile, and beyond the caches.
#[test]
fn the_width_of_an_array_does_not_matter() {
    let mut rng = StdRng::seed_from_u64(8);
    for (rows, count) in [(3, 5000), (66, 2100), (70, 4097), (40, 30_000), (200, 6000)] {
        check::<f32>(rows, count, 0, &mut rng);
        check::<f64>(rows, count, 1, &mut rng);
    }
}

/// Columns of a few dozen to some hundred elements that come from memory, whole vectors of them and not.
#[test]
fn short_columns_from_memory_have_the_bits_of_lanes() {
    let mut rng = StdRng::seed_from_u64(11);
    for (index, (rows, count)) in
        [(33, 33_000), (64, 16_400), (100, 10_516), (192, 5_504), (256, 4_113)]
            .into_iter()
            .enumerate()
    {
        check::<f32>(rows, count, index % KINDS, &mut rng);
        check::<f64>(rows, count, (index + 5) % KINDS, &mut rng);
    }
    for kind in 0..KINDS {
        check::<f32>(64, 16_400, kind, &mut rng);
    }
    let x = columns::<f32>(70, 16_000, 6, &mut rng);
    let double = x.mapv(f64::from);
    let (soft, log) = (x.softmax(Axis(0)), x.log_softmax(Axis(0)));
    let of_double = double.log_softmax(Axis(0));
    for level in Level::available() {
        with_level(level, || {
            assert_same(x.softmax(Axis(0)).view(), soft.view(), &format!("{level:?}"));
            assert_same(x.log_softmax(Axis(0)).view(), log.view(), &format!("{level:?}, log"));
            let got = double.log_softmax(Axis(0));
            assert_same(got.view(), of_double.view(), &format!("{level:?}, log, f64"));
        });
    }
}

/// Rows in turn to threads, and chunks; some lanes are shifted, counted, dominated or far below the rest in a chunk.
#[test]
fn threads_that_share_columns_give_the_same_bits() {
    let mut rng = StdRng::seed_from_u64(9);
    for threads in [2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let shapes =
            [(1100, 300), (4166, 130), (9000, 33), (5000, 64), (8193, 70), (700, 700), (1024, 257)];
        for (rows, count) in shapes.into_iter().chain([(40, 5001), (300, 900), (50, 22_000)]) {
            let kind = rng.random_range(0..KINDS);
            pool.install(|| check::<f32>(rows, count, kind, &mut rng));
            pool.install(|| check::<f64>(rows, count, kind, &mut rng));
        }
    }
    for kind in 0..KINDS {
        check::<f32>(4200, 140, kind, &mut rng);
        check::<f32>(40_000, 10, kind, &mut rng);
    }
}

/// Every axis of arrays of four axes, in one run of memory and not, small and shared by threads.
fn planes<A: Element>(shapes: &[[usize; 4]]) {
    let mut rng = StdRng::seed_from_u64(10);
    for &shape in shapes {
        let mut random =
            || Array4::from_shape_simple_fn(shape, || A::from_f64(rng.random_range(-6.0..6.0f64)));
        let (x, dy) = (random(), random());
        for order in [[0, 1, 2, 3], [2, 0, 1, 3], [3, 2, 1, 0]] {
            let (x, dy) = (x.view().permuted_axes(order), dy.view().permuted_axes(order));
            for axis in (0..4).map(Axis) {
                along(x, dy, axis);
            }
        }
        // A part of an axis in the middle: rows that go on behind it, but not over it.
        let part = s![.., ..shape[1].div_ceil(2), .., ..];
        for axis in (0..4).map(Axis) {
            along(x.slice(part), dy.slice(part), axis);
        }
    }
}

/// All functions of lanes along an axis, beside those of each lane in memory of its own.
fn along<A: Element>(x: ArrayView4<'_, A>, dy: ArrayView4<'_, A>, axis: Axis) {
    let what = format!("{} {:?} along {axis:?}", A::NAME, x.shape());
    let (soft, log) = (x.softmax(axis), x.log_softmax(axis));
    let (dx, dlog) = (softmax_backward(&soft, &dy, axis), log_softmax_backward(&log, &dy, axis));
    let lanes = x.lanes(axis).into_iter().zip(dy.lanes(axis)).zip(x.logsumexp(axis));
    let outputs = soft.lanes(axis).into_iter().zip(log.lanes(axis));
    let slopes = dx.lanes(axis).into_iter().zip(dlog.lanes(axis));
    for ((((x, dy), sum), (soft, log)), (dx, dlog)) in lanes.zip(outputs).zip(slopes) {
        let (x, dy, first) = (x.to_owned(), dy.to_owned(), Axis(0));
        assert_eq!(x.softmax(first), soft, "softmax {what}");
        assert_eq!(x.log_softmax(first), log, "log_softmax {what}");
        assert_eq!(x.logsumexp(first)[()], sum, "logsumexp {what}");
        let soft = softmax_backward(&soft.to_owned(), &dy, first);
        assert_eq!(soft, dx, "gradient of softmax {what}");
        let log = log_softmax_backward(&log.to_owned(), &dy, first);
        assert_eq!(log, dlog, "gradient of log_softmax {what}");
    }
    let mut y = x.to_owned();
    y.softmax_inplace(axis);
    assert_eq!(y, soft, "softmax in place {what}");
    let mut y = Array4::zeros(x.raw_dim());
    x.log_softmax_assign_into(axis, &mut y);
    assert_eq!(y, log, "log_softmax into a buffer {what}");
    let (mut a, mut b) = (dy.to_owned(), dy.to_owned());
    softmax_backward_inplace(&soft, &mut a, axis);
    log_softmax_backward_inplace(&log, &mut b, axis);
    assert_eq!((a, b), (dx, dlog), "gradients in place {what}");
}

#[test]
fn planes_of_columns_have_the_bits_of_lanes() {
    let shapes = [[3, 20, 7, 11], [1, 70, 5, 13], [40, 3, 1, 17], [5, 2, 3, 1], [2, 21, 60, 60]];
    planes::<f32>(&shapes);
    planes::<f64>(&shapes);
    for level in Level::available() {
        with_level(level, || planes::<f32>(&shapes[..3]));
        with_level(level, || planes::<f64>(&shapes[..3]));
    }
}

/// Planes that come from memory, one after the other: rows of whole vectors and not, in one piece and in several.
#[test]
fn planes_from_memory_have_the_bits_of_lanes() {
    fn check<A: Element>(shape: [usize; 4]) {
        let mut rng = StdRng::seed_from_u64(12);
        let mut random =
            || Array4::from_shape_simple_fn(shape, || A::from_f64(rng.random_range(-6.0..6.0f64)));
        let (x, dy) = (random(), random());
        along(x.view(), dy.view(), Axis(1));
    }
    for shape in [
        [9, 40, 60, 55],
        [42, 100, 14, 19],
        [70, 64, 16, 16],
        [5, 180, 30, 40],
        // Long columns: belts of four planes and of seven, too few planes for one.
        [11, 1000, 10, 12],
        [3, 700, 22, 25],
    ] {
        check::<f32>(shape);
        check::<f64>(shape);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| check::<f32>([140, 66, 13, 9]));
    pool.install(|| check::<f32>([5, 256, 30, 30]));
    for level in Level::available() {
        with_level(level, || check::<f32>([28, 150, 16, 17]));
        with_level(level, || check::<f64>([14, 150, 16, 17]));
    }
}

/// A few columns, which are read as runs of several rows, few rows, rows of several parts and of part of a vector, rows
/// whose neighbours are other columns.
fn gradients<A: Element>((rows, count): (usize, usize), rng: &mut StdRng) {
    let first = Axis(0);
    let mut random = |most: f64| {
        Array2::from_shape_simple_fn((rows, count + 3), || {
            let x = rng.random_range(-most..most);
            // Zeros of both signs among them.
            A::from_f64(if x.abs() < 0.1 * most { 0.0 * x } else { x })
        })
    };
    let (x, dy) = (random(6.0), random(1.0));
    for part in [s![.., ..count], s![.., 3..]] {
        let (x, dy) = (x.slice(part), dy.slice(part));
        for is_whole in [true, false] {
            let what = format!("{} {rows} x {count}, in one run: {is_whole}", A::NAME);
            let (soft, log) = (x.softmax(first), x.log_softmax(first));
            let dy = if is_whole { dy.to_owned().into_shared() } else { dy.to_shared() };
            let lane = |f: fn(&Array1<A>, &Array1<A>, Axis) -> Array1<A>, y: &Array2<A>| {
                let mut expected = Array2::zeros(y.raw_dim());
                for (i, mut expected) in expected.columns_mut().into_iter().enumerate() {
                    expected.assign(&f(&y.column(i).to_owned(), &dy.column(i).to_owned(), first));
                }
                expected
            };
            let of_soft = lane(|y, dy, axis| softmax_backward(y, dy, axis), &soft);
            let of_log = lane(|y, dy, axis| log_softmax_backward(y, dy, axis), &log);
            for level in Level::available() {
                with_level(level, || {
                    let what = format!("{what}, {level:?}");
                    assert_same(softmax_backward(&soft, &dy, first).view(), of_soft.view(), &what);
                    let got = log_softmax_backward(&log, &dy, first);
                    assert_same(got.view(), of_log.view(), &format!("{what}, logarithm"));
                    // In place, in a run of its own and among other columns.
                    let mut all = Array2::zeros((rows, count + 3));
                    let mut own = Array2::zeros((rows, count));
                    for mut dx in [own.view_mut(), all.slice_mut(part)] {
                        dx.assign(&dy);
                        softmax_backward_inplace(&soft, &mut dx, first);
                        assert_same(dx.view(), of_soft.view(), &format!("{what}, in place"));
                        dx.assign(&dy);
                        log_softmax_backward_inplace(&log, &mut dx, first);
                        assert_same(
                            dx.view(),
                            of_log.view(),
                            &format!("{what}, logarithm in place"),
                        );
                    }
                    assert!(all.iter().filter(|&&x| x != A::zero()).count() <= own.len());
                });
            }
        }
    }
}

#[test]
fn gradients_of_columns_have_the_bits_of_lanes() {
    let mut rng = StdRng::seed_from_u64(13);
    for shape in [
        (1, 5),
        (2, 40),
        (5, 3),
        (7, 9),
        (8, 1),
        (9, 2),
        (15, 3),
        (16, 3),
        (17, 31),
        (33, 64),
        (63, 17),
        (64, 65),
        (100, 7),
        (129, 50),
        (1000, 10),
        (1031, 31),
        (40, 4101),
        (9, 8200),
    ] {
        gradients::<f32>(shape, &mut rng);
        gradients::<f64>(shape, &mut rng);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| gradients::<f32>((300, 1500), &mut rng));
    pool.install(|| gradients::<f64>((300, 700), &mut rng));
}
