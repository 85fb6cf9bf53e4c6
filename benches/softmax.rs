//! Softmax and log-softmax by shape, axis and element type, beside the obvious ndarray code.
//! Every answer is checked against that code before it is timed.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array, Array2, Axis, NdFloat, Zip, s};
use ndarray_activations::loss::CrossEntropy;
use ndarray_activations::softmax::{
    log_softmax_backward, softmax_backward, softmax_backward_inplace,
};
use ndarray_activations::{Element, prelude::*};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// What a user would write.
fn naive<A: NdFloat>(x: &Array2<A>, axis: Axis) -> Array2<A> {
    let max = x.fold_axis(axis, A::neg_infinity(), |a, &b| a.max(b)).insert_axis(axis);
    let e = Zip::from(x).and_broadcast(&max).map_collect(|&x, &m| (x - m).exp());
    let sum = e.sum_axis(axis).insert_axis(axis);
    e / sum
}

fn shapes<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    for (rows, columns) in [(65536, 10), (32768, 512), (4096, 1000), (1024, 1024), (64, 131_072)] {
        let x = Array::from_shape_simple_fn((rows, columns), || {
            A::from_f64(rng.random_range(-8.0..8.0))
        });
        let mut out = Array2::zeros(x.raw_dim());
        for (axis, name) in [(Axis(1), "last"), (Axis(0), "first")] {
            for (y, expected) in x.softmax(axis).iter().zip(&naive(&x, axis)) {
                let error = (*y - *expected).abs() / *expected;
                assert!(error < A::epsilon() * A::from_f64(2000.0), "{y} {expected}");
            }
            let mut group =
                c.benchmark_group(format!("softmax {} {rows}x{columns} {name}", A::NAME));
            group.throughput(Throughput::Elements(x.len() as u64)).sample_size(10);
            group.bench_function("softmax", |b| {
                b.iter(|| black_box(&x).softmax_assign_into(axis, &mut out));
            });
            group.bench_function("log_softmax", |b| {
                b.iter(|| black_box(&x).log_softmax_assign_into(axis, &mut out));
            });
            group.bench_function("naive", |b| b.iter(|| naive(black_box(&x), axis)));
            group.finish();
        }
    }
}

/// What stands beside softmax, in rows: sums, masks, gradients, and a view with steps.
fn beside<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(2);
    let last = Axis(1);
    for (rows, columns) in [(4096, 10), (1000, 100), (256, 1024)] {
        let wide = Array::from_shape_simple_fn((rows, 2 * columns), || {
            A::from_f64(rng.random_range(-8.0..8.0))
        });
        let steps = wide.slice(s![.., ..;2]);
        let x = steps.to_owned();
        let mask = x.mapv(|x| x > A::from_f64(-3.0));
        let (y, log) = (x.softmax(last), x.log_softmax(last));
        let mut group = c.benchmark_group(format!("beside softmax {} {rows}x{columns}", A::NAME));
        group.throughput(Throughput::Elements(x.len() as u64)).sample_size(10);
        group.bench_function("logsumexp", |b| b.iter(|| black_box(&x).logsumexp(last)));
        group.bench_function("masked", |b| b.iter(|| black_box(&x).softmax_masked(last, &mask)));
        group.bench_function("gradient", |b| b.iter(|| softmax_backward(&y, black_box(&x), last)));
        group.bench_function("log gradient", |b| {
            b.iter(|| log_softmax_backward(&log, black_box(&x), last));
        });
        group.bench_function("steps", |b| b.iter(|| black_box(&steps).softmax(last)));
        group.finish();
    }
}

/// A few lanes, of which a call takes as long as the arithmetic.
fn few<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(3);
    let last = Axis(1);
    for (rows, columns) in [(1, 3), (1, 10), (4, 10), (32, 10), (1, 1000)] {
        let x = Array::from_shape_simple_fn((rows, columns), || {
            A::from_f64(rng.random_range(-8.0..8.0))
        });
        let mut group = c.benchmark_group(format!("few lanes {} {rows}x{columns}", A::NAME));
        group.sample_size(10);
        group.bench_function("softmax", |b| b.iter(|| black_box(&x).softmax(last)));
        group.bench_function("log_softmax", |b| b.iter(|| black_box(&x).log_softmax(last)));
        group.bench_function("logsumexp", |b| b.iter(|| black_box(&x).logsumexp(last)));
        group.bench_function("naive", |b| b.iter(|| naive(black_box(&x), last)));
        group.finish();
    }
}

/// Columns and rows in place, each time from the same elements.
fn in_place<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(4);
    for (rows, columns) in [(65536, 10), (4096, 1000), (512, 256), (3, 100_000), (1, 1 << 20)] {
        let x = Array::from_shape_simple_fn((rows, columns), || {
            A::from_f64(rng.random_range(-8.0..8.0))
        });
        let mut group = c.benchmark_group(format!("in place {} {rows}x{columns}", A::NAME));
        group.throughput(Throughput::Elements(x.len() as u64)).sample_size(10);
        for axis in [Axis(0), Axis(1)] {
            let y = x.softmax(axis);
            let mut bench = |name: &str, overwrite: &dyn Fn(&mut Array2<A>)| {
                group.bench_function(format!("{name}, {axis:?}"), |b| {
                    b.iter_batched_ref(|| x.clone(), overwrite, BatchSize::LargeInput);
                });
            };
            bench("softmax", &|x| x.softmax_inplace(axis));
            bench("log_softmax", &|x| x.log_softmax_inplace(axis));
            bench("gradient", &|dy| softmax_backward_inplace(&y, dy, axis));
        }
        group.finish();
    }
}

/// Images along their channels.
fn channels<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(5);
    let axis = Axis(1);
    for shape in [
        [8, 21, 128, 128],
        [8, 40, 64, 64],
        [64, 256, 14, 14],
        [5, 256, 30, 30],
        [16, 256, 28, 28],
        [12, 512, 28, 28],
        [1024, 10, 4, 8],
    ] {
        let x = Array::from_shape_simple_fn(shape, || A::from_f64(rng.random_range(-8.0..8.0)));
        let y = x.softmax(axis);
        let mut out = x.clone();
        let mut group = c.benchmark_group(format!("channels {} {shape:?}", A::NAME));
        group.throughput(Throughput::Elements(x.len() as u64)).sample_size(10);
        group.bench_function("softmax", |b| {
            b.iter(|| black_box(&x).softmax_assign_into(axis, &mut out));
        });
        group.bench_function("log_softmax", |b| {
            b.iter(|| black_box(&x).log_softmax_assign_into(axis, &mut out));
        });
        group.bench_function("logsumexp", |b| b.iter(|| black_box(&x).logsumexp(axis)));
        group.bench_function("gradient", |b| b.iter(|| softmax_backward(&y, black_box(&x), axis)));
        group.finish();
    }
}

/// Cross-entropy of classes along the last axis and of the channels of images, and sums of lanes so short that maximum and
/// logarithm often cancel.
fn losses<A: Element>(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(6);
    for (shape, axis) in [
        ([1, 65_536, 10], Axis(2)),
        ([1, 4096, 1000], Axis(2)),
        ([1, 64, 131_072], Axis(2)),
        ([8, 21, 16_384], Axis(1)),
        ([1, 3, 100_000], Axis(1)),
    ] {
        let x = Array::from_shape_simple_fn(shape, || A::from_f64(rng.random_range(-2.0..2.0)));
        let classes = x.len_of(axis);
        let labels = x.map_axis(axis, |_| rng.random_range(0..classes));
        let loss = CrossEntropy::along(axis);
        let mut group = c.benchmark_group(format!("losses {} {shape:?}", A::NAME));
        group.throughput(Throughput::Elements(x.len() as u64)).sample_size(10);
        group.bench_function("cross-entropy", |b| b.iter(|| loss.value(black_box(&x), &labels)));
        group.bench_function("with gradient", |b| {
            b.iter(|| loss.value_and_gradient(black_box(&x), &labels));
        });
        group.bench_function("logsumexp", |b| b.iter(|| black_box(&x).logsumexp(axis)));
        group.finish();
    }
}

criterion_group!(
    benches,
    shapes::<f32>,
    shapes::<f64>,
    beside::<f32>,
    beside::<f64>,
    few::<f32>,
    few::<f64>,
    in_place::<f32>,
    in_place::<f64>,
    channels::<f32>,
    channels::<f64>,
    losses::<f32>,
    losses::<f64>
);
criterion_main!(benches);
