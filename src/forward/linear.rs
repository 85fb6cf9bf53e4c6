//! The dense layer.

use ndarray::{
    Array2, ArrayBase, ArrayRef, ArrayRef1, ArrayRef2, ArrayView1, Data, Dimension, Ix1,
};
use ndarray::{Ix2, RawData};

use super::ForwardError;
use crate::{Affine, Element};

/// A dense layer, `y = x · Wᵀ + b`, with `x` of shape `[batch, inputs]`, `W` of shape
/// `[outputs, inputs]` as PyTorch keeps it, and `b` of length `outputs`.
///
/// The products are computed by [`Affine`], which also says in which order they are summed.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::forward::Linear;
/// let layer = Linear::new(array![[1.0f32, 2.0], [0.0, -1.0]], array![0.5, 0.0])?;
/// assert_eq!(layer.forward(&array![[1.0, 1.0]])?, array![[3.5, -1.0]]);
/// # Ok::<(), ndarray_activations::forward::ForwardError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear<A: Element> {
    map: Affine<A>,
}

impl<A: Element> Linear<A> {
    /// From the weight, `[outputs, inputs]`, and the bias, `[outputs]`; owned arrays or views of
    /// any layout. Weights from Keras are `[inputs, outputs]`: give their transpose, `w.t()`.
    ///
    /// # Errors
    /// If the bias has another length than the weight has rows, or an element is not finite.
    pub fn new<S, T>(
        weight: ArrayBase<S, Ix2>,
        bias: ArrayBase<T, Ix1>,
    ) -> Result<Self, ForwardError>
    where
        S: Data + RawData<Elem = A>,
        T: Data + RawData<Elem = A>,
    {
        Self::named(&weight, "weight", &bias, "bias")
    }

    /// As [`new`](Self::new), with names for the errors.
    pub(super) fn named(
        weight: &ArrayRef2<A>,
        weight_name: &str,
        bias: &ArrayRef1<A>,
        bias_name: &str,
    ) -> Result<Self, ForwardError> {
        if bias.len() != weight.nrows() {
            let (tensor, expected) = (bias_name.to_owned(), weight.nrows());
            return Err(ForwardError::Bias { tensor, expected, got: bias.len() });
        }
        check_finite(weight, weight_name)?;
        check_finite(bias, bias_name)?;
        Ok(Self { map: Affine::new(weight, bias) })
    }

    /// The width of the input.
    pub fn inputs(&self) -> usize {
        self.map.inputs()
    }

    /// The width of the output.
    pub fn outputs(&self) -> usize {
        self.map.outputs()
    }

    /// A copy of the weight, `[outputs, inputs]`.
    pub fn weight(&self) -> Array2<A> {
        self.map.weight()
    }

    /// The bias, `[outputs]`.
    pub fn bias(&self) -> ArrayView1<'_, A> {
        self.map.bias()
    }

    /// `x · Wᵀ + b`, of shape `[batch, outputs]`.
    ///
    /// # Errors
    /// If `x` does not have [`inputs`](Self::inputs) columns.
    pub fn forward(&self, x: &ArrayRef2<A>) -> Result<Array2<A>, ForwardError> {
        if x.ncols() != self.inputs() {
            let got = [x.nrows(), x.ncols()];
            return Err(ForwardError::Input { layer: 0, expected: self.inputs(), got });
        }
        Ok(self.map.map(x))
    }

    /// From a map whose elements are known to be finite.
    #[cfg(feature = "rand")]
    pub(super) fn from_map(map: Affine<A>) -> Self {
        Self { map }
    }

    pub(super) fn affine(&self) -> &Affine<A> {
        &self.map
    }
}

fn check_finite<A: Element, D: Dimension>(
    tensor: &ArrayRef<A, D>,
    name: &str,
) -> Result<(), ForwardError> {
    let Some(place) = tensor.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    // From the position in C order to the index along each axis.
    let mut rest = place;
    let mut index: Vec<usize> = tensor
        .shape()
        .iter()
        .rev()
        .map(|&len| {
            let along = rest % len;
            rest /= len;
            along
        })
        .collect();
    index.reverse();
    let value = tensor.iter().nth(place).map_or(f64::NAN, |&value| value.to_f64());
    Err(ForwardError::NonFinite { tensor: name.to_owned(), index, value })
}
