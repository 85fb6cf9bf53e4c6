//! An activation of one's own: two formulas, and it has SIMD, threads, every layout and every verb.
//!
//! ```text
//! cargo run --release --example own_activation
//! ```

use std::time::Instant;

use ndarray::{Array1, Array2, Axis, s};
use ndarray_activations::{Elementwise, Lane, Level, math, prelude::*, with_level};

/// A bump on either side of zero, `x · e^(-(x/width)²)`.
#[derive(Clone, Copy)]
struct Wavelet {
    width: f64,
}

impl Elementwise for Wavelet {
    #[inline(always)]
    fn eval<V: Lane>(self, x: V) -> V {
        let z = x * (1.0 / self.width);
        x * math::exp(-z * z)
    }
    #[inline(always)]
    fn derivative<V: Lane>(self, x: V) -> V {
        let z = x * (1.0 / self.width);
        let square = z * z;
        (square * -2.0 + 1.0) * math::exp(-square)
    }
}

fn main() {
    let op = Wavelet { width: 1.5 };

    // Every verb, in f32 and f64.
    let x = Array2::from_shape_fn((4, 6), |(i, j)| (i as f64 - 1.5) * 0.7 + j as f64 * 0.3);
    let y = op.map(&x);
    println!("x[1]  = {:6.3}", x.row(1));
    println!("f(x)  = {:6.3}", y.row(1));
    println!("f'(x) = {:6.3}", op.gradient(&x).row(1));
    let mut inplace = x.clone();
    inplace.activate_inplace(op);
    assert_eq!(inplace, y);
    assert_eq!(op.map_into(x.clone()), y);
    assert_eq!(x.activate(op), y);
    assert_eq!(op.backward(&x, &Array2::ones(x.dim())), op.gradient(&x));
    let single = x.mapv(|x| x as f32);
    assert!((&op.map(&single).mapv(f64::from) - &y).iter().all(|d| d.abs() < 1e-6));

    // The slope is that of the function.
    let h = 1e-5;
    let slope = (op.map(&(&x + h)) - op.map(&(&x - h))) / (2.0 * h);
    let worst = (slope - op.gradient(&x)).fold(0.0f64, |worst, d| worst.max(d.abs()));
    println!("largest difference of f' from a difference quotient: {worst:.1e}");
    assert!(worst < 1e-9);

    // Any layout, any level, the same bits.
    let turned = x.slice(s![..;-1, ..;2]).reversed_axes();
    assert_eq!(op.map(&turned), y.slice(s![..;-1, ..;2]).reversed_axes());
    for level in Level::available() {
        assert_eq!(with_level(level, || op.map(&x)), y, "{level:?}");
    }
    for (column, expected) in x.axis_iter(Axis(1)).zip(y.axis_iter(Axis(1))) {
        assert_eq!(op.map(&column), expected);
    }

    // A large array, on all cores, beside the same formula in a closure.
    let x = Array1::linspace(-4.0f32, 4.0, 1 << 22);
    let mut y = x.clone();
    op.map_assign_into(&x, &mut y);
    let begun = Instant::now();
    op.map_assign_into(&x, &mut y);
    let ours = begun.elapsed();
    let begun = Instant::now();
    let plain = x.mapv(|x| x * (-(x / 1.5) * (x / 1.5)).exp());
    let mapv = begun.elapsed();
    assert!((&plain - &y).iter().all(|d| d.abs() < 1e-6));
    println!("4 Mi elements: {ours:.1?}; with mapv and a closure {mapv:.1?}");
}
