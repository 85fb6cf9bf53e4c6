//! Rows of a large array give the bits that they give alone, whatever stands before and behind them.

use ndarray::{
    Array1, Array2, Array3, ArrayRef, ArrayView2, ArrayView3, ArrayViewMut2, Axis, Ix3, Zip, s,
};
use ndarray_activations::softmax::{
    log_softmax_backward, log_softmax_backward_inplace, softmax_backward, softmax_backward_inplace,
};
use ndarray_activations::{Element, Level, prelude::*, with_level};

/// Rows for every way through the loops: usual ones, one element that is nearly all of the sum, sums that are shifted
/// by their maximum, and those without a result.
fn row(number: usize, len: usize) -> Vec<f64> {
    let mut seed = number as u64 + 1;
    let mut noise = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 40) as f64 / (1u64 << 24) as f64 * 12.0 - 6.0
    };
    let mut row: Vec<f64> = (0..len).map(|_| noise()).collect();
    let place = number * 31 % len;
    match number * 7 % 11 {
        0 => row[place] = 30.0,
        1 => row[place] = 100.0,
        2 => row.iter_mut().for_each(|x| *x += 3000.0),
        3 => row.iter_mut().for_each(|x| *x = *x * 100.0 - 1e5),
        4 => row[place] = f64::NAN,
        5 => row[place] = f64::INFINITY,
        6 => row.iter_mut().step_by(3).for_each(|x| *x = f64::NEG_INFINITY),
        7 => row.fill([f64::NEG_INFINITY, 1.5][number % 2]),
        _ => (),
    }
    row
}

/// Bits, but for those of NaN.
fn bits<A: Element>(y: &A) -> u64 {
    if y.is_nan() { 1 } else { Element::to_f64(*y).to_bits() }
}

fn check<A: Element>(len: usize, rows: usize, offset: usize) {
    let x: Vec<A> = (0..rows).flat_map(|r| row(r, len)).map(A::from_f64).collect();
    let x = ArrayView2::from_shape((rows, len), &x).unwrap();
    let mut memory = vec![A::from_f64(7.0); offset + rows * len + 1];
    let (out, behind) = memory[offset..].split_at_mut(rows * len);
    let mut out = ArrayViewMut2::from_shape((rows, len), out).unwrap();
    for log in [false, true] {
        match log {
            true => x.log_softmax_assign_into(Axis(1), &mut out),
            false => x.softmax_assign_into(Axis(1), &mut out),
        }
        for (r, (x, y)) in x.outer_iter().zip(out.outer_iter()).enumerate() {
            let alone = if log { x.log_softmax(Axis(0)) } else { x.softmax(Axis(0)) };
            let [y, alone] = [y.to_owned(), alone].map(|row: Array1<A>| row.mapv(|y| bits(&y)));
            assert!(
                y == alone,
                "row {r} of {rows} x {len}, log {log}, {offset} elements into memory"
            );
        }
        assert!(behind[0] == A::from_f64(7.0), "nothing is written behind the output");
    }
}

fn all<A: Element>() {
    for level in Level::available() {
        with_level(level, || {
            for len in [65, 66, 79, 96, 100, 255, 500, 512, 1000, 1024] {
                for rows in [70, 75] {
                    check::<A>(len, rows, len % 5);
                }
            }
            for (len, rows) in [(2049, 20), (4095, 11), (4096, 9)] {
                check::<A>(len, rows, 0);
            }
        });
    }
}

#[test]
fn f32_rows_give_the_bits_that_they_give_alone() {
    all::<f32>();
}

#[test]
fn f64_rows_give_the_bits_that_they_give_alone() {
    all::<f64>();
}

/// Lanes that are runs of memory but not along the last axis: in the same order in both arrays, in others, backwards.
fn other_orders<A: Element>(len: usize) {
    let (planes, rows) = (3, 100);
    let x: Vec<A> = (0..planes * rows).flat_map(|r| row(r, len)).map(A::from_f64).collect();
    let x = ArrayView3::from_shape((planes, rows, len), &x).unwrap();
    let softmaxes = x.softmax(Axis(2));
    let expected = softmaxes.mapv(|y| bits(&y));
    for axes in [[0, 1, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1], [2, 1, 0], [1, 0, 2]] {
        let axis = Axis(axes.iter().position(|&axis| axis == 2).unwrap());
        let same = expected.view().permuted_axes(axes);
        let mut turned = x.permuted_axes(axes);
        assert!(turned.softmax(axis).mapv(|y| bits(&y)) == same, "{len}: new, {axes:?}");
        let mut out = x.to_owned();
        turned.softmax_assign_into(axis, &mut out.view_mut().permuted_axes(axes));
        assert!(out.mapv(|y| bits(&y)) == expected, "{len}: the same order, {axes:?}");
        let mut out = Array3::<A>::zeros(turned.raw_dim());
        turned.softmax_assign_into(axis, &mut out);
        assert!(out.mapv(|y| bits(&y)) == same, "{len}: another order, {axes:?}");
        let mut out = x.to_owned();
        out.view_mut().permuted_axes(axes).softmax_inplace(axis);
        assert!(out.mapv(|y| bits(&y)) == expected, "{len}: in place, {axes:?}");
        // With steps along the lanes, and along all axes.
        let mut wide = Array3::from_elem((2 * planes, 2 * rows, 3 * len), A::from_f64(2e3));
        let apart = s![..;2, ..;2, ..;3];
        wide.slice_mut(apart).assign(&x);
        let wide = wide.slice(apart).permuted_axes(axes);
        assert!(wide.softmax(axis).mapv(|y| bits(&y)) == same, "{len}: steps, {axes:?}");
        let mut out = x.to_owned();
        wide.softmax_assign_into(axis, &mut out.view_mut().permuted_axes(axes));
        assert!(out.mapv(|y| bits(&y)) == expected, "{len}: from steps, {axes:?}");
        let other = Axis((axis.index() + 1) % 3);
        turned.invert_axis(other);
        let mut out = x.to_owned().permuted_axes(axes);
        out.invert_axis(other);
        turned.softmax_assign_into(axis, &mut out);
        out.invert_axis(other);
        assert!(out.mapv(|y| bits(&y)) == same, "{len}: backwards, {axes:?}");
    }
}

#[test]
fn lanes_that_are_runs_of_memory_have_the_same_bits_in_any_order_of_axes() {
    for level in Level::available() {
        with_level(level, || {
            for len in [1, 2, 5, 10, 16, 17, 33, 64, 65, 100] {
                other_orders::<f32>(len);
                other_orders::<f64>(len);
            }
        });
    }
}

/// One number for each lane: rows together, columns together, and lanes that are gathered one by one.
fn reduced<A: Element>(len: usize) {
    let (planes, rows) = (3, 41);
    let x: Vec<A> = (0..planes * rows).flat_map(|r| row(r, len)).map(A::from_f64).collect();
    let mut x = Array3::from_shape_vec((planes, rows, len), x).unwrap();
    // Logarithms of probabilities, whose result is next to nothing.
    for mut lane in x.slice_mut(s![.., ..;3, ..]).lanes_mut(Axis(2)) {
        let log = lane.logsumexp(Axis(0))[()];
        lane.mapv_inplace(|x| x - log);
    }
    let expected = Array2::from_shape_fn((planes, rows), |(i, j)| {
        let apart = Array1::from_iter(x.slice(s![i, j, ..]).iter().flat_map(|&x| [x, x]));
        bits(&apart.slice(s![..;2]).logsumexp(Axis(0))[()])
    });
    let check = |what: &str, logs: Array2<A>| {
        assert!(logs.mapv(|y| bits(&y)) == expected, "{len}: {what}");
    };
    check("rows", x.logsumexp(Axis(2)));
    check("rows, with softmax", x.softmax_with_logsumexp(Axis(2)).1);
    let columns = x.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    check("columns", columns.logsumexp(Axis(1)));
    check("columns, with softmax", columns.softmax_with_logsumexp(Axis(1)).1);
    check("columns that are rows", x.view().permuted_axes([2, 0, 1]).logsumexp(Axis(0)));
    let mut backwards = columns.slice(s![.., .., ..;-1]).logsumexp(Axis(1));
    backwards.invert_axis(Axis(1));
    check("backwards", backwards);
}

#[test]
fn sums_of_rows_and_columns_have_the_bits_of_lanes_alone() {
    for level in Level::available() {
        with_level(level, || {
            for len in [1, 2, 3, 10, 16, 33, 64, 65, 66, 100, 300] {
                reduced::<f32>(len);
                reduced::<f64>(len);
            }
            reduced::<f32>(4099);
            reduced::<f64>(2051);
        });
    }
}

/// What a mask leaves, lane by lane.
fn masked<A: Element>(len: usize) {
    let (planes, rows) = (4, 61);
    let x: Vec<A> = (0..planes * rows).flat_map(|r| row(r, len)).map(A::from_f64).collect();
    let x = Array3::from_shape_vec((planes, rows, len), x).unwrap();
    let all = Array3::from_shape_fn((planes, rows, len), |(i, j, k)| (i + 3 * j + k) % 5 > j % 5);
    let causal = Array2::from_shape_fn((rows, len), |(j, k)| k <= j);
    let padding = Array3::from_shape_fn((planes, 1, len), |(i, _, k)| k < len - i * len / planes);
    for mask in [all.view().into_dyn(), causal.view().into_dyn(), padding.view().into_dyn()] {
        let wide = mask.broadcast((planes, rows, len)).unwrap();
        for log in [false, true] {
            let hidden = if log { A::neg_infinity() } else { A::zero() };
            let mut expected = x.clone();
            for (mut lane, keep) in expected.lanes_mut(Axis(2)).into_iter().zip(wide.lanes(Axis(2)))
            {
                let seen = Array1::from_iter(
                    lane.iter()
                        .zip(keep)
                        .map(|(&x, &keep)| if keep { x } else { A::neg_infinity() }),
                );
                let y = if log { seen.log_softmax(Axis(0)) } else { seen.softmax(Axis(0)) };
                Zip::from(&mut lane).and(&y).and(keep).for_each(|to, &y, &keep| {
                    *to = if keep { y } else { hidden };
                });
            }
            let expected = expected.mapv(|y| bits(&y));
            for axes in [[0, 1, 2], [0, 2, 1], [2, 1, 0]] {
                let (turned, mask) = (x.view().permuted_axes(axes), wide.permuted_axes(axes));
                let axis = Axis(axes.iter().position(|&axis| axis == 2).unwrap());
                for x in [turned.to_owned(), turned.as_standard_layout().into_owned()] {
                    let y = match log {
                        true => x.log_softmax_masked(axis, &mask),
                        false => x.softmax_masked(axis, &mask),
                    };
                    let same = y.mapv(|y| bits(&y)) == expected.view().permuted_axes(axes);
                    assert!(same, "{len}: {axes:?}, log {log}, {:?}", mask.strides());
                }
            }
        }
    }
}

#[test]
fn what_a_mask_leaves_has_the_bits_of_lanes_alone() {
    for len in [1, 5, 10, 64, 100, 300] {
        masked::<f32>(len);
        masked::<f64>(len);
    }
}

/// Gradients of rows, of columns, in place and of lanes that are gathered one by one.
fn gradients<A: Element>(len: usize) {
    let (planes, rows) = (3, 23);
    let noise = |seed: usize| {
        let x: Vec<A> = (seed..seed + planes * rows)
            .flat_map(|r| row(11 * r + 5, len))
            .map(|x| A::from_f64(if x.is_finite() { x } else { 0.5 }))
            .collect();
        Array3::from_shape_vec((planes, rows, len), x).unwrap()
    };
    let (y, dy) = (noise(1).softmax(Axis(2)), noise(200));
    let log = y.mapv(|y| A::from_f64(Element::to_f64(y).ln()));
    let apart = |x: &Array3<A>| {
        let mut wide = Array3::from_elem((planes, rows, 2 * len), A::from_f64(9.0));
        wide.slice_mut(s![.., .., ..;2]).assign(x);
        wide
    };
    let columns =
        |x: &Array3<A>| x.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    type Gradient<A> = fn(&ArrayRef<A, Ix3>, &ArrayRef<A, Ix3>, Axis) -> Array3<A>;
    type InPlace<A> = fn(&ArrayRef<A, Ix3>, &mut ArrayRef<A, Ix3>, Axis);
    let all: [(&Array3<A>, Gradient<A>, InPlace<A>); 2] = [
        (&y, softmax_backward, softmax_backward_inplace),
        (&log, log_softmax_backward, log_softmax_backward_inplace),
    ];
    for (y, gradient, in_place) in all {
        let (wide_y, wide_dy) = (apart(y), apart(&dy));
        let step = s![.., .., ..;2];
        let lanes = gradient(&wide_y.slice(step), &wide_dy.slice(step), Axis(2));
        let expected = lanes.mapv(|y| bits(&y));
        assert!(gradient(y, &dy, Axis(2)).mapv(|y| bits(&y)) == expected, "{len}: rows");
        let of_columns = gradient(&columns(y), &columns(&dy), Axis(1)).permuted_axes([0, 2, 1]);
        assert!(of_columns.mapv(|y| bits(&y)) == expected, "{len}: columns");
        let mut dx = dy.clone();
        in_place(y, &mut dx, Axis(2));
        assert!(dx.mapv(|y| bits(&y)) == expected, "{len}: in place");
        let mut dx = columns(&dy);
        in_place(&columns(y), &mut dx, Axis(1));
        assert!(columns(&dx).mapv(|y| bits(&y)) == expected, "{len}: columns in place");
    }
}

#[test]
fn gradients_of_rows_and_columns_have_the_bits_of_lanes_alone() {
    for level in Level::available() {
        with_level(level, || {
            for len in [1, 2, 7, 8, 10, 16, 33, 64, 100, 2100] {
                gradients::<f32>(len);
                gradients::<f64>(len);
            }
        });
    }
}

/// A few lanes go other ways than many: lanes of one, of two, of less and more than a vector has, in every form.
fn check_few<A: Element>(len: usize) {
    let many = 200;
    let x: Vec<A> = (0..many).flat_map(|r| row(r, len)).map(A::from_f64).collect();
    let x = ArrayView2::from_shape((many, len), &x).unwrap();
    let (soft, log, sums) =
        (x.softmax(Axis(1)), x.log_softmax(Axis(1)), x.logsumexp(Axis(1)).mapv(|y| bits(&y)));
    let same = |got: &Array2<A>, all: &Array2<A>, rows: core::ops::Range<usize>, what: &str| {
        let expected = all.slice(s![rows.clone(), ..]).mapv(|y| bits(&y));
        assert!(got.mapv(|y| bits(&y)) == expected, "{what}: {rows:?} of {len}");
    };
    for count in [1, 2, 3, 5, 8, 9, 15, 16, 17, 33] {
        for start in [0, 7, 60] {
            let rows = start..start + count;
            let few = x.slice(s![rows.clone(), ..]);
            same(&few.softmax(Axis(1)), &soft, rows.clone(), "softmax");
            same(&few.log_softmax(Axis(1)), &log, rows.clone(), "log_softmax");
            let got = few.logsumexp(Axis(1)).mapv(|y| bits(&y));
            assert!(got == sums.slice(s![rows.clone()]), "logsumexp: {rows:?} of {len}");
            let mut y = few.to_owned();
            y.softmax_inplace(Axis(1));
            same(&y, &soft, rows.clone(), "softmax in place");
            let mut y = few.to_owned();
            y.log_softmax_inplace(Axis(1));
            same(&y, &log, rows.clone(), "log_softmax in place");
            let columns = few.t().as_standard_layout().into_owned();
            same(&columns.softmax(Axis(0)).reversed_axes(), &soft, rows.clone(), "columns");
            let mut y = few.to_owned().reversed_axes();
            y.softmax_inplace(Axis(0));
            same(&y.reversed_axes(), &soft, rows, "columns that are rows");
        }
    }
}

#[test]
fn a_few_lanes_have_the_bits_of_many() {
    for len in [1, 2, 3, 7, 8, 10, 15, 16, 17, 33, 64, 65, 100, 130] {
        for level in Level::available() {
            with_level(level, || check_few::<f32>(len));
            with_level(level, || check_few::<f64>(len));
        }
    }
}

/// Lanes of several chunks, some of them far below the others, near ones and more than a core keeps.
fn check_long<A: Element>(len: usize) {
    for number in 0..14 {
        let mut x = row(number, len);
        // A chunk lower than the others, by less and by more than what kept exponentials can tell apart.
        let low = [0.0, 55.0, 65.0, 75.0, 90.0, 120.0, 590.0, 650.0, 720.0, 1e4][number % 10];
        x[len / 2..].iter_mut().for_each(|x| *x -= low);
        if number == 8 {
            x[..len / 2].fill(f64::NEG_INFINITY);
        }
        let x: Array1<A> = x.into_iter().map(A::from_f64).collect();
        for (what, log) in [("softmax", false), ("log_softmax", true)] {
            let (expected, mut y) = if log {
                (x.log_softmax(Axis(0)), x.clone())
            } else {
                (x.softmax(Axis(0)), x.clone())
            };
            if log {
                y.log_softmax_inplace(Axis(0))
            } else {
                y.softmax_inplace(Axis(0))
            }
            let wrong = y.iter().zip(&expected).position(|(a, b)| bits(a) != bits(b));
            assert_eq!(wrong, None, "{what} of {} {len}, {number} in place", A::NAME);
            // Two lanes side by side.
            let mut two = Array2::from_shape_fn((2, len), |(_, i)| x[i]);
            if log {
                two.log_softmax_inplace(Axis(1))
            } else {
                two.softmax_inplace(Axis(1))
            }
            for y in two.rows() {
                assert!(y.iter().zip(&expected).all(|(a, b)| bits(a) == bits(b)), "{what} {len}");
            }
        }
    }
}

#[test]
fn long_lanes_in_place_have_the_bits_of_those_into_a_buffer() {
    for level in Level::available() {
        for len in [4097, 12_289, 140_000] {
            with_level(level, || check_long::<f32>(len));
            with_level(level, || check_long::<f64>(len));
        }
    }
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for len in [33_000, 131_073, 530_000] {
            pool.install(|| check_long::<f32>(len));
            pool.install(|| check_long::<f64>(len));
        }
    }
    // Outside of a pool fewer elements are shared.
    check_long::<f32>(40_000);
    check_long::<f32>(200_000);
    check_long::<f64>(70_000);
}

/// Lanes of several pieces: one whose largest number is NaN, which is so only where that comes last, and an infinite one.
fn without_result<A: Element>() {
    let piece = 16_384 / size_of::<A>();
    let x = Array2::from_shape_fn((2 * piece + 5, 64), |(i, j)| {
        A::from_f64(match i {
            _ if i == piece - 64 + j => f64::NAN,
            _ if i == piece + 7 * j => f64::INFINITY,
            _ => (i * 7 + j) as f64 % 17.0,
        })
    });
    let by_row = x.t().as_standard_layout().into_owned();
    for y in [
        x.softmax(Axis(0)),
        x.log_softmax(Axis(0)),
        by_row.softmax(Axis(1)),
        by_row.log_softmax(Axis(1)),
    ] {
        assert!(y.iter().all(|y| y.is_nan()));
    }
}

#[test]
fn long_lanes_of_nan_and_infinity_have_no_result() {
    for level in Level::available() {
        with_level(level, without_result::<f32>);
        with_level(level, without_result::<f64>);
    }
}
