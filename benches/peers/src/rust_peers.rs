//! The Rust peers, each called as its documentation says, into a ready buffer where it takes one.

use std::{cell::RefCell, mem::MaybeUninit, rc::Rc};

use candle_core::{D, Device, Tensor};
use ndarray::{ArrayD, Axis, IxDyn};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Elu, Erf, Exp, Gelu, LeakyRelu, LogSoftmax, Sigmoid, Silu, Softmax, Tanh};

use crate::{Case, Request, read, write};

pub fn prepare(request: &Request) -> Result<Case, String> {
    match (request.implementation, request.dtype) {
        ("rten", "f32") => rten(request),
        ("candle", "f32") => candle(request),
        ("naive", "f32") => naive(request),
        (other, dtype) => Err(format!("{other} has no {dtype}")),
    }
}

fn rten(request: &Request) -> Result<Case, String> {
    let x = read::<f32>(request.input);
    let (shape, x) = (x.raw_dim(), x.into_raw_vec_and_offset().0);
    let input = x.clone();
    let lane = *request.shape.last().unwrap_or(&1);
    let mut out = vec![MaybeUninit::<f32>::uninit(); x.len()];
    macro_rules! unary {
        ($op:expr) => {{
            let op = $op;
            let call: Box<dyn FnMut()> = Box::new(move || {
                op.map(&x, &mut out);
            });
            let output: Box<dyn FnMut(&str)> = Box::new(move |path| {
                let mut y = input.clone();
                $op.map_mut(&mut y);
                write(path, &ArrayD::from_shape_vec(shape.clone(), y).expect("same length"));
            });
            Ok(Case { call, output })
        }};
    }
    macro_rules! lanes {
        ($op:ident) => {{
            let call: Box<dyn FnMut()> = Box::new(move || {
                for (x, out) in x.chunks(lane).zip(out.chunks_mut(lane)) {
                    $op::new(x, out).dispatch();
                }
            });
            let output: Box<dyn FnMut(&str)> = Box::new(move |path| {
                let mut y = input.clone();
                for y in y.chunks_mut(lane) {
                    $op::new_mut(y).dispatch();
                }
                write(path, &ArrayD::from_shape_vec(shape.clone(), y).expect("same length"));
            });
            Ok(Case { call, output })
        }};
    }
    match (request.kind, request.name) {
        ("map", "exp") => unary!(Exp {}),
        ("map", "erf") => unary!(Erf {}),
        ("map", "sigmoid") => unary!(Sigmoid {}),
        ("map", "tanh") => unary!(Tanh {}),
        ("map", "gelu") => unary!(Gelu {}),
        ("map", "silu") => unary!(Silu {}),
        ("map", "elu") => unary!(Elu { alpha: 1.0 }),
        ("map", "leaky_relu") => unary!(LeakyRelu { alpha: 0.01 }),
        ("softmax", _) if request.axis + 1 == request.shape.len() => lanes!(Softmax),
        ("log_softmax", _) if request.axis + 1 == request.shape.len() => lanes!(LogSoftmax),
        (kind, name) => Err(format!("rten has no {kind} {name} here")),
    }
}

fn candle(request: &Request) -> Result<Case, String> {
    let x = read::<f32>(request.input);
    let x = Tensor::from_vec(x.into_raw_vec_and_offset().0, request.shape.as_slice(), &Device::Cpu).map_err(|e| e.to_string())?;
    let (kind, name, axis) = (request.kind.to_string(), request.name.to_string(), request.axis);
    let last = axis + 1 == request.shape.len();
    let compute = move || -> candle_core::Result<Tensor> {
        match (kind.as_str(), name.as_str()) {
            ("map", "relu") => x.relu(),
            ("map", "tanh") => x.tanh(),
            ("map", "gelu") => x.gelu_erf(),
            ("map", "gelu_tanh") => x.gelu(),
            ("map", "silu") => x.silu(),
            ("map", "sigmoid") => candle_nn::ops::sigmoid(&x),
            ("map", "elu") => x.elu(1.0),
            ("map", "leaky_relu") => candle_nn::ops::leaky_relu(&x, 0.01),
            ("softmax", _) if last => candle_nn::ops::softmax_last_dim(&x),
            ("softmax", _) => candle_nn::ops::softmax(&x, axis),
            ("log_softmax", _) if last => candle_nn::ops::log_softmax(&x, D::Minus1),
            ("log_softmax", _) => candle_nn::ops::log_softmax(&x, axis),
            (kind, name) => candle_core::bail!("candle has no {kind} {name} here"),
        }
    };
    compute().map_err(|e| e.to_string())?;
    let compute = Rc::new(compute);
    let (again, shape) = (compute.clone(), request.shape.clone());
    Ok(Case {
        call: Box::new(move || drop(compute().expect("it worked before"))),
        output: Box::new(move |path| {
            let y = again().and_then(|y| y.flatten_all()?.to_vec1::<f32>()).expect("it worked before");
            write(path, &ArrayD::from_shape_vec(IxDyn(&shape), y).expect("same length"));
        }),
    })
}

/// The code that a user of ndarray would write.
fn naive(request: &Request) -> Result<Case, String> {
    let x = read::<f32>(request.input).into_shape_with_order(IxDyn(&request.shape)).map_err(|e| e.to_string())?;
    let out = Rc::new(RefCell::new(x.clone()));
    let result = out.clone();
    let axis = Axis(request.axis);
    let unary: Option<fn(f32) -> f32> = match (request.kind, request.name) {
        ("map", "relu") => Some(|v| v.max(0.0)),
        ("map", "leaky_relu") => Some(|v| if v > 0.0 { v } else { 0.01 * v }),
        ("map", "sigmoid") => Some(|v| 1.0 / (1.0 + (-v).exp())),
        ("map", "tanh") => Some(f32::tanh),
        ("map", "silu") => Some(|v| v / (1.0 + (-v).exp())),
        ("map", "softplus") => Some(|v| v.max(0.0) + (-v.abs()).exp().ln_1p()),
        ("map", "elu") => Some(|v| if v > 0.0 { v } else { v.exp_m1() }),
        ("map", "mish") => Some(|v| v * v.exp().ln_1p().tanh()),
        ("softmax" | "log_softmax", _) => None,
        (kind, name) => return Err(format!("naive has no {kind} {name}")),
    };
    let log = request.kind == "log_softmax";
    let call: Box<dyn FnMut()> = match unary {
        Some(f) => Box::new(move || out.borrow_mut().zip_mut_with(&x, |y, &x| *y = f(x))),
        None => Box::new(move || {
            let top = x.fold_axis(axis, f32::NEG_INFINITY, |&a, &b| a.max(b)).insert_axis(axis);
            let shifted = &x - &top;
            let e = shifted.mapv(f32::exp);
            let sum = e.sum_axis(axis).insert_axis(axis);
            *out.borrow_mut() = if log { shifted - sum.mapv(f32::ln) } else { e / sum };
        }),
    };
    Ok(Case { call, output: Box::new(move |path| write(path, &result.borrow())) })
}
