//! Losses from logits, each with its gradient.
//!
//! | loss | function | with options | per element |
//! |---|---|---|---|
//! | cross-entropy of classes | [`cross_entropy`] | [`CrossEntropy`] | `−ln softmax(x)_y` |
//! | negative log-likelihood | [`nll`] | [`Nll`] | `−l_y` |
//! | binary cross-entropy | [`bce_with_logits`] | [`BceWithLogits`] | `−z ln σ(x) − (1 − z) ln σ(−x)` |
//! | squared error | [`mse`] | [`Mse`] | `(x − y)²` |
//! | absolute error | [`mae`] | [`Mae`] | `abs(x − y)` |
//! | Huber | [`huber`] | [`Huber`] | `(x − y)² / 2` near 0, linear beyond `delta` |
//!
//! The functions give the mean. The types have the options and three verbs: `value`,
//! `value_and_gradient` (with respect to the logits or predictions) and `each`, the losses before
//! they are reduced. The conventions are PyTorch's, with one exception: where PyTorch divides 0 by
//! 0, as for a batch without labels or with ignored ones only, the mean is 0. No loss is ever NaN
//! on finite input, if the weights and their sums are normal numbers or 0.
//!
//! Losses are computed and added in double precision with compensated sums, in an order that depends
//! on their number alone, and rounded once at the end. Gradients are made of probabilities in the element type,
//! so an error is one of the probability, also where the gradient is a small difference of two.
//! Results are the same bits for every memory layout.

mod binary;
mod classes;
mod cross_entropy;
mod error;
mod nll;
mod pointwise;
mod scaled;
mod sum;

pub use binary::{BceWithLogits, bce_with_logits};
pub use classes::Label;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use error::LossError;
pub use nll::{Nll, nll};
pub use pointwise::{Huber, Mae, Mse, huber, mae, mse};

/// How the losses of the elements become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum divided by their number, or by the sum of the weights of what is not ignored;
    /// 0 where there is nothing.
    #[default]
    Mean,
    /// Their sum. Its gradient holds the gradients of the losses of the elements.
    Sum,
}

impl Reduction {
    /// What the sum is multiplied by, for a sum of weights.
    fn factor(self, weight: f64) -> f64 {
        match self {
            Self::Mean if weight == 0.0 => 0.0,
            Self::Mean => 1.0 / weight,
            Self::Sum => 1.0,
        }
    }

    /// The loss, for a sum of losses and a sum of weights.
    fn value(self, total: f64, weight: f64) -> f64 {
        match self {
            Self::Mean if weight == 0.0 => 0.0,
            Self::Mean => total / weight,
            Self::Sum => total,
        }
    }
}
