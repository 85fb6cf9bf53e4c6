//! Whether and how work is shared between threads. The only file that names rayon.
//!
//! The pool is the ambient one: that of the calling worker, else the global one. A size below the
//! threshold never asks for it, because the first question would already start it.

use crate::activation::Cost;

/// The smallest number of elements that is worth two threads.
///
/// | cost     | elements | time of one thread |
/// |----------|----------|--------------------|
/// | Light    | 512 Ki   | about 50 µs        |
/// | Moderate | 128 Ki   | about 90 µs        |
/// | Heavy    | 64 Ki    | about 90 µs        |
///
/// Fork and join cost 25 to 85 µs from a thread outside the pool (2 cores of AMD Zen 3): below these
/// sizes that is most of the work. `cargo bench --bench parallel` times both sides of each. On two cores of
/// AMD Zen 4 with AVX-512 one and two threads take, back to back at these sizes, 50 and 41 µs (relu), 50
/// and 33 µs (sigmoid), 55 and 47 µs (gelu).
#[cfg(feature = "rayon")]
const fn threshold(cost: Cost) -> usize {
    match cost {
        Cost::Light => 512 << 10,
        Cost::Moderate => 128 << 10,
        Cost::Heavy => 64 << 10,
    }
}

/// The number of pieces that `elements` of work should be cut into; 1 means serial.
#[cfg(feature = "rayon")]
pub(crate) fn pieces(cost: Cost, elements: usize) -> usize {
    let threshold = threshold(cost);
    if elements < threshold {
        return 1;
    }
    // Pieces of at least a quarter of the threshold, up to four for each thread.
    match rayon::current_num_threads() {
        1 => 1,
        threads => (elements / (threshold / 4)).clamp(2, 4 * threads),
    }
}

/// Runs both, at the same time where a thread is free.
#[cfg(feature = "rayon")]
pub(crate) fn join(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    rayon::join(a, b);
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn pieces(_cost: Cost, _elements: usize) -> usize {
    1
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn join(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    a();
    b();
}
