//! Gradients of columns whose rows are runs of memory: whole rows, one after the other. A few columns, which would not fill
//! vectors, are read as if as many rows as a lane has accumulators were one.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::super::max::{load_padded, store_part};
use super::super::total::{Packed, Total, WIDEST, add, packed, single, unpacked};
use super::super::wide::Wide;
use super::{gradient, plus};
use crate::element::Element;
use crate::lane::{Job, Kernel, LaneIo, run_fused};
use crate::math::Pair;

/// Rows that are added together.
const ROWS: usize = 4;
/// Bytes of a row that go together: their accumulators take 32 times as many (`f64` 16 times), which the second-level cache
/// still has. Parts of rows are slow from memory: 4096 rows of 1000 take 0.4 of the time of halves, 1000 of 4096 as long.
const WIDE: usize = 16 << 10;

/// Columns, at most, that are read as if several rows were one, in vectors.
const FEW: usize = 4;

/// The gradients of columns whose rows are runs of memory; returns whether they are.
pub(super) fn columns<A: Element, const LOG: bool>(
    dy: Option<&ArrayView2<'_, A>>,
    y: &ArrayView2<'_, A>,
    out: &mut ArrayViewMut2<'_, A>,
) -> bool {
    let job = Job::new();
    if !job.is_fused() {
        return false;
    }
    let columns = out.ncols();
    let few =
        columns < FEW * A::WIDTH && !columns.is_multiple_of(A::WIDTH) && y.nrows() >= A::WIDTH;
    let whole = out.is_standard_layout() && y.is_standard_layout();
    let is_flat = few && whole && dy.is_none_or(|dy| dy.is_standard_layout());
    let flat = is_flat.then_some(columns * A::WIDTH);
    let dy = match dy.map(|dy| rows(dy, flat)) {
        Some(None) => return false,
        Some(dy) => dy,
        None => None,
    };
    let outs: Option<Vec<&mut [A]>> = match flat {
        Some(size) => out.as_slice_mut().map(|out| out.chunks_mut(size).collect()),
        None => out.outer_iter_mut().map(|row| row.into_slice()).collect(),
    };
    let (Some(y), Some(mut out)) = (rows(y, flat), outs) else {
        return false;
    };
    let (dy, flat) = (dy.as_deref(), flat.map(|_| columns));
    run_fused(job, Columns::<A, LOG> { y: &y, dy, out: &mut out, flat });
    true
}

/// The rows, or runs of so many elements.
fn rows<'a, A>(x: &'a ArrayView2<'_, A>, flat: Option<usize>) -> Option<Vec<&'a [A]>> {
    match flat {
        Some(size) => x.to_slice().map(|x| x.chunks(size).collect()),
        None => x.outer_iter().map(|row| row.to_slice()).collect(),
    }
}

/// Rows of columns of gradients.
struct Columns<'a, 'b, A, const LOG: bool> {
    y: &'b [&'a [A]],
    /// The old elements of the output where there are none.
    dy: Option<&'b [&'a [A]]>,
    out: &'b mut [&'a mut [A]],
    /// The columns, where a run has a row for each accumulator of a lane, but the last, which may have fewer.
    flat: Option<usize>,
}

impl<A: Element, const LOG: bool> Kernel for Columns<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let columns = self.out.first().map_or(0, |row| row.len());
        let (mut totals, mut at) = (Vec::new(), 0);
        while at < columns {
            let end = match self.flat {
                Some(_) => columns,
                None => columns.min(at + WIDE / size_of::<A>()),
            };
            self.sums(simd, at..end, &mut totals);
            for row in 0..self.y.len() {
                self.finish(simd, at..end.min(self.y[row].len()), &totals, row);
            }
            at = end;
        }
    }
}

impl<A: Element, const LOG: bool> Columns<'_, '_, A, LOG> {
    /// The sums of these columns, a vector after the other, in the first of `totals`.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, place: Range<usize>, totals: &mut Vec<Packed>) {
        let vectors = place.len().div_ceil(A::WIDTH);
        let period = if self.flat.is_some() { 1 } else { A::WIDTH };
        totals.clear();
        // Accumulator `j` of each lane, as in rows.
        totals.resize(period * vectors, [0.0; WIDEST]);
        // The last run may be shorter.
        let rows = match (self.flat, self.y) {
            (Some(_), [all @ .., last]) if last.len() < place.len() => all.len(),
            _ => self.y.len(),
        };
        for begin in (0..rows).step_by(ROWS * period) {
            for (j, totals) in totals.chunks_exact_mut(vectors).enumerate() {
                let mut row = begin + j;
                if row + (ROWS - 1) * period < rows {
                    self.add::<S, ROWS>(simd, place.clone(), totals, (row, period));
                    continue;
                }
                while row < rows {
                    self.add::<S, 1>(simd, place.clone(), totals, (row, period));
                    row += period;
                }
            }
        }
        if rows < self.y.len() {
            self.add::<S, 1>(simd, 0..self.y[rows].len(), totals, (rows, period));
        }
        if const { !single::<A>() } {
            for total in &mut *totals {
                let sum = Total::unpack::<A>(simd, total);
                let first = Pair::sum(sum.first.high, sum.first.low);
                *total = Total { first, ..sum }.pack::<A>();
            }
        }
        if let Some(columns) = self.flat {
            return fold_flat::<A>(totals, columns);
        }
        // Others are zero.
        let mut half = rows.min(period).next_power_of_two() / 2;
        while half > 0 {
            let (low, high) = totals.split_at_mut(half * vectors);
            for (total, other) in low.iter_mut().zip(&*high) {
                let other = Total::unpack::<A>(simd, other);
                *total = Total::unpack::<A>(simd, total).plus::<A>(other).pack::<A>();
            }
            half /= 2;
        }
    }

    /// Row `first` and others, `period` rows apart.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(
        &self,
        simd: S,
        place: Range<usize>,
        totals: &mut [Packed],
        (first, period): (usize, usize),
    ) {
        let (mut ys, mut dys) = ([&[][..]; N], [&[][..]; N]);
        for (r, (y, dy)) in ys.iter_mut().zip(&mut dys).enumerate() {
            let row = first + r * period;
            *y = &self.y[row][place.clone()];
            *dy = &self.dy.map_or(&*self.out[row], |dy| dy[row])[place.clone()];
        }
        let whole = place.len() / A::WIDTH;
        for (v, total) in totals[..whole].iter_mut().enumerate() {
            let mut sum = Total::unpack::<A>(simd, total);
            let at = v * A::WIDTH..(v + 1) * A::WIDTH;
            for (y, dy) in ys.iter().zip(&dys) {
                let y = A::Lanes::<S>::load(simd, &y[at.clone()]);
                sum = plus::<S, A, LOG>(sum, y, A::Lanes::<S>::load(simd, &dy[at.clone()]));
            }
            *total = sum.pack::<A>();
        }
        if let Some(total) = totals.get_mut(whole) {
            let mut sum = Total::unpack::<A>(simd, total);
            for (y, dy) in ys.iter().zip(&dys) {
                let y = load_padded::<S, A>(simd, &y[whole * A::WIDTH..], A::zero());
                let dy = load_padded::<S, A>(simd, &dy[whole * A::WIDTH..], A::zero());
                sum = plus::<S, A, LOG>(sum, y, dy);
            }
            *total = sum.pack::<A>();
        }
    }

    /// The gradients of these columns in a row.
    #[inline(always)]
    fn finish<S: Simd>(&mut self, simd: S, place: Range<usize>, totals: &[Packed], row: usize) {
        let (y, out) = (&self.y[row][place.clone()], &mut self.out[row][place.clone()]);
        let dy = self.dy.map(
            #[inline(always)]
            |dy| &dy[row][place.clone()],
        );
        let whole = y.len() / A::WIDTH;
        for (v, total) in totals[..whole].iter().enumerate() {
            let at = v * A::WIDTH..(v + 1) * A::WIDTH;
            let sum = Total::unpack::<A>(simd, total);
            let dy = A::Lanes::<S>::load(simd, &dy.unwrap_or(out)[at.clone()]);
            let y = A::Lanes::<S>::load(simd, &y[at.clone()]);
            gradient::<S, _, LOG>(y, dy, sum).store(&mut out[at]);
        }
        let rest = whole * A::WIDTH;
        if rest < y.len() {
            let sum = Total::unpack::<A>(simd, &totals[whole]);
            let dy = load_padded::<S, A>(simd, &dy.unwrap_or(out)[rest..], A::zero());
            let y = load_padded::<S, A>(simd, &y[rest..], A::zero());
            store_part::<S, A>(gradient::<S, _, LOG>(y, dy, sum), &mut out[rest..]);
        }
    }
}

/// The sums of columns, from those of the elements of a run, in each place of the run that belongs to the column.
fn fold_flat<A: Element>(totals: &mut Vec<Packed>, columns: usize) {
    let mut each: Vec<Wide> = totals.iter().flat_map(unpacked::<A>).collect();
    let mut half = A::WIDTH / 2;
    while half > 0 {
        let (low, high) = each.split_at_mut(half * columns);
        for (low, &high) in low.iter_mut().zip(&*high) {
            *low = add::<A>(*low, high);
        }
        half /= 2;
    }
    for i in columns..each.len() {
        each[i] = each[i - columns];
    }
    totals.clear();
    totals.extend(each.chunks(A::WIDTH).map(packed::<A>));
}
