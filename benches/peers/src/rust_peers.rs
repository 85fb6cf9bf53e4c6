//! The Rust peers, each called as its documentation says, into a ready buffer where it takes one.

use std::{cell::RefCell, mem::MaybeUninit, rc::Rc};

use candle_core::{D, Device, Tensor};
use ndarray::{Array1, ArrayD, ArrayRef, Axis, IxDyn, Zip};
use ndarray_activations::Element;
use ndarray_npy::{ReadableElement, WritableElement};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Elu, Erf, Exp, Gelu, LeakyRelu, LogSoftmax, Sigmoid, Silu, Softmax, Tanh};

use crate::{Case, Request, case, dimensions, read, write};

pub fn prepare(request: &Request) -> Result<Case, String> {
    match (request.implementation, request.dtype) {
        ("rten", "f32") => rten(request),
        ("candle", "f32") => candle(request),
        ("naive", "f32") => naive::<f32>(request),
        ("naive", "f64") => naive::<f64>(request),
        (other, dtype) => Err(format!("{other} has no {dtype}")),
    }
}

fn rten(request: &Request) -> Result<Case, String> {
    let x = read::<f32>(request.input);
    let (shape, x) = (x.raw_dim(), Rc::new(x.into_raw_vec_and_offset().0));
    let source = x.clone();
    let buffer = Rc::new(RefCell::new(x.to_vec()));
    let (again, fresh) = (buffer.clone(), buffer.clone());
    let lane = *request.shape.last().unwrap_or(&1);
    let mut out = vec![MaybeUninit::<f32>::uninit(); if request.form == "into" { x.len() } else { 0 }];
    macro_rules! made {
        ($call:expr, $overwrite:expr) => {{
            let (reset, input) = (source.clone(), source);
            Ok(Case {
                reset: Box::new(move || fresh.borrow_mut().copy_from_slice(&reset)),
                call: $call,
                output: Box::new(move |path| {
                    let mut y = input.to_vec();
                    $overwrite(&mut y);
                    write(path, &ArrayD::from_shape_vec(shape.clone(), y).expect("same length"));
                }),
            })
        }};
    }
    macro_rules! unary {
        ($op:expr) => {{
            let op = $op;
            let call: Box<dyn FnMut()> = match request.form {
                "into" => Box::new(move || {
                    op.map(&x, &mut out);
                }),
                "inplace" => Box::new(move || op.map_mut(&mut buffer.borrow_mut())),
                _ => Box::new(move || {
                    let mut made = Vec::with_capacity(x.len());
                    op.map(&x, &mut made.spare_capacity_mut()[..x.len()]);
                }),
            };
            made!(call, |y: &mut [f32]| $op.map_mut(y))
        }};
    }
    macro_rules! lanes {
        ($op:ident) => {{
            let overwrite = move |y: &mut [f32]| y.chunks_mut(lane).for_each(|y| {
                let _ = $op::new_mut(y).dispatch();
            });
            let call: Box<dyn FnMut()> = match request.form {
                "into" => Box::new(move || {
                    for (x, out) in x.chunks(lane).zip(out.chunks_mut(lane)) {
                        $op::new(x, out).dispatch();
                    }
                }),
                "inplace" => Box::new(move || overwrite(&mut again.borrow_mut())),
                form => return Err(format!("not measured: {form}")),
            };
            made!(call, overwrite)
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
    if request.form == "inplace" {
        return Err("candle does not overwrite".to_string());
    }
    compute().map_err(|e| e.to_string())?;
    let compute = Rc::new(compute);
    let (again, shape) = (compute.clone(), request.shape.clone());
    Ok(Case {
        reset: Box::new(|| ()),
        call: Box::new(move || drop(compute().expect("it worked before"))),
        output: Box::new(move |path| {
            let y = again().and_then(|y| y.flatten_all()?.to_vec1::<f32>()).expect("it worked before");
            write(path, &ArrayD::from_shape_vec(IxDyn(&shape), y).expect("same length"));
        }),
    })
}

/// The code that a user of ndarray would write.
fn naive<A: Element + ReadableElement + WritableElement>(request: &Request) -> Result<Case, String> {
    let x = read::<A>(request.input);
    let (zero, one, slope) = (A::zero(), A::one(), A::from_f64(0.01));
    macro_rules! map {
        ($f:expr) => {
            Ok(case(
                request,
                Array1::from_vec(x.into_raw_vec_and_offset().0),
                move |x, y| Zip::from(y).and(x).for_each(|y, &x| *y = $f(x)),
                move |y| y.mapv_inplace($f),
                move |x| x.mapv($f),
            ))
        };
    }
    match (request.kind, request.name) {
        ("map", "relu") => map!(|v: A| v.max(zero)),
        ("map", "leaky_relu") => map!(|v: A| if v > zero { v } else { slope * v }),
        ("map", "sigmoid") => map!(|v: A| one / (one + (-v).exp())),
        ("map", "tanh") => map!(|v: A| v.tanh()),
        ("map", "silu") => map!(|v: A| v / (one + (-v).exp())),
        ("map", "softplus") => map!(|v: A| v.max(zero) + (-v.abs()).exp().ln_1p()),
        ("map", "elu") => map!(|v: A| if v > zero { v } else { v.exp_m1() }),
        ("map", "mish") => map!(|v: A| v * v.exp().ln_1p().tanh()),
        ("softmax" | "log_softmax", _) => {
            let axis = Axis(request.axis);
            let log = request.kind == "log_softmax";
            let softmax = move |x: &ArrayRef<A, IxDyn>| {
                let top = x.fold_axis(axis, A::neg_infinity(), |&a, &b| a.max(b)).insert_axis(axis);
                let mut shifted = x.to_owned();
                shifted -= &top;
                let e = shifted.mapv(|v| v.exp());
                let sum = e.sum_axis(axis).insert_axis(axis);
                if log { shifted - sum.mapv(|v| v.ln()) } else { e / sum }
            };
            Ok(case(request, dimensions(request, x)?, move |x, y| y.assign(&softmax(x)), |_| (), softmax))
        }
        (kind, name) => Err(format!("naive has no {kind} {name}")),
    }
}
