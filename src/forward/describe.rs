//! Networks from one line of text.

use super::{ForwardError, Layer, Sequential, Weights};
use crate::{Activation, Element};

impl<A: Element> Sequential<A> {
    /// From a description such as `linear,relu,linear,leaky_relu(0.1),linear`: the layers in order,
    /// separated by commas. `linear` is the dense layer whose tensors are named by its position in
    /// the list, as `torch.nn.Sequential` counts: here `0.weight`, `0.bias`, `2.weight` and so on;
    /// `softmax` and `log_softmax` are those of every row; anything else is the name of an [`Activation`], with its
    /// parameters in parentheses. Names may be those of PyTorch's modules: `nn.ReLU()`. Widths, as in
    /// `nn.Linear(64, 10)` or in `linear(64 -> 10)`, which a network prints, are compared with the
    /// tensors; a layer with `bias=False` has no tensor for one. A layer does not remember that: the network prints as one with
    /// a bias, of zeros.
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
            let layer = match plain(kind).as_str() {
                "" => return Err(refused("expected the name of a layer".to_owned())),
                "linear" => {
                    let (widths, has_bias) = widths(parameters).ok_or_else(|| {
                        refused("linear takes its two widths or nothing".to_owned())
                    })?;
                    let prefix = &index.to_string();
                    let layer = if has_bias {
                        weights.linear(prefix)?
                    } else {
                        weights.linear_without_bias(prefix)?
                    };
                    let got = (layer.inputs(), layer.outputs());
                    if let Some((inputs, outputs)) = widths.filter(|&widths| widths != got) {
                        return Err(refused(format!(
                            "expected {inputs} inputs and {outputs} outputs, but {index}.weight is {:?}",
                            [got.1, got.0]
                        )));
                    }
                    Layer::Linear(layer)
                }
                "softmax" if is_last_axis(parameters) => Layer::Softmax,
                "logsoftmax" if is_last_axis(parameters) => Layer::LogSoftmax,
                "softmax" | "logsoftmax" => {
                    return Err(refused("softmax is of rows: dim=1, dim=-1 or nothing".to_owned()));
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

/// What stands before the closing parenthesis, without spaces; nothing if that is not the end.
fn inside(parameters: &str) -> Option<String> {
    let inside = parameters.trim_end().strip_suffix(')')?;
    Some(inside.chars().filter(|letter| !letter.is_whitespace()).collect())
}

/// The inputs and outputs that a linear layer is written with, if any, and whether it has a bias; nothing if it is not
/// written so.
fn widths(parameters: &str) -> Option<(Option<(usize, usize)>, bool)> {
    let inside = inside(parameters)?;
    let flag = [("bias=False", false), ("bias=True", true)].iter().find_map(|&(flag, has_bias)| {
        let rest = inside.strip_suffix(flag)?;
        let rest = match rest.strip_suffix(',') {
            None if rest.is_empty() => rest,
            widths => widths.filter(|widths| !widths.is_empty())?,
        };
        Some((rest, has_bias))
    });
    let (inside, has_bias) = flag.unwrap_or((&inside, true));
    if inside.is_empty() {
        return Some((None, has_bias));
    }
    let (inputs, outputs) = inside.split_once("->").or_else(|| inside.split_once(','))?;
    let inputs = inputs.strip_prefix("in_features=").unwrap_or(inputs);
    let outputs = outputs.strip_prefix("out_features=").unwrap_or(outputs);
    Some((Some((inputs.parse().ok()?, outputs.parse().ok()?)), has_bias))
}

/// Whether the axis that softmax is written with is that of rows.
fn is_last_axis(parameters: &str) -> bool {
    inside(parameters).is_some_and(|axis| {
        let axis =
            ["dim=", "axis="].iter().find_map(|name| axis.strip_prefix(name)).unwrap_or(&axis);
        matches!(axis, "" | "1" | "-1")
    })
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
