//! From the perceptron to deep networks: why activation functions look the way they do.
//!
//! ```text
//! cargo run --release --example article [FOLDER]
//! ```
//!
//! Every number is computed here. The curves of all activations go to FOLDER (`./curves`).

mod curves;

use std::path::PathBuf;
use std::process::ExitCode;

use ndarray::{Array, Array1, Array2, Axis, array};
use ndarray_activations::forward::{ForwardError, Linear, Sequential};
use ndarray_activations::{loss, prelude::*};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "curves".into()));
    if arguments.next().is_some() {
        eprintln!("usage: article [FOLDER]");
        return ExitCode::FAILURE;
    }
    perceptron();
    differentiable();
    softmax();
    overflow();
    if let Err(error) = xor() {
        eprintln!("the network for XOR: {error}");
        return ExitCode::FAILURE;
    }
    depth();
    match curves::draw_all(&folder) {
        Ok(count) => {
            heading("The curves");
            println!(
                "{count} activations with their derivatives, each as SVG and PNG, and all of them in \
                 overview.png:\n{}",
                std::path::absolute(&folder).unwrap_or(folder).display()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot draw into {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn heading(title: &str) {
    println!("\n{title}\n{}", "=".repeat(title.chars().count()));
}

fn row(name: &str, values: &Array1<f64>) {
    print!("{name:>14}");
    values.iter().for_each(|value| print!("{value:>10.5}"));
    println!();
}

/// The perceptron's functions have no slope to follow.
fn perceptron() {
    heading("The perceptron: step and sign");
    let x = array![-6.0, -2.0, -0.5, 0.0, 0.5, 2.0, 6.0];
    row("x", &x);
    row("step", &x.step());
    row("sign", &x.sign());
    row("step'", &Step.gradient(&x));
    row("sign'", &Sign.gradient(&x));
    let slope = Step.gradient(&x).mapv(f64::abs).sum() + Sign.gradient(&x).mapv(f64::abs).sum();
    println!(
        "The slopes add up to {slope}: whatever the loss says, gradient descent moves no weight. Such\n\
         units can only be trained by rules made for one layer."
    );
}

/// The functions that replaced them, and where their gradients vanish.
fn differentiable() {
    heading("Functions with a slope: sigmoid, tanh, ReLU, leaky ReLU");
    let x = Array::linspace(-6.0, 6.0, 7);
    row("x", &x);
    let functions: [Activation; 4] =
        [Sigmoid.into(), Tanh.into(), Relu.into(), LeakyRelu::default().into()];
    for op in functions {
        row(op.name(), &x.activate(op));
        row(&format!("{}'", op.name()), &op.gradient(&x));
    }

    let fine = Array::linspace(-6.0, 6.0, 12_001);
    let scaled = (&fine * 2.0).sigmoid() * 2.0 - 1.0;
    let apart = (scaled - fine.activate(Tanh)).mapv(f64::abs);
    println!(
        "\ntanh is a sigmoid, scaled and shifted: 2 sigmoid(2x) - 1 differs from it by at most {:.1e}.",
        apart.fold(0.0, |a: f64, &b| a.max(b))
    );
    for op in functions {
        let slope = op.gradient(&fine);
        let steepest = slope.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let flat: Vec<f64> =
            fine.iter().zip(&slope).filter(|(_, slope)| **slope < 0.01).map(|(&x, _)| x).collect();
        let share = 100.0 * flat.len() as f64 / fine.len() as f64;
        let first = flat.iter().copied().find(|x| *x > 0.0);
        let place = match (flat.last(), first) {
            (None, _) => "nowhere below 0.01".to_owned(),
            (_, None) => format!("below 0.01 for x <= {:.2}", flat[flat.len() - 1]),
            (_, Some(x)) => format!("below 0.01 for |x| > {x:.2}"),
        };
        println!("{:>14}: slope at most {steepest:.2}; {place} ({share:.0} % of -6..6)", op.name());
    }
    println!(
        "Where the slope is next to nothing the gradient vanishes, and what is in front of the unit does not learn.\n\
         ReLU's does not fade above 0, but a unit that is always below is dead; leaky ReLU leaves it a slope."
    );
}

/// Probabilities from any numbers.
fn softmax() {
    heading("Softmax: probabilities from any numbers");
    let x = array![24.4, 30.5, 100.8, 10.1, 20.2, 8.9, 5.1];
    let y = x.softmax(Axis(0));
    for (x, y) in x.iter().zip(&y) {
        println!("{x:>10.1}  {y:.8e}");
    }
    println!("{:>10}  {}", "sum", y.sum());
}

/// The textbook formula against the one that is used here.
fn overflow() {
    heading("Softmax of large numbers: the overflow of the textbook formula");
    let x = array![1010.0, 1000.0, 990.0];
    let powers = x.mapv(f64::exp);
    let naive = &powers / powers.sum();
    let largest = x.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let below = (&x - largest).mapv(f64::exp);
    let shifted = &below / below.sum();
    println!(
        "{:>6}{:>8}{:>10}{:>16}{:>16}{:>16}",
        "x", "e^x", "textbook", "e^(x - max)", "shifted", "softmax"
    );
    for (i, y) in x.softmax(Axis(0)).iter().enumerate() {
        let (x, power, naive, below, shifted) = (x[i], powers[i], naive[i], below[i], shifted[i]);
        println!("{x:>6}{power:>8}{naive:>10}{below:>16.8e}{shifted:>16.8e}{y:>16.8e}");
    }
    println!(
        "e^1010 is more than a number can be, and infinity by infinity is no number. Taking the maximum from all\n\
         elements divides numerators and sum by the same e^max: the quotients stay, and no power exceeds 1."
    );
}

const CORNERS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
const XOR: [f64; 4] = [0.0, 1.0, 1.0, 0.0];

/// One straight line cannot separate XOR; two layers can.
fn xor() -> Result<(), ForwardError> {
    heading("XOR: what one layer cannot do");
    let (inputs, targets) = (Array2::from(CORNERS.to_vec()), Array1::from(XOR.to_vec()));

    // Rosenblatt's rule.
    let (mut weights, mut bias, mut best) = (Array1::<f64>::zeros(2), 0.0, 0);
    for _ in 0..1000 {
        for (x, target) in inputs.outer_iter().zip(&targets) {
            let error = target - Step.scalar(x.dot(&weights) + bias);
            weights.scaled_add(error, &x);
            bias += error;
            let output = (inputs.dot(&weights) + bias).step();
            best = best.max(output.iter().zip(&targets).filter(|(y, t)| y == t).count());
        }
    }
    println!(
        "By Rosenblatt's rule a perceptron has {best} of 4 right at best in 1000 rounds; no line has more than 3."
    );

    // Two layers: tanh, then sigmoid, on the cross-entropy.
    let mut random = StdRng::seed_from_u64(1);
    let hidden = 4;
    let mut w1 = Array2::from_shape_simple_fn((2, hidden), || random.random_range(-1.0..1.0));
    let mut w2 = Array2::from_shape_simple_fn((hidden, 1), || random.random_range(-1.0..1.0));
    let (mut b1, mut b2) = (Array1::<f64>::zeros(hidden), Array1::<f64>::zeros(1));
    let (x, target) = (inputs, targets.insert_axis(Axis(1)));
    let rounds = 2000;
    for _ in 0..rounds {
        let z1 = x.dot(&w1) + &b1;
        let h = z1.activate(Tanh);
        let y = (h.dot(&w2) + &b2).sigmoid();
        let dz2 = (&y - &target) / 4.0;
        let dz1 = Tanh.backward(&z1, &dz2.dot(&w2.t()));
        w2.scaled_add(-0.5, &h.t().dot(&dz2));
        b2.scaled_add(-0.5, &dz2.sum_axis(Axis(0)));
        w1.scaled_add(-0.5, &x.t().dot(&dz1));
        b1.scaled_add(-0.5, &dz1.sum_axis(Axis(0)));
    }
    println!("Two layers, 2-{hidden}-1 with tanh and sigmoid, after {rounds} steps of descent:");
    let net = Sequential::new()
        .push(Linear::new(w1.reversed_axes(), b1)?)
        .push(Tanh)
        .push(Linear::new(w2.reversed_axes(), b2)?)
        .push(Sigmoid);
    for ((x, y), target) in x.outer_iter().zip(&net.forward(&x)?).zip(&target) {
        println!("    {} xor {} = {y:.4}  (should be {target})", x[0], x[1]);
    }

    heading(
        "Forward propagation: from the input through the hidden layer to the output and its error",
    );
    let (x, target) = (array![[1.0, 0.0]], array![[1.0]]);
    row("input", &x.row(0).to_owned());
    for (layer, output) in net.layers().iter().zip(net.forward_all(&x)?) {
        row(&layer.to_string(), &output.row(0).to_owned());
    }
    row("should be", &target.row(0).to_owned());
    match loss::mse(&net.forward(&x)?, &target) {
        Ok(error) => println!("The squared error is {error:.2e}."),
        Err(error) => unreachable!("both have one element: {error}"),
    }
    Ok(())
}

/// What is left of a gradient after ten layers.
fn depth() {
    heading("Depth: how gradients fade");
    const LAYERS: usize = 10;
    const WIDTH: usize = 64;
    let mut random = StdRng::seed_from_u64(2);
    let mut uniform = |bound: f64, shape: (usize, usize)| {
        Array2::from_shape_simple_fn(shape, || random.random_range(-bound..bound))
    };
    let input = uniform(3f64.sqrt(), (256, WIDTH));
    // Glorot's bound for sigmoid, He's for ReLU.
    let cases: [(Activation, f64); 2] = [
        (Sigmoid.into(), (6.0 / (2 * WIDTH) as f64).sqrt()),
        (Relu.into(), (6.0 / WIDTH as f64).sqrt()),
    ];
    let fading: Vec<Vec<f64>> = cases
        .iter()
        .map(|&(op, bound)| {
            let weights: Vec<_> = (0..LAYERS).map(|_| uniform(bound, (WIDTH, WIDTH))).collect();
            let mut inputs = Vec::new();
            let mut x = input.clone();
            for w in &weights {
                let z = x.dot(w);
                x = op.map(&z);
                inputs.push(z);
            }
            let mut gradient = Array2::from_elem(x.raw_dim(), 1.0);
            let mut sizes = Vec::new();
            for (w, z) in weights.iter().zip(&inputs).rev() {
                gradient = op.backward(z, &gradient).dot(&w.t());
                sizes.push(gradient.mapv(|g| g * g).mean().unwrap_or_default().sqrt());
            }
            sizes
        })
        .collect();
    println!("Root mean square of the gradient, {WIDTH} units a layer, as it travels back:");
    println!("{:>8}{:>14}{:>14}", "layers", cases[0].0.name(), cases[1].0.name());
    for (layer, (sigmoid, relu)) in fading[0].iter().zip(&fading[1]).enumerate() {
        println!("{:>8}{sigmoid:>14.3e}{relu:>14.3e}", layer + 1);
    }
    for ((op, _), sizes) in cases.iter().zip(&fading) {
        let left = sizes[LAYERS - 1] / sizes[0];
        println!("Through {op}, {left:.1e} of it is left after {LAYERS} layers.");
    }
}
