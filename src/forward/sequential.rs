//! Layers one after another.

use core::fmt;

use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewMut2, Axis};

use super::{ForwardError, Linear};
use crate::{Activation, ActivationExt, Element, Elementwise, blocks_of_rows};

/// One layer of a [`Sequential`] network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Layer<A: Element> {
    /// A dense layer.
    Linear(Linear<A>),
    /// An activation of every element.
    Activation(Activation),
    /// Softmax of every row.
    Softmax,
    /// The logarithm of the softmax of every row.
    LogSoftmax,
}

impl<A: Element> From<Linear<A>> for Layer<A> {
    fn from(layer: Linear<A>) -> Self {
        Self::Linear(layer)
    }
}

impl<A: Element, T: Into<Activation>> From<T> for Layer<A> {
    fn from(activation: T) -> Self {
        Self::Activation(activation.into())
    }
}

/// An activation or softmax as a network description names it; a linear layer with the numbers of its inputs and outputs.
impl<A: Element> fmt::Display for Layer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear(layer) => write!(f, "linear({} -> {})", layer.inputs(), layer.outputs()),
            Self::Activation(activation) => write!(f, "{activation}"),
            Self::Softmax => f.write_str("softmax"),
            Self::LogSoftmax => f.write_str("log_softmax"),
        }
    }
}

/// A network: layers that are applied one after another to a batch of rows.
///
/// An activation that follows a linear layer runs on each tile of the product while it is in the
/// cache. A row gives the same bits alone and in any batch, at any number of threads.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{forward::{Linear, Sequential}, prelude::*};
/// // XOR, which no single layer can compute.
/// let net = Sequential::new()
///     .push(Linear::new(array![[1.0f32, 1.0], [1.0, 1.0]], array![0.0, -1.0])?)
///     .push(Relu)
///     .push(Linear::new(array![[1.0, -2.0]], array![0.0])?);
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// assert_eq!(net.forward(&x)?, array![[0.0], [1.0], [1.0], [0.0]]);
/// # Ok::<(), ndarray_activations::forward::ForwardError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequential<A: Element> {
    layers: Vec<Layer<A>>,
}

impl<A: Element> Default for Sequential<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// The layers, separated by commas.
impl<A: Element> fmt::Display for Sequential<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, layer) in self.layers.iter().enumerate() {
            write!(f, "{}{layer}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Buffers that [`Sequential::forward_into`] reuses from layer to layer and from call to call.
#[derive(Clone, Debug, Default)]
pub struct Workspace<A> {
    /// The output of the last layer, then what lies between two layers.
    buffers: [Vec<A>; 2],
}

impl<A: Element> Workspace<A> {
    /// Without memory yet; the first call allocates it.
    pub fn new() -> Self {
        Self { buffers: [Vec::new(), Vec::new()] }
    }
}

/// The first `len` elements of a buffer, which grows where it must.
fn grown<A: Element>(cells: &mut Vec<A>, len: usize) -> &mut [A] {
    if cells.len() < len {
        cells.resize(len, A::zero());
    }
    &mut cells[..len]
}

/// The first elements of `cells` as rows.
fn rows<A>(cells: &mut [A], shape: (usize, usize)) -> ArrayViewMut2<'_, A> {
    let len = shape.0 * shape.1;
    ArrayViewMut2::from_shape(shape, &mut cells[..len]).expect("the slice has this length")
}

/// The same to read.
fn filled<A>(cells: &[A], shape: (usize, usize)) -> ArrayView2<'_, A> {
    ArrayView2::from_shape(shape, &cells[..shape.0 * shape.1]).expect("the slice has this length")
}

/// The larger of a width and that of a layer's outputs.
fn widest<A: Element>(width: usize, (_, linear): (usize, &Linear<A>)) -> usize {
    width.max(linear.outputs())
}

/// Bytes of the weights that every thread can read for itself: those of larger networks are shared between
/// threads.
const NEAR: usize = 8 << 20;

/// Bytes of the longest row whose softmax, alone in place, would be that of a copy in memory that is allocated for it.
const ROW: usize = 16 << 10;

/// Whether a layer takes the elements of a row together.
fn is_along_rows<A: Element>(layer: &Layer<A>) -> bool {
    matches!(layer, Layer::Softmax | Layer::LogSoftmax)
}

impl<A: Element> Sequential<A> {
    /// A network without layers: its output is its input.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// Adds a layer at the end: a [`Linear`], any activation of the catalogue, [`Layer::Softmax`] or
    /// [`Layer::LogSoftmax`]. What is not there, such as an [`Elementwise`](crate::Elementwise) of one's own, goes
    /// between two networks. Whether the widths fit is found by [`check`](Self::check) and by every forward pass.
    #[must_use]
    pub fn push(mut self, layer: impl Into<Layer<A>>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Layer<A>] {
        &self.layers
    }

    /// The linear layers with their indices.
    fn linears(&self) -> impl Iterator<Item = (usize, &Linear<A>)> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| match layer {
            Layer::Linear(linear) => Some((index, linear)),
            _ => None,
        })
    }

    /// The width of the input; `None` if any width will do, without a linear layer.
    pub fn inputs(&self) -> Option<usize> {
        self.linears().next().map(|(_, linear)| linear.inputs())
    }

    /// The width of the output; `None` if it is that of the input, without a linear layer.
    pub fn outputs(&self) -> Option<usize> {
        self.linears().last().map(|(_, linear)| linear.outputs())
    }

    /// Whether each linear layer takes what the one before it gives.
    ///
    /// # Errors
    /// The first pair that does not fit.
    pub fn check(&self) -> Result<(), ForwardError> {
        for ((before, first), (layer, second)) in self.linears().zip(self.linears().skip(1)) {
            let (takes, comes) = (second.inputs(), first.outputs());
            if takes != comes {
                return Err(ForwardError::Chain { layer, takes, before, comes });
            }
        }
        Ok(())
    }

    fn check_input(&self, x: &ArrayRef2<A>) -> Result<(), ForwardError> {
        self.check()?;
        match self.linears().next() {
            Some((layer, linear)) if linear.inputs() != x.ncols() => {
                let got = [x.nrows(), x.ncols()];
                Err(ForwardError::Input { layer, expected: linear.inputs(), got })
            }
            _ => Ok(()),
        }
    }

    /// The output of the network, `[batch, outputs]`, for `x` of shape `[batch, inputs]` and any
    /// layout; the batch may be empty.
    ///
    /// # Errors
    /// If the widths of the layers or of the input do not fit.
    pub fn forward(&self, x: &ArrayRef2<A>) -> Result<Array2<A>, ForwardError> {
        let mut workspace = Workspace::new();
        let shape = self.forward_into(x, &mut workspace)?.dim();
        let [mut cells, _] = workspace.buffers;
        cells.truncate(shape.0 * shape.1);
        cells.shrink_to_fit();
        Ok(Array2::from_shape_vec(shape, cells).expect("the buffer holds the output"))
    }

    /// As [`forward`](Self::forward), in buffers that the caller keeps: after the first call with
    /// the largest batch layers allocate nothing, but for what deals work to threads and some softmax layers: of rows of more
    /// than 16 KiB, of one row that is left over from the blocks of a batch, and on processors without fused multiply-adds.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::{forward::{Linear, Sequential, Workspace}, prelude::*};
    /// let net = Sequential::new().push(Linear::new(array![[2.0f32], [-2.0]], array![0.0, 0.0])?).push(Relu);
    /// let mut workspace = Workspace::new();
    /// for batch in [array![[1.0], [2.0]], array![[3.0], [4.0]]] {
    ///     let y = net.forward_into(&batch, &mut workspace)?;
    ///     assert_eq!(y.column(0), &batch.column(0) * 2.0);
    /// }
    /// # Ok::<(), ndarray_activations::forward::ForwardError>(())
    /// ```
    ///
    /// # Errors
    /// If the widths of the layers or of the input do not fit; the workspace is untouched then.
    pub fn forward_into<'w>(
        &self,
        x: &ArrayRef2<A>,
        workspace: &'w mut Workspace<A>,
    ) -> Result<ArrayView2<'w, A>, ForwardError> {
        self.check_input(x)?;
        let batch = x.nrows();
        let outputs = self.outputs().unwrap_or(x.ncols());
        let linears = self.linears().count();
        let mut width = self.linears().take(linears.saturating_sub(1)).fold(0, widest);
        if linears > 0 && !matches!(self.layers.first(), Some(Layer::Linear(_))) {
            width = width.max(x.ncols());
        }
        let has_softmax = || self.layers.iter().any(|layer| is_along_rows(layer));
        if batch == 1 && outputs * size_of::<A>() <= ROW && has_softmax() {
            width = width.max(outputs);
        }
        let [out, between] = &mut workspace.buffers;
        let (out, between) = (grown(out, batch * outputs), grown(between, 2 * batch * width));
        let weights = self.linears().map(|(_, linear)| linear.inputs() * linear.outputs()).sum();
        if linears > 1 && size_of::<A>().saturating_mul(weights) <= NEAR {
            blocks_of_rows(weights, x.view(), between, out, |x, between, out| {
                self.through(x, between, out);
            });
        } else {
            self.through(x.view(), between, out);
        }
        Ok(ArrayView2::from_shape((batch, outputs), out).expect("the slice has this length"))
    }

    /// All layers of some rows; `between` has room for the outputs of two of the inner ones.
    fn through(&self, x: ArrayView2<'_, A>, between: &mut [A], out: &mut [A]) {
        let mut shape = x.dim();
        let last = self.linears().last().map(|(index, _)| index);
        let (mut now, mut next) = between.split_at_mut(between.len() / 2);
        let mut is_first = matches!(self.layers.first(), Some(Layer::Linear(_)));
        if !is_first {
            let copy = if last.is_some() { &mut *now } else { &mut *out };
            rows(copy, shape).assign(&x);
        }
        let mut layers = self.layers.iter().enumerate().peekable();
        while let Some((index, layer)) = layers.next() {
            match layer {
                Layer::Linear(linear) => {
                    let fused = match layers.peek() {
                        Some((_, Layer::Activation(activation))) => Some(*activation),
                        _ => None,
                    };
                    let from = if is_first { x.view() } else { filled(now, shape) };
                    is_first = false;
                    shape.1 = linear.outputs();
                    let to = if last == Some(index) { &mut *out } else { &mut *next };
                    linear.affine().map_assign_into(&from, &mut rows(to, shape), |piece| {
                        if let Some(activation) = fused {
                            activation.map_inplace(piece);
                        }
                    });
                    core::mem::swap(&mut now, &mut next);
                    if fused.is_some() {
                        layers.next();
                    }
                }
                Layer::Activation(_) | Layer::Softmax | Layer::LogSoftmax => {
                    let is_last = last.is_none_or(|last| last < index);
                    let mut cells = rows(if is_last { &mut *out } else { &mut *now }, shape);
                    let has_copy = is_along_rows(layer)
                        && shape.0 == 1
                        && size_of::<A>() * shape.1 <= ROW
                        && shape.1 <= next.len();
                    let mut copy = rows(&mut *next, if has_copy { shape } else { (0, 0) });
                    if has_copy {
                        copy.assign(&cells);
                    }
                    match layer {
                        Layer::Activation(activation) => activation.map_inplace(&mut *cells),
                        Layer::LogSoftmax if has_copy => {
                            copy.log_softmax_assign_into(Axis(1), &mut cells);
                        }
                        Layer::LogSoftmax => cells.log_softmax_inplace(Axis(1)),
                        _ if has_copy => copy.softmax_assign_into(Axis(1), &mut cells),
                        _ => cells.softmax_inplace(Axis(1)),
                    }
                }
            }
        }
    }

    /// The outputs of all layers, in order; the last one is that of [`forward`](Self::forward), to
    /// the bit.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::{forward::{Linear, Sequential}, prelude::*};
    /// let net = Sequential::new().push(Linear::new(array![[2.0f32], [-2.0]], array![0.0, 0.0])?).push(Relu);
    /// let outputs = net.forward_all(&array![[3.0]])?;
    /// assert_eq!(outputs, [array![[6.0, -6.0]], array![[6.0, 0.0]]]);
    /// # Ok::<(), ndarray_activations::forward::ForwardError>(())
    /// ```
    ///
    /// # Errors
    /// If the widths of the layers or of the input do not fit.
    pub fn forward_all(&self, x: &ArrayRef2<A>) -> Result<Vec<Array2<A>>, ForwardError> {
        self.check_input(x)?;
        let mut outputs: Vec<Array2<A>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let x = outputs.last().map_or(x, |output| output);
            outputs.push(match layer {
                Layer::Linear(linear) => linear.affine().map(x),
                Layer::Activation(activation) => activation.map(x),
                Layer::Softmax => x.softmax(Axis(1)),
                Layer::LogSoftmax => x.log_softmax(Axis(1)),
            });
        }
        Ok(outputs)
    }
}
