//! Rows of a large array give the bits that they give alone, whatever stands before and behind them.

use ndarray::{Array1, ArrayView2, ArrayViewMut2, Axis};
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
