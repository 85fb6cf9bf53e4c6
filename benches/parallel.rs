//! From which size on two threads pay, for each class of cost: the measurements behind the table of
//! `src/apply/parallel.rs`.
//!
//! `serial` is one thread. `two halves` are two serial halves on two threads, asked for from outside
//! of the pool, at every size: where it falls below `serial` is the threshold. `as is` is what a user
//! gets, which should be the lower of both.
//!
//! ```text
//! cargo bench --bench parallel
//! ```

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Axis};
use ndarray_activations::prelude::*;
use rayon::ThreadPool;

fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn bench<T: Spec>(criterion: &mut Criterion, op: T, sizes: core::ops::Range<u32>) {
    let mut group = criterion.benchmark_group(format!("{:?}: {}", T::COST, T::NAME));
    let (one, two) = (pool(1), pool(2));
    for len in sizes.map(|power| 1usize << power) {
        let x = Array1::<f32>::linspace(-6.0, 6.0, len);
        let mut y = Array1::zeros(len);
        let halves = |y: &mut Array1<f32>| {
            let (x0, x1) = x.view().split_at(Axis(0), len / 2);
            let (mut y0, mut y1) = y.view_mut().split_at(Axis(0), len / 2);
            two.install(|| {
                rayon::join(|| one_piece(op, &x0, &mut y0), || one_piece(op, &x1, &mut y1))
            });
        };
        let expected = one.install(|| op.map(&x));
        halves(&mut y);
        assert_eq!(y, expected);
        assert_eq!(two.install(|| op.map(&x)), expected);

        group.throughput(Throughput::Elements(len as u64));
        group.bench_function(format!("{} Ki/serial", len >> 10), |bencher| {
            one.install(|| bencher.iter(|| op.map_assign_into(black_box(&x), &mut y)));
        });
        group.bench_function(format!("{} Ki/two halves", len >> 10), |bencher| {
            bencher.iter(|| halves(black_box(&mut y)));
        });
        group.bench_function(format!("{} Ki/as is", len >> 10), |bencher| {
            bencher.iter(|| op.map_assign_into(black_box(&x), &mut y));
        });
    }
}

/// In blocks below every threshold, so that it stays on its thread.
fn one_piece(op: impl Elementwise, x: &ndarray::ArrayRef1<f32>, y: &mut ndarray::ArrayRef1<f32>) {
    const BLOCK: usize = 32 << 10;
    for (x, mut y) in x.axis_chunks_iter(Axis(0), BLOCK).zip(y.axis_chunks_iter_mut(Axis(0), BLOCK))
    {
        op.map_assign_into(&x, &mut y);
    }
}

/// One function of each class, at sizes around its threshold.
fn thresholds(criterion: &mut Criterion) {
    bench(criterion, Relu, 16..22);
    bench(criterion, Sigmoid, 14..20);
    bench(criterion, Gelu, 13..19);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .without_plots();
    targets = thresholds
}
criterion_main!(benches);
