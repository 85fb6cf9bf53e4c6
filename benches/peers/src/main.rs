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

use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ndarray::{Array, Array1, ArrayD, ArrayRef, Axis, Ix1, IxDyn};
use ndarray_activations::{Activation, Element, prelude::*};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt};
use rayon::prelude::*;

/// Keeps the pages of arrays that were dropped for those that follow.
#[cfg(feature = "pooled")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One prepared measurement.
pub struct Case {
    /// Puts the input back where a call overwrites it; not timed.
    pub reset: Box<dyn FnMut()>,
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

/// Shared by a case's call, its reset and its output.
type Cell<T> = Rc<RefCell<T>>;

fn cell<T>(value: T) -> Cell<T> {
    Rc::new(RefCell::new(value))
}

pub fn dimensions<A: Element>(request: &Request, x: ArrayD<A>) -> Result<ArrayD<A>, String> {
    x.into_shape_with_order(IxDyn(&request.shape)).map_err(|e| e.to_string())
}

/// A case that works from `x` into an output, overwrites a copy of `x`, or makes a new array.
pub fn case<A: Element + WritableElement, D: ndarray::Dimension + 'static>(
    request: &Request,
    x: Array<A, D>,
    into: impl Fn(&ArrayRef<A, D>, &mut ArrayRef<A, D>) + 'static,
    inplace: impl Fn(&mut ArrayRef<A, D>) + 'static,
    alloc: impl Fn(&ArrayRef<A, D>) -> Array<A, D> + 'static,
) -> Case {
    let overwrites = request.form == "inplace";
    let (out, x) = (cell(x.clone()), Rc::new(x));
    let (result, fresh, source) = (out.clone(), out.clone(), x.clone());
    let call: Box<dyn FnMut()> = match request.form {
        "into" => Box::new(move || into(&x, &mut out.borrow_mut())),
        "inplace" => Box::new(move || inplace(&mut out.borrow_mut())),
        // The last result is dropped first, as by anybody who keeps one.
        _ => Box::new(move || {
            drop(std::mem::replace(&mut *out.borrow_mut(), Array::zeros(D::default())));
            *out.borrow_mut() = alloc(&x);
        }),
    };
    Case {
        reset: Box::new(move || {
            if overwrites {
                fresh.borrow_mut().assign(&*source);
            }
        }),
        call,
        output: Box::new(move |path| write(path, &result.borrow().clone().into_dyn())),
    }
}

fn ours<A: Element + ReadableElement + WritableElement>(request: &Request) -> Result<Case, String> {
    let x = read::<A>(request.input);
    let axis = Axis(request.axis);
    Ok(match request.kind {
        "map" => {
            let op: Activation = request.name.parse().map_err(|e| format!("{e}"))?;
            let x = Array1::from_vec(x.into_raw_vec_and_offset().0);
            case(request, x, move |x, y| op.map_assign_into(x, y), move |y| op.map_inplace(y), move |x| op.map(x))
        }
        "softmax" => case(
            request,
            dimensions(request, x)?,
            move |x, y| x.softmax_assign_into(axis, y),
            move |y| y.softmax_inplace(axis),
            move |x| x.softmax(axis),
        ),
        "log_softmax" => case(
            request,
            dimensions(request, x)?,
            move |x, y| x.log_softmax_assign_into(axis, y),
            move |y| y.log_softmax_inplace(axis),
            move |x| x.log_softmax(axis),
        ),
        kind => return Err(format!("no such kind: {kind}")),
    })
}

/// The physical limit: a copy, or a scaling in place, by all threads where the array is large.
fn copy<A: Element + ReadableElement + WritableElement>(request: &Request) -> Result<Case, String> {
    const PIECE: usize = 1 << 18;
    fn scale<A: Element>(piece: &mut [A]) {
        piece.iter_mut().for_each(|v| *v = *v * -A::one());
    }
    let x = Array1::from_vec(read::<A>(request.input).into_raw_vec_and_offset().0);
    let parallel = rayon::current_num_threads() > 1 && x.len() > 4 * PIECE;
    let into = move |x: &ArrayRef<A, Ix1>, y: &mut ArrayRef<A, Ix1>| {
        let (x, y) = (x.as_slice().expect("contiguous"), y.as_slice_mut().expect("contiguous"));
        match parallel {
            true => x.par_chunks(PIECE).zip(y.par_chunks_mut(PIECE)).for_each(|(x, y)| y.copy_from_slice(x)),
            // In small pieces: whole, memcpy becomes a string instruction, which is slow on AMD where the buffers stand alike in
            // their pages. Beyond the caches it has non-temporal stores instead, and those are the limit.
            false if x.len() > PIECE => y.copy_from_slice(x),
            false => x.chunks(256).zip(y.chunks_mut(256)).for_each(|(x, y)| y.copy_from_slice(x)),
        }
    };
    let inplace = move |y: &mut ArrayRef<A, Ix1>| {
        let y = y.as_slice_mut().expect("contiguous");
        match parallel {
            true => y.par_chunks_mut(PIECE).for_each(scale),
            false => scale(y),
        }
    };
    Ok(case(request, x, into, inplace, |x| x.to_owned()))
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
        ("copy", "forward", _) => Err("a network is no copy".to_string()),
        ("copy", _, "f32") => copy::<f32>(&request),
        ("copy", _, _) => copy::<f64>(&request),
        (_, "forward", _) => forward::prepare(&request),
        _ => rust_peers::prepare(&request),
    }
}

/// Median time of one call in nanoseconds, over batches that are long against the clock's own cost.
fn measure(case: &mut Case, seconds: f64) -> f64 {
    let begun = Instant::now();
    (case.call)();
    let mut once = begun.elapsed();
    (case.reset)();
    // The first call also wakes the threads. A long one does not notice that, and counts.
    if once > Duration::from_millis(100) {
        return once.as_secs_f64() * 1e9;
    }
    if once < Duration::from_millis(20) {
        let begun = Instant::now();
        (case.call)();
        once = begun.elapsed();
        (case.reset)();
    }
    let batch = (Duration::from_micros(200).as_nanos() / once.as_nanos().max(20)).max(1) as u32;
    let (mut times, started) = (Vec::new(), Instant::now());
    while started.elapsed().as_secs_f64() < seconds || times.is_empty() {
        let begun = Instant::now();
        for _ in 0..batch {
            (case.call)();
        }
        times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(batch));
        (case.reset)();
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
                (case.reset)();
                (case.call)();
                (case.output)(path);
                (case.reset)();
                "ok".to_string()
            }
            _ => format!("error: cannot do {line:?} now"),
        };
        // One line, whatever a library put into its message.
        println!("{}", answer.replace('\n', " "));
        std::io::stdout().flush().expect("the driver listens");
    }
}
