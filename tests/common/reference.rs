//! What every activation of the registry is, written once for two kinds of numbers: [`Real`], which
//! is exact for our purposes, and `f64`, good to about 2⁻⁴⁸, which is exact enough for `f32`
//! results and quick enough for all of them. No formula here cancels but for the zeros of some
//! derivatives; [`Formula::roots`] names those.

mod num;
mod pieces;

use core::f64::consts::LN_2;

pub use self::num::Num;
use self::pieces::*;

/// `f(x)` for a finite `x`, with the parameters in the order of the registry.
type Function<N> = fn(f64, &[f64]) -> N;

/// An activation on one kind of numbers.
pub struct Formula<N> {
    pub function: Function<N>,
    pub derivative: Function<N>,
    /// Where the derivative goes through zero by cancellation.
    pub roots: &'static [f64],
    /// Places of interest: kinks, and where results reach their limits or become subnormal.
    pub places: &'static [f64],
    /// Limits at −∞ and +∞ of the function and the derivative.
    pub limits: fn(&[f64]) -> Limits,
    /// Whether the function never falls.
    pub monotone: bool,
}

/// Limits at −∞ and +∞.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub function: [f64; 2],
    pub derivative: [f64; 2],
}

const INF: f64 = f64::INFINITY;

const fn limits(function: [f64; 2], derivative: [f64; 2]) -> Limits {
    Limits { function, derivative }
}

/// The reference of the activation with this name in the registry.
pub fn formula<N: Num>(name: &str) -> Option<Formula<N>> {
    // Places shared by what is built on an exponential, in f32 and in f64.
    const EXP: &[f64] = &[
        0.0, 0.34657359, LN_2, 8.3, 9.01, 16.6, 17.3, 18.0, 19.06, 36.04, 36.7, 37.4, 87.3, 88.0,
        88.7, 89.0, 103.3, 103.97, 104.0, 108.66, 110.0, 708.4, 709.8, 710.0, 744.4, 745.13, 746.0,
        752.0, 760.0,
    ];
    const GELU: &[f64] = &[
        0.0,
        0.5,
        core::f64::consts::FRAC_1_SQRT_2,
        0.751791524693564,
        1.0,
        1.414,
        2.0,
        3.0,
        4.0,
        5.0,
        5.5,
        6.0,
        8.29,
        9.0,
        10.6,
        10.77,
        12.0,
        13.1,
        14.17,
        14.36,
        14.5,
        20.0,
        22.0,
        37.52,
        37.7,
        38.47,
        38.57,
        39.0,
        40.0,
    ];
    let none: &'static [f64] = &[];
    let base = Formula::<N> {
        function: |x, _| n(x),
        derivative: |_, _| n(1.0),
        roots: none,
        places: EXP,
        limits: |_| limits([-INF, INF], [1.0, 1.0]),
        monotone: true,
    };
    let relu_limits: fn(&[f64]) -> Limits = |_| limits([0.0, INF], [0.0, 1.0]);
    let tail_limits: fn(&[f64]) -> Limits = |_| limits([-0.0, INF], [-0.0, 1.0]);
    let step_limits: fn(&[f64]) -> Limits = |_| limits([-1.0, 1.0], [0.0, 0.0]);
    Some(match name {
        "identity" => base,
        "sigmoid" => Formula {
            function: |x, _| sigmoid(n(x)),
            derivative: |x, _| sigmoid_slope(n(x)),
            limits: |_| limits([0.0, 1.0], [0.0, 0.0]),
            ..base
        },
        "tanh" => Formula {
            function: |x, _| tanh(n(x)),
            derivative: |x, _| n::<N>(4.0) * sigmoid_slope(n::<N>(x) * n(2.0)),
            limits: step_limits,
            ..base
        },
        "relu" => Formula {
            function: |x, _| ramp(x, x > 0.0),
            derivative: |x, _| indicator(x > 0.0),
            limits: relu_limits,
            ..base
        },
        "leaky_relu" => Formula {
            function: |x, p| if x > 0.0 { n(x) } else { n::<N>(x) * n(p[0]) },
            derivative: |x, p| n(if x > 0.0 { 1.0 } else { p[0] }),
            limits: |p| limits([-INF, INF], [p[0], 1.0]),
            ..base
        },
        "step" => Formula {
            function: |x, _| indicator(x >= 0.0),
            derivative: |_, _| n(0.0),
            limits: |_| limits([0.0, 1.0], [0.0, 0.0]),
            ..base
        },
        "sign" => Formula {
            function: |x, _| n(if x == 0.0 { x } else { 1f64.copysign(x) }),
            derivative: |_, _| n(0.0),
            limits: step_limits,
            ..base
        },
        "relu6" => Formula {
            function: |x, _| n(x.clamp(0.0, 6.0)),
            derivative: |x, _| indicator(x > 0.0 && x < 6.0),
            limits: |_| limits([0.0, 6.0], [0.0, 0.0]),
            places: &[0.0, 6.0],
            ..base
        },
        "hard_tanh" => Formula {
            function: |x, p| n(x.clamp(p[0], p[1])),
            derivative: |x, p| indicator(x > p[0] && x < p[1]),
            limits: |p| limits([p[0], p[1]], [0.0, 0.0]),
            places: &[0.0, 1.0],
            ..base
        },
        "threshold" => Formula {
            function: |x, p| n(if x > p[0] { x } else { p[1] }),
            derivative: |x, p| indicator(x > p[0]),
            limits: |p| limits([p[1], INF], [0.0, 1.0]),
            ..base
        },
        "thresholded_relu" => Formula {
            function: |x, p| ramp(x, x > p[0]),
            derivative: |x, p| indicator(x > p[0]),
            limits: relu_limits,
            places: &[0.0, 1.0],
            ..base
        },
        "elu" => Formula {
            function: |x, p| elu(x, p[0], 1.0),
            derivative: |x, p| {
                if x > 0.0 { n(1.0) } else { n::<N>(p[0]) * n::<N>(x).exp() }
            },
            limits: |p| limits([-p[0], INF], [0.0, 1.0]),
            ..base
        },
        "celu" => Formula {
            function: |x, p| elu(x, p[0], p[0]),
            derivative: |x, p| {
                if x > 0.0 { n(1.0) } else { (n::<N>(x) / n(p[0])).exp() }
            },
            limits: |p| limits([-p[0], INF], [0.0, 1.0]),
            ..base
        },
        "selu" => Formula {
            function: |x, _| {
                N::pair(SELU_SCALE)
                    * if x > 0.0 { n(x) } else { N::pair(SELU_ALPHA) * n::<N>(x).exp_m1() }
            },
            derivative: |x, _| {
                if x > 0.0 {
                    N::pair(SELU_SCALE)
                } else {
                    N::pair(SELU_SCALE) * N::pair(SELU_ALPHA) * n::<N>(x).exp()
                }
            },
            // Not the limits themselves, but what they round to is the same.
            limits: |_| limits([-1.7580993408473768, INF], [0.0, 1.0507009873554805]),
            ..base
        },
        "gelu" => Formula {
            function: |x, _| n::<N>(x) * normal_cdf(n(x)),
            derivative: |x, _| {
                let [root, low @ ..] = GELU_ROOT;
                if (x - root).abs() < 1e-6 {
                    // The terms cancel: a Taylor polynomial about the zero instead, good to 2⁻⁷⁵.
                    let d = n::<N>(x) - n(root) - N::pair((low[0], low[1]));
                    let [first, second, third] = GELU_SLOPE_TAYLOR.map(N::pair);
                    return d * (first + d * (second + d * third));
                }
                let v = n::<N>(x);
                let density = N::pair(FRAC_1_SQRT_TAU) * (v * v * n(-0.5)).exp();
                normal_cdf(v) + v * density
            },
            roots: &[-0.751791524693564],
            limits: tail_limits,
            places: GELU,
            monotone: false,
        },
        "gelu_tanh" => Formula {
            function: |x, _| n::<N>(x) * sigmoid(gelu_tanh_argument(x)),
            derivative: |x, _| {
                let square = n::<N>(x) * n(x);
                let slope = N::pair(SQRT_FRAC_2_PI)
                    * n(2.0)
                    * (n::<N>(1.0) + n::<N>(3.0) * N::pair(GELU_CUBIC) * square);
                gated_slope(gelu_tanh_argument::<N>(x), n::<N>(x) * slope)
            },
            roots: &[-0.752461423],
            limits: tail_limits,
            places: GELU,
            monotone: false,
        },
        "quick_gelu" => Formula {
            function: |x, _| n::<N>(x) * sigmoid(N::pair(QUICK) * n(x)),
            derivative: |x, _| gated_slope(N::pair(QUICK) * n(x), N::pair(QUICK) * n(x)),
            roots: &[-0.751174400],
            limits: tail_limits,
            places: &[
                0.0, 0.75, 1.0, 10.0, 22.0, 51.0, 52.0, 61.0, 63.0, 64.0, 416.0, 438.0, 442.0,
            ],
            monotone: false,
        },
        "silu" => Formula {
            function: |x, _| n::<N>(x) * sigmoid(n(x)),
            derivative: |x, _| gated_slope(n::<N>(x), n(x)),
            roots: &[-1.278464542761074],
            limits: tail_limits,
            monotone: false,
            ..base
        },
        "swish" => Formula {
            function: |x, p| n::<N>(x) * sigmoid(n::<N>(p[0]) * n(x)),
            derivative: |x, p| gated_slope(n::<N>(p[0]) * n(x), n::<N>(p[0]) * n(x)),
            roots: &[-1.278464542761074],
            limits: tail_limits,
            monotone: false,
            ..base
        },
        "mish" => Formula {
            function: |x, _| mish(x),
            derivative: |x, _| mish_slope(x),
            roots: &[-1.192431214515],
            limits: tail_limits,
            monotone: false,
            ..base
        },
        "softplus" => Formula {
            function: |x, p| softplus(n::<N>(x) * n(p[0])) / n(p[0]),
            derivative: |x, p| sigmoid(n::<N>(x) * n(p[0])),
            limits: relu_limits,
            ..base
        },
        "softsign" => Formula {
            function: |x, _| n::<N>(x) / (n::<N>(1.0) + n(x.abs())),
            derivative: |x, _| {
                let d = n::<N>(1.0) + n(x.abs());
                n::<N>(1.0) / (d * d)
            },
            limits: step_limits,
            ..base
        },
        "log_sigmoid" => Formula {
            function: |x, _| -softplus(-n::<N>(x)),
            derivative: |x, _| sigmoid(-n::<N>(x)),
            limits: |_| limits([-INF, -0.0], [1.0, 0.0]),
            ..base
        },
        "hard_sigmoid" => Formula {
            function: |x, p| hard_sigmoid(x, p[0], p[1]),
            derivative: |x, p| {
                let y = hard_sigmoid::<N>(x, p[0], p[1]);
                if y.approximate() == 0.0 || (y - n(1.0)).approximate() == 0.0 {
                    n(0.0)
                } else if p[0] == 1.0 / 6.0 {
                    n::<N>(1.0) / n(6.0)
                } else {
                    n(p[0])
                }
            },
            limits: |_| limits([0.0, 1.0], [0.0, 0.0]),
            places: &[0.0, 2.5, 3.0],
            ..base
        },
        "hard_swish" => Formula {
            function: |x, _| {
                if x <= -3.0 {
                    n(-0.0)
                } else if x >= 3.0 {
                    n(x)
                } else {
                    n::<N>(x) * (n::<N>(x) + n(3.0)) / n(6.0)
                }
            },
            derivative: |x, _| {
                if x <= -3.0 {
                    n(0.0)
                } else if x > 3.0 {
                    n(1.0)
                } else {
                    (n::<N>(x) * n(2.0) + n(3.0)) / n(6.0)
                }
            },
            limits: |_| limits([-0.0, INF], [0.0, 1.0]),
            places: &[0.0, 1.5, 3.0],
            monotone: false,
            ..base
        },
        "tanh_shrink" => Formula {
            function: |x, _| tanh_shrink(x),
            derivative: |x, _| {
                let y = tanh::<N>(n(x));
                y * y
            },
            ..base
        },
        "soft_shrink" => Formula {
            function: |x, p| {
                if x.abs() > p[0] { n::<N>(x) - n(p[0].copysign(x)) } else { n(0.0) }
            },
            derivative: |x, p| indicator(x.abs() > p[0]),
            places: &[0.0, 0.5],
            ..base
        },
        "hard_shrink" => Formula {
            function: |x, p| ramp(x, x.abs() > p[0]),
            derivative: |x, p| indicator(x.abs() > p[0]),
            places: &[0.0, 0.5],
            ..base
        },
        "shrink" => Formula {
            function: |x, p| {
                if x.abs() > p[0] { n::<N>(x) - n(p[1].copysign(x)) } else { n(0.0) }
            },
            derivative: |x, p| indicator(x.abs() > p[0]),
            places: &[0.0, 0.5],
            ..base
        },
        "squareplus" => Formula {
            function: |x, p| squareplus(x, p[0]),
            derivative: |x, p| squareplus_slope(x, p[0]),
            limits: relu_limits,
            places: &[0.0, 2.0, 1e4, 1e19, 1.8e19, 1e22, 1e38, 1e150, 1e154, 1.3e154, 1e162],
            ..base
        },
        "relu_squared" => Formula {
            function: |x, _| if x > 0.0 { n::<N>(x) * n(x) } else { n(0.0) },
            derivative: |x, _| if x > 0.0 { n::<N>(x) * n(2.0) } else { n(0.0) },
            limits: |_| limits([0.0, INF], [0.0, INF]),
            places: &[0.0, 1e-23, 1e-19, 1.8e19, 1.7e38, 1e-162, 1e-154, 1.3e154, 9e307],
            ..base
        },
        "softcap" => Formula {
            function: |x, p| n::<N>(p[0]) * tanh(n::<N>(x) / n(p[0])),
            derivative: |x, p| n::<N>(4.0) * sigmoid_slope(n::<N>(x) * n(2.0) / n(p[0])),
            limits: |p| limits([-p[0], p[0]], [0.0, 0.0]),
            places: &[
                0.0, 10.0, 30.0, 270.0, 500.0, 570.0, 1310.0, 1560.0, 10626.0, 10646.8, 11177.0,
            ],
            ..base
        },
        _ => return None,
    })
}
