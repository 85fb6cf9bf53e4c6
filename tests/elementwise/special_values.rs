//! One table for each function: what it gives at NaN, the infinities, the zeros, the ends of the
//! number range and its kinks, and what its derivative gives there.

use crate::common::noun::{Entry, named, verbs};
use crate::common::ulp::Format;

/// What a table expects.
#[derive(Clone, Copy)]
enum Want {
    /// This number, to the sign of zero.
    Is(f64),
    /// A zero of either sign.
    Zero,
    /// The input itself.
    X,
    /// This number, rounded to the element type.
    Near(f64),
    /// A result that rounds either way: the tests of accuracy look at it.
    Any,
}
use Want::{Any, Is, Near, X, Zero};

const INF: f64 = f64::INFINITY;
const ONE: Want = Is(1.0);
const MINUS: Want = Is(-0.0);
const PLUS: Want = Is(0.0);

/// Expected at −∞, −largest, −least subnormal, −0, +0, least subnormal, largest, +∞.
type Row = [Want; 8];

/// `(name, f, f')`.
#[rustfmt::skip]
const TABLE: &[(&str, Row, Row)] = &[
    ("identity", [X; 8], [ONE; 8]),
    ("sigmoid", [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE],
        [Zero, Zero, Is(0.25), Is(0.25), Is(0.25), Is(0.25), Zero, Zero]),
    ("tanh", [Is(-1.0), Is(-1.0), X, X, X, X, ONE, ONE], [Zero, Zero, ONE, ONE, ONE, ONE, Zero, Zero]),
    ("relu", [Zero, Zero, Zero, MINUS, PLUS, X, X, X], [Zero, Zero, Zero, Zero, Zero, ONE, ONE, ONE]),
    ("leaky_relu", [Is(-INF), Any, MINUS, MINUS, PLUS, X, X, X],
        [Near(0.01), Near(0.01), Near(0.01), Near(0.01), Near(0.01), ONE, ONE, ONE]),
    ("step", [Zero, Zero, Zero, ONE, ONE, ONE, ONE, ONE], [Zero; 8]),
    ("sign", [Is(-1.0), Is(-1.0), Is(-1.0), MINUS, PLUS, ONE, ONE, ONE], [Zero; 8]),
    ("relu6", [Zero, Zero, Zero, MINUS, PLUS, X, Is(6.0), Is(6.0)],
        [Zero, Zero, Zero, Zero, Zero, ONE, Zero, Zero]),
    ("hard_tanh", [Is(-1.0), Is(-1.0), X, X, X, X, ONE, ONE], [Zero, Zero, ONE, ONE, ONE, ONE, Zero, Zero]),
    ("threshold", [Zero, Zero, Zero, Zero, Zero, X, X, X], [Zero, Zero, Zero, Zero, Zero, ONE, ONE, ONE]),
    ("thresholded_relu", [Zero, Zero, Zero, Zero, Zero, Zero, X, X],
        [Zero, Zero, Zero, Zero, Zero, Zero, ONE, ONE]),
    ("elu", [Is(-1.0), Is(-1.0), X, MINUS, PLUS, X, X, X], [Zero, Zero, ONE, ONE, ONE, ONE, ONE, ONE]),
    ("celu", [Is(-1.0), Is(-1.0), X, MINUS, PLUS, X, X, X], [Zero, Zero, ONE, ONE, ONE, ONE, ONE, ONE]),
    ("selu", [Near(-1.7580993408473768), Near(-1.7580993408473768), Any, MINUS, PLUS, X, Is(INF), Is(INF)],
        [Zero, Zero, Near(1.7580993408473768), Near(1.7580993408473768), Near(1.7580993408473768),
         Near(1.0507009873554805), Near(1.0507009873554805), Near(1.0507009873554805)]),
    ("gelu", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("gelu_tanh", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("quick_gelu", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("silu", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("swish", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("mish", [MINUS, MINUS, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Any, Near(0.6), Near(0.6), Any, ONE, ONE]),
    ("softplus", [Zero, Zero, Any, Near(core::f64::consts::LN_2), Near(core::f64::consts::LN_2), Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("softsign", [Is(-1.0), Is(-1.0), X, X, X, X, ONE, ONE], [Zero, Any, ONE, ONE, ONE, ONE, Any, Zero]),
    ("log_sigmoid", [X, X, Any, Near(-core::f64::consts::LN_2), Near(-core::f64::consts::LN_2), Any, MINUS, MINUS],
        [ONE, ONE, Is(0.5), Is(0.5), Is(0.5), Is(0.5), Zero, Zero]),
    ("hard_sigmoid", [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE],
        [Zero, Zero, Near(1.0 / 6.0), Near(1.0 / 6.0), Near(1.0 / 6.0), Near(1.0 / 6.0), Zero, Zero]),
    ("hard_swish", [MINUS, Zero, Any, MINUS, PLUS, Any, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("tanh_shrink", [X, X, MINUS, MINUS, PLUS, PLUS, X, X], [ONE, ONE, Zero, Zero, Zero, Zero, ONE, ONE]),
    ("soft_shrink", [X, X, Zero, Zero, Zero, Zero, X, X], [ONE, ONE, Zero, Zero, Zero, Zero, ONE, ONE]),
    ("hard_shrink", [X, X, Zero, Zero, Zero, Zero, X, X], [ONE, ONE, Zero, Zero, Zero, Zero, ONE, ONE]),
    ("shrink", [X, X, Zero, Zero, Zero, Zero, X, X], [ONE, ONE, Zero, Zero, Zero, Zero, ONE, ONE]),
    ("squareplus", [Zero, Any, ONE, ONE, ONE, ONE, X, X],
        [Zero, Zero, Is(0.5), Is(0.5), Is(0.5), Is(0.5), ONE, ONE]),
    ("relu_squared", [Zero, Zero, Zero, Zero, Zero, Zero, Is(INF), Is(INF)],
        [Zero, Zero, Zero, Zero, Zero, Any, Is(INF), Is(INF)]),
    ("softcap", [Is(-30.0), Is(-30.0), Any, MINUS, PLUS, Any, Is(30.0), Is(30.0)],
        [Zero, Zero, ONE, ONE, ONE, ONE, Zero, Zero]),
];

/// `(name, x, f(x), f'(x))` where a function bends; derivatives at kinks are those that the rooms
/// document.
#[rustfmt::skip]
const KINKS: &[(&str, f64, f64, f64)] = &[
    ("relu", 0.0, 0.0, 0.0),
    ("relu6", 0.0, 0.0, 0.0),
    ("relu6", 6.0, 6.0, 0.0),
    ("hard_tanh", -1.0, -1.0, 0.0),
    ("hard_tanh", 1.0, 1.0, 0.0),
    ("threshold", 0.0, 0.0, 0.0),
    ("thresholded_relu", 1.0, 0.0, 0.0),
    ("elu", 0.0, 0.0, 1.0),
    ("celu", 0.0, 0.0, 1.0),
    ("hard_sigmoid", -3.0, 0.0, 0.0),
    ("hard_sigmoid", 3.0, 1.0, 0.0),
    ("hard_swish", -3.0, 0.0, 0.0),
    ("hard_swish", 3.0, 3.0, 1.5),
    ("soft_shrink", -0.5, 0.0, 0.0),
    ("soft_shrink", 0.5, 0.0, 0.0),
    ("hard_shrink", -0.5, 0.0, 0.0),
    ("hard_shrink", 0.5, 0.0, 0.0),
    ("shrink", 0.5, 0.0, 0.0),
    ("relu_squared", 0.0, 0.0, 0.0),
];

fn meets<A: Format>(want: Want, x: A, got: A) -> bool {
    match want {
        Is(y) => got.bits() == A::from_f64(y).bits(),
        Near(y) => {
            let near = A::from_f64(y);
            got == near || got == near.up() || got == near.down()
        }
        Zero => got == A::zero(),
        X => got.bits() == x.bits(),
        Any => got.is_finite(),
    }
}

fn check_table<A: Format>() {
    let mut failures = Vec::new();
    let least = A::from_bits_of(1);
    let points = [
        A::neg_infinity(),
        A::min_value(),
        -least,
        -A::zero(),
        A::zero(),
        least,
        A::max_value(),
        A::infinity(),
    ];
    for &(name, function, slope) in TABLE {
        let entry = named::<A>(name);
        let results =
            [("f", function, entry.function(&points)), ("f'", slope, entry.derivative(&points))];
        for (which, row, got) in results {
            for ((&x, &got), want) in points.iter().zip(&got).zip(row) {
                if !meets(want, x, got) {
                    failures.push(format!(
                        "{} {which} at {x:e}: got {got:e} ({:#x})",
                        entry.curve.describe(),
                        got.bits()
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_ends_of_the_range_and_the_zeros_in_f32() {
    check_table::<f32>();
}

#[test]
fn the_ends_of_the_range_and_the_zeros_in_f64() {
    check_table::<f64>();
}

#[test]
fn every_activation_of_the_registry_has_a_table() {
    let mut tables: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    let mut registry: Vec<&str> = crate::common::noun::names().iter().map(|row| row.0).collect();
    tables.sort_unstable();
    registry.sort_unstable();
    assert_eq!(tables, registry);
}

#[test]
fn derivatives_at_kinks_are_the_documented_ones() {
    fn check<A: Format>() {
        for &(name, x, function, slope) in KINKS {
            let entry = named::<A>(name);
            let x = A::from_f64(x);
            assert_eq!(entry.at(x).to_f64(), function, "{name} {} at {x}", A::NAME);
            assert_eq!(entry.slope_at(x).to_f64(), slope, "{name}' {} at {x}", A::NAME);
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Quiet NaNs with both signs and with a payload.
fn nans<A: Format>() -> [A; 3] {
    let infinity = A::infinity().bits();
    let quiet = infinity | (1 << (A::DIGITS - 2));
    [A::nan(), -A::nan(), A::from_bits_of(quiet | 0x1234)]
}

#[test]
fn nan_in_gives_nan_out_in_every_function_and_derivative() {
    fn check<A: Format>(entry: &Entry<A>) {
        for nan in nans::<A>() {
            // Alone, in a full vector, and beside numbers.
            for x in [vec![nan], vec![nan; 16], vec![A::one(), nan, -A::one(), A::zero(), nan]] {
                let results = [entry.function(&x), entry.derivative(&x)];
                for (which, got) in ["f", "f'"].iter().zip(results) {
                    for (x, got) in x.iter().zip(got) {
                        let what = entry.curve.describe();
                        assert_eq!(x.is_nan(), got.is_nan(), "{what} {which} of {x} is {got}");
                    }
                }
            }
        }
    }
    crate::common::noun::all::<f32>().iter().for_each(check);
    crate::common::noun::all::<f64>().iter().for_each(check);
}

#[test]
fn a_nan_upstream_gradient_stays() {
    let x = ndarray::arr1(&[-100.0f32, -1.0, 0.0, 1.0, 100.0]).into_dyn();
    let dy = x.mapv(|_| f32::NAN);
    for noun in verbs::<f32>() {
        assert!(noun.backward(&x, &dy).iter().all(|y| y.is_nan()), "{}", noun.describe());
    }
}

#[test]
fn odd_functions_are_odd_to_the_bit() {
    fn check<A: Format>() {
        let x: Vec<A> = crate::common::inputs::sweep(4, 200, &[0.5, 1.0, 9.0, 20.0]);
        let negated: Vec<A> = x.iter().map(|&x| -x).collect();
        for name in ["identity", "tanh", "sign", "softsign", "tanh_shrink", "softcap"] {
            let entry = named::<A>(name);
            let (y, z) = (entry.function(&x), entry.function(&negated));
            for ((&x, y), z) in x.iter().zip(y).zip(z) {
                assert_eq!((-y).bits(), z.bits(), "{name} {} at {x:e}", A::NAME);
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Where the gate is 1, in every octave, last bits of every kind: halfway cases of any sum that the result is made of
/// are among them.
#[test]
fn large_numbers_come_back_from_gates_unchanged() {
    use ndarray::Array1;
    use ndarray_activations::prelude::*;

    let single: Array1<f32> = (6..128_u32)
        .flat_map(|exponent| {
            [0, 1, 2, 3, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x7f_fffd, 0x7f_fffe, 0x7f_ffff]
                .map(|mantissa| f32::from_bits((127 + exponent) << 23 | mantissa))
        })
        .collect();
    for gate in [Activation::Silu, Activation::GeluTanh] {
        assert_eq!(gate.map(&single), single, "{gate:?}");
    }
}
