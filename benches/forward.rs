//! Products and networks against the obvious ndarray code, one thread or all.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 cargo bench --bench forward
//! ```

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2, ArrayRef2};
use ndarray_activations::forward::{Linear, Sequential, Workspace};
use ndarray_activations::prelude::*;

const WIDTHS: [usize; 4] = [784, 512, 256, 10];
const BATCHES: [usize; 4] = [1, 32, 256, 4096];

fn noise(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * 7919 + j * 104_729 + seed * 31) % 2003) as f32 / 1001.0 - 1.0
    })
}

/// Weights and biases, scaled so that the numbers stay near 1.
fn parameters() -> Vec<(Array2<f32>, Array1<f32>)> {
    WIDTHS
        .windows(2)
        .enumerate()
        .map(|(index, widths)| {
            let scale = (6.0 / widths[0] as f32).sqrt();
            let bias = noise(1, widths[1], index + 7).row(0).to_owned();
            (noise(widths[1], widths[0], index) * scale, bias * 0.1)
        })
        .collect()
}

/// What a user would write.
fn obvious(parameters: &[(Array2<f32>, Array1<f32>)], x: &ArrayRef2<f32>) -> Array2<f32> {
    let mut x = x.to_owned();
    for (index, (weight, bias)) in parameters.iter().enumerate() {
        x = x.dot(&weight.t()) + bias;
        if index + 1 < parameters.len() {
            x.mapv_inplace(|v| v.max(0.0));
        }
    }
    x
}

fn network(parameters: &[(Array2<f32>, Array1<f32>)]) -> Sequential<f32> {
    let mut net = Sequential::new();
    for (index, (weight, bias)) in parameters.iter().enumerate() {
        net = net.push(Linear::new(weight.view(), bias.view()).expect("finite weights"));
        if index + 1 < parameters.len() {
            net = net.push(Relu);
        }
    }
    net
}

fn assert_near(got: &ArrayRef2<f32>, expected: &ArrayRef2<f32>) {
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-3 * expected.abs().max(1.0), "{got} is not {expected}");
    }
}

fn networks(criterion: &mut Criterion) {
    let parameters = parameters();
    let net = network(&parameters);
    let mut group = criterion.benchmark_group("784-512-256-10");
    for batch in BATCHES {
        let x = noise(batch, WIDTHS[0], 3);
        let mut workspace = Workspace::new();
        let expected = obvious(&parameters, &x);
        assert_near(&net.forward_into(&x, &mut workspace).expect("widths that fit"), &expected);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::new("forward_into", batch), &x, |bencher, x| {
            bencher.iter(|| {
                let y = net.forward_into(black_box(x), &mut workspace).expect("widths that fit");
                black_box(y[[0, 0]])
            });
        });
        group.bench_with_input(BenchmarkId::new("forward", batch), &x, |bencher, x| {
            bencher.iter(|| net.forward(black_box(x)).expect("widths that fit"));
        });
        group.bench_with_input(BenchmarkId::new("dot and mapv", batch), &x, |bencher, x| {
            bencher.iter(|| obvious(&parameters, black_box(x)));
        });
    }
    group.finish();
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product 784 x 512");
    let (weight, bias) = &parameters()[0];
    let layer = Linear::new(weight.view(), bias.view()).expect("finite weights");
    for batch in BATCHES {
        let x = noise(batch, WIDTHS[0], 3);
        assert_near(&layer.forward(&x).expect("a fitting width"), &(x.dot(&weight.t()) + bias));
        group.throughput(Throughput::Elements((batch * WIDTHS[0] * WIDTHS[1]) as u64));
        group.bench_with_input(BenchmarkId::new("linear", batch), &x, |bencher, x| {
            bencher.iter(|| layer.forward(black_box(x)).expect("a fitting width"));
        });
        group.bench_with_input(BenchmarkId::new("dot", batch), &x, |bencher, x| {
            bencher.iter(|| black_box(x).dot(&weight.t()) + bias);
        });
    }
    group.finish();
}

criterion_group!(benches, networks, products);
criterion_main!(benches);
