//! A measuring server: the driver writes a line, this process answers with one.
//!
//! ```text
//! prepare IMPLEMENTATION KIND NAME DTYPE SHAPE AXIS FORM INPUT.npy   -> ok | skip: why
//! run SECONDS                                                        -> median nanoseconds of one call
//! output FILE.npy                                                    -> ok
//! ```
//!
//! SHAPE is `64x131072`; KIND is `map`, `softmax`, `log_softmax` or `forward`; FORM is `into`, `inplace` or `alloc`.
//! Preparing and measuring are apart, so that the driver can interleave implementations.

mod forward;
mod rust_peers;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use ndarray::{ArrayD, Axis, IxDyn};
use ndarray_activations::{Activation, Element, prelude::*};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt};

/// One prepared measurement.
pub struct Case {
    pub call: Box<dyn FnMut()>,
    pub output: Box<dyn FnMut(&str)>,
}

/// What a line asks for.
pub struct Request<'a> {
    pub implementation: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub dtype: &'a str,
    pub shape: Vec<usize>,
    pub axis: usize,
    pub form: &'a str,
    pub input: &'a str,
}

pub fn read<A: ReadableElement>(path: &str) -> ArrayD<A> {
    ArrayD::<A>::read_npy(std::fs::File::open(path).expect("input file")).expect("npy input")
}

pub fn write<A: WritableElement>(path: &str, array: &ArrayD<A>) {
    array.write_npy(std::fs::File::create(path).expect("output file")).expect("npy output");
}

fn ours<A: Element + ReadableElement + WritableElement>(request: &Request) -> Result<Case, String> {
    use std::{cell::RefCell, rc::Rc};
    let x = read::<A>(request.input).into_shape_with_order(IxDyn(&request.shape)).map_err(|e| e.to_string())?;
    let out = Rc::new(RefCell::new(x.clone()));
    let result = out.clone();
    let axis = Axis(request.axis);
    let call: Box<dyn FnMut()> = match (request.kind, request.form) {
        ("map", form) => {
            let op: Activation = request.name.parse().map_err(|e| format!("{e}"))?;
            match form {
                "into" => Box::new(move || op.map_assign_into(&x, &mut out.borrow_mut())),
                "inplace" => Box::new(move || op.map_inplace(&mut *out.borrow_mut())),
                _ => Box::new(move || *out.borrow_mut() = op.map(&x)),
            }
        }
        ("softmax", "into") => Box::new(move || x.softmax_assign_into(axis, &mut out.borrow_mut())),
        ("log_softmax", "into") => Box::new(move || x.log_softmax_assign_into(axis, &mut out.borrow_mut())),
        ("softmax", _) => Box::new(move || *out.borrow_mut() = x.softmax(axis)),
        ("log_softmax", _) => Box::new(move || *out.borrow_mut() = x.log_softmax(axis)),
        (kind, _) => return Err(format!("no such kind: {kind}")),
    };
    Ok(Case { call, output: Box::new(move |path| write(path, &result.borrow())) })
}

fn prepare(words: &[&str]) -> Result<Case, String> {
    let &[implementation, kind, name, dtype, shape, axis, form, input] = words else {
        return Err(format!("expected 8 words, got {}", words.len()));
    };
    let shape = shape.split('x').map(|n| n.parse().map_err(|_| format!("bad shape {shape}"))).collect::<Result<_, _>>()?;
    let axis = axis.parse().map_err(|_| format!("bad axis {axis}"))?;
    let request = Request { implementation, kind, name, dtype, shape, axis, form, input };
    match (implementation, kind, dtype) {
        ("ours", "forward", _) => forward::prepare(&request),
        ("ours", _, "f32") => ours::<f32>(&request),
        ("ours", _, _) => ours::<f64>(&request),
        _ => rust_peers::prepare(&request),
    }
}

/// Median time of one call in nanoseconds, over batches that are long against the clock's own cost.
fn measure(case: &mut Case, seconds: f64) -> f64 {
    (case.call)();
    let started = Instant::now();
    (case.call)();
    let once = started.elapsed().max(Duration::from_nanos(20));
    let batch = (Duration::from_micros(300).as_nanos() / once.as_nanos()).max(1) as u32;
    let (mut times, started) = (Vec::new(), Instant::now());
    while started.elapsed().as_secs_f64() < seconds || times.len() < 3 {
        let begun = Instant::now();
        for _ in 0..batch {
            (case.call)();
        }
        times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(batch));
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let mut case: Option<Case> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match (words.as_slice(), &mut case) {
            (["prepare", rest @ ..], _) => {
                case = None;
                match prepare(rest) {
                    Ok(prepared) => {
                        case = Some(prepared);
                        "ok".to_string()
                    }
                    Err(why) => format!("skip: {why}"),
                }
            }
            (["run", seconds], Some(case)) => format!("{}", measure(case, seconds.parse().expect("seconds"))),
            (["output", path], Some(case)) => {
                (case.call)();
                (case.output)(path);
                "ok".to_string()
            }
            _ => format!("error: cannot do {line:?} now"),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("the driver listens");
    }
}
