//! The affine map of a dense layer, `x · Wᵀ + b`, for batches of any size.
//!
//! The matrix is stored once in panels of one vector's width, so that every product is a fused
//! multiply-add of a broadcast input with a contiguous vector of weights. A tile of six rows keeps
//! its twelve registers of sums in the core; a single row takes four panels at a time instead.
//! Neither changes the order of summation.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{Array2, ArrayRef, ArrayView1, ArrayView2, ArrayViewMut1, Axis, Ix1, Ix2};

use super::panels::Panels;
use super::{layout, parallel};
use crate::activation::Cost;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// Products of one block of summation; a panel of it is half of a first-level cache of 32 KiB.
const DEPTH: usize = 256;
/// Rows of one tile: with two registers for each vector, 12 sums, 2 weights and 1 input.
const TILE: usize = 6;
/// Rows that are packed together, so that a panel is fetched once for all of them.
const BLOCK: usize = 8 * TILE;
/// The widest vector, in elements of any type.
const WIDEST: usize = 16;
/// Multiply-adds that cost as much as one element of the cheapest activation.
const PER_ELEMENT: usize = 16;

/// The affine map `x ↦ x · Wᵀ + b` for `x` of shape `[batch, inputs]`, `W` of shape
/// `[outputs, inputs]` and `b` of length `outputs`, as in a dense layer.
///
/// `W` is repacked when the value is built; one product then runs as fast for a single row as the
/// memory delivers the weights, and near the arithmetic peak for large batches, on all cores.
///
/// Each output is summed in one fixed order, and so has the same bits in a batch of any size, at
/// any number of threads and on every SIMD level: the inputs are taken in blocks of 256, the
/// products of a block are added from the first to the last with a fused multiply-add that starts
/// at 0, and the sums of the blocks are added to the bias from the first to the last. The error is
/// at most `(257 + inputs / 256) · ε · (|b| + Σ |x · w|)`, `ε` being half a unit in the last place
/// of 1. An instruction set without a fused multiply-add gives the same bits, slowly.
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{Affine, prelude::*};
/// let map = Affine::new(&array![[1.0f32, 2.0], [3.0, 4.0], [0.0, -1.0]], &array![0.5, 0.0, 0.0]);
/// let x = array![[1.0, 1.0], [2.0, 0.0]];
/// assert_eq!(map.map(&x), array![[3.5, 7.0, -1.0], [2.5, 6.0, 0.0]]);
/// ```
#[derive(Clone, Debug)]
pub struct Affine<A: Element> {
    panels: Panels<A>,
    /// Padded with zeros to whole panels.
    bias: Vec<A>,
    inputs: usize,
    outputs: usize,
}

impl<A: Element> Affine<A> {
    /// From the matrix, `[outputs, inputs]`, and the bias, `[outputs]`.
    ///
    /// # Panics
    /// If the bias does not have one element for each row of the matrix, naming both.
    pub fn new(weight: &ArrayRef<A, Ix2>, bias: &ArrayRef<A, Ix1>) -> Self {
        let (outputs, inputs) = weight.dim();
        layout::assert_same_shape("bias", bias.shape(), "rows of the matrix", &[outputs]);
        let mut padded = vec![A::zero(); outputs.next_multiple_of(A::WIDTH)];
        padded.iter_mut().zip(bias).for_each(|(to, &from)| *to = from);
        Self { panels: Panels::pack(weight), bias: padded, inputs, outputs }
    }

    /// The width of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The width of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// A copy of the matrix, `[outputs, inputs]`.
    pub fn weight(&self) -> Array2<A> {
        self.panels.unpack(self.outputs, self.inputs)
    }

    /// The bias.
    pub fn bias(&self) -> ArrayView1<'_, A> {
        ArrayView1::from(&self.bias[..self.outputs])
    }

    /// `x · Wᵀ + b` as a new array, `[batch, outputs]`; `x` may have any layout.
    ///
    /// # Panics
    /// If `x` is not as wide as the map's input, naming both shapes.
    pub fn map(&self, x: &ArrayRef<A, Ix2>) -> Array2<A> {
        let mut out = Array2::zeros((x.nrows(), self.outputs));
        self.map_assign_into(x, &mut out, |_| ());
        out
    }

    /// Writes `x · Wᵀ + b` into `out`, `[batch, outputs]`, and hands every element once to
    /// `finish`, in contiguous pieces, just after they are written: an activation there runs on
    /// values that are still in the cache. The pieces and their order are not specified; for a
    /// large product they come from several threads.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use ndarray_activations::{Affine, prelude::*};
    /// let map = Affine::new(&array![[1.0f32], [-1.0]], &array![0.0, 0.0]);
    /// let mut out = Array2::zeros((2, 2));
    /// map.map_assign_into(&array![[3.0], [-4.0]], &mut out, |piece| Relu.map_inplace(piece));
    /// assert_eq!(out, array![[3.0, 0.0], [0.0, 4.0]]);
    /// ```
    ///
    /// # Panics
    /// If `x` is not as wide as the map's input or `out` has another shape than the result, naming
    /// both shapes.
    pub fn map_assign_into(
        &self,
        x: &ArrayRef<A, Ix2>,
        out: &mut ArrayRef<A, Ix2>,
        finish: impl Fn(&mut ArrayRef<A, Ix1>) + Sync,
    ) {
        let batch = x.nrows();
        layout::assert_same_shape("input", x.shape(), "map", &[batch, self.inputs]);
        layout::assert_same_shape("output", out.shape(), "result", &[batch, self.outputs]);
        let Some(run) = out.as_slice_mut() else {
            let mut result = Array2::zeros(out.raw_dim());
            self.map_assign_into(x, &mut result, finish);
            return out.assign(&result);
        };
        if run.is_empty() {
            return;
        }
        let work = batch.saturating_mul(self.outputs).saturating_mul(self.inputs) / PER_ELEMENT;
        let pieces = parallel::pieces(Cost::Light, work);
        let job = Job::new();
        let finish = &|piece: &mut [A]| {
            job.install(|| finish(&mut ArrayViewMut1::from(piece)));
        };
        if batch == 1 {
            let x = x.row(0);
            match x.as_slice() {
                Some(x) => self.cut_columns(pieces, job, x, run, 0, finish),
                None => self.cut_columns(pieces, job, &x.to_vec(), run, 0, finish),
            }
        } else {
            self.cut_rows(pieces.min(batch.div_ceil(TILE)), job, x.view(), run, finish);
        }
    }

    /// Outputs from `first` on, of a single row.
    fn cut_columns(
        &self,
        pieces: usize,
        job: Job,
        x: &[A],
        out: &mut [A],
        first: usize,
        finish: &(impl Fn(&mut [A]) + Sync),
    ) {
        let middle = (out.len() / 2).next_multiple_of(A::WIDTH);
        if pieces < 2 || middle >= out.len() {
            run(job, Row { map: self, x, out, first });
            return finish(out);
        }
        let (low, high) = out.split_at_mut(middle);
        parallel::join(
            || self.cut_columns(pieces / 2, job, x, low, first, finish),
            || self.cut_columns(pieces - pieces / 2, job, x, high, first + middle, finish),
        );
    }

    fn cut_rows(
        &self,
        pieces: usize,
        job: Job,
        x: ArrayView2<'_, A>,
        out: &mut [A],
        finish: &(impl Fn(&mut [A]) + Sync),
    ) {
        let rows = x.nrows();
        let middle = (rows / pieces.max(1) * (pieces / 2)).next_multiple_of(TILE);
        if pieces < 2 || middle >= rows {
            for (x, out) in
                x.axis_chunks_iter(Axis(0), BLOCK).zip(out.chunks_mut(BLOCK * self.outputs))
            {
                self.block(job, x, out);
                finish(out);
            }
            return;
        }
        let (x0, x1) = x.split_at(Axis(0), middle);
        let (low, high) = out.split_at_mut(middle * self.outputs);
        parallel::join(
            || self.cut_rows(pieces / 2, job, x0, low, finish),
            || self.cut_rows(pieces - pieces / 2, job, x1, high, finish),
        );
    }

    /// At most [`BLOCK`] rows.
    fn block(&self, job: Job, x: ArrayView2<'_, A>, out: &mut [A]) {
        if x.nrows() <= TILE {
            let packed = &mut [A::zero(); TILE * DEPTH];
            run(job, Block { map: self, x, out, packed });
        } else {
            let packed = &mut [A::zero(); BLOCK * DEPTH];
            run(job, Block { map: self, x, out, packed });
        }
    }

    /// The bias of one panel.
    #[inline(always)]
    fn bias_of(&self, panel: usize) -> &[A] {
        &self.bias[panel * A::WIDTH..(panel + 1) * A::WIDTH]
    }

    /// The steps of the blocks of summation; one empty block where there are no inputs.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<A> {
        let inputs = self.inputs;
        (0..inputs.max(1)).step_by(DEPTH).map(move |from| from..inputs.min(from + DEPTH))
    }
}

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

struct Block<'a, A: Element> {
    map: &'a Affine<A>,
    x: ArrayView2<'a, A>,
    out: &'a mut [A],
    packed: &'a mut [A],
}

impl<A: Element> Kernel for Block<'_, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, x, out, packed } = self;
        let (rows, width) = (x.nrows(), map.outputs);
        for steps in map.blocks() {
            pack(&x, &steps, packed);
            let depth = steps.len();
            let mut column = 0;
            while column < width {
                let mut row = 0;
                // Two panels for a tile of two rows, so that eight sums hide the latency.
                let wide = rows < 4;
                while row < rows {
                    let tile = tile_rows(rows - row);
                    let x = &packed[row * depth..(row + tile) * depth];
                    let out = &mut out[row * width..(row + tile) * width];
                    let place = Place { panel: column / A::WIDTH, column, width, steps: &steps };
                    match tile {
                        TILE => multiply::<S, A, TILE, 1>(simd, map, x, out, place),
                        4 => multiply::<S, A, 4, 1>(simd, map, x, out, place),
                        2 if wide => multiply::<S, A, 2, 2>(simd, map, x, out, place),
                        2 => multiply::<S, A, 2, 1>(simd, map, x, out, place),
                        _ if wide => multiply::<S, A, 1, 2>(simd, map, x, out, place),
                        _ => multiply::<S, A, 1, 1>(simd, map, x, out, place),
                    }
                    row += tile;
                }
                column += if wide { 2 * A::WIDTH } else { A::WIDTH };
            }
        }
    }
}

struct Row<'a, A: Element> {
    map: &'a Affine<A>,
    x: &'a [A],
    out: &'a mut [A],
    first: usize,
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
                let place = Place { panel, column: 0, width: out.len(), steps: &steps };
                if out.len() > A::WIDTH {
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
        for (place, x) in x.rows().into_iter().skip(row).take(tile).enumerate() {
            let cells = packed.chunks_exact_mut(tile);
            match x.as_slice() {
                Some(x) => cells.zip(&x[steps.clone()]).for_each(|(to, &x)| to[place] = x),
                None => {
                    let x = x.iter().skip(steps.start);
                    cells.zip(x).for_each(|(to, &x)| to[place] = x);
                }
            }
        }
        row += tile;
    }
}

/// Where a tile stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Its first panel.
    panel: usize,
    /// Its first column in `out`.
    column: usize,
    /// The length of a row of `out`.
    width: usize,
    /// The block of summation.
    steps: &'a Range<usize>,
}

/// Adds the products of one block of summation to a tile of `R` rows and `P` panels; the first
/// block begins with the bias.
#[inline(always)]
fn multiply<S: Simd, A: Element, const R: usize, const P: usize>(
    simd: S,
    map: &Affine<A>,
    x: &[A],
    out: &mut [A],
    place: Place<'_>,
) {
    let Place { panel, column, width, steps } = place;
    let mut weights = [&[][..]; P];
    for (p, weights) in weights.iter_mut().enumerate() {
        // A tile may reach beyond the last panel: then it repeats the last one, unused.
        *weights = map.panels.steps((panel + p).min(map.panels.count() - 1), steps);
    }
    let mut sums = [[A::Lanes::<S>::fill(simd, A::zero()); P]; R];
    for (step, x) in x.chunks_exact(R).enumerate() {
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
    for (sums, row) in sums.iter().zip(out.chunks_exact_mut(width)) {
        for (p, &sum) in sums.iter().enumerate() {
            let from = column + p * A::WIDTH;
            if from < width {
                let bias = (steps.start == 0).then(|| map.bias_of(panel + p));
                add(simd, sum, bias, &mut row[from..width.min(from + A::WIDTH)]);
            }
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
