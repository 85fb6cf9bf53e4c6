//! The affine map of a dense layer, `x · Wᵀ + b`, for batches of any size.
//!
//! The matrix is stored once in panels of one vector's width, so that every product is a fused
//! multiply-add of a broadcast input with a contiguous vector of weights. A tile of six rows keeps
//! its twelve registers of sums in the core, with 32 registers one of eight rows and three panels its 24; a single row takes four panels at a
//! time instead. Rows are read where they are: eight of them a step apart cost no more than side by side.
//! Neither changes the order of summation, and nor does the cut for threads, along rows or columns.

mod kernel;

use core::ops::Range;

use ndarray::{Array2, ArrayRef, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use ndarray::{Axis, Ix1, Ix2};

use self::kernel::{Block, DEPTH, Row, TILE, WIDE_TILE};

use super::layout;
use super::panels::Panels;
use super::parallel::{self, Tasks};
use super::place::is_of_amd;
use crate::activation::Cost;
use crate::element::Element;
use crate::lane::{Job, run};

/// Rows that a strip of panels is read for.
const BLOCK: usize = 96;
/// The same where vectors are of 64 bytes: there the second-level cache is of 1 MiB or more.
const WIDE_BLOCK: usize = 256;
/// Panels of one pass over such rows: with the inputs they fill three quarters of a second-level
/// cache of 512 KiB. All panels of a wide matrix at once were 15 % slower (256 x 4096 x 4096, Zen 3).
const STRIP: usize = 32;
/// The same for [`WIDE_BLOCK`]: with inputs and results, a little over a third of 2 MiB. 32 panels were up to 6 % slower
/// (256 x 4112 x 4112, Intel Xeon), 48 too.
const WIDE_STRIP: usize = 15;
/// Rows that go through all layers of a network together, on AMD: less between two layers, 0.97 to 0.99 of the time of
/// [`WIDE_BLOCK`] (784-512-256-10). 32 to 96 are as good, 128 are not. Up to [`BLOCK`] rows leave room for [`STRIP`]
/// panels there. Not measured on Intel.
const LAYERED_BLOCK: usize = 64;
/// Fewer rows are not worth a pass over the matrix by another thread.
const ROWS: usize = 48;
/// Fewer panels are not worth reading the rows once more.
const PANELS: usize = 8;
/// Multiply-adds that cost as much as one element of the cheapest activation.
const PER_ELEMENT: usize = 8;
/// Rows that take as long as reading the matrix once from the second-level cache.
const READING: usize = 5;

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

/// The work of a batch on matrices of so many weights, in elements of the cheapest activation.
pub(super) fn work(batch: usize, weights: usize) -> usize {
    weights.saturating_mul(batch.saturating_add(READING)) / PER_ELEMENT
}

/// Rows that go through a tile together.
pub(super) fn tile_rows(job: Job) -> usize {
    if job.is_widest() { WIDE_TILE } else { TILE }
}

/// Rows that a strip of panels is read for.
pub(super) fn block_rows(job: Job) -> usize {
    if job.is_widest() { WIDE_BLOCK } else { BLOCK }
}

/// Rows that go through all layers of a network together.
pub(super) fn layered_rows(job: Job) -> usize {
    if job.is_widest() && is_of_amd() { LAYERED_BLOCK } else { block_rows(job) }
}

/// Panels of one pass over so many rows.
fn strip_panels(job: Job, rows: usize) -> usize {
    let is_roomy = rows <= BLOCK && is_of_amd();
    if job.is_widest() && !is_roomy { WIDE_STRIP } else { STRIP }
}

/// What every piece of a product is given: the level, and what is done with its elements.
struct Leaf<F> {
    job: Job,
    finish: F,
}

impl<A: Element> Affine<A> {
    /// From the matrix, `[outputs, inputs]`, and the bias, `[outputs]`.
    ///
    /// # Panics
    /// If the bias does not have one element for each row of the matrix, naming both.
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
    pub fn map_assign_into(
        &self,
        x: &ArrayRef<A, Ix2>,
        out: &mut ArrayRef<A, Ix2>,
        finish: impl Fn(&mut ArrayRef<A, Ix1>) + Sync,
    ) {
        let batch = x.nrows();
        layout::assert_same_shape("input", x.shape(), "map", &[batch, self.inputs]);
        layout::assert_same_shape("output", out.shape(), "result", &[batch, self.outputs]);
        if out.is_empty() {
            return;
        }
        if !out.is_standard_layout() {
            let mut result = Array2::zeros(out.raw_dim());
            self.map_assign_into(x, &mut result, finish);
            return out.assign(&result);
        }
        let work = work(batch, self.outputs.saturating_mul(self.inputs));
        let pieces = parallel::pieces_of(Cost::Light, work, if batch == 1 { 4 } else { 2 });
        let job = Job::new();
        let leaf = &Leaf {
            job,
            finish: |piece: &mut [A]| job.install(|| finish(&mut ArrayViewMut1::from(piece))),
        };
        let copy;
        let x = match x.row(0).as_slice() {
            Some(_) => x.view(),
            None => {
                copy = x.as_standard_layout();
                copy.view()
            }
        };
        let mut tasks = Tasks::new();
        if batch == 1 {
            let x = contiguous_row(x, 0);
            let out = out.as_slice_mut().expect("it was found to be in standard layout");
            if pieces < 2 {
                return self.columns(leaf, x, out, 0);
            }
            self.cut_columns(&mut tasks, pieces, leaf, x, out, 0);
        } else {
            if pieces < 2 {
                return self.blocks_of_rows(leaf, x, out.view_mut(), 0);
            }
            let cut = self.cut(pieces, batch);
            self.cut_block(&mut tasks, cut, leaf, x, out.view_mut(), 0);
        }
        tasks.run();
    }

    /// Into how many pieces the rows and the columns of a product are cut. Whole strips of columns
    /// come first, because every piece of rows reads the whole matrix.
    fn cut(&self, pieces: usize, batch: usize) -> [usize; 2] {
        let panels = self.panels.count();
        let columns = pieces.min(panels / STRIP).max(1);
        let rows = (pieces / columns).min(batch / ROWS).max(1);
        [rows, columns.max((pieces / rows).min(panels / PANELS))]
    }

    /// Outputs from `first` on, of a single row.
    fn columns(&self, leaf: &Leaf<impl Fn(&mut [A])>, x: &[A], out: &mut [A], first: usize) {
        run(leaf.job, Row { map: self, x, out, first });
        (leaf.finish)(out);
    }

    fn cut_columns<'a>(
        &'a self,
        tasks: &mut Tasks<'a>,
        pieces: usize,
        leaf: &'a Leaf<impl Fn(&mut [A]) + Sync>,
        x: &'a [A],
        out: &'a mut [A],
        first: usize,
    ) {
        let middle = (out.len() / 2).next_multiple_of(A::WIDTH);
        if pieces < 2 || middle >= out.len() {
            return tasks.push(move || self.columns(leaf, x, out, first));
        }
        let (low, high) = out.split_at_mut(middle);
        self.cut_columns(tasks, pieces / 2, leaf, x, low, first);
        self.cut_columns(tasks, pieces - pieces / 2, leaf, x, high, first + middle);
    }

    /// Outputs from `first` on, of a batch.
    fn cut_block<'a>(
        &'a self,
        tasks: &mut Tasks<'a>,
        [rows, columns]: [usize; 2],
        leaf: &'a Leaf<impl Fn(&mut [A]) + Sync>,
        x: ArrayView2<'a, A>,
        out: ArrayViewMut2<'a, A>,
        first: usize,
    ) {
        let (batch, width) = out.dim();
        let unit = if width / columns < STRIP * A::WIDTH { A::WIDTH } else { STRIP * A::WIDTH };
        let middle = (width / columns * (columns / 2)).next_multiple_of(unit);
        if columns > 1 && middle < width {
            let (low, high) = out.split_at(Axis(1), middle);
            self.cut_block(tasks, [rows, columns / 2], leaf, x, low, first);
            let columns = columns - columns / 2;
            return self.cut_block(tasks, [rows, columns], leaf, x, high, first + middle);
        }
        let middle = (batch / rows * (rows / 2)).next_multiple_of(tile_rows(leaf.job));
        if rows > 1 && middle < batch {
            let (x0, x1) = x.split_at(Axis(0), middle);
            let (low, high) = out.split_at(Axis(0), middle);
            self.cut_block(tasks, [rows / 2, 1], leaf, x0, low, first);
            return self.cut_block(tasks, [rows - rows / 2, 1], leaf, x1, high, first);
        }
        tasks.push(move || self.blocks_of_rows(leaf, x, out, first));
    }

    /// The piece of one thread.
    fn blocks_of_rows(
        &self,
        leaf: &Leaf<impl Fn(&mut [A])>,
        x: ArrayView2<'_, A>,
        mut out: ArrayViewMut2<'_, A>,
        first: usize,
    ) {
        let Leaf { job, finish } = leaf;
        let job = *job;
        let block = block_rows(job);
        let out = out.axis_chunks_iter_mut(Axis(0), block);
        for (x, mut out) in x.axis_chunks_iter(Axis(0), block).zip(out) {
            let strip = strip_panels(job, x.nrows());
            let strips = out.axis_chunks_iter_mut(Axis(1), strip * A::WIDTH);
            for (index, mut out) in strips.enumerate() {
                let panel = first / A::WIDTH + index * strip;
                let out_strip = out.view_mut();
                if x.nrows() <= WIDE_TILE {
                    self.strip::<WIDE_TILE>(job, x, out_strip, panel);
                } else if x.nrows() <= BLOCK {
                    self.strip::<BLOCK>(job, x, out_strip, panel);
                } else {
                    self.strip::<WIDE_BLOCK>(job, x, out_strip, panel);
                }
                match out.as_slice_mut() {
                    Some(all) => finish(all),
                    None => out.rows_mut().into_iter().for_each(|row| finish(contiguous(row))),
                }
            }
        }
    }

    /// At most `N` rows, and one strip of panels from `panel` on.
    fn strip<const N: usize>(
        &self,
        job: Job,
        x: ArrayView2<'_, A>,
        mut out: ArrayViewMut2<'_, A>,
        panel: usize,
    ) {
        let mut rows: [&[A]; N] = [&[]; N];
        let mut cells: [&mut [A]; N] = core::array::from_fn(|_| Default::default());
        let count = out.nrows();
        for (index, (cells, row)) in cells.iter_mut().zip(out.rows_mut()).enumerate() {
            *cells = contiguous(row);
            rows[index] = contiguous_row(x, index);
        }
        run(job, Block { map: self, x: &rows[..count], out: &mut cells[..count], panel });
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

/// The cells of a row of a result, which is in standard layout.
fn contiguous<A>(row: ArrayViewMut1<'_, A>) -> &mut [A] {
    row.into_slice().expect("a row of a standard layout is contiguous")
}

/// A row of inputs, whose rows were found to be contiguous.
fn contiguous_row<A>(x: ArrayView2<'_, A>, index: usize) -> &[A] {
    x.index_axis_move(Axis(0), index).to_slice().expect("rows are contiguous")
}
