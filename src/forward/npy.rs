//! Arrays from `.npy` files.

use std::any::type_name;
use std::io::Read;

use ndarray::{Array, Dimension};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};

use super::ForwardError;

/// Reads an array in NumPy's `.npy` format; `name` is for the errors. Feature `npy`.
///
/// ```no_run
/// use ndarray::Array2;
/// use ndarray_activations::forward::read_npy;
/// let images: Array2<f32> = read_npy("images.npy", std::fs::File::open("images.npy")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the elements have another type, the array another number of dimensions, or the file is
/// damaged, too short or too long.
pub fn read_npy<A: ReadableElement, D: Dimension>(
    name: &str,
    reader: impl Read,
) -> Result<Array<A, D>, ForwardError> {
    let tensor = name.to_owned();
    Array::read_npy(reader).map_err(|error| match error {
        ReadNpyError::WrongNdim(expected, got) => {
            ForwardError::Rank { tensor, expected: expected.unwrap_or(got), got }
        }
        ReadNpyError::WrongDescriptor(got) => ForwardError::Type {
            tensor,
            expected: type_name::<A>().to_owned(),
            got: got.to_string(),
        },
        error => ForwardError::File { format: "npy", message: format!("{name}: {error}") },
    })
}
