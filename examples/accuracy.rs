//! Measures the largest errors of the catalogue and prints them as a table.
//!
//! ```text
//! cargo run --release --example accuracy [-- [--quick] [--patterns=N] [--f32 | --f64] [names...]]
//! ```
//!
//! In `f32` every one of the 2³² inputs of every function and derivative is compared with a
//! reference of more precision, in `f64` forty million numbers and the neighbourhoods of all thresholds
//! are compared with references of 100 bits. Half of the numbers are spread over the whole domain, the
//! other half searches nearer and nearer to the largest errors found. All cores are used: on two, `f32`
//! takes the better part of an hour and `f64` a quarter of one. `--quick` takes a 64th of that;
//! `--patterns` is another number of inputs in `f64`.
//!
//! Errors are in units in the last place (ULP) of the exact value; "rounded" is the share of results
//! that are correctly rounded, the nearest number there is.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::measure::{Which, Worst};
use common::noun::{Entry, all};
use common::ulp::Format;

/// A line on the error stream, drawn over itself.
struct Progress {
    title: String,
    total: u64,
    state: Mutex<(u64, Instant)>,
    started: Instant,
    visible: bool,
}

impl Progress {
    fn new(title: String, total: u64) -> Self {
        let now = Instant::now();
        let visible = std::io::stderr().is_terminal();
        Self { title, total, state: Mutex::new((0, now)), started: now, visible }
    }

    fn add(&self, inputs: u64) {
        let mut state = self.state.lock().unwrap();
        state.0 += inputs;
        if !self.visible || state.1.elapsed() < Duration::from_millis(100) {
            return;
        }
        state.1 = Instant::now();
        let share = (state.0 as f64 / self.total as f64).min(1.0);
        let width = 30;
        let full = (share * f64::from(width)) as usize;
        let elapsed = self.started.elapsed().as_secs_f64();
        eprint!(
            "\r{:<24} [{}{}] {:5.1} %  {:.0} s left \x1b[K",
            self.title,
            "█".repeat(full),
            "·".repeat(width as usize - full),
            100.0 * share,
            elapsed / share.max(1e-9) - elapsed,
        );
        let _ = std::io::stderr().flush();
    }

    fn finish(self) {
        if self.visible {
            eprint!("\r\x1b[K");
        }
    }
}

/// One line of the table.
fn print<A: Format>(entry: &Entry<A>, worst: &[Worst<A>; 2]) {
    let [f, d] = worst.map(|w| {
        let share = 100.0 * w.correct as f64 / w.inputs as f64;
        format!("{:.4} | {:e} ({:#x}) | {share:.3} %", w.error.max(0.0), w.at, w.at.bits())
    });
    println!("| {} | {} | {f} | {d} |", entry.name(), A::NAME);
    for (which, worst) in Which::BOTH.into_iter().zip(worst) {
        if worst.error.is_infinite() {
            eprintln!("wrong in kind: {}", worst.describe(entry, which));
        }
    }
    if let Some(at) = worst[0].falls_at {
        eprintln!("{} {} falls next to {at:e} ({:#x})", entry.name(), A::NAME, at.bits());
    }
}

struct Options {
    quick: bool,
    patterns: Option<usize>,
    single: bool,
    double: bool,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options =
        Options { quick: false, patterns: None, single: true, double: true, names: Vec::new() };
    let known: Vec<&str> = all::<f32>().iter().map(Entry::name).collect();
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--quick" => options.quick = true,
            other if other.starts_with("--patterns=") => {
                let number = &other["--patterns=".len()..];
                let patterns = number.parse().ok().filter(|&n: &usize| n > 0);
                options.patterns =
                    Some(patterns.ok_or(format!("--patterns: expected a number, got {number}"))?);
            }
            "--f32" => options.double = false,
            "--f64" => options.single = false,
            name if known.contains(&name) => options.names.push(argument),
            other => {
                return Err(format!(
                    "{other} is neither an option (--quick, --patterns=N, --f32, --f64) nor an activation; these are: {}",
                    known.join(", ")
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    let (thin, count) = if options.quick { (64, 150_000) } else { (1, 40_000_000) };
    let count = options.patterns.unwrap_or(count);
    let wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|n| n == name);
    println!("| function | type | f, ULP | where | rounded | f', ULP | where | rounded |");
    println!("|---|---|---|---|---|---|---|---|");
    let started = Instant::now();
    for (single, double) in all::<f32>().into_iter().zip(all::<f64>()) {
        if !wanted(single.name()) {
            continue;
        }
        if options.single {
            let progress = Progress::new(format!("{} f32", single.name()), (1 << 32) / thin as u64);
            let worst = single.measure_all(thin, &|inputs| progress.add(inputs));
            progress.finish();
            print(&single, &worst);
        }
        if options.double {
            let progress = Progress::new(format!("{} f64", double.name()), count as u64);
            let worst = double.measure_random(count, &|inputs| progress.add(inputs));
            progress.finish();
            print(&double, &worst);
        }
    }
    eprintln!("{:.0} s", started.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}
