//! Forward propagation: dense layers chained with activations.
//!
#![cfg_attr(feature = "rand", doc = "```")]
#![cfg_attr(not(feature = "rand"), doc = "```ignore")]
//! use ndarray::{Array1, Array2, Axis};
//! use ndarray_activations::{forward::{Init, Linear, Sequential}, loss, prelude::*};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! let mut rng = StdRng::seed_from_u64(7);
//! let net = Sequential::new()
//!     .push(Linear::init(64, 128, Init::HeNormal, &mut rng))
//!     .push(Relu)
//!     .push(Linear::init(128, 10, Init::XavierUniform, &mut rng));
//! let images = Array2::<f32>::ones((32, 64));
//! let logits = net.forward(&images)?;
//! let probabilities = logits.softmax(Axis(1));
//! assert_eq!(probabilities.dim(), (32, 10));
//! let labels = Array1::<usize>::zeros(32);
//! let error = loss::cross_entropy(&logits, &labels, Axis(1))?; // the mean of -ln probabilities[label]
//! assert!(error > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Networks trained elsewhere come in through [`Weights`]. Everything that can be wrong with them
//! is a [`ForwardError`] that names the place, what was expected and what came.
//!
//! A row gives the same bits alone and in any batch, in any memory layout of the input, at any
//! number of threads and on every SIMD level; [`Affine`](crate::Affine) says in which order the
//! products are summed.

mod describe;
mod error;
#[cfg(feature = "rand")]
mod init;
mod linear;
#[cfg(feature = "npy")]
mod npy;
mod sequential;
mod weights;

pub use error::ForwardError;
#[cfg(feature = "rand")]
pub use init::{Fan, Init, Shape};
pub use linear::Linear;
#[cfg(feature = "npy")]
pub use npy::read_npy;
pub use sequential::{Layer, Sequential, Workspace};
pub use weights::Weights;
