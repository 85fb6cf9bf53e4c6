//! What a loss refuses.

use core::fmt;

/// Why a loss could not be computed. Prints as one line.
///
/// ```
/// use ndarray::{Axis, array};
/// use ndarray_activations::loss::cross_entropy;
/// let error = cross_entropy(&array![[0.5f32, 1.0], [0.0, 2.0]], &array![1, 7], Axis(1)).unwrap_err();
/// assert_eq!(error.to_string(), "label 7 at [1] is not one of 2 classes");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LossError {
    /// The axis of the classes does not exist.
    Axis {
        /// The axis that was asked for.
        axis: usize,
        /// The number of axes of the logits.
        ndim: usize,
    },
    /// Two arrays do not fit together.
    Shape {
        /// Which array has the wrong shape.
        what: &'static str,
        /// The shape it must have, or must broadcast to.
        expected: Vec<usize>,
        /// The shape it has.
        got: Vec<usize>,
    },
    /// A label is not the number of a class and not the one to ignore.
    Label {
        /// Where it stands.
        index: Vec<usize>,
        /// The label.
        label: i128,
        /// The number of classes.
        classes: usize,
    },
    /// A weight is negative, infinite or NaN.
    Weight {
        /// Which weight.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A parameter is out of its range.
    Parameter {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// Its value.
        got: f64,
    },
}

impl fmt::Display for LossError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Axis { axis, ndim } => {
                write!(f, "the class axis {axis} is out of range for logits with {ndim} axes")
            }
            Self::Shape { what, expected, got } => {
                write!(f, "{what}: expected the shape {expected:?}, got {got:?}")
            }
            Self::Label { index, label, classes } => {
                write!(f, "label {label} at {index:?} is not one of {classes} classes")
            }
            Self::Weight { what, value } => {
                write!(f, "{what}: expected finite numbers that are not negative, got {value}")
            }
            Self::Parameter { name, expected, got } => {
                write!(f, "{name}: expected {expected}, got {got}")
            }
        }
    }
}

impl core::error::Error for LossError {}
