//! The table of activations in the documentation is made from the sources and cannot fall behind.
//!
//! ```text
//! UPDATE_CATALOGUE=1 cargo test --test catalogue
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ndarray_activations::{Activation, prelude::*};

const BEGIN: &str = "<!-- catalogue: made by tests/catalogue.rs -->\n";
const END: &str = "<!-- end of catalogue -->";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of the doc comment above `pub struct`.
fn contract(source: &str) -> Vec<&str> {
    let mut doc = Vec::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
        } else if line.starts_with("pub struct") {
            return doc;
        } else if !line.starts_with("#[") {
            doc.clear();
        }
    }
    panic!("no pub struct");
}

/// `name(x) = formula`, of which the formula.
fn formula(doc: &[&str]) -> String {
    let at = doc.iter().position(|line| *line == "```text").expect("a formula");
    let (_, formula) = doc[at + 1].split_once('=').expect("name(x) = formula");
    formula.trim().replace('|', "\\|")
}

fn table() -> String {
    let mut table = String::from(
        "| activation | formula | default | f32, ULP | f64, ULP | f′ f32 | f′ f64 |\n\
         |---|---|---|---|---|---|---|\n",
    );
    macro_rules! rows {
        ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
            $({
                let source = read(concat!("src/activation/", stringify!($file), ".rs"));
                let op = Activation::from($noun::default());
                let parameters: Vec<_> = op
                    .parameters()
                    .iter()
                    .map(|(name, value)| format!("{name} = {}", (value * 1e6).round() / 1e6))
                    .collect();
                let bounds = op.bounds().map(|b| [b.f32, b.f64, b.derivative_f32, b.derivative_f64]);
                let bounds = match bounds {
                    Some(bounds) => bounds.map(|bound| bound.to_string()).join(" | "),
                    None => "– | – | – | –".to_owned(),
                };
                writeln!(
                    table,
                    "| `{}` | {} | {} | {bounds} |",
                    stringify!($noun),
                    formula(&contract(&source)),
                    parameters.join(", "),
                )
                .expect("a string");
            })*
        };
    }
    ndarray_activations::for_each_activation!(rows);
    table
}

#[test]
fn the_catalogue_in_the_documentation_is_that_of_the_sources() {
    let table = table();
    for path in ["README.md", "docs/catalogue.md"] {
        let old = read(path);
        let (before, rest) = old.split_once(BEGIN).expect("the marker");
        let (_, after) = rest.split_once(END).expect("the end marker");
        let new = format!("{before}{BEGIN}\n{table}\n{END}{after}");
        if std::env::var_os("UPDATE_CATALOGUE").is_some() {
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), &new).expect("writable");
        } else {
            assert!(old == new, "{path} is behind: UPDATE_CATALOGUE=1 cargo test --test catalogue");
        }
    }
}
