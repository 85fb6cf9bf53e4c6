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
    mut reader: impl Read,
) -> Result<Array<A, D>, ForwardError> {
    let tensor = name.to_owned();
    let file = |message: String| ForwardError::File {
        format: "npy",
        message: format!("{name}: {message}"),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| file(error.to_string()))?;
    // Memory for all elements is allocated before the first is read; each takes at least a byte of the file.
    if let Some(elements) = elements(&bytes).filter(|&elements| elements > bytes.len()) {
        let got = bytes.len();
        return Err(file(format!("expected {elements} elements, got a file of {got} bytes")));
    }
    Array::read_npy(&bytes[..]).map_err(|error| match error {
        ReadNpyError::WrongNdim(expected, got) => {
            ForwardError::Rank { tensor, expected: expected.unwrap_or(got), got }
        }
        ReadNpyError::WrongDescriptor(got) => ForwardError::Type {
            tensor,
            expected: type_name::<A>().to_owned(),
            got: got.to_string(),
        },
        error => file(error.to_string()),
    })
}

/// The elements of the shape in the header, if it has one.
fn elements(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(10..)?;
    let key = header.windows(7).position(|word| word == b"'shape'" || word == b"\"shape\"")?;
    let shape = header[key..].split(|&byte| byte == b'(').nth(1)?;
    let shape = shape.split(|&byte| byte == b')').next()?;
    let lengths = core::str::from_utf8(shape).ok()?.split(',').map(str::trim);
    let lengths = lengths.filter(|length| !length.is_empty());
    lengths
        .map(|length| length.parse().ok())
        .try_fold(1usize, |product, length: Option<usize>| Some(product.saturating_mul(length?)))
}
