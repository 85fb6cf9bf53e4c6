//! Random weights to start from.

use ndarray::{Array1, Array2};
use ndarray_rand::{RandomExt, rand_distr};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::Linear;
use crate::{Affine, Element};

/// How the weights of a new [`Linear`] layer are drawn; `n` is its number of inputs (fan-in), `m`
/// that of its outputs (fan-out).
///
/// | variant | weight | source |
/// |---|---|---|
/// | `Zeros` | 0 | |
/// | `XavierUniform` | uniform in ±√(6 / (n + m)) | [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html) |
/// | `XavierNormal` | normal, σ = √(2 / (n + m)) | the same |
/// | `XavierTruncated` | truncated normal, σ = √(2 / (n + m)) | the same, as Keras draws `glorot_normal` |
/// | `HeUniform` | uniform in ±√(6 / n) | [He et al., 2015](https://arxiv.org/abs/1502.01852) |
/// | `HeNormal` | normal, σ = √(2 / n) | the same |
/// | `HeTruncated` | truncated normal, σ = √(2 / n) | the same, as Keras draws `he_normal` |
/// | `LecunUniform` | uniform in ±√(3 / n) | LeCun et al., Efficient BackProp, 1998 |
/// | `LecunNormal` | normal, σ = √(1 / n) | the same |
/// | `LecunTruncated` | truncated normal, σ = √(1 / n) | the same, as Keras draws `lecun_normal` |
/// | `PyTorch` | uniform in ±√(1 / n), the bias too | the default of `torch.nn.Linear` |
/// | `Scaled` | variance `scale / fan` | Keras' `VarianceScaling` |
///
/// The bias is 0 except for `PyTorch`. A truncated normal is a normal one of standard deviation
/// `s = σ / 0.87962566103423978` from which values beyond ±2s are drawn again, so that σ is the
/// standard deviation that remains.
///
/// # Reproducibility
///
/// The values are drawn in `f64`, the weight row by row, then the bias, from the distributions of
/// `rand_distr` 0.5, and rounded to the element type: a seeded generator gives the same layer on
/// every machine, and a layer of `f32` is the rounded layer of `f64`. Use a generator whose stream
/// is fixed, such as ChaCha, not `StdRng`, for seeds that are meant to last.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// All zeros.
    Zeros,
    /// Glorot's uniform.
    #[doc(alias = "GlorotUniform")]
    XavierUniform,
    /// Glorot's normal.
    #[doc(alias = "GlorotNormal")]
    XavierNormal,
    /// Glorot's normal, truncated.
    #[doc(alias = "GlorotNormal")]
    XavierTruncated,
    /// He's uniform.
    #[doc(alias = "KaimingUniform")]
    HeUniform,
    /// He's normal.
    #[doc(alias = "KaimingNormal")]
    HeNormal,
    /// He's normal, truncated.
    #[doc(alias = "KaimingNormal")]
    HeTruncated,
    /// LeCun's uniform.
    LecunUniform,
    /// LeCun's normal, for [`Selu`](crate::Selu).
    LecunNormal,
    /// LeCun's normal, truncated.
    LecunTruncated,
    /// The default of PyTorch.
    PyTorch,
    /// Any scale: the variance of a weight is `scale / fan`. With a gain `g` the scale is `g²`;
    /// PyTorch's gains are 5/3 for tanh, √2 for ReLU, 3/4 for SELU.
    Scaled {
        /// The variance times the fan; positive and finite.
        scale: f64,
        /// What the variance is divided by.
        fan: Fan,
        /// The distribution.
        shape: Shape,
    },
}

/// The number that the variance of a weight is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fan {
    /// The number of inputs.
    In,
    /// The number of outputs.
    Out,
    /// The mean of both.
    Average,
}

/// A distribution with mean 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Uniform in ±√3 σ.
    Uniform,
    /// Normal.
    Normal,
    /// Normal within two standard deviations, scaled up to σ again.
    Truncated,
}

/// The standard deviation of a standard normal distribution cut off at ±2:
/// √(1 − 4 φ(2) / (2 Φ(2) − 1)).
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// Scale, fan and shape; `None` for zeros.
    fn parts(self) -> Option<(f64, Fan, Shape)> {
        Some(match self {
            Self::Zeros => return None,
            Self::XavierUniform => (1.0, Fan::Average, Shape::Uniform),
            Self::XavierNormal => (1.0, Fan::Average, Shape::Normal),
            Self::XavierTruncated => (1.0, Fan::Average, Shape::Truncated),
            Self::HeUniform => (2.0, Fan::In, Shape::Uniform),
            Self::HeNormal => (2.0, Fan::In, Shape::Normal),
            Self::HeTruncated => (2.0, Fan::In, Shape::Truncated),
            Self::LecunUniform => (1.0, Fan::In, Shape::Uniform),
            Self::LecunNormal => (1.0, Fan::In, Shape::Normal),
            Self::LecunTruncated => (1.0, Fan::In, Shape::Truncated),
            Self::PyTorch => (1.0 / 3.0, Fan::In, Shape::Uniform),
            Self::Scaled { scale, fan, shape } => (scale, fan, shape),
        })
    }
}

/// The distribution of one value with its final scale.
enum Draw {
    Zero,
    Uniform(Uniform<f64>),
    Normal(f64),
    Truncated(f64),
}

impl Draw {
    #[track_caller]
    fn new(init: Init, inputs: usize, outputs: usize) -> Self {
        let Some((scale, fan, shape)) = init.parts() else { return Self::Zero };
        assert!(scale > 0.0 && scale.is_finite(), "the scale must be positive and finite: {scale}");
        // Without inputs or outputs nothing is drawn but PyTorch's bias, and there it is 0.
        let numerator = match (fan, shape) {
            (_, Shape::Uniform) => 3.0 * scale,
            _ => scale,
        };
        let (numerator, fan) = match fan {
            Fan::In => (numerator, inputs),
            Fan::Out => (numerator, outputs),
            Fan::Average => (2.0 * numerator, inputs + outputs),
        };
        if fan == 0 {
            return Self::Zero;
        }
        let size = (numerator / fan as f64).sqrt();
        match shape {
            Shape::Uniform => {
                Self::Uniform(Uniform::new_inclusive(-size, size).expect("a finite, ordered range"))
            }
            Shape::Normal => Self::Normal(size),
            Shape::Truncated => Self::Truncated(size / TRUNCATED_DEVIATION),
        }
    }
}

impl Distribution<f64> for Draw {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        match self {
            Self::Zero => 0.0,
            Self::Uniform(range) => range.sample(rng),
            Self::Normal(deviation) => deviation * normal(),
            Self::Truncated(deviation) => loop {
                let value = normal();
                if value.abs() <= 2.0 {
                    return deviation * value;
                }
            },
        }
    }
}

impl<A: Element> Linear<A> {
    /// A new layer with random weights; see [`Init`] for the exact distributions and for what a
    /// seed reproduces. Feature `rand`.
    ///
    /// ```
    /// use ndarray_activations::forward::{Init, Linear};
    /// use rand::{SeedableRng, rngs::StdRng};
    /// let layer = Linear::<f32>::init(64, 10, Init::HeUniform, &mut StdRng::seed_from_u64(1));
    /// assert_eq!((layer.inputs(), layer.outputs()), (64, 10));
    /// assert!(layer.weight().iter().all(|w| w.abs() <= (6.0f32 / 64.0).sqrt()));
    /// let same = Linear::<f32>::init(64, 10, Init::HeUniform, &mut StdRng::seed_from_u64(1));
    /// assert_eq!(layer.weight(), same.weight());
    /// ```
    ///
    /// `Rng` is that of rand 0.9, the version of ndarray-rand: `rand = "0.9"` in a program that makes one.
    ///
    /// # Panics
    /// If the scale of [`Init::Scaled`] is not positive and finite.
    #[track_caller]
    pub fn init(inputs: usize, outputs: usize, init: Init, rng: &mut (impl Rng + ?Sized)) -> Self {
        let draw = Draw::new(init, inputs, outputs);
        let mut rng = rng;
        let weight = Array2::random_using((outputs, inputs), &draw, &mut rng);
        let bias = match init {
            Init::PyTorch => Array1::random_using(outputs, &draw, &mut rng),
            _ => Array1::zeros(outputs),
        };
        Self::from_map(Affine::new(&weight.mapv(A::from_f64), &bias.mapv(A::from_f64)))
    }
}
