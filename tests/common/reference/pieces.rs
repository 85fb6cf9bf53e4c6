//! The parts that formulas of the catalogue share: constants as sums of two doubles, and functions
//! that do not cancel.

use super::Num;

pub(super) const FRAC_1_SQRT_2: (f64, f64) =
    (core::f64::consts::FRAC_1_SQRT_2, -4.833646656726457e-17);
pub(super) const FRAC_1_SQRT_TAU: (f64, f64) = (0.3989422804014327, -2.49232720227773e-17);
pub(super) const SQRT_FRAC_2_PI: (f64, f64) = (0.7978845608028654, -4.98465440455546e-17);
/// The zero of gelu' in three parts, and the first terms of its Taylor series there; by mpmath, 80 digits.
pub(super) const GELU_ROOT: [f64; 3] =
    [-0.7517915246935645, 1.4956759177009883e-17, 5.384040947833005e-34];
pub(super) const GELU_SLOPE_TAYLOR: [(f64, f64); 3] = [
    (0.4314939923140469, 2.7308688141129613e-17),
    (0.388284982990552, 2.3344842362524718e-17),
    (-0.018199676398671087, 6.243663267436504e-20),
];
/// The constants of definitions are these decimal numbers themselves, not the doubles near them.
pub(super) const GELU_CUBIC: (f64, f64) = (0.044715, 2.1960211427085595e-18);
pub(super) const QUICK: (f64, f64) = (1.702, 4.263256414560601e-17);
pub(super) const SELU_SCALE: (f64, f64) = (1.0507009873554805, 3.9874847667154144e-17);
pub(super) const SELU_ALPHA: (f64, f64) = (1.6732632423543772, 1.0657222547717531e-16);

/// `2n / (2n + 1)!` for `n` from 1: the series of `(x cosh x − sinh x) / x³` in `x²`, positive
/// throughout; `tools/reference.py`.
pub(super) const TANH_SHRINK: [(f64, f64); 16] = [
    (0.3333333333333333, 1.850371707708594e-17),
    (0.03333333333333333, 4.625929269271486e-19),
    (0.0011904761904761906, -1.073876437509452e-19),
    (2.2045855379188714e-05, -1.4867146192371777e-21),
    (2.505210838544172e-07, 1.1981638892337766e-23),
    (1.9270852604185937e-09, 4.762595849589671e-26),
    (1.0706029224547743e-11, 3.0049059461926245e-28),
    (4.498331606952833e-14, 2.6414148369378292e-30),
    (1.4797143443923793e-16, 9.0405303050919e-34),
    (3.9145882126782523e-19, -3.212883355335369e-36),
    (8.509974375387505e-22, -4.2964877858506905e-38),
    (1.5472680682522736e-24, 4.5442525997102893e-41),
    (2.387759364586842e-27, -1.6459878783112662e-43),
    (3.166789608205361e-30, -1.4396133853863918e-46),
    (3.6483751246605535e-33, 3.386456584825647e-49),
    (3.685227398647024e-36, -1.9518638265230527e-52),
];

pub(super) fn n<N: Num>(x: f64) -> N {
    N::new(x)
}

/// `a / (1 + e^-z)` without overflow, and a number between whose sign does not matter.
pub(super) fn sigmoid<N: Num>(z: N) -> N {
    if z.approximate() >= 0.0 {
        n::<N>(1.0) / (n::<N>(1.0) + (-z).exp())
    } else {
        let e = z.exp();
        e / (n::<N>(1.0) + e)
    }
}

pub(super) fn magnitude<N: Num>(z: N) -> N {
    if z.approximate() < 0.0 { -z } else { z }
}

/// `σ(z) (1 − σ(z))`.
pub(super) fn sigmoid_slope<N: Num>(z: N) -> N {
    let e = (-magnitude(z)).exp();
    let d = n::<N>(1.0) + e;
    e / (d * d)
}

pub(super) fn tanh<N: Num>(z: N) -> N {
    let m = (magnitude(z) * n(-2.0)).exp_m1();
    let y = -m / (n::<N>(2.0) + m);
    if z.approximate() < 0.0 { -y } else { y }
}

/// `d/dx (x σ(z))` where `z' x = z t`; for silu `t = z`.
pub(super) fn gated_slope<N: Num>(z: N, t: N) -> N {
    let e = (-magnitude(z)).exp();
    let d = n::<N>(1.0) + e;
    if z.approximate() >= 0.0 {
        (n::<N>(1.0) + t * e / d) / d
    } else {
        e / d * (n::<N>(1.0) + t / d)
    }
}

pub(super) fn normal_cdf<N: Num>(x: N) -> N {
    (-x * N::pair(FRAC_1_SQRT_2)).erfc() * n(0.5)
}

pub(super) fn ramp<N: Num>(x: f64, positive: bool) -> N {
    if positive { n(x) } else { n(0.0) }
}

pub(super) fn indicator<N: Num>(condition: bool) -> N {
    n(f64::from(condition))
}

/// `2 √(2/π) (x + 0.044715 x³)`.
pub(super) fn gelu_tanh_argument<N: Num>(x: f64) -> N {
    let x = n::<N>(x);
    N::pair(SQRT_FRAC_2_PI) * n(2.0) * x * (n::<N>(1.0) + N::pair(GELU_CUBIC) * x * x)
}

pub(super) fn softplus<N: Num>(z: N) -> N {
    let tail = (-magnitude(z)).exp().ln_1p();
    if z.approximate() > 0.0 { z + tail } else { tail }
}

pub(super) fn hard_sigmoid<N: Num>(x: f64, slope: f64, offset: f64) -> N {
    // The default means x / 6 + 1 / 2, not the double next to 1/6.
    let y = if slope == 1.0 / 6.0 && offset == 0.5 {
        (n::<N>(x) + n(3.0)) / n(6.0)
    } else {
        n::<N>(x) * n(slope) + n(offset)
    };
    if y.approximate() <= 0.0 {
        n(0.0)
    } else if (y - n(1.0)).approximate() >= 0.0 {
        n(1.0)
    } else {
        y
    }
}

pub(super) fn tanh_shrink<N: Num>(x: f64) -> N {
    let v = n::<N>(x);
    if x.abs() >= 1.0 {
        return v - tanh(v);
    }
    let square = v * v;
    let mut sum = N::pair(TANH_SHRINK[15]);
    for &c in TANH_SHRINK[..15].iter().rev() {
        sum = sum * square + N::pair(c);
    }
    let e = v.exp();
    v * square * sum * n(2.0) / (e + n::<N>(1.0) / e)
}

pub(super) fn mish<N: Num>(x: f64) -> N {
    let e = (-magnitude(n::<N>(x))).exp();
    let (one, two) = (n::<N>(1.0), n::<N>(2.0));
    if x >= 0.0 {
        let top = one + two * e;
        n::<N>(x) * top / (top + two * e * e)
    } else {
        let top = e * (e + two);
        n::<N>(x) * top / (top + two)
    }
}

/// With `E = e^x`: `E [(E + 2)(E² + 2E + 2) + 4x (1 + E)] / (E² + 2E + 2)²`, and for positive `x`
/// the same in `1 / E`.
pub(super) fn mish_slope<N: Num>(x: f64) -> N {
    let e = (-magnitude(n::<N>(x))).exp();
    let (one, two) = (n::<N>(1.0), n::<N>(2.0));
    let linear = n::<N>(4.0) * n(x) * (one + e);
    if x >= 0.0 {
        let d = one + two * e + two * e * e;
        ((one + two * e) * d + linear * e * e) / (d * d)
    } else {
        let d = e * e + two * e + two;
        e * ((e + two) * d + linear) / (d * d)
    }
}

pub(super) fn squareplus<N: Num>(x: f64, b: f64) -> N {
    let v = n::<N>(x);
    let root = (v * v + n(b)).sqrt();
    if x >= 0.0 { (v + root) * n(0.5) } else { n::<N>(b) * n(0.5) / (root - v) }
}

pub(super) fn squareplus_slope<N: Num>(x: f64, b: f64) -> N {
    let v = n::<N>(x);
    let root = (v * v + n(b)).sqrt();
    if x >= 0.0 {
        (n::<N>(1.0) + v / root) * n(0.5)
    } else {
        n::<N>(b) * n(0.5) / (root * (root - v))
    }
}

pub(super) fn elu<N: Num>(x: f64, alpha: f64, width: f64) -> N {
    if x > 0.0 { n(x) } else { n::<N>(alpha) * (n::<N>(x) / n(width)).exp_m1() }
}
