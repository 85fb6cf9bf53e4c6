//! Activation functions, stable softmax and forward propagation on ndarray.
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
    pub use crate::softmax::{
        Softmax, SoftmaxStats, log_softmax_backward, log_softmax_backward_inplace,
        softmax_backward, softmax_backward_inplace,
    };
}
