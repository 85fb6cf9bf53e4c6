//! What can go wrong between a file and a result.

use core::fmt;

/// Why a network could not be built, loaded or run. Prints as one line that names the place, what
/// was expected there and what came.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use ndarray_activations::{forward::{Linear, Sequential}, prelude::*};
/// let layer = |inputs, outputs| {
///     Linear::new(Array2::<f32>::ones((outputs, inputs)), Array1::zeros(outputs)).unwrap()
/// };
/// let net = Sequential::new().push(layer(64, 128)).push(Relu).push(layer(64, 10));
/// assert_eq!(
///     net.check().unwrap_err().to_string(),
///     "layer 2 (linear): expected an input of width 128 from layer 0 (linear), but it takes 64"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ForwardError {
    /// Two linear layers do not fit together.
    Chain {
        /// The index of the layer that does not fit.
        layer: usize,
        /// The width it takes.
        takes: usize,
        /// The index of the linear layer before it.
        before: usize,
        /// The width that comes from there.
        comes: usize,
    },
    /// The input of the network has the wrong width.
    Input {
        /// The index of the linear layer that decides the width.
        layer: usize,
        /// The width it takes.
        expected: usize,
        /// The shape of the input.
        got: [usize; 2],
    },
    /// The bias does not have one element for each row of the weight.
    Bias {
        /// The name of the bias.
        tensor: String,
        /// The outputs of the layer: the rows of its weight.
        expected: usize,
        /// The length of the bias.
        got: usize,
    },
    /// A weight or a bias is infinite or NaN.
    NonFinite {
        /// The name of the tensor.
        tensor: String,
        /// Where in the tensor.
        index: Vec<usize>,
        /// What stands there.
        value: f64,
    },
    /// A tensor is not there.
    Missing {
        /// The name that was asked for.
        tensor: String,
        /// The names that are there.
        available: Vec<String>,
    },
    /// A tensor has the wrong number of dimensions.
    Rank {
        /// The name of the tensor.
        tensor: String,
        /// The number of dimensions that was expected.
        expected: usize,
        /// The number of dimensions of the tensor.
        got: usize,
    },
    /// A weight has rows without elements, which say nothing about how many there are.
    Empty {
        /// The name of the tensor.
        tensor: String,
        /// Its shape.
        got: Vec<usize>,
    },
    /// A tensor has elements of the wrong type.
    Type {
        /// The name of the tensor.
        tensor: String,
        /// The type that was expected.
        expected: String,
        /// The type of the tensor, as its file names it.
        got: String,
    },
    /// A file is damaged or of another format.
    File {
        /// The format that was expected.
        format: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The description of a network cannot be read.
    Description {
        /// The index of the layer.
        layer: usize,
        /// What stands there.
        got: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Names of tensors that an error lists at most.
const MANY: usize = 8;

/// How many letters two names begin and end with alike.
fn in_common(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    start + end
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain { layer, takes, before, comes } => write!(
                f,
                "layer {layer} (linear): expected an input of width {comes} from layer {before} \
                 (linear), but it takes {takes}"
            ),
            Self::Input { layer, expected, got } => write!(
                f,
                "layer {layer} (linear): expected an input of shape [batch, {expected}], got {got:?}"
            ),
            Self::Bias { tensor, expected, got } => {
                write!(
                    f,
                    "{tensor}: expected one element for each of {expected} outputs, got {got}"
                )
            }
            Self::NonFinite { tensor, index, value } => {
                write!(f, "{tensor}{index:?}: expected a finite number, got {value}")
            }
            Self::Missing { tensor, available } if available.is_empty() => {
                write!(f, "{tensor}: expected a tensor of this name, but there are none")
            }
            Self::Missing { tensor, available } if available.len() <= MANY => write!(
                f,
                "{tensor}: expected a tensor of this name, but there are only {}",
                available.join(", ")
            ),
            Self::Missing { tensor, available } => {
                let mut nearest: Vec<&str> = available.iter().map(String::as_str).collect();
                nearest.sort_by_key(|name| usize::MAX - in_common(tensor, name));
                write!(
                    f,
                    "{tensor}: expected a tensor of this name; of the {} that there are, the nearest are {}",
                    available.len(),
                    nearest[..MANY].join(", ")
                )
            }
            Self::Rank { tensor, expected, got } => {
                write!(f, "{tensor}: expected {expected} dimensions, got {got}")
            }
            Self::Empty { tensor, got } => {
                write!(f, "{tensor}: expected at least one input, got the shape {got:?}")
            }
            Self::Type { tensor, expected, got } => {
                write!(f, "{tensor}: expected elements of type {expected}, got {got}")
            }
            Self::File { format, message } => {
                write!(f, "expected a file of the format {format}: {message}")
            }
            Self::Description { layer, got, message } => {
                write!(f, "layer {layer} of the network description, {got:?}: {message}")
            }
        }
    }
}

impl core::error::Error for ForwardError {}
