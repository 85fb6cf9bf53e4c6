//! The run-time choice: names in, names out, and the same bits as the nouns.

use ndarray::{Array, Array2, s};
use ndarray_activations::{Activation, ActivationError, prelude::*};

fn parse(text: &str) -> Activation {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    match text.parse::<Activation>() {
        Ok(op) => panic!("{text} is read as {op:?}"),
        Err(error) => error.to_string(),
    }
}

/// As the default, but with every parameter moved to a value that no default has.
fn changed(op: Activation) -> Option<Activation> {
    let parameters = op.parameters();
    let text: Vec<_> = (0..parameters.len()).map(|i| format!("{}", 0.625 + i as f64)).collect();
    (!text.is_empty()).then(|| parse(&format!("{}({})", op.name(), text.join(","))))
}

#[test]
fn every_activation_is_read_back_from_its_text() {
    for &op in Activation::ALL {
        assert_eq!(op.to_string(), op.name());
        assert_eq!(parse(op.name()), op);
        assert_eq!(parse(&format!("{op}()")), op);
        if let Some(op) = changed(op) {
            let text = op.to_string();
            assert!(text.contains('='), "{text}");
            assert_eq!(parse(&text), op);
            for (i, (_, value)) in op.parameters().into_iter().enumerate() {
                assert_eq!(value, 0.625 + i as f64);
            }
        }
    }
}

#[test]
fn all_lists_every_activation_once_and_the_default_is_identity() {
    let mut names: Vec<_> = Activation::ALL.iter().map(|op| op.name()).collect();
    assert!(names.len() >= 32);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Activation::ALL.len());
    assert_eq!(Activation::default(), Activation::Identity);
}

#[test]
fn references_to_activations_convert_and_all_can_be_borrowed() {
    let mut count = 0;
    for op in &Activation::ALL {
        assert_eq!(Activation::from(op), *op);
        count += 1;
    }
    assert_eq!(count, Activation::ALL.len());
}

#[test]
fn parameters_survive_to_the_last_bit() {
    for value in [0.1, 1.0 / 3.0, 1e-310, 5e300, -0.0, -1e-7, 123_456_789.125] {
        let op = Activation::Threshold { threshold: value, value: -value };
        let back = parse(&op.to_string());
        for ((_, a), (_, b)) in op.parameters().into_iter().zip(back.parameters()) {
            assert_eq!(a.to_bits(), b.to_bits(), "{op}");
        }
    }
}

#[test]
fn only_parameters_that_differ_from_the_default_are_written() {
    let text = |op: Activation| op.to_string();
    assert_eq!(text(LeakyRelu::new(0.1).into()), "leaky_relu(negative_slope=0.1)");
    assert_eq!(text(LeakyRelu::default().into()), "leaky_relu");
    assert_eq!(text(HardTanh::new(-1.0, 6.0).into()), "hard_tanh(max=6.0)");
    assert_eq!(format!("{:>8}|{:<6}|", Activation::Relu, Activation::Gelu), "    relu|gelu  |");
}

#[test]
fn pytorch_names_are_read() {
    for (text, expected) in [
        ("ReLU", Activation::Relu),
        ("ReLU(inplace=True)", Activation::Relu),
        ("nn.ReLU()", Activation::Relu),
        ("nn.ReLU6", Activation::Relu6),
        ("nn.LeakyReLU", LeakyRelu::default().into()),
        ("LeakyReLU(negative_slope=0.1)", LeakyRelu::new(0.1).into()),
        ("LeakyReLU(negative_slope=0.1, inplace=True)", LeakyRelu::new(0.1).into()),
        ("torch.nn.LeakyReLU(0.3)", LeakyRelu::new(0.3).into()),
        ("F.leaky_relu", LeakyRelu::default().into()),
        ("torch.nn.GELU", Activation::Gelu),
        ("GELU(approximate='none')", Activation::Gelu),
        ("GELU(approximate='tanh')", Activation::GeluTanh),
        ("nn.GELU('tanh')", Activation::GeluTanh),
        ("torch.nn.SiLU", Activation::Silu),
        ("torch.sigmoid", Activation::Sigmoid),
        ("torch.nn.functional.logsigmoid", Activation::LogSigmoid),
        ("LogSigmoid()", Activation::LogSigmoid),
        ("ELU(alpha=1.0)", Elu::default().into()),
        ("CELU(alpha=0.5)", Activation::Celu { alpha: 0.5 }),
        ("SELU", Activation::Selu),
        ("Mish()", Activation::Mish),
        ("Softplus(beta=1.0, threshold=20.0)", Softplus::default().into()),
        ("Softshrink(0.25)", Activation::SoftShrink { lambda: 0.25 }),
        ("Softshrink(lambd=0.25)", Activation::SoftShrink { lambda: 0.25 }),
        ("Hardshrink(lambd=0.25)", Activation::HardShrink { lambda: 0.25 }),
        ("Softsign", Activation::Softsign),
        ("Tanh", Activation::Tanh),
        ("Tanhshrink", Activation::TanhShrink),
        (
            "Threshold(threshold=0.1, value=20)",
            Activation::Threshold { threshold: 0.1, value: 20.0 },
        ),
        ("Hardtanh(min_val=-2.0, max_val=2.0)", Activation::HardTanh { min: -2.0, max: 2.0 }),
        ("Hardsigmoid", HardSigmoid::default().into()),
        ("Hardswish", Activation::HardSwish),
        ("Identity()", Activation::Identity),
        // By position, with what changes nothing here.
        ("nn.ReLU(True)", Activation::Relu),
        ("nn.Hardsigmoid(True)", HardSigmoid::default().into()),
        ("LeakyReLU(0.2, True)", LeakyRelu::new(0.2).into()),
        ("Hardtanh(-2, 2, False)", Activation::HardTanh { min: -2.0, max: 2.0 }),
        ("Threshold(0.1, 20, True)", Activation::Threshold { threshold: 0.1, value: 20.0 }),
        ("Softplus(2, 20)", Softplus::new(2.0).into()),
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
}

#[test]
fn keras_names_are_read() {
    for (text, expected) in [
        ("celu", "celu"),
        ("elu", "elu"),
        ("gelu", "gelu"),
        ("gelu(approximate=True)", "gelu_tanh"),
        ("gelu(approximate=False)", "gelu"),
        ("hard_shrink", "hard_shrink"),
        ("hard_sigmoid", "hard_sigmoid"),
        ("hard_silu", "hard_swish"),
        ("hard_swish", "hard_swish"),
        ("hard_tanh", "hard_tanh"),
        ("leaky_relu", "leaky_relu"),
        ("linear", "identity"),
        ("log_sigmoid", "log_sigmoid"),
        ("mish", "mish"),
        ("relu", "relu"),
        ("relu6", "relu6"),
        ("selu", "selu"),
        ("sigmoid", "sigmoid"),
        ("silu", "silu"),
        ("soft_shrink", "soft_shrink"),
        ("softplus", "softplus"),
        ("softsign", "softsign"),
        ("squareplus", "squareplus"),
        ("swish", "swish"),
        ("tanh", "tanh"),
        ("tanh_shrink", "tanh_shrink"),
        ("threshold", "threshold"),
        ("ThresholdedReLU(theta=2)", "thresholded_relu(alpha=2.0)"),
        ("threshold(threshold=0.1, default_value=20)", "threshold(threshold=0.1, value=20.0)"),
        ("LeakyReLU(alpha=0.3)", "leaky_relu(negative_slope=0.3)"),
    ] {
        assert_eq!(parse(text).to_string(), expected, "{text}");
    }
}

#[test]
fn onnx_names_are_read() {
    for (text, expected) in [
        ("Celu", "celu"),
        ("Elu", "elu"),
        ("Gelu", "gelu"),
        ("Gelu(approximate=\"tanh\")", "gelu_tanh"),
        ("HardSigmoid", "hard_sigmoid"),
        ("HardSigmoid(alpha=0.2, beta=0.25)", "hard_sigmoid(slope=0.2, offset=0.25)"),
        ("HardSwish", "hard_swish"),
        ("Identity", "identity"),
        ("LeakyRelu(alpha=0.2)", "leaky_relu(negative_slope=0.2)"),
        ("Mish", "mish"),
        ("Relu", "relu"),
        ("Selu", "selu"),
        ("Shrink(lambd=1.5, bias=1.5)", "shrink(lambda=1.5, bias=1.5)"),
        ("Sigmoid", "sigmoid"),
        ("Sign", "sign"),
        ("Softplus", "softplus"),
        ("Softsign", "softsign"),
        ("Swish(alpha=2)", "swish(beta=2.0)"),
        ("Tanh", "tanh"),
        ("ThresholdedRelu", "thresholded_relu"),
    ] {
        assert_eq!(parse(text).to_string(), expected, "{text}");
    }
}

#[test]
fn hugging_face_names_are_read() {
    for (text, expected) in [
        ("gelu", "gelu"),
        ("gelu_python", "gelu"),
        ("gelu_new", "gelu_tanh"),
        ("gelu_fast", "gelu_tanh"),
        ("gelu_accurate", "gelu_tanh"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("gelu_python_tanh", "gelu_tanh"),
        ("quick_gelu", "quick_gelu"),
        ("leaky_relu", "leaky_relu"),
        ("linear", "identity"),
        ("mish", "mish"),
        ("relu", "relu"),
        ("relu2", "relu_squared"),
        ("relu6", "relu6"),
        ("sigmoid", "sigmoid"),
        ("silu", "silu"),
        ("swish", "swish"),
        ("tanh", "tanh"),
    ] {
        assert_eq!(parse(text).to_string(), expected, "{text}");
    }
}

#[test]
fn case_separators_and_spaces_do_not_matter() {
    for text in ["LEAKY-RELU", " Leaky Relu ", "leakyrelu", "Leaky_ReLU ( )"] {
        assert_eq!(parse(text), LeakyRelu::default().into(), "{text:?}");
    }
    let op = Activation::HardTanh { min: 0.0, max: 6.0 };
    for text in ["hard_tanh(0,6)", "Hard-Tanh( max = 6 , min = 0. )", "hardtanh(0, max=6,)"] {
        assert_eq!(parse(text), op, "{text:?}");
    }
}

#[test]
fn an_unknown_name_lists_near_ones() {
    for (text, near) in [
        ("sigmod", "sigmoid"),
        ("leaky_rleu", "leaky_relu"),
        ("gleu", "gelu"),
        ("torch.nn.SoftPlus2", "softplus"),
        ("jax.nn.gelu", "gelu"),
        ("hard_sigmoids(0.2)", "hard_sigmoid"),
    ] {
        let error = error(text);
        assert!(error.starts_with("unknown activation"), "{error}");
        assert!(error.contains("did you mean") && error.contains(near), "{error}");
    }
    let error = error("xyzzy");
    assert!(error.contains("there are") && error.contains("leaky_relu"), "{error}");
    assert!(!error.contains('\n'), "one line");
}

#[test]
fn bad_parameters_are_errors_that_say_what_is_wrong() {
    for (text, says) in [
        (
            "leaky_relu(slope_of_hill=1)",
            "unknown parameter \"slope_of_hill\": leaky_relu takes negative_slope",
        ),
        ("relu(0.1)", "1 parameter is too many: relu takes no parameters"),
        ("relu(True, 1)", "2 parameters are too many: relu takes no parameters"),
        ("nn.GELU(True)", "1 parameter is too many: gelu takes no parameters"),
        ("softplus(1, 20, 3)", "3 parameters are too many: softplus takes beta"),
        ("softplus(threshold=20, 30)", "2 parameters are too many: softplus takes beta"),
        ("softplus(1, x)", "2 parameters are too many: softplus takes beta"),
        ("elu(True)", "elu: alpha must be a number, got \"True\""),
        ("nn.GLU(dim=-1)", "unknown activation \"nn.GLU\"; it is of two halves: the function glu"),
        ("log-softmax", "it is of all elements along an axis: x.log_softmax(Axis(1))"),
        ("PReLU", "its slopes are weights: the type Prelu"),
        ("leaky_relu(0.1, 0.2)", "2 parameters are too many: leaky_relu takes negative_slope"),
        ("hard_tanh(0, min=1)", "hard_tanh: min is given twice"),
        ("softplus(threshold=20, threshold=30)", "softplus: threshold is given twice"),
        ("softplus(threshold=x)", "softplus: threshold must be a number, got \"x\""),
        ("hard('sigmoid')", "unknown activation \"hard\""),
        ("leaky_relu('0.1')", "leaky_relu: negative_slope must be a number, got \"'0.1'\""),
        ("leaky_relu(steep)", "leaky_relu: negative_slope must be a number, got \"steep\""),
        ("leaky_relu(nan)", "LeakyRelu { negative_slope: NaN }: a parameter is NaN"),
        ("relu(approximate='tanh')", "unknown parameter \"approximate\": relu takes no parameters"),
        (
            "gelu(approximate='cubic')",
            "unknown parameter \"approximate\": gelu takes no parameters",
        ),
        ("gelu(approximate='new')", "unknown parameter \"approximate\": gelu takes no parameters"),
        ("nn.GELU('erf')", "unknown parameter \"approximate\": gelu takes no parameters"),
        ("hard_sigmoid(True, 1)", "hard_sigmoid: slope must be a number, got \"True\""),
        ("relu(threshold=1)", "unknown parameter \"threshold\": relu takes no parameters"),
        ("elu(1", "is not of the form"),
        ("elu(,)", "is not of the form"),
        ("elu(alpha=)", "is not of the form"),
        ("elu(=1)", "is not of the form"),
        ("", "unknown activation \"\""),
        ("(1)", "unknown activation \"\""),
    ] {
        assert!(error(text).contains(says), "{text}: {}", error(text));
    }
}

#[test]
fn check_rejects_nan_in_every_parameter_of_every_activation() {
    for &op in Activation::ALL {
        assert_eq!(op.check(), Ok(()));
        for (name, _) in op.parameters() {
            assert!(error(&format!("{}({name}=NaN)", op.name())).contains("NaN"), "{op} {name}");
        }
    }
}

fn bits(x: &Array2<f32>) -> Vec<u32> {
    x.iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect()
}

/// The verbs of `choice` against those of the noun it stands for.
fn same_as<T: Spec + Into<Activation>>(op: T) {
    let choice: Activation = op.into();
    assert_eq!(choice.name(), T::NAME);
    assert_eq!(choice.cost(), T::COST);
    assert_eq!(choice.bounds(), T::BOUNDS);
    let big = Array::from_shape_fn((37, 41), |(i, j)| {
        [f32::NEG_INFINITY, -0.0, f32::NAN, f32::INFINITY]
            .get(i * 41 + j)
            .copied()
            .unwrap_or((i as f32 - 18.0) * 0.37 + j as f32 * 0.011)
    });
    for x in [big.view(), big.t(), big.slice(s![..;-2, 1..;3])] {
        let dy = x.mapv(|x| if x.is_finite() { 1.5 - x } else { 2.0 });
        assert_eq!(bits(&choice.map(&x)), bits(&op.map(&x)));
        assert_eq!(bits(&choice.gradient(&x)), bits(&op.gradient(&x)));
        assert_eq!(bits(&choice.backward(&x, &dy)), bits(&op.backward(&x, &dy)));
        let (mut a, mut b) = (dy.clone(), dy.clone());
        choice.gate_inplace(&x, &mut a);
        op.gate_inplace(&x, &mut b);
        assert_eq!(bits(&a), bits(&b));
        assert_eq!(bits(&choice.map_into(x.to_owned())), bits(&op.map(&x)));
        let mut out = Array2::zeros(x.raw_dim());
        choice.map_assign_into(&x, &mut out);
        assert_eq!(bits(&out), bits(&op.map(&x)));
    }
    assert_eq!(choice.scalar(0.75f32).to_bits(), op.scalar(0.75f32).to_bits());
}

#[test]
fn a_choice_gives_the_bits_of_the_noun_in_every_verb() {
    macro_rules! nouns {
        ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
            $(same_as($noun::default());)*
        };
    }
    ndarray_activations::for_each_activation!(nouns);
}

#[test]
fn errors_are_values_that_travel() {
    fn assert_error<E: std::error::Error + Send + Sync + Clone + PartialEq + 'static>() {}
    assert_error::<ActivationError>();
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[test]
    fn json_is_the_text() {
        let op = Activation::LeakyRelu { negative_slope: 0.1 };
        let json = serde_json::to_string(&op).unwrap();
        assert_eq!(json, "\"leaky_relu(negative_slope=0.1)\"");
        assert_eq!(serde_json::from_str::<Activation>(&json).unwrap(), op);
        for &op in Activation::ALL {
            let json = serde_json::to_string(&op).unwrap();
            assert_eq!(serde_json::from_str::<Activation>(&json).unwrap(), op);
        }
    }

    #[test]
    fn a_misspelt_name_in_json_is_an_error_that_lists_near_ones() {
        let error = serde_json::from_str::<Activation>("\"sigmod\"").unwrap_err().to_string();
        assert!(error.contains("did you mean sigmoid?"), "{error}");
    }
}
