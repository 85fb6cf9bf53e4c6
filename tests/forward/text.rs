//! Networks from a line of text, and from tensors by name.

use ndarray::{Axis, array};
use ndarray_activations::forward::{ForwardError, Layer, Sequential, Weights};
use ndarray_activations::prelude::*;

use super::{assert_bits, noise, weights};

#[test]
fn a_description_makes_a_network() {
    let weights = weights(&[(0, 6, 5), (2, 5, 4), (4, 4, 3)]);
    let text = "linear, hard_tanh(min=-2, max=2) ,Linear,leaky_relu(0.1),linear,softmax";
    let net = Sequential::<f32>::from_description(text, &weights).unwrap();
    let by_hand = Sequential::new()
        .push(weights.linear("0").unwrap())
        .push(HardTanh { min: -2.0, max: 2.0 })
        .push(weights.linear("2").unwrap())
        .push(LeakyRelu::new(0.1))
        .push(weights.linear("4").unwrap())
        .push(Layer::Softmax);
    assert_eq!(net.to_string(), by_hand.to_string());
    let x = noise(4, 6, 2);
    assert_bits(&net.forward(&x).unwrap(), &by_hand.forward(&x).unwrap(), text);
    let torch = "nn.Linear, nn.Hardtanh(-2, 2), torch.nn.Linear(), LeakyReLU(0.1), linear(), \
                 nn.Softmax(dim=1)";
    let net = Sequential::<f32>::from_description(torch, &weights).unwrap();
    assert_eq!(net.to_string(), by_hand.to_string());
    let written = "nn.Linear(6, 5), hard_tanh(-2, 2), Linear(in_features=5, out_features=4, bias=True), \
                   leaky_relu(0.1), linear(4 -> 3), softmax(-1)";
    let net = Sequential::<f32>::from_description(written, &weights).unwrap();
    assert_eq!(net.to_string(), by_hand.to_string());
    let read_back = Sequential::<f32>::from_description(&net.to_string(), &weights).unwrap();
    assert_eq!(read_back.to_string(), by_hand.to_string());
}

#[test]
fn a_network_may_end_in_logarithms_of_probabilities() {
    let weights = weights(&[(0, 6, 5), (2, 5, 4)]);
    let logits = Sequential::<f32>::from_description("linear,relu,linear", &weights).unwrap();
    for (text, says) in [
        ("linear,relu,linear,log_softmax", "linear(6 -> 5), relu, linear(5 -> 4), log_softmax"),
        ("nn.Linear, nn.ReLU(), nn.Linear, nn.LogSoftmax(dim=-1)", ""),
    ] {
        let net = Sequential::<f32>::from_description(text, &weights).unwrap();
        assert!(says.is_empty() || net.to_string() == says, "{net}");
        for rows in [1, 2, 9] {
            let x = noise(rows, 6, 3);
            let expected = logits.forward(&x).unwrap().log_softmax(Axis(1));
            assert_bits(&net.forward(&x).unwrap(), &expected, text);
            assert_bits(&net.forward_all(&x).unwrap()[3], &expected, text);
        }
    }
}

#[test]
fn layers_without_a_bias_need_no_tensor_for_it() {
    let mut weights = Weights::new();
    weights.insert("0.weight", &array![[1.0f32, -1.0], [2.0, 0.5]]);
    let x = array![[3.0, 1.0]];
    for text in ["linear(bias=False)", "nn.Linear(in_features=2, out_features=2, bias=False)"] {
        let net = Sequential::<f32>::from_description(text, &weights).unwrap();
        assert_eq!(net.forward(&x).unwrap(), array![[2.0, 6.5]], "{text}");
    }
    let error = Sequential::<f32>::from_description("linear(bias=True)", &weights).unwrap_err();
    assert!(error.to_string().starts_with("0.bias: expected a tensor of this name"), "{error}");
}

#[test]
fn a_missing_tensor_among_many_names_those_that_are_alike() {
    let mut weights = Weights::new();
    for layer in 0..40 {
        weights.insert(format!("encoder.{layer}.weight"), &array![[1.0f32]]);
        weights.insert(format!("encoder.{layer}.bias"), &array![1.0f32]);
    }
    let error = weights.linear::<f32>("encoders.7").unwrap_err().to_string();
    assert!(
        error.contains("encoder.7.weight") && error.contains("of the 80 that there are"),
        "{error}"
    );
    assert!(error.len() < 400, "{error}");
}

#[test]
fn a_bad_description_is_an_error_that_names_the_layer() {
    let weights = weights(&[(0, 6, 5), (2, 4, 3)]);
    let error = |text| Sequential::<f32>::from_description(text, &weights).unwrap_err().to_string();
    let unknown = error("linear,rleu");
    assert!(unknown.starts_with("layer 1 of the network description, \"rleu\": "), "{unknown}");
    assert!(unknown.contains("relu"), "{unknown}");
    assert!(error("linear,,linear").starts_with("layer 1 of the network description, \"\": "));
    assert!(error("").starts_with("layer 0 of the network description"));
    assert!(
        error("linear,relu,linear").starts_with("layer 2 (linear): expected an input of width 5")
    );
    assert_eq!(
        error("linear,linear"),
        "1.weight: expected a tensor of this name, but there are only \
         0.bias, 0.weight, 2.bias, 2.weight"
    );
    for (text, says) in [
        ("nn.Linear(6)", "linear takes its two widths or nothing"),
        ("linear(6, 5, 4)", "linear takes its two widths or nothing"),
        ("linear(,bias=False)", "linear takes its two widths or nothing"),
        ("linear(6, 5,)", "linear takes its two widths or nothing"),
        ("linear(6, 5 bias=False)", "linear takes its two widths or nothing"),
        ("linear(6, 5", "linear takes its two widths or nothing"),
        ("nn.Linear(5, 6)", "expected 5 inputs and 6 outputs, but 0.weight is [5, 6]"),
        ("linear, LogSoftmax(dim=0)", "softmax is of rows: dim=1, dim=-1 or nothing"),
        ("linear, softmax(0)", "softmax is of rows: dim=1, dim=-1 or nothing"),
        ("linear, nn.Softmax(dim=-2)", "softmax is of rows: dim=1, dim=-1 or nothing"),
        ("linear, relu,", "\"\": expected the name of a layer"),
    ] {
        assert!(error(text).ends_with(says), "{text}: {}", error(text));
    }
    for text in ["linear,relu", "linear,,linear", "", "linear,linear", "relu("] {
        let lines = Sequential::<f32>::from_description(text, &weights)
            .map_or_else(|error| error.to_string().lines().count(), |_| 1);
        assert_eq!(lines, 1, "{text}");
    }
}

#[test]
fn tensors_are_checked_when_they_are_asked_for() {
    let mut weights = Weights::new();
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.weight: expected a tensor of this name, but there are none"
    );
    weights.insert("0.weight", &array![1.0f32, 2.0]);
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.weight: expected 2 dimensions, got 1"
    );
    weights.insert("0.weight", &array![[1.0f64, 2.0]]);
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.weight: expected elements of type f32, got f64"
    );
    weights.insert("0.weight", &array![[1.0f32, 2.0]]);
    let error = weights.linear::<f32>("0").unwrap_err();
    assert!(matches!(error, ForwardError::Missing { ref tensor, .. } if tensor == "0.bias"));
    let layer = weights.linear_without_bias::<f32>("0").unwrap();
    assert_eq!(layer.bias(), array![0.0]);
    weights.insert("0.bias", &array![1.0f32, 2.0]);
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.bias: expected one element for each of 1 outputs, got 2"
    );
    weights.insert("0.bias", &array![f32::INFINITY]);
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.bias[0]: expected a finite number, got inf"
    );
    weights.insert("0.bias", &array![0.1f32]);
    let wide = weights.linear::<f64>("0").unwrap();
    assert_eq!(wide.bias()[0], f64::from(0.1f32));
}
