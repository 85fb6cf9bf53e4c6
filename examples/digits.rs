//! Reads handwritten digits with networks that were trained in PyTorch.
//!
//! ```sh
//! cargo run --release --example digits --features safetensors,npy
//! cargo run --release --example digits --features safetensors,npy -- \
//!     --weights my.safetensors --network linear,relu,linear --images my.npy --labels my-labels.npy
//! ```
//!
//! Without arguments it runs the two networks of `examples/data/digits` on the digits there and
//! compares their probabilities with those that PyTorch computes.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use ndarray_activations::forward::{Layer, Sequential, Weights, Workspace, read_npy};
use ndarray_activations::loss::cross_entropy;
use ndarray_activations::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "\
usage: digits [--weights FILE.safetensors --network LAYERS] [--images FILE.npy [--labels FILE.npy]]
              [--probabilities FILE.npy] [--show N]

  --weights        the tensors 0.weight [out, in], 0.bias, 2.weight, ... of a network
  --network        its layers, such as linear,relu,linear,leaky_relu(0.1),linear
  --images         float32 [images, inputs]
  --labels         uint8 [images]
  --probabilities  float64 [images, classes], to compare with
  --show           how many images to show (3)";

/// What to run, and on what.
struct Options {
    weights: Option<PathBuf>,
    network: Option<String>,
    images: Option<PathBuf>,
    labels: Option<PathBuf>,
    probabilities: Option<PathBuf>,
    show: usize,
}

impl Options {
    /// `None` where only help is wanted.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Option<Self>> {
        let mut options = Self {
            weights: None,
            network: None,
            images: None,
            labels: None,
            probabilities: None,
            show: 3,
        };
        while let Some(name) = arguments.next() {
            if name == "--help" || name == "-h" {
                return Ok(None);
            }
            let known =
                ["--weights", "--network", "--images", "--labels", "--probabilities", "--show"];
            if !known.contains(&name.as_str()) {
                return Err(format!("unknown argument {name:?}; see --help").into());
            }
            let Some(value) = arguments.next() else {
                return Err(format!("{name} needs a value; see --help").into());
            };
            match name.as_str() {
                "--weights" => options.weights = Some(value.into()),
                "--network" => options.network = Some(value),
                "--images" => options.images = Some(value.into()),
                "--labels" => options.labels = Some(value.into()),
                "--probabilities" => options.probabilities = Some(value.into()),
                _ => {
                    options.show = value
                        .parse()
                        .map_err(|_| format!("--show needs a number, got {value:?}"))?;
                }
            }
        }
        if options.weights.is_some() != options.network.is_some() {
            return Err("--weights and --network belong together; see --help".into());
        }
        Ok(Some(options))
    }
}

/// A file as an array; errors name the file.
fn read<A, D>(path: &Path) -> Outcome<ndarray::Array<A, D>>
where
    A: ndarray_npy::ReadableElement,
    D: ndarray::Dimension,
{
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
    Ok(read_npy(&name, BufReader::new(file))?)
}

fn load(weights: &Path, network: &str) -> Outcome<Sequential<f32>> {
    let name = weights.display();
    let bytes = fs::read(weights).map_err(|error| format!("{name}: {error}"))?;
    let weights = Weights::from_safetensors(&bytes).map_err(|error| format!("{name}: {error}"))?;
    Ok(Sequential::from_description(network, &weights)
        .map_err(|error| format!("{name}: {error}"))?)
}

/// The images with what is known of them.
struct Data {
    images: Array2<f32>,
    labels: Option<Array1<u8>>,
    probabilities: Option<Array2<f64>>,
}

/// The class with the largest value.
fn winner(row: ArrayView1<'_, f32>) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(class, _)| class)
}

/// Images per second in batches of one size.
fn images_per_second(net: &Sequential<f32>, images: &Array2<f32>, batch: usize) -> Outcome<f64> {
    let mut workspace = Workspace::new();
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        let pass = Instant::now();
        for batch in images.axis_chunks_iter(Axis(0), batch) {
            let logits = net.forward_into(&batch, &mut workspace)?;
            std::hint::black_box(logits);
        }
        best = best.min(pass.elapsed());
    }
    Ok(images.nrows() as f64 / best.as_secs_f64())
}

fn report(
    out: &mut impl Write,
    name: Option<&str>,
    net: &Sequential<f32>,
    data: &Data,
    show: usize,
) -> Outcome<()> {
    let images = &data.images;
    // Of a network that ends in softmax, what goes into it.
    let logits = match net.layers() {
        [.., Layer::Softmax] => {
            let mut outputs = net.forward_all(images)?;
            outputs.pop();
            outputs.pop().unwrap_or_else(|| images.clone())
        }
        _ => net.forward(images)?,
    };
    let probabilities = logits.softmax(Axis(1));
    if let Some(name) = name {
        writeln!(out, "{name}")?;
    }
    writeln!(out, "network              {net}")?;
    writeln!(out, "images               {}", images.nrows())?;
    if let Some(labels) = &data.labels {
        let right = logits
            .rows()
            .into_iter()
            .zip(labels)
            .filter(|(row, label)| winner(*row) == usize::from(**label))
            .count();
        let share = 100.0 * right as f64 / images.nrows() as f64;
        let loss = cross_entropy(&logits, labels, Axis(1))?;
        writeln!(out, "accuracy             {share:.1} % ({right} right)")?;
        writeln!(out, "cross-entropy        {loss:.6}")?;
    }
    if let Some(expected) = &data.probabilities {
        if expected.dim() != probabilities.dim() {
            let (expected, got) = (expected.shape(), probabilities.shape());
            return Err(
                format!("--probabilities has the shape {expected:?}, the result {got:?}").into()
            );
        }
        let far = probabilities
            .iter()
            .zip(expected)
            .fold(0.0, |far: f64, (p, expected)| far.max((f64::from(*p) - expected).abs()));
        writeln!(out, "farthest from torch  {far:.1e}")?;
    }
    let all = images.nrows();
    for (name, batch) in [("1", 1), ("32", 32), ("all", all)] {
        let speed = images_per_second(net, images, batch.clamp(1, all.max(1)))?;
        writeln!(out, "images per second    {speed:>12.0} in batches of {name}")?;
    }
    for index in chosen(&logits, data.labels.as_ref(), show) {
        let label = data.labels.as_ref().map(|labels| labels[index]);
        picture(out, index, images.row(index), label, probabilities.row(index))?;
    }
    Ok(())
}

/// The first images, the last of them one that the network gets wrong.
fn chosen(logits: &Array2<f32>, labels: Option<&Array1<u8>>, show: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..logits.nrows().min(show)).collect();
    let wrong = labels.and_then(|labels| {
        (chosen.len()..logits.nrows())
            .find(|&index| winner(logits.row(index)) != usize::from(labels[index]))
    });
    if let (Some(last), Some(wrong)) = (chosen.last_mut(), wrong) {
        *last = wrong;
    }
    chosen
}

/// An image beside the probabilities of its classes.
fn picture(
    out: &mut impl Write,
    index: usize,
    image: ArrayView1<'_, f32>,
    label: Option<u8>,
    probabilities: ArrayView1<'_, f32>,
) -> Outcome<()> {
    const INK: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    const BAR: f32 = 40.0;
    let said = winner(probabilities);
    let verdict = match label {
        Some(label) if usize::from(label) == said => format!("{said}, right"),
        Some(label) => format!("{said}, but it is {label}"),
        None => format!("{said}"),
    };
    writeln!(out, "\nimage {index}: {verdict}")?;
    // Only square images have rows to show.
    let side = image.len().isqrt();
    let side = if side * side == image.len() { side } else { 0 };
    for row in 0..side.max(probabilities.len()) {
        let mut line = String::new();
        for column in 0..side {
            let ink = if row < side { image[row * side + column] } else { 0.0 };
            line += INK[(ink * INK.len() as f32).clamp(0.0, 4.0) as usize];
        }
        if let Some(p) = probabilities.get(row) {
            let bar = "█".repeat((p * BAR).round() as usize);
            line += &format!("   {row} {:7.3} % {bar}", p * 100.0);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn run(options: &Options) -> Outcome<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits");
    let images_path = options.images.clone().unwrap_or_else(|| here.join("images.npy"));
    let images: Array2<f32> = read(&images_path)?;
    let labels_path = match (&options.labels, &options.images) {
        (Some(path), _) => Some(path.clone()),
        (None, None) => Some(here.join("labels.npy")),
        (None, Some(_)) => None,
    };
    let labels: Option<Array1<u8>> = labels_path.as_deref().map(read).transpose()?;
    if let Some(labels) = &labels
        && labels.len() != images.nrows()
    {
        let (labels, images) = (labels.len(), images.nrows());
        return Err(format!("there are {images} images, but {labels} labels").into());
    }
    let mut data = Data { images, labels, probabilities: None };
    let mut out = std::io::stdout().lock();
    if let (Some(weights), Some(network)) = (&options.weights, &options.network) {
        data.probabilities = options.probabilities.as_deref().map(read).transpose()?;
        let net = load(weights, network)?;
        return report(&mut out, None, &net, &data, options.show);
    }
    for (name, network, show) in [
        ("mlp-relu", "linear,relu,linear,relu,linear", options.show),
        ("mlp-leaky-tanh", "linear,leaky_relu(0.1),linear,tanh,linear", 0),
    ] {
        if options.images.is_none() {
            data.probabilities = Some(read(&here.join(format!("{name}.probabilities.npy")))?);
        }
        let net = load(&here.join(format!("{name}.safetensors")), network)?;
        report(&mut out, Some(name), &net, &data, show)?;
        writeln!(out)?;
    }
    // A row alone gives the bits that it gives in a batch.
    let net = load(&here.join("mlp-relu.safetensors"), "linear,relu,linear,relu,linear")?;
    if data.images.nrows() > 0 {
        let (alone, all) =
            (net.forward(&data.images.slice(s![..1, ..]))?, net.forward(&data.images)?);
        let same = alone.row(0) == all.row(0);
        writeln!(
            out,
            "the first image alone and in the batch: {}",
            if same { "the same bits" } else { "differ" }
        )?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| match options {
        Some(options) => run(&options),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output may stop early.
        Err(error)
            if error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
