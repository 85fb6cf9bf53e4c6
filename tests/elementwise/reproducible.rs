//! The same element gives the same bits at any position, offset and length, at any thread count and
//! on every SIMD level.

use std::fmt::Debug;

use ndarray::{ArrayD, ArrayView1, ArrayViewMut1, Axis, IxDyn, Slice};
use ndarray_activations::{Level, prelude::*, with_level};

use super::layouts::{bits, numbers};
use crate::common::inputs::sweep;
use crate::common::noun::{Verbs, verbs};
use crate::common::ulp::Format;

fn all_bits<A: Format>(x: &[A]) -> Vec<u64> {
    x.iter().map(|&x| bits(x)).collect()
}

fn check_positions<A: Format>() {
    let x = numbers::<A>(140);
    let dy: Vec<A> = x.iter().rev().map(|&a| if a.is_finite() { a } else { A::one() }).collect();
    for noun in verbs::<A>() {
        let function: Vec<A> = x.iter().map(|&a| noun.scalar(a)).collect();
        let slope: Vec<A> = x.iter().map(|&a| noun.derivative(&[a])[0]).collect();
        let product: Vec<A> = slope.iter().zip(&dy).map(|(&a, &b)| b * a).collect();
        let (function, slope, product) =
            (all_bits(&function), all_bits(&slope), all_bits(&product));
        for length in 0..=70 {
            // All offsets for some lengths, some offsets for all.
            let offsets = if length % 9 == 4 { 0..=69 } else { (length % 16)..=(length % 16) + 1 };
            for offset in offsets {
                let range = offset..offset + length;
                let say = || format!("{}, {range:?}", noun.describe());
                let x = &x[range.clone()];
                assert_eq!(all_bits(&noun.function(x)), function[range.clone()], "{}", say());
                assert_eq!(all_bits(&noun.derivative(x)), slope[range.clone()], "{}", say());
                let mut inplace = ArrayView1::from(x).to_owned().into_dyn();
                noun.map_inplace(&mut inplace);
                let inplace = inplace.into_raw_vec_and_offset().0;
                assert_eq!(all_bits(&inplace), function[range.clone()], "{}", say());
                let mut dx = ArrayView1::from(&dy[range.clone()]).to_owned().into_dyn();
                noun.backward_inplace(&ArrayView1::from(x).into_dyn(), &mut dx);
                let dx = dx.into_raw_vec_and_offset().0;
                assert_eq!(all_bits(&dx), product[range.clone()], "{}", say());
            }
        }
    }
}

/// New arrays of some hundred elements and more, of whole vectors and not.
fn check_new_arrays<A: Format>() {
    let x = numbers::<A>(330);
    for noun in verbs::<A>() {
        let expected: Vec<u64> = x.iter().map(|&a| bits(noun.scalar(a))).collect();
        for length in 60..=300 {
            let from = length % 30;
            let x = ArrayView1::from(&x[from..from + length]).into_dyn();
            let y = noun.map(&x.to_owned());
            assert_eq!(y.shape(), [length]);
            let y = all_bits(&y.into_raw_vec_and_offset().0);
            assert_eq!(y, expected[from..from + length], "{}, {length}", noun.describe());
        }
        for length in [1023, 1024, 1025, 2050, 4099, 32_767, 33_001, 140_003] {
            let x: Vec<A> = x.iter().copied().cycle().take(length).collect();
            let y = noun.map(&ArrayView1::from(&x).into_dyn().to_owned());
            let same = y.iter().zip(expected.iter().cycle()).all(|(&y, &e)| bits(y) == e);
            assert!(same && y.shape() == [length], "{}, {length}", noun.describe());
        }
    }
}

#[test]
fn new_arrays_of_any_length_have_the_same_bits() {
    check_new_arrays::<f32>();
    check_new_arrays::<f64>();
}

#[test]
fn position_and_length_change_no_bit_in_f32() {
    check_positions::<f32>();
}

#[test]
fn position_and_length_change_no_bit_in_f64() {
    check_positions::<f64>();
}

/// Arrays of more than 32 vectors begin with one that ends behind the first cache line of the output.
fn check_lines<A: Format>(op: impl Elementwise + Debug) {
    let x = numbers::<A>(720);
    let expected: Vec<A> = x.iter().map(|&a| op.scalar(a)).collect();
    for level in Level::available() {
        for from in 0..17 {
            for to in 0..17 {
                for len in [700 - 17 * from, 640 + from + to, 256 + to] {
                    let x = &x[from..from + len];
                    let expected = all_bits(&expected[from..from + len]);
                    let mut memory = [A::zero(); 720];
                    let mut out = ArrayViewMut1::from(&mut memory[to..to + len]);
                    with_level(level, || op.map_assign_into(&ArrayView1::from(x), &mut out));
                    assert_eq!(all_bits(&memory[to..to + len]), expected, "{op:?}, {from} to {to}");
                    let is_zero_beside = |memory: &[A]| {
                        memory[..to].iter().chain(&memory[to + len..]).all(|a| a.is_zero())
                    };
                    assert!(is_zero_beside(&memory), "{op:?}, {from} to {to}");

                    let place = &mut memory[to..to + len];
                    place.copy_from_slice(x);
                    with_level(level, || op.map_inplace(&mut ArrayViewMut1::from(place)));
                    assert_eq!(all_bits(&memory[to..to + len]), expected, "{op:?} in place, {to}");
                    assert!(is_zero_beside(&memory), "{op:?} in place, {to}");
                }
            }
        }
    }
}

#[test]
fn where_lines_of_the_cache_begin_changes_no_bit() {
    check_lines::<f32>(Relu);
    check_lines::<f64>(Relu);
    check_lines::<f32>(Tanh);
    check_lines::<f64>(Tanh);
    check_lines::<f32>(Silu);
    check_lines::<f64>(Silu);
    check_lines::<f32>(Mish);
    check_lines::<f64>(Elu::default());
}

fn check_levels<A: Format>() {
    let levels = Level::available();
    assert!(!levels.is_empty());
    for noun in verbs::<A>() {
        let x = sweep::<A>(0, 60, &[0.5, 1.0, 6.0]);
        let dy: Vec<A> = numbers(x.len());
        let (vx, vdy) = (ArrayView1::from(&x).into_dyn(), ArrayView1::from(&dy).into_dyn());
        let run = || {
            let product = noun.backward(&vx, &vdy).into_raw_vec_and_offset().0;
            [noun.function(&x), noun.derivative(&x), product].map(|y| all_bits(&y))
        };
        let best = run();
        for &level in &levels {
            let here = with_level(level, run);
            for (verb, (got, best)) in ["f", "f'", "backward"].iter().zip(here.iter().zip(&best)) {
                if let Some(i) = (0..x.len()).find(|&i| got[i] != best[i]) {
                    panic!(
                        "{} {verb} at {:e} ({:#x}): {:#x} on {level:?}, {:#x} on {:?}",
                        noun.describe(),
                        x[i],
                        x[i].bits(),
                        got[i],
                        best[i],
                        Level::best()
                    );
                }
            }
        }
    }
}

#[test]
fn every_simd_level_gives_the_same_bits_in_f32() {
    check_levels::<f32>();
}

#[test]
fn every_simd_level_gives_the_same_bits_in_f64() {
    check_levels::<f64>();
}

/// Beyond the threshold of the cheapest functions, 512 Ki elements.
const LARGE: usize = (512 << 10) + 1000 * 33 + 5;

/// Everything that one thread count computes, as one list of bits.
fn large_results<A: Format>(noun: &dyn Verbs<A>, x: &ArrayD<A>) -> Vec<ArrayD<A>> {
    let mut inplace = x.clone();
    noun.map_inplace(&mut inplace);
    let every_second = x.slice_axis(Axis(0), Slice { start: 0, end: None, step: 2 });
    let mut strided = x.clone();
    noun.map_inplace(&mut strided.slice_axis_mut(Axis(0), Slice { start: 0, end: None, step: -1 }));
    vec![
        noun.map(x),
        inplace,
        noun.gradient(x),
        noun.backward(x, x),
        noun.map(&every_second),
        strided,
    ]
}

fn check_threads<A: Format>() {
    let pools: Vec<rayon::ThreadPool> = (1..=3)
        .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
        .collect();
    let few = numbers::<A>(4099);
    let x = ArrayD::from_shape_fn(IxDyn(&[LARGE]), |i| few[i[0] % few.len()]);
    for noun in verbs::<A>() {
        // The serial answer, one period long: every element is that of its own value.
        let period = noun.function(&few);
        let serial = pools[0].install(|| large_results(&*noun, &x));
        for result in &serial[..2] {
            for (i, &y) in result.iter().enumerate() {
                assert_eq!(bits(y), bits(period[i % few.len()]), "{} at {i}", noun.describe());
            }
        }
        for pool in &pools[1..] {
            let parallel = pool.install(|| large_results(&*noun, &x));
            for (verb, (a, b)) in serial.iter().zip(&parallel).enumerate() {
                let same = a.iter().zip(b).all(|(&a, &b)| bits(a) == bits(b));
                let threads = pool.current_num_threads();
                assert!(same, "{}: result {verb} differs with {threads} threads", noun.describe());
            }
        }
    }
}

#[test]
fn thread_counts_change_no_bit_in_f32() {
    check_threads::<f32>();
}

#[test]
fn thread_counts_change_no_bit_in_f64() {
    check_threads::<f64>();
}
