//! The stored reference vectors.

use std::path::{Path, PathBuf};

use super::ulp::Format;

/// One point: the input, the correctly rounded result, and whether the sign of a zero is open.
pub struct Point<A> {
    pub x: A,
    pub y: A,
    pub open_sign: bool,
}

/// One file of `tests/data/reference`.
pub struct File {
    /// The name of the function in the registry, or `exp` or `erf`.
    pub name: String,
    pub derivative: bool,
    pub element: String,
    path: PathBuf,
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// All files, in order.
pub fn files() -> Vec<File> {
    let entries = std::fs::read_dir(folder().join("reference")).expect("tests/data/reference");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "csv"));
    paths.sort();
    assert_eq!(paths.len(), 70, "the files of tests/data/reference");
    paths.into_iter().map(File::new).collect()
}

impl File {
    fn new(path: PathBuf) -> Self {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        let (name, element) = stem.rsplit_once('.').expect("NAME.TYPE.csv");
        let (name, derivative) = match name.strip_prefix("d_") {
            Some(name) => (name, true),
            None => (name, false),
        };
        // The vectors' names follow PyTorch.
        let name = match name {
            "hardshrink" => "hard_shrink",
            "hardsigmoid" => "hard_sigmoid",
            "hardswish" => "hard_swish",
            "hardtanh" => "hard_tanh",
            "softshrink" => "soft_shrink",
            "tanhshrink" => "tanh_shrink",
            other => other,
        };
        Self { name: name.to_string(), derivative, element: element.to_string(), path }
    }

    pub fn points<A: Format>(&self) -> Vec<Point<A>> {
        assert_eq!(self.element, A::NAME);
        let text = std::fs::read_to_string(&self.path).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(['#', 'x']));
        let number = |text: &str| A::from_bits_of(u64::from_str_radix(text, 16).unwrap());
        let points: Vec<_> = lines
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                let [x, y, note] = fields[..] else { panic!("three fields in {line:?}") };
                Point { x: number(x), y: number(y), open_sign: note == "zero" }
            })
            .collect();
        assert!(points.len() > 1000, "{} has only {} points", self.path.display(), points.len());
        points
    }
}
