//! A matrix cut into panels: the storage of [`Affine`](super::Affine).

use core::ops::Range;

use ndarray::{Array2, ArrayRef, Ix2};

use crate::element::Element;

/// Cache lines are this long, and so are the vectors of one step of a panel.
pub(crate) const LINE: usize = 64;

/// The rows of a matrix, as many to a panel as a vector has lanes; inside a panel column after
/// column, so that one vector holds one column. Missing rows of the last panel are zeros.
#[derive(Debug)]
pub(crate) struct Panels<A> {
    /// The panels begin at `start`, on a cache line.
    cells: Vec<A>,
    start: usize,
    count: usize,
    /// Elements of one panel.
    len: usize,
}

impl<A: Element> Panels<A> {
    pub(crate) fn pack(matrix: &ArrayRef<A, Ix2>) -> Self {
        let (rows, columns) = matrix.dim();
        let count = rows.div_ceil(A::WIDTH);
        let mut panels = Self::zeros(count, columns * A::WIDTH);
        for (row, values) in matrix.rows().into_iter().enumerate() {
            let (panel, lane) = (row / A::WIDTH, row % A::WIDTH);
            let first = panels.start + panel * panels.len;
            let cells = panels.cells[first..first + panels.len].chunks_exact_mut(A::WIDTH);
            cells.zip(values).for_each(|(to, &from)| to[lane] = from);
        }
        panels
    }

    fn zeros(count: usize, len: usize) -> Self {
        let line = LINE / size_of::<A>();
        let cells = vec![A::zero(); count * len + line];
        // An offset that does not exist costs speed, not correctness.
        let start = cells.as_ptr().align_offset(LINE).min(line);
        Self { cells, start, count, len }
    }

    pub(crate) fn unpack(&self, rows: usize, columns: usize) -> Array2<A> {
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            let (panel, lane) = (row / A::WIDTH, row % A::WIDTH);
            self.cells[self.start + panel * self.len + column * A::WIDTH + lane]
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Some columns of one panel, each [`Element::WIDTH`] long.
    #[inline(always)]
    pub(crate) fn steps(&self, panel: usize, columns: &Range<usize>) -> &[A] {
        let first = self.start + panel * self.len;
        &self.cells[first + columns.start * A::WIDTH..first + columns.end * A::WIDTH]
    }
}

impl<A: Element> Clone for Panels<A> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.count, self.len);
        let len = self.count * self.len;
        copy.cells[copy.start..copy.start + len]
            .copy_from_slice(&self.cells[self.start..self.start + len]);
        copy
    }
}
