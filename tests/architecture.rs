//! Reads the sources: who may import whom, that the registry and the files agree, that nothing on a
//! SIMD path can fall out of line.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file: its path below `src` with `/`, and its lines without comments.
struct Source {
    path: String,
    lines: Vec<String>,
    total: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Without line comments; none of our sources has a string with two slashes that matters here.
fn without_comment(line: &str) -> String {
    line.split("//").next().unwrap_or("").to_string()
}

fn collect(folder: &Path, out: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let below = path.strip_prefix(root().join("src")).unwrap();
            out.push(Source {
                path: below.to_str().unwrap().replace('\\', "/"),
                lines: text.lines().map(without_comment).collect(),
                total: text.lines().count(),
            });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut out = Vec::new();
    collect(&root().join("src"), &mut out);
    assert!(out.len() > 50, "only {} sources found", out.len());
    out
}

fn is_room(source: &Source) -> bool {
    source.path.starts_with("activation/") && source.path != "activation/mod.rs"
}

/// Every module of the crate that a source names, as in `crate::lane::Lane`.
fn imports(source: &Source) -> impl Iterator<Item = (&str, &str)> {
    source.lines.iter().flat_map(|line| {
        line.match_indices("crate::")
            .map(move |(at, word)| (&line[at + word.len()..], line.as_str()))
            .filter(|(_, line)| !line.contains("pub(crate)") || line.contains("crate::"))
    })
}

#[test]
fn rooms_know_formulas_and_lanes_only() {
    for source in sources().iter().filter(|source| is_room(source)) {
        for (module, line) in imports(source) {
            let allowed = module.starts_with("math") || module.starts_with("lane::");
            assert!(allowed, "{}: {line}", source.path);
        }
        for line in &source.lines {
            for stranger in ["ndarray::", "rayon", "fearless_simd", "std::", "super::super"] {
                assert!(!line.contains(stranger), "{}: {line}", source.path);
            }
        }
    }
}

#[test]
fn formulas_of_math_know_lanes_only() {
    for source in sources().iter().filter(|source| source.path.starts_with("math/")) {
        for (module, line) in imports(source) {
            let allowed = module.starts_with("math") || module.starts_with("lane::");
            assert!(allowed, "{}: {line}", source.path);
        }
    }
}

#[test]
fn verbs_know_no_activation() {
    let nouns: Vec<String> = rows().into_iter().map(|row| row.noun).collect();
    for source in sources().iter().filter(|source| source.path.starts_with("apply/")) {
        for (module, line) in imports(source) {
            assert!(!module.starts_with("math"), "{}: {line}", source.path);
        }
        for line in source.lines.iter().take_while(|line| !line.contains("#[cfg(test)]")) {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            for word in words {
                assert!(!nouns.iter().any(|noun| noun == word), "{}: {line}", source.path);
            }
        }
    }
}

#[test]
fn one_file_says_rayon() {
    for source in sources().iter().filter(|source| source.path != "apply/parallel.rs") {
        for line in &source.lines {
            let feature = line.contains("feature = \"rayon\"");
            assert!(feature || !line.contains("rayon"), "{}: {line}", source.path);
        }
    }
}

#[test]
fn forward_and_loss_use_the_public_names_only() {
    for source in &sources() {
        let Some(folder) = ["forward/", "loss/"].iter().find(|f| source.path.starts_with(**f))
        else {
            continue;
        };
        for (name, line) in imports(source) {
            // Names of the crate's root are public, and so are these modules.
            let public = name.starts_with(|c: char| c.is_uppercase() || c == '{')
                || ["forward", "loss", "math", "softmax"].iter().any(|m| name.starts_with(m));
            let own = name.starts_with(folder.trim_end_matches('/'));
            assert!(public || own, "{}: {line}", source.path);
        }
    }
}

/// A row of the registry.
struct Row {
    file: String,
    noun: String,
    methods: Vec<String>,
}

/// The rows as they are written in `activation/mod.rs`.
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("src/activation/mod.rs")).unwrap();
    let start = text.find("macro_rules! for_each_activation").expect("the registry");
    let body = &text[start..];
    let body = &body[..body.find("\n}\n").unwrap()];
    let rows: Vec<Row> = body
        .lines()
        .filter(|line| line.contains("=>") && line.contains("::"))
        .map(|line| {
            let (head, methods) = line.trim().trim_end_matches(';').split_once("=>").unwrap();
            let (file, noun) = head.split('{').next().unwrap().split_once("::").unwrap();
            Row {
                file: file.trim().to_string(),
                noun: noun.trim().to_string(),
                methods: methods.split(',').map(|m| m.trim().to_string()).collect(),
            }
        })
        .collect();
    assert!(rows.len() >= 32, "the registry has {} rows", rows.len());
    rows
}

#[test]
fn registry_and_files_agree() {
    let mut registered: Vec<String> = rows().into_iter().map(|row| row.file).collect();
    let sources = sources();
    let mut files: Vec<String> = sources
        .iter()
        .filter(|source| is_room(source))
        .map(|source| source.path["activation/".len()..].trim_end_matches(".rs").to_string())
        .collect();
    registered.sort();
    files.sort();
    assert_eq!(registered, files);
}

#[test]
fn a_room_is_named_after_its_activation() {
    let sources = sources();
    for row in rows() {
        let path = format!("activation/{}.rs", row.file);
        let source = sources.iter().find(|source| source.path == path).unwrap();
        let text = source.lines.join("\n");
        assert!(text.contains(&format!("pub struct {}", row.noun)), "{path} defines {}", row.noun);
        assert!(text.contains(&format!("const NAME: &'static str = \"{}\"", row.file)), "{path}");
        let [method, inplace] = &row.methods[..] else { panic!("two methods in {path}") };
        assert!(*method == row.file || method == "_", "{path}: method {method}");
        assert_eq!(*inplace, format!("{}_inplace", row.file));
    }
}

/// Functions that need not, or must not, be inlined into a SIMD kernel, with the reason.
const OUT_OF_LINE: &[(&str, &str)] = &[
    // Some hundred instructions, for levels without the fused instruction: called on purpose.
    ("lane/vectors.rs", "emulated_mul_add"),
    ("math/poly.rs", "called"),
    ("lane/vectors.rs", "called"),
    // Outside of every kernel.
    ("lane/level.rs", "best"),
    ("lane/level.rs", "available"),
    ("lane/level.rs", "token"),
    ("lane/level.rs", "with_level"),
    ("lane/level.rs", "drop"),
    ("lane/level.rs", "new"),
    ("lane/level.rs", "install"),
    ("lane/level.rs", "is_fused"),
    ("lane/level.rs", "is_widest"),
    ("lane/level.rs", "narrowed"),
    ("lane/level.rs", "slimmest"),
];

/// The name of the function that a line begins to define.
fn defines(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    Some(name.split(['(', '<']).next().unwrap())
}

/// `(name, whether it is always inlined)` of every function with a body before the unit tests.
fn functions(source: &Source) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (i, line) in source.lines.iter().enumerate() {
        if line.contains("#[cfg(test)]") {
            break;
        }
        let Some(name) = defines(line) else { continue };
        // Declarations of traits end before a body begins.
        let rest = source.lines[i..].iter().flat_map(|line| line.chars());
        if rest.take_while(|&c| c != '{').any(|c| c == ';') {
            continue;
        }
        let attributes = source.lines[..i].iter().rev().take_while(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with("#[") || line.ends_with(']')
        });
        let inlined = attributes.into_iter().any(|line| line.contains("#[inline(always)]"));
        found.push((name.replace('$', ""), inlined));
    }
    found
}

#[test]
fn everything_inside_a_kernel_is_always_inlined() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for source in &sources() {
        let everything = source.path.starts_with("math/") || source.path.starts_with("lane");
        let room = is_room(source);
        if !everything && !room {
            continue;
        }
        for (name, inlined) in functions(source) {
            let exempt = OUT_OF_LINE.contains(&(&source.path, &name));
            // Of a room only what kernels call; constructors and `check` are not.
            let kernel = everything || !is_constructor(source, &name);
            seen += usize::from(kernel);
            if kernel && !exempt && !inlined {
                missing.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert!(seen > 150, "only {seen} functions found");
    assert!(missing.is_empty(), "without #[inline(always)]:\n{}", missing.join("\n"));
}

/// Functions of a room that no kernel calls: those of its constructors that no formula needs.
fn is_constructor(source: &Source, name: &str) -> bool {
    if ["default", "check"].contains(&name) {
        return true;
    }
    // `pub const fn`s make values of the noun.
    source
        .lines
        .iter()
        .any(|line| line.trim_start().starts_with("pub const fn ") && defines(line) == Some(name))
}

#[test]
fn the_finder_of_functions_finds_them() {
    let text = "
        #[inline(always)]
        pub fn quick<V: Lane>(x: V) -> V { x }
        fn slow(x: f64) -> f64 { x }
        fn declared(x: f64) -> f64;
        #[inline(always)]
        #[must_use]
        const fn both() {}
        #[inline]
        fn hinted() {}
    ";
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    let source = Source { path: "math/test.rs".to_string(), total: lines.len(), lines };
    let found = functions(&source);
    let expected = [("quick", true), ("slow", false), ("both", true), ("hinted", false)]
        .map(|(n, i)| (n.to_string(), i));
    assert_eq!(found, expected);
}

#[test]
fn files_read_in_one_sitting() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.total > 450)
        .map(|source| format!("{}: {} lines", source.path, source.total))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_method_carries_a_name_that_ndarray_owns() {
    let list = fs::read_to_string(root().join("tests/data/ndarray_methods.txt")).unwrap();
    let owned: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    for known in ["tanh", "exp", "clamp", "sum", "mapv", "map_inplace", "dot", "abs"] {
        assert!(owned.contains(&known), "{known} is missing from the list");
    }
    let mut methods: Vec<String> = rows().into_iter().flat_map(|row| row.methods).collect();
    // And what the extension trait declares by hand.
    let sources = sources();
    let ext = sources.iter().find(|source| source.path == "ext.rs").unwrap();
    methods.extend(ext.lines.iter().filter_map(|line| defines(line)).map(str::to_string));
    assert!(methods.iter().any(|method| method == "activate"));
    for method in methods {
        assert!(!owned.contains(&&*method), "ndarray has a method {method} of its own");
    }
}

#[test]
fn unsafe_code_is_forbidden() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(text.contains("#![forbid(unsafe_code)]"));
    assert!(text.contains("#![deny(missing_docs)]"));
}
