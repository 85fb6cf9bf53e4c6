//! The loops of a product: tiles of rows and panels.

use core::ops::Range;

use fearless_simd::Simd;

use super::Affine;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Products of one block of summation; a panel of it is half of a first-level cache of 32 KiB.
pub(super) const DEPTH: usize = 256;
/// Rows of one tile: with two registers for each vector, 12 sums, 2 weights and 1 input.
pub(super) const TILE: usize = 6;
/// The same where a vector is one of 32 registers: with three panels, 24 sums, 3 weights and 1 input.
pub(super) const WIDE_TILE: usize = 8;
/// Steps of summation that a loop takes at a time, for one check of bounds and one jump.
const STRETCH: usize = 4;
/// The widest vector, in elements of any type.
const WIDEST: usize = 16;

/// Some rows of the result, and of each the columns of some panels.
pub(super) struct Block<'a, 'o, A: Element> {
    pub(super) map: &'a Affine<A>,
    /// As many rows of inputs.
    pub(super) x: &'a [&'a [A]],
    pub(super) out: &'a mut [&'o mut [A]],
    /// The panel of the first column of `out`.
    pub(super) panel: usize,
}

impl<A: Element> Kernel for Block<'_, '_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if const { A::Lanes::<S>::HAS_ROOM } {
            self.multiply::<S, WIDE_TILE, 3, 3>(simd);
        } else {
            self.multiply::<S, TILE, 1, 2>(simd);
        }
    }
}

impl<A: Element> Block<'_, '_, A> {
    /// Tiles of `R` rows and `W` panels; those of one or two rows, at the end, take `P` panels, so that they too have
    /// enough sums to hide the latency.
    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const W: usize, const P: usize>(self, simd: S) {
        let Self { map, x, out, panel: first } = self;
        let width = out.first().map_or(0, |row| row.len());
        // One panel stays in the first-level cache for all rows. Three do not, so there the rows of a tile stay for all panels
        // of the strip: rows a power of two apart, of which few fit the second-level cache, are then read once.
        let rows = if W == 1 { out.len() } else { R };
        for steps in map.blocks() {
            for (x, out) in x.chunks(rows).zip(out.chunks_mut(rows)) {
                let mut column = 0;
                while column < width {
                    let place = Place { panel: first + column / A::WIDTH, column, steps: &steps };
                    column += A::WIDTH
                        * match (width - column).div_ceil(A::WIDTH) {
                            // Two and two instead of three and one.
                            left if left >= P && (P < 3 || left != P + 1) => {
                                tiles::<S, A, R, W, P>(simd, map, x, out, place)
                            }
                            2.. if P > 2 => tiles::<S, A, R, 2, 2>(simd, map, x, out, place),
                            _ => tiles::<S, A, R, 1, 1>(simd, map, x, out, place),
                        };
                }
            }
        }
    }
}

/// All rows, and `P` panels, of which tiles of many rows take `W` at a time; returns `P`.
#[inline(always)]
fn tiles<S: Simd, A: Element, const R: usize, const W: usize, const P: usize>(
    simd: S,
    map: &Affine<A>,
    x: &[&[A]],
    out: &mut [&mut [A]],
    place: Place<'_>,
) -> usize {
    let (large, mut small) = out.split_at_mut(out.len() / R * R);
    let (large_x, mut x) = x.split_at(large.len());
    for p in (0..P).step_by(W) {
        for (x, out) in large_x.chunks_exact(R).zip(large.chunks_exact_mut(R)) {
            multiply::<S, A, R, W>(simd, map, x, out, place.skip::<A>(p));
        }
    }
    while !small.is_empty() {
        let rows = match small.len() {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let (out, after) = small.split_at_mut(rows);
        let (now, later) = x.split_at(rows);
        match rows {
            4 => {
                for p in (0..P).step_by(W) {
                    multiply::<S, A, 4, W>(simd, map, now, out, place.skip::<A>(p));
                }
            }
            2 => multiply::<S, A, 2, P>(simd, map, now, out, place),
            _ => multiply::<S, A, 1, P>(simd, map, now, out, place),
        }
        (small, x) = (after, later);
    }
    P
}

/// Outputs from `first` on, of a single row.
pub(super) struct Row<'a, A: Element> {
    pub(super) map: &'a Affine<A>,
    pub(super) x: &'a [A],
    pub(super) out: &'a mut [A],
    pub(super) first: usize,
}

impl<A: Element> Kernel for Row<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, x, out, first } = self;
        for (index, out) in out.chunks_mut(4 * A::WIDTH).enumerate() {
            let panel = first / A::WIDTH + 4 * index;
            for steps in map.blocks() {
                let place = Place { panel, column: 0, steps: &steps };
                let out = &mut [&mut *out];
                if out[0].len() > A::WIDTH {
                    multiply::<S, A, 1, 4>(simd, map, &[x], out, place);
                } else {
                    multiply::<S, A, 1, 1>(simd, map, &[x], out, place);
                }
            }
        }
    }
}

/// Where a tile stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Its first panel.
    panel: usize,
    /// Its first column in `out`.
    column: usize,
    /// The block of summation.
    steps: &'a Range<usize>,
}

impl Place<'_> {
    /// The place that is `panels` further right.
    #[inline(always)]
    fn skip<A: Element>(self, panels: usize) -> Self {
        Self { panel: self.panel + panels, column: self.column + panels * A::WIDTH, ..self }
    }
}

/// Adds the products of one block of summation to a tile of `R` rows and `P` panels; the first
/// block begins with the bias.
#[inline(always)]
fn multiply<S: Simd, A: Element, const R: usize, const P: usize>(
    simd: S,
    map: &Affine<A>,
    x: &[&[A]],
    out: &mut [&mut [A]],
    place: Place<'_>,
) {
    let Place { panel, column, steps } = place;
    let mut weights = [&[][..]; P];
    for (p, weights) in weights.iter_mut().enumerate() {
        // A tile may reach beyond the last panel: then it repeats the last one, unused.
        *weights = map.panels.steps((panel + p).min(map.panels.count() - 1), steps);
    }
    let mut sums = [[A::Lanes::<S>::fill(simd, A::zero()); P]; R];
    let depth = steps.len();
    let mut rows = [&[][..]; R];
    for (row, x) in rows.iter_mut().zip(x) {
        *row = &x[steps.clone()][..depth];
    }
    let stretches = depth / STRETCH;
    let mut chunks = [&[][..]; R];
    for (chunks, row) in chunks.iter_mut().zip(rows) {
        *chunks = &row.as_chunks::<STRETCH>().0[..stretches];
    }
    for i in 0..stretches {
        let none = [A::zero(); STRETCH];
        let mut x = [&none; R];
        for (x, chunks) in x.iter_mut().zip(chunks) {
            *x = &chunks[i];
        }
        let mut w = [&[][..]; P];
        for (w, weights) in w.iter_mut().zip(weights) {
            *w = &weights[i * STRETCH * A::WIDTH..(i + 1) * STRETCH * A::WIDTH];
        }
        // Written out: of a loop over them the compiler would keep the sums in memory.
        step::<S, A, R, P, STRETCH>(simd, x, w, 0, &mut sums);
        step::<S, A, R, P, STRETCH>(simd, x, w, 1, &mut sums);
        step::<S, A, R, P, STRETCH>(simd, x, w, 2, &mut sums);
        step::<S, A, R, P, STRETCH>(simd, x, w, 3, &mut sums);
    }
    for i in stretches * STRETCH..depth {
        let none = [A::zero()];
        let mut x = [&none; R];
        for (x, row) in x.iter_mut().zip(rows) {
            *x = core::array::from_ref(&row[i]);
        }
        let mut w = [&[][..]; P];
        for (w, weights) in w.iter_mut().zip(weights) {
            *w = &weights[i * A::WIDTH..(i + 1) * A::WIDTH];
        }
        step::<S, A, R, P, 1>(simd, x, w, 0, &mut sums);
    }
    // A copy, so that the sums themselves are never indexed: they would be kept in memory.
    let mut totals = [[A::Lanes::<S>::fill(simd, A::zero()); P]; R];
    for r in 0..R {
        for p in 0..P {
            totals[r][p] = sums[r][p];
        }
    }
    let is_first = steps.start == 0;
    let columns = column..column + P * A::WIDTH;
    if out.first().is_some_and(|row| row.len() >= columns.end) {
        let mut bias = [A::Lanes::<S>::fill(simd, A::zero()); P];
        for (p, bias) in bias.iter_mut().enumerate() {
            *bias = A::Lanes::<S>::load(simd, map.bias_of(panel + p));
        }
        for (sums, row) in totals.iter().zip(out) {
            let cells = row[columns.clone()].chunks_exact_mut(A::WIDTH);
            for ((&sum, &bias), cells) in sums.iter().zip(&bias).zip(cells) {
                let start = if is_first { bias } else { A::Lanes::<S>::load(simd, cells) };
                (start + sum).store(cells);
            }
        }
        return;
    }
    for (sums, row) in totals.iter().zip(out) {
        let width = row.len();
        for (p, &sum) in sums.iter().enumerate() {
            let from = column + p * A::WIDTH;
            if from < width {
                let bias = is_first.then(|| map.bias_of(panel + p));
                add(simd, sum, bias, &mut row[from..width.min(from + A::WIDTH)]);
            }
        }
    }
}

/// One of the `N` steps of summation that the inputs and weights are of.
#[inline(always)]
fn step<S: Simd, A: Element, const R: usize, const P: usize, const N: usize>(
    simd: S,
    x: [&[A; N]; R],
    weights: [&[A]; P],
    step: usize,
    sums: &mut [[A::Lanes<S>; P]; R],
) {
    let mut w = [A::Lanes::<S>::fill(simd, A::zero()); P];
    for (w, weights) in w.iter_mut().zip(weights) {
        *w = A::Lanes::<S>::load(simd, &weights[step * A::WIDTH..(step + 1) * A::WIDTH]);
    }
    for (sums, x) in sums.iter_mut().zip(x) {
        let x = A::Lanes::<S>::fill(simd, x[step]);
        for (sum, &w) in sums.iter_mut().zip(&w) {
            *sum = w.mul_add(x, *sum);
        }
    }
}

/// `out = bias + sum`, or `out + sum` where there is no bias; `out` may be shorter than a vector.
#[inline(always)]
fn add<S: Simd, A: Element>(simd: S, sum: A::Lanes<S>, bias: Option<&[A]>, out: &mut [A]) {
    if out.len() == A::WIDTH {
        let start = A::Lanes::<S>::load(simd, bias.unwrap_or(out));
        return (start + sum).store(out);
    }
    let mut padded = [A::zero(); WIDEST];
    let padded = &mut padded[..A::WIDTH];
    match bias {
        Some(bias) => padded.copy_from_slice(bias),
        None => padded[..out.len()].copy_from_slice(out),
    }
    (A::Lanes::<S>::load(simd, padded) + sum).store(padded);
    out.copy_from_slice(&padded[..out.len()]);
}
