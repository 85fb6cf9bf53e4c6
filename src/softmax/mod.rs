//! Softmax and its family along an axis.
