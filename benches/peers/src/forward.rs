//! Networks: NAME is the activation between the layers, SHAPE the widths `784x512x256x10`, AXIS the batch. The weights
//! stand beside the input as `w0.npy`, `b0.npy`, `w1.npy` ..., oriented `[outputs, inputs]`.

use std::{cell::RefCell, path::Path, rc::Rc};

use candle_core::{Device, Tensor};
use candle_nn::{Activation as CandleActivation, Linear as CandleLinear, Module};
use ndarray::{Array1, Array2, Ix1, Ix2};
use ndarray_activations::forward::{Linear, Sequential, Workspace};
use ndarray_activations::Activation;

use crate::{Case, Request, read, write};

type Layers = Vec<(Array2<f32>, Array1<f32>)>;

pub fn prepare(request: &Request) -> Result<Case, String> {
    if request.dtype != "f32" {
        return Err("networks are measured in f32".to_string());
    }
    let x = read::<f32>(request.input).into_dimensionality::<Ix2>().map_err(|e| e.to_string())?;
    let folder = Path::new(request.input).parent().expect("a file lies in a folder");
    let file = |name: String| folder.join(name).to_str().expect("a plain path").to_string();
    let layers: Layers = (0..request.shape.len() - 1)
        .map(|i| {
            let w = read::<f32>(&file(format!("w{i}.npy"))).into_dimensionality::<Ix2>();
            let b = read::<f32>(&file(format!("b{i}.npy"))).into_dimensionality::<Ix1>();
            (w.expect("two axes"), b.expect("one axis"))
        })
        .collect();
    match request.implementation {
        "ours" => ours(request, x, layers),
        "candle" => candle(request, x, layers),
        "naive" => naive(request, x, layers),
        other => Err(format!("{other} has no networks here")),
    }
}

fn ours(request: &Request, x: Array2<f32>, layers: Layers) -> Result<Case, String> {
    let op: Activation = request.name.parse().map_err(|e| format!("{e}"))?;
    let last = layers.len() - 1;
    let mut net = Sequential::new();
    for (index, (w, b)) in layers.into_iter().enumerate() {
        net = net.push(Linear::new(w, b).map_err(|e| e.to_string())?);
        if index < last || last == 0 {
            net = net.push(op);
        }
    }
    let state = Rc::new((net, x));
    let again = state.clone();
    let call: Box<dyn FnMut()> = if request.form == "into" {
        let mut workspace = Workspace::new();
        Box::new(move || {
            std::hint::black_box(state.0.forward_into(&state.1, &mut workspace).expect("it fits"));
        })
    } else {
        Box::new(move || drop(std::hint::black_box(state.0.forward(&state.1).expect("it fits"))))
    };
    let output = Box::new(move |path: &str| write(path, &again.0.forward(&again.1).expect("it fits").into_dyn()));
    Ok(Case { reset: Box::new(|| ()), call, output })
}

fn candle(request: &Request, x: Array2<f32>, layers: Layers) -> Result<Case, String> {
    let op = match request.name {
        "relu" => CandleActivation::Relu,
        "gelu" => CandleActivation::Gelu,
        name => return Err(format!("candle has no {name} here")),
    };
    let shape = x.dim();
    let tensor = |data: Vec<f32>, shape: &[usize]| Tensor::from_vec(data, shape, &Device::Cpu).expect("as many elements");
    let x = tensor(x.into_raw_vec_and_offset().0, &[shape.0, shape.1]);
    let layers: Vec<CandleLinear> = layers
        .into_iter()
        .map(|(w, b)| {
            let (outputs, inputs) = w.dim();
            let w = tensor(w.into_raw_vec_and_offset().0, &[outputs, inputs]);
            CandleLinear::new(w, Some(tensor(b.into_raw_vec_and_offset().0, &[outputs])))
        })
        .collect();
    let compute = Rc::new(move || {
        let mut x = x.clone();
        for (index, layer) in layers.iter().enumerate() {
            x = layer.forward(&x).expect("it fits");
            if index + 1 < layers.len() || layers.len() == 1 {
                x = op.forward(&x).expect("of any shape");
            }
        }
        x
    });
    let again = compute.clone();
    Ok(Case {
        reset: Box::new(|| ()),
        call: Box::new(move || drop(compute())),
        output: Box::new(move |path| {
            let y = again().to_vec2::<f32>().expect("two axes");
            let y = Array2::from_shape_fn((y.len(), y[0].len()), |(i, j)| y[i][j]);
            write(path, &y.into_dyn());
        }),
    })
}

/// What one writes with ndarray alone: its product, a broadcast bias, a `mapv`.
fn naive(request: &Request, x: Array2<f32>, layers: Layers) -> Result<Case, String> {
    if request.name != "relu" {
        return Err(format!("naive has no {} here", request.name));
    }
    let out = Rc::new(RefCell::new(Array2::zeros((0, 0))));
    let result = out.clone();
    Ok(Case {
        reset: Box::new(|| ()),
        call: Box::new(move || {
            let mut y = x.clone();
            for (index, (w, b)) in layers.iter().enumerate() {
                y = y.dot(&w.t()) + b;
                if index + 1 < layers.len() {
                    y.mapv_inplace(|v| v.max(0.0));
                }
            }
            *out.borrow_mut() = y;
        }),
        output: Box::new(move |path| write(path, &result.borrow().clone().into_dyn())),
    })
}
