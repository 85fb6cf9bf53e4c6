//! Activation functions, stable softmax along any axis, losses and forward propagation for
//! [`ndarray`], on the CPU: fast, faithful, reproducible, safe.
//!
//! ```
//! use ndarray::{Axis, array};
//! use ndarray_activations::prelude::*;
//!
//! let mut x = array![[-2.0f32, 0.5, 3.0], [1000.0, 1000.0, -1000.0]];
//! let y = x.gelu();                            // a new array
//! let p = x.softmax(Axis(1));                  // never overflows
//! x.leaky_relu_inplace(0.1);                   // no allocation
//! assert_eq!(p.row(1), array![0.5, 0.5, 0.0]);
//! assert_eq!(x[[0, 0]], -0.2);
//! # assert_eq!(y.dim(), (2, 3));
//! ```
//!
//! <div class="warning">
//!
//! `x.tanh()` is ndarray's own method, which wins over any other of that name. Ours is
//! `x.activate(Tanh)`, and `x.tanh_inplace()`.
//!
//! </div>
//!
//! # What there is
//!
//! * Nouns: every activation of the [catalogue](#catalogue) is a small value, such as
//!   [`LeakyRelu`]` { negative_slope: 0.1 }`. Their verbs are those of [`Elementwise`], which your own
//!   activations can implement with two formulas.
//! * Methods of arrays: [`ActivationExt`], in the [`prelude`].
//! * [`Activation`]: chosen when the program runs, with the names that PyTorch, Keras, ONNX and
//!   Hugging Face configurations use.
//! * [`Prelu`] with a slope for each channel; gated units along an axis: [`glu`], [`swiglu`],
//!   [`geglu`], [`reglu`], [`bilinear`], [`gated`].
//! * [`softmax`] and its family along any axis, masked, scaled and streaming.
//! * [`forward`]: dense networks with weights from files; [`loss`]: losses with gradients.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `rayon` | yes | all cores for large arrays |
//! | `rand` | yes | random weight initialisers |
//! | `safetensors` | | weights from safetensors files |
//! | `npy` | | arrays from `.npy` files |
//! | `serde` | | [`Activation`] in configuration files |
//! | `huge-pages` | | new arrays of 4 MiB and more on huge pages (Linux; Rust 1.95) |
//!
//! # Semantics
//!
//! | case | result |
//! |---|---|
//! | NaN in | NaN out, in every function, ReLU, clamps and shrinks included |
//! | ±∞ in | the limit: `silu`, `gelu`, `mish`, `hard_swish` give −0 at −∞, `softsign` ±1 |
//! | signed zero | odd functions keep it; `relu(-0.0)` is `-0.0` |
//! | subnormals | never flushed, neither in nor out |
//! | derivative at kinks | documented with each function: `relu'(0) = 0`, `leaky_relu'(0)` is the slope |
//! | integer arrays | rejected when the program is compiled |
//! | softmax of a lane with NaN, with +∞, or all −∞ | NaN; a fully masked lane gives zeros |
//! | −∞ beside finite elements | exactly 0 |
//! | lane of length 0, of length 1 | empty; exactly 1 |
//! | axis out of range, other shapes | panic, naming axis and dimensions or both shapes |
//! | anything wrong in files or configurations | an error value |
//!
//! # Threads
//!
//! With the feature `rayon`, large arrays are shared between the threads of the ambient pool: from 2 Mi `f32`
//! elements on (half as many `f64`) for functions as light as ReLU, 512 Ki for one exponential, 256 Ki for heavier ones, and from a sixteenth of that
//! on (an eighth for softmax along another axis than the last) as long as the pool's threads are awake, as they are
//! when one call follows another. Smaller calls never touch the pool. Within a pool a quarter of the first numbers
//! counts. A thread outside of the pool works itself, while threads of the pool wake up and take over what is left.
//! There are no `par_` twins: `ThreadPool::install` and `RAYON_NUM_THREADS` are the control, and no bit of a result
//! depends on it.
//!
//! # Catalogue
//!
//! Largest errors of function and derivative in units in the last place, over the whole domain,
//! with default parameters; each function's page has the formula of its derivative and its limits.
//! Softmax is bounded in its [own page](softmax).
//!
#![doc = include_str!("../docs/catalogue.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod activation;
mod apply;
mod choice;
mod element;
mod ext;
pub mod forward;
mod gated;
mod lane;
pub mod loss;
pub mod math;
mod prelu;
pub mod softmax;

pub use activation::*;
pub use apply::Affine;
#[doc(hidden)]
pub use apply::blocks_of_rows;
pub use choice::{Activation, ActivationError};
pub use element::Element;
pub use ext::ActivationExt;
pub use gated::{bilinear, gated, gated_backward, geglu, glu, reglu, swiglu};
pub use lane::{DoubleKernel, Lane, Level, Mask, with_level};
pub use prelu::Prelu;
pub use softmax::{Softmax, SoftmaxStats};

/// Everything that programs usually need: `use ndarray_activations::prelude::*;`.
pub mod prelude {
    pub use crate::activation::*;
    pub use crate::choice::Activation;
    pub use crate::ext::ActivationExt;
    pub use crate::gated::{bilinear, gated, gated_backward, geglu, glu, reglu, swiglu};
    pub use crate::prelu::Prelu;
    pub use crate::softmax::{
        Softmax, SoftmaxStats, log_softmax_backward, log_softmax_backward_inplace,
        softmax_backward, softmax_backward_inplace,
    };
}

/// The code in the README is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
