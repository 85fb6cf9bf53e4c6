//! The loops of a product: tiles of rows and panels.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::ArrayView2;

use super::Affine;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};

/// Products of one block of summation; a panel of it is half of a first-level cache of 32 KiB.
pub(super) const DEPTH: usize = 256;
/// Rows of one tile: with two registers for each vector, 12 sums, 2 weights and 1 input.
pub(in crate::apply) const TILE: usize = 6;
/// Steps of summation that a loop takes at a time.
const STRETCH: usize = 4;
/// The widest vector, in elements of any type.
const WIDEST: usize = 16;

/// How many rows the next tile takes of those that are left.
#[inline(always)]
fn tile_rows(left: usize) -> usize {
    match left {
        TILE.. => TILE,
        4.. => 4,
        2.. => 2,
        _ => left,
    }
}

/// Some rows of the result, and of each the columns of some panels.
pub(super) struct Block<'a, 'o, A: Element> {
    pub(super) map: &'a Affine<A>,
    pub(super) x: ArrayView2<'a, A>,
    pub(super) out: &'a mut [&'o mut [A]],
    /// The panel of the first column of `out`.
    pub(super) panel: usize,
    /// Room for the inputs of all rows in one block of summation.
    pub(super) packed: &'a mut [A],
}

impl<A: Element> Kernel for Block<'_, '_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // With 32 registers a tile of four panels uses each broadcast four times, and has the sums that two
        // multiply-adds a cycle need: 24, with 4 weights and 1 input.
        if A::Lanes::<S>::HAS_ROOM {
            self.multiply::<S, 4, 4>(simd);
        } else {
            self.multiply::<S, 1, 2>(simd);
        }
    }
}

impl<A: Element> Block<'_, '_, A> {
    /// Tiles of `W` panels; those of one or two rows, at the end, take `P` panels, so that they too have enough sums
    /// to hide the latency.
    #[inline(always)]
    fn multiply<S: Simd, const W: usize, const P: usize>(self, simd: S) {
        let Self { map, x, out, panel: first, packed } = self;
        let width = out.first().map_or(0, |row| row.len());
        for steps in map.blocks() {
            pack(&x, &steps, packed);
            let mut column = 0;
            while column < width {
                let place = Place { panel: first + column / A::WIDTH, column, steps: &steps };
                column += A::WIDTH
                    * match (width - column).div_ceil(A::WIDTH) {
                        left if left >= P => tiles::<S, A, W, P>(simd, map, packed, out, place),
                        2.. if P > 2 => tiles::<S, A, 2, 2>(simd, map, packed, out, place),
                        _ => tiles::<S, A, 1, 1>(simd, map, packed, out, place),
                    };
            }
        }
    }
}

/// All rows, and `P` panels, of which tiles of many rows take `W` at a time; returns `P`.
#[inline(always)]
fn tiles<S: Simd, A: Element, const W: usize, const P: usize>(
    simd: S,
    map: &Affine<A>,
    packed: &[A],
    out: &mut [&mut [A]],
    place: Place<'_>,
) -> usize {
    let depth = place.steps.len();
    let (large, mut small) = out.split_at_mut(out.len() / TILE * TILE);
    let (x, mut packed) = packed.split_at(large.len() * depth);
    for p in (0..P).step_by(W) {
        for (index, out) in large.chunks_exact_mut(TILE).enumerate() {
            // Without inputs all of these are empty.
            let x = &x[index * TILE * depth..(index + 1) * TILE * depth];
            multiply::<S, A, TILE, W>(simd, map, x, out, place.skip::<A>(p));
        }
    }
    while !small.is_empty() {
        let (out, after) = small.split_at_mut(tile_rows(small.len()));
        let (x, rest) = packed.split_at(out.len() * depth);
        match out.len() {
            4 => {
                for p in (0..P).step_by(W) {
                    multiply::<S, A, 4, W>(simd, map, x, out, place.skip::<A>(p));
                }
            }
            2 => multiply::<S, A, 2, P>(simd, map, x, out, place),
            _ => multiply::<S, A, 1, P>(simd, map, x, out, place),
        }
        (small, packed) = (after, rest);
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
                let x = &x[steps.clone()];
                let place = Place { panel, column: 0, steps: &steps };
                let out = &mut [&mut *out];
                if out[0].len() > A::WIDTH {
                    multiply::<S, A, 1, 4>(simd, map, x, out, place);
                } else {
                    multiply::<S, A, 1, 1>(simd, map, x, out, place);
                }
            }
        }
    }
}

/// The inputs of some steps, tile by tile, the rows of a tile side by side.
#[inline(always)]
fn pack<A: Element>(x: &ArrayView2<'_, A>, steps: &Range<usize>, packed: &mut [A]) {
    let (depth, rows) = (steps.len(), x.nrows());
    let mut row = 0;
    while row < rows {
        let tile = tile_rows(rows - row);
        let packed = &mut packed[row * depth..(row + tile) * depth];
        match tile {
            TILE => pack_tile::<A, TILE>(x, row, steps, packed),
            4 => pack_tile::<A, 4>(x, row, steps, packed),
            2 => pack_tile::<A, 2>(x, row, steps, packed),
            _ => pack_tile::<A, 1>(x, row, steps, packed),
        }
        row += tile;
    }
}

#[inline(always)]
fn pack_tile<A: Element, const R: usize>(
    x: &ArrayView2<'_, A>,
    row: usize,
    steps: &Range<usize>,
    packed: &mut [A],
) {
    let (packed, _) = packed.as_chunks_mut::<R>();
    let mut rows = [&[][..]; R];
    for (place, cells) in rows.iter_mut().enumerate() {
        match x.row(row + place).to_slice() {
            Some(x) => *cells = &x[steps.clone()],
            None => {
                for (place, x) in x.rows().into_iter().skip(row).take(R).enumerate() {
                    let x = x.iter().skip(steps.start);
                    packed.iter_mut().zip(x).for_each(|(to, &x)| to[place] = x);
                }
                return;
            }
        }
    }
    // Filled through an index; mapping the array of rows instead takes twice as long.
    let depth = packed.len();
    let rows = rows.map(|x| &x[..depth]);
    for (step, to) in packed.iter_mut().enumerate() {
        *to = core::array::from_fn(|place| rows[place][step]);
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
    x: &[A],
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
    let (x, _) = x.as_chunks::<R>();
    let weights = weights.map(|w| &w[..x.len() * A::WIDTH]);
    if const { A::Lanes::<S>::HAS_ROOM } {
        for (step, x) in x.iter().enumerate() {
            let mut w = [A::Lanes::<S>::fill(simd, A::zero()); P];
            for (w, weights) in w.iter_mut().zip(&weights) {
                *w = A::Lanes::<S>::load(simd, &weights[step * A::WIDTH..(step + 1) * A::WIDTH]);
            }
            for (sums, &x) in sums.iter_mut().zip(x) {
                let x = A::Lanes::<S>::fill(simd, x);
                for (sum, &w) in sums.iter_mut().zip(&w) {
                    *sum = w.mul_add(x, *sum);
                }
            }
        }
    } else {
        // A few steps at a time: one check of bounds and one jump for all of them. Sums that fill 32 registers the
        // compiler would put into memory after each of them.
        let (stretches, rest) = x.as_chunks::<STRETCH>();
        let whole = stretches.len() * STRETCH * A::WIDTH;
        for (index, x) in stretches.iter().enumerate() {
            let at = index * STRETCH * A::WIDTH;
            let weights = weights.map(|w| &w[at..at + STRETCH * A::WIDTH]);
            for (step, x) in x.iter().enumerate() {
                let weights = weights.map(|w| &w[step * A::WIDTH..(step + 1) * A::WIDTH]);
                multiply_add::<S, A, R, P>(simd, x, weights, &mut sums);
            }
        }
        for (step, x) in rest.iter().enumerate() {
            let at = whole + step * A::WIDTH;
            let weights = weights.map(|w| &w[at..at + A::WIDTH]);
            multiply_add::<S, A, R, P>(simd, x, weights, &mut sums);
        }
    }
    for (sums, row) in sums.iter().zip(out) {
        let width = row.len();
        for (p, &sum) in sums.iter().enumerate() {
            let from = column + p * A::WIDTH;
            if from < width {
                let bias = (steps.start == 0).then(|| map.bias_of(panel + p));
                add(simd, sum, bias, &mut row[from..width.min(from + A::WIDTH)]);
            }
        }
    }
}

/// One step of summation.
#[inline(always)]
fn multiply_add<S: Simd, A: Element, const R: usize, const P: usize>(
    simd: S,
    x: &[A; R],
    weights: [&[A]; P],
    sums: &mut [[A::Lanes<S>; P]; R],
) {
    let weights = weights.map(
        #[inline(always)]
        |w| A::Lanes::<S>::load(simd, w),
    );
    for (sums, &x) in sums.iter_mut().zip(x) {
        let x = A::Lanes::<S>::fill(simd, x);
        for (sum, &w) in sums.iter_mut().zip(&weights) {
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
