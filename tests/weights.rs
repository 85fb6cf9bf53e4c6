//! Real networks: files, and PyTorch's results on real digits.
#![cfg(all(feature = "safetensors", feature = "npy"))]

use ndarray::{Array1, Array2, Axis, Ix1, Ix2};
use ndarray_activations::forward::{ForwardError, Sequential, Weights, read_npy};
use ndarray_activations::{loss::cross_entropy, prelude::*};

macro_rules! data {
    ($name:literal) => {
        &include_bytes!(concat!("../examples/data/digits/", $name))[..]
    };
}

const RELU: &str = "linear,relu,linear,relu,linear";
const LEAKY_TANH: &str = "linear,leaky_relu(0.1),linear,tanh,linear";

fn net(bytes: &[u8], description: &str) -> Sequential<f32> {
    let weights = Weights::from_safetensors(bytes).unwrap();
    Sequential::from_description(description, &weights).unwrap()
}

fn images() -> Array2<f32> {
    read_npy("images.npy", data!("images.npy")).unwrap()
}

fn labels() -> Array1<u8> {
    read_npy("labels.npy", data!("labels.npy")).unwrap()
}

/// The number of right answers of 540, after a look at the distance from PyTorch's probabilities.
fn right(net: &Sequential<f32>, probabilities: &[u8]) -> usize {
    let expected: Array2<f64> = read_npy("probabilities.npy", probabilities).unwrap();
    let got = net.forward(&images()).unwrap().softmax(Axis(1));
    assert_eq!(got.dim(), expected.dim());
    let far = (&got.mapv(f64::from) - &expected).fold(0.0, |far: f64, d| far.max(d.abs()));
    assert!(far < 1e-6, "{far} from PyTorch");
    let winner = |row: ndarray::ArrayView1<f32>| {
        (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()
    };
    let rows = got.rows().into_iter().zip(labels());
    rows.filter(|&(row, label)| winner(row) == usize::from(label)).count()
}

#[test]
fn the_relu_network_gives_the_probabilities_of_pytorch_and_530_right_answers() {
    let net = net(data!("mlp-relu.safetensors"), RELU);
    assert_eq!(right(&net, data!("mlp-relu.probabilities.npy")), 530);
}

#[test]
fn the_leaky_tanh_network_gives_the_probabilities_of_pytorch_and_532_right_answers() {
    let net = net(data!("mlp-leaky-tanh.safetensors"), LEAKY_TANH);
    assert_eq!(right(&net, data!("mlp-leaky-tanh.probabilities.npy")), 532);
}

#[test]
fn the_logits_are_those_of_pytorch() {
    let expected: Array2<f32> = read_npy("logits.npy", data!("mlp-relu.logits.npy")).unwrap();
    let got = net(data!("mlp-relu.safetensors"), RELU).forward(&images()).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 2e-5, "{got} and {expected}");
    }
}

#[test]
fn the_cross_entropies_are_those_of_pytorch() {
    for (bytes, description, expected) in [
        (data!("mlp-relu.safetensors"), RELU, 0.091_576_86),
        (data!("mlp-leaky-tanh.safetensors"), LEAKY_TANH, 0.073_812_93),
    ] {
        let logits = net(bytes, description).forward(&images()).unwrap();
        let loss = f64::from(cross_entropy(&logits, &labels(), Axis(1)).unwrap());
        assert!((loss - expected).abs() < 5e-8, "{loss} and {expected}");
    }
}

#[test]
fn a_network_in_double_precision_agrees() {
    let weights = Weights::from_safetensors(data!("mlp-relu.safetensors")).unwrap();
    let double = Sequential::<f64>::from_description(RELU, &weights).unwrap();
    let exact = double.forward(&images().mapv(f64::from)).unwrap();
    let got = net(data!("mlp-relu.safetensors"), RELU).forward(&images()).unwrap();
    for (got, exact) in got.iter().zip(&exact) {
        assert!((f64::from(*got) - exact).abs() < 2e-5, "{got} and {exact}");
    }
}

/// A safetensors file with one tensor.
fn file(name: &str, dtype: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let end = data.len();
    let header =
        format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{end}]}}}}"#);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn tensors_of_both_precisions_are_read_to_the_bit() {
    let data: Vec<u8> = [1.5f32, -0.0, f32::MIN_POSITIVE / 2.0, 3.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let weights = Weights::from_safetensors(&file("a", "F32", &[2, 2], &data)).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["a"]);
    let a = weights.tensor::<f32, Ix2>("a").unwrap();
    assert_eq!(a, ndarray::array![[1.5, 0.0], [f32::MIN_POSITIVE / 2.0, 3.0]]);
    assert!(a[[0, 1]].is_sign_negative());
    let data: Vec<u8> = [0.1f64, 1e300].iter().flat_map(|value| value.to_le_bytes()).collect();
    let weights = Weights::from_safetensors(&file("a", "F64", &[2], &data)).unwrap();
    assert_eq!(weights.tensor::<f64, Ix1>("a").unwrap(), ndarray::array![0.1, 1e300]);
}

#[test]
fn a_tensor_of_another_type_is_an_error_only_when_it_is_used() {
    let weights = Weights::from_safetensors(&file("0.weight", "F16", &[1, 2], &[0; 4])).unwrap();
    assert_eq!(
        weights.linear::<f32>("0").unwrap_err().to_string(),
        "0.weight: expected elements of type f32, got F16"
    );
}

#[test]
fn damaged_files_are_errors_in_one_line() {
    let whole = data!("mlp-relu.safetensors");
    for length in [0, 7, 8, 100, 400, 10_000, whole.len() - 1] {
        let error = Weights::from_safetensors(&whole[..length]).unwrap_err();
        assert!(matches!(error, ForwardError::File { format: "safetensors", .. }));
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    assert!(Weights::from_safetensors(data!("images.npy")).is_err());
    assert!(Weights::from_safetensors(&file("a", "F32", &[3], &[0; 8])).is_err());
    // Rows without elements cost nothing in a file.
    let rows = isize::MAX as usize / 4;
    let weights = Weights::from_safetensors(&file("0.weight", "F32", &[rows, 0], &[])).unwrap();
    let error = weights.linear_without_bias::<f32>("0").unwrap_err().to_string();
    assert!(error.starts_with("0.weight: expected at least one input, got the shape ["), "{error}");
    assert!(Weights::from_safetensors(&file("a", "F32", &[usize::MAX, 2], &[0; 8])).is_err());
}

#[test]
fn a_nan_in_a_file_is_an_error_that_says_where() {
    let mut bytes = data!("mlp-relu.safetensors").to_vec();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let weights = Weights::from_safetensors(&bytes).unwrap();
    let error = Sequential::<f32>::from_description(RELU, &weights).unwrap_err();
    assert_eq!(error.to_string(), "4.weight[9, 63]: expected a finite number, got NaN");
}

#[test]
fn arrays_of_the_wrong_kind_are_errors_that_name_the_file() {
    let text = |result: Result<Array2<f32>, ForwardError>| result.unwrap_err().to_string();
    assert_eq!(
        text(read_npy("labels.npy", data!("labels.npy"))),
        "labels.npy: expected elements of type f32, got '|u1'"
    );
    let short = &data!("images.npy")[..1000];
    assert!(text(read_npy("images.npy", short)).contains("images.npy"));
    assert!(text(read_npy("x", data!("mlp-relu.safetensors"))).contains("npy"));
    // A header that asks for more memory than there is.
    let mut large = data!("images.npy").to_vec();
    let at = large.windows(8).position(|word| word == b"(540, 64").unwrap();
    let header = large.iter().position(|&byte| byte == b'\n').unwrap();
    let shape = b"(1000000000000, 64), }";
    large[at..at + shape.len()].copy_from_slice(shape);
    large[at + shape.len()..header].fill(b' ');
    let error = text(read_npy("images.npy", &large[..]));
    assert!(error.contains("expected 64000000000000 elements, got a file of"), "{error}");
    let error = read_npy::<f32, Ix1>("images.npy", data!("images.npy")).unwrap_err();
    assert_eq!(error.to_string(), "images.npy: expected 1 dimensions, got 2");
}
