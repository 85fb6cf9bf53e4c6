//! Named tensors, as they come from files.

use std::collections::BTreeMap;

use ndarray::{Array, Array1, Array2, ArrayD, ArrayRef, Dimension, Ix1};

use super::{ForwardError, Linear};
use crate::Element;

/// The tensors of a network by name: `0.weight`, `0.bias`, `2.weight`, ...
///
/// The names and orientations are PyTorch's: the weight of a dense layer is `[outputs, inputs]`.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::forward::{Sequential, Weights};
/// let mut weights = Weights::new();
/// weights.insert("0.weight", &array![[1.0f32, 2.0]]);
/// weights.insert("0.bias", &array![0.5f32]);
/// let net = Sequential::new().push(weights.linear("0")?);
/// assert_eq!(net.forward(&array![[1.0f32, 1.0]])?, array![[3.5]]);
/// # Ok::<(), ndarray_activations::forward::ForwardError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Clone, Debug)]
enum Tensor {
    F32(ArrayD<f32>),
    F64(ArrayD<f64>),
    /// Elements of another type: an error only when somebody asks for them.
    #[cfg_attr(not(feature = "safetensors"), expect(dead_code))]
    Other {
        dtype: String,
    },
}

impl Weights {
    /// Without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor, or replaces the one of this name.
    pub fn insert<A: Element, D: Dimension>(
        &mut self,
        name: impl Into<String>,
        tensor: &ArrayRef<A, D>,
    ) {
        let tensor = if A::NAME == f32::NAME {
            Tensor::F32(tensor.mapv(|value| f32::from_f64(value.to_f64())).into_dyn())
        } else {
            Tensor::F64(tensor.mapv(|value| value.to_f64()).into_dyn())
        };
        self.tensors.insert(name.into(), tensor);
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of this name, with a fixed number of dimensions. `f32` widens to `f64`; `f64` is
    /// never narrowed.
    ///
    /// ```
    /// use ndarray::{Array1, Array2, array};
    /// use ndarray_activations::forward::Weights;
    /// let mut weights = Weights::new();
    /// weights.insert("0.bias", &array![0.5f64]);
    /// let bias: Array1<f64> = weights.tensor("0.bias")?;
    /// assert_eq!(bias, array![0.5]);
    /// let error = weights.tensor::<f32, ndarray::Ix1>("0.bias").unwrap_err();
    /// assert_eq!(error.to_string(), "0.bias: expected elements of type f32, got f64");
    /// # Ok::<(), ndarray_activations::forward::ForwardError>(())
    /// ```
    ///
    /// # Errors
    /// If there is none, or it has another number of dimensions or another type of elements.
    pub fn tensor<A: Element, D: Dimension>(
        &self,
        name: &str,
    ) -> Result<Array<A, D>, ForwardError> {
        let wrong_type = |got: &str| ForwardError::Type {
            tensor: name.to_owned(),
            expected: A::NAME.to_owned(),
            got: got.to_owned(),
        };
        let tensor = match self.tensors.get(name) {
            None => {
                let available = self.tensors.keys().cloned().collect();
                return Err(ForwardError::Missing { tensor: name.to_owned(), available });
            }
            Some(Tensor::F32(tensor)) => tensor.mapv(|value| A::from_f64(f64::from(value))),
            Some(Tensor::F64(tensor)) if A::NAME == f64::NAME => tensor.mapv(A::from_f64),
            Some(Tensor::F64(_)) => return Err(wrong_type(f64::NAME)),
            Some(Tensor::Other { dtype }) => return Err(wrong_type(dtype)),
        };
        let got = tensor.ndim();
        tensor.into_dimensionality().map_err(|_| ForwardError::Rank {
            tensor: name.to_owned(),
            expected: D::NDIM.unwrap_or(got),
            got,
        })
    }

    /// The dense layer of `{prefix}.weight` and `{prefix}.bias`, as PyTorch names them.
    ///
    /// # Errors
    /// If a tensor is missing, has the wrong number of dimensions or type of elements, holds an
    /// infinity or NaN, or the two do not fit together.
    pub fn linear<A: Element>(&self, prefix: &str) -> Result<Linear<A>, ForwardError> {
        let (weight_name, bias_name) = (format!("{prefix}.weight"), format!("{prefix}.bias"));
        let weight: Array2<A> = self.tensor(&weight_name)?;
        let bias: Array1<A> = self.tensor::<A, Ix1>(&bias_name)?;
        Linear::named(&weight, &weight_name, &bias, &bias_name)
    }

    /// The dense layer of `{prefix}.weight` alone, with a bias of zeros.
    ///
    /// # Errors
    /// As [`linear`](Self::linear), or if the weight has rows, but they are empty.
    pub fn linear_without_bias<A: Element>(&self, prefix: &str) -> Result<Linear<A>, ForwardError> {
        let name = format!("{prefix}.weight");
        let weight: Array2<A> = self.tensor(&name)?;
        // No bias of as many zeros as a header of a few bytes asks for.
        if weight.is_empty() && weight.nrows() > 0 {
            return Err(ForwardError::Empty { tensor: name, got: weight.shape().to_vec() });
        }
        Linear::named(&weight, &name, &Array1::zeros(weight.nrows()), "bias")
    }
}

#[cfg(feature = "safetensors")]
impl Weights {
    /// From the bytes of a [safetensors](https://huggingface.co/docs/safetensors) file, as PyTorch
    /// and others write it. Feature `safetensors`.
    ///
    /// Tensors of `F32` and `F64` can be used; others are an error when they are asked for.
    ///
    /// ```no_run
    /// use ndarray_activations::forward::Weights;
    /// let weights = Weights::from_safetensors(&std::fs::read("model.safetensors")?)?;
    /// println!("{:?}", weights.names().collect::<Vec<_>>());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the bytes are not such a file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ForwardError> {
        use ndarray::IxDyn;
        use safetensors::{Dtype, SafeTensors};

        let damaged = |message: String| ForwardError::File { format: "safetensors", message };
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let shape = IxDyn(view.shape());
            // The format is little-endian, and the parser has checked the length.
            let wrong_shape = |error: ndarray::ShapeError| damaged(format!("{name}: {error}"));
            let tensor = match view.dtype() {
                Dtype::F32 => {
                    let (values, _) = view.data().as_chunks();
                    let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                    Tensor::F32(ArrayD::from_shape_vec(shape, values).map_err(wrong_shape)?)
                }
                Dtype::F64 => {
                    let (values, _) = view.data().as_chunks();
                    let values = values.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
                    Tensor::F64(ArrayD::from_shape_vec(shape, values).map_err(wrong_shape)?)
                }
                other => Tensor::Other { dtype: other.to_string() },
            };
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors })
    }
}
