//! Every activation by element type and size, and beside some the code that one would write without
//! this crate. Into a ready buffer, on one thread; throughput in elements.
//!
//! ```text
//! cargo bench --bench elementwise                 # all, a few minutes
//! cargo bench --bench elementwise -- sigmoid/f32  # some
//! ```

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Zip};
use ndarray_activations::{Element, prelude::*};

const SIZES: [usize; 5] = [1, 16, 64, 4 << 10, 64 << 10];
/// Far larger than any cache.
const HUGE: usize = 16 << 20;

fn sample<A: Element>(len: usize) -> Array1<A> {
    let mut seed = 1u32;
    Array1::from_shape_simple_fn(len, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        A::from_f64(f64::from(seed >> 8) / f64::from(1 << 24) * 12.0 - 6.0)
    })
}

/// What one writes with ndarray alone.
fn obvious<A: Element>(name: &str) -> Option<fn(A) -> A> {
    Some(match name {
        "relu" => |x| x.max(A::zero()),
        "sigmoid" => |x| A::one() / (A::one() + (-x).exp()),
        "tanh" => |x| x.tanh(),
        "silu" => |x| x / (A::one() + (-x).exp()),
        "elu" => |x| if x > A::zero() { x } else { x.exp() - A::one() },
        "softplus" => |x| (A::one() + x.exp()).ln(),
        "gelu_tanh" => |x| {
            let u = A::from_f64(0.797_884_560_802_865_4) * (x + A::from_f64(0.044_715) * x * x * x);
            A::from_f64(0.5) * x * (A::one() + u.tanh())
        },
        _ => return None,
    })
}

/// The answer before the time: against the obvious code where there is some, else against scalars.
fn check<A: Element, T: Spec>(op: T) {
    let x = sample::<A>(1000);
    let y = op.map(&x);
    let tolerance = A::epsilon().to_f64() * 64.0;
    for (&x, &y) in x.iter().zip(&y) {
        assert!(op.scalar(x) == y, "{}({x}) depends on its position", T::NAME);
        if let Some(f) = obvious::<A>(T::NAME) {
            let apart = (f(x).to_f64() - y.to_f64()).abs();
            assert!(apart <= tolerance * (1.0 + y.to_f64().abs()), "{}({x}) = {y}", T::NAME);
        }
    }
}

fn bench<A: Element, T: Spec>(criterion: &mut Criterion, op: T) {
    check::<A, T>(op);
    let mut group = criterion.benchmark_group(format!("{}/{}", T::NAME, A::NAME));
    let obvious = obvious::<A>(T::NAME);
    // The largest costs seconds of memory traffic: for functions with a rival only.
    let huge = obvious.map(|_| HUGE);
    for len in SIZES.into_iter().chain(huge) {
        let x = sample::<A>(len);
        let mut y = Array1::zeros(len);
        group.throughput(Throughput::Elements(len as u64));
        group.bench_function(format!("{len}/this crate"), |bencher| {
            bencher.iter(|| op.map_assign_into(black_box(&x), &mut y));
        });
        if let Some(f) = obvious {
            group.bench_function(format!("{len}/ndarray alone"), |bencher| {
                bencher.iter(|| Zip::from(&mut y).and(black_box(&x)).for_each(|y, &x| *y = f(x)));
            });
        }
    }
}

/// New arrays: of few elements little but what a call costs, of many what it takes to get memory.
fn new_arrays<A: Element>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("new arrays/{}", A::NAME));
    for len in [1, 16, 64, 80, 128, 256, 1000] {
        let x = sample::<A>(len);
        group.bench_function(format!("{len}/relu"), |b| b.iter(|| black_box(&x).relu()));
        group.bench_function(format!("{len}/relu by ndarray alone"), |b| {
            b.iter(|| black_box(&x).mapv(|x| x.max(A::zero())));
        });
    }
    for len in [4 << 10, 32 << 10, 64 << 10, 1 << 20] {
        let x = sample::<A>(len);
        group.bench_function(format!("{len}/relu"), |b| b.iter(|| black_box(&x).relu()));
        group.bench_function(format!("{len}/leaky_relu"), |b| {
            b.iter(|| LeakyRelu::default().map(black_box(&x)));
        });
        group.bench_function(format!("{len}/sigmoid"), |b| b.iter(|| black_box(&x).sigmoid()));
    }
}

macro_rules! every {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        fn every(criterion: &mut Criterion) {
            // One thread: this is about instructions.
            rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
            $(
                bench::<f32, $noun>(criterion, $noun::default());
                bench::<f64, $noun>(criterion, $noun::default());
            )*
            new_arrays::<f32>(criterion);
            new_arrays::<f64>(criterion);
        }
    };
}
ndarray_activations::for_each_activation!(every);

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(150))
        .without_plots();
    targets = every
}
criterion_main!(benches);
