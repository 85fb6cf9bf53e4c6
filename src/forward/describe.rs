//! Networks from one line of text.

use super::{ForwardError, Layer, Sequential, Weights};
use crate::{Activation, Element};

impl<A: Element> Sequential<A> {
    /// From a description such as `linear,relu,linear,leaky_relu(0.1),linear`: the layers in order,
    /// separated by commas. `linear` is the dense layer whose tensors are named by its position in
    /// the list, as `torch.nn.Sequential` counts: here `0.weight`, `0.bias`, `2.weight` and so on;
    /// `softmax` is that of every row; anything else is the name of an [`Activation`], with its
    /// parameters in parentheses. Names may be those of PyTorch's modules: `nn.Linear`, `nn.ReLU()`.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_activations::forward::{Sequential, Weights};
    /// let mut weights = Weights::new();
    /// weights.insert("0.weight", &array![[1.0f32, -1.0], [-1.0, 1.0]]);
    /// weights.insert("0.bias", &array![0.0f32, 0.0]);
    /// let net = Sequential::<f32>::from_description("linear, relu", &weights)?;
    /// assert_eq!(net.forward(&array![[3.0, 1.0]])?, array![[2.0, 0.0]]);
    ///
    /// let error = Sequential::<f32>::from_description("linear,relu,linear", &weights).unwrap_err();
    /// assert!(error.to_string().starts_with("2.weight: expected a tensor of this name"));
    /// # Ok::<(), ndarray_activations::forward::ForwardError>(())
    /// ```
    ///
    /// # Errors
    /// If a layer is not known, a tensor is missing or not what it should be, or the widths of the
    /// layers do not fit.
    pub fn from_description(description: &str, weights: &Weights) -> Result<Self, ForwardError> {
        let mut net = Self::new();
        for (index, name) in split(description).into_iter().enumerate() {
            let refused = |message: String| {
                let got = name.to_owned();
                ForwardError::Description { layer: index, got, message }
            };
            let (kind, parameters) = name.split_once('(').unwrap_or((name, ")"));
            let layer = match (plain(kind).as_str(), plain(parameters).as_str()) {
                ("linear", ")") => Layer::Linear(weights.linear(&index.to_string())?),
                ("linear", _) => {
                    return Err(refused("linear takes no parameters but its tensors".to_owned()));
                }
                ("softmax", ")" | "dim=1)") => Layer::Softmax,
                ("softmax", _) => {
                    return Err(refused("softmax takes no parameters: it is of rows".to_owned()));
                }
                _ => Layer::Activation(
                    name.parse::<Activation>().map_err(|error| refused(error.to_string()))?,
                ),
            };
            net = net.push(layer);
        }
        net.check()?;
        Ok(net)
    }
}

/// In lower case without separators and the modules of PyTorch.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace());
    let folded: String = letters.flat_map(char::to_lowercase).collect();
    let strip = |name: &str, module: &str| name.strip_prefix(module).unwrap_or(name).to_owned();
    ["torch.", "nn.", "functional.", "f."].iter().fold(folded, |name, module| strip(&name, module))
}

/// The parts between commas that stand outside of parentheses, without spaces around them.
fn split(description: &str) -> Vec<&str> {
    let mut depth = 0usize;
    description
        .split(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        })
        .map(str::trim)
        .collect()
}
