//! Gradients of columns whose rows are runs of memory: whole rows, one after the other.

use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::super::max::{load_padded, store_part};
use super::super::total::{Packed, Total, WIDEST};
use super::{gradient, plus};
use crate::element::Element;
use crate::lane::{Job, Kernel, LaneIo, run_fused};
use crate::math::Pair;

/// Rows that are added together.
const ROWS: usize = 4;
/// Bytes of a row that go together: their accumulators, sixteen for each `f32`, stay in the second-level cache.
const WIDE: usize = 2 << 10;

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
    fn rows<'a, A>(x: &'a ArrayView2<'_, A>) -> Option<Vec<&'a [A]>> {
        x.outer_iter().map(|row| row.to_slice()).collect()
    }
    let dy = match dy.map(rows) {
        Some(None) => return false,
        Some(dy) => dy,
        None => None,
    };
    let outs: Option<Vec<_>> = out.outer_iter_mut().map(|row| row.into_slice()).collect();
    let (Some(y), Some(mut out)) = (rows(y), outs) else {
        return false;
    };
    run_fused(job, Columns::<A, LOG> { y: &y, dy: dy.as_deref(), out: &mut out });
    true
}

/// Rows of columns of gradients.
struct Columns<'a, 'b, A, const LOG: bool> {
    y: &'b [&'a [A]],
    /// The old elements of the output where there are none.
    dy: Option<&'b [&'a [A]]>,
    out: &'b mut [&'a mut [A]],
}

impl<A: Element, const LOG: bool> Kernel for Columns<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let columns = self.out.first().map_or(0, |row| row.len());
        let (mut totals, mut at) = (Vec::new(), 0);
        while at < columns {
            let end = columns.min(at + WIDE / size_of::<A>());
            self.sums(simd, at..end, &mut totals);
            for row in 0..self.y.len() {
                self.finish(simd, at..end, &totals, row);
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
        totals.clear();
        // Accumulator `j` of each lane, as in rows.
        totals.resize(A::WIDTH * vectors, [0.0; WIDEST]);
        for begin in (0..self.y.len()).step_by(ROWS * A::WIDTH) {
            for (j, totals) in totals.chunks_exact_mut(vectors).enumerate() {
                let mut row = begin + j;
                if row + (ROWS - 1) * A::WIDTH < self.y.len() {
                    self.add::<S, ROWS>(simd, place.clone(), totals, row);
                    continue;
                }
                while row < self.y.len() {
                    self.add::<S, 1>(simd, place.clone(), totals, row);
                    row += A::WIDTH;
                }
            }
        }
        for total in &mut *totals {
            let sum = Total::unpack::<A>(simd, total);
            let first = Pair::sum(sum.first.high, sum.first.low);
            *total = Total { first, ..sum }.pack::<A>();
        }
        let mut half = A::WIDTH / 2;
        while half > 0 {
            let (low, high) = totals.split_at_mut(half * vectors);
            for (total, other) in low.iter_mut().zip(&*high) {
                let other = Total::unpack::<A>(simd, other);
                *total = Total::unpack::<A>(simd, total).plus::<A>(other).pack::<A>();
            }
            half /= 2;
        }
    }

    /// Row `first` and others, as many rows apart as there are accumulators.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(
        &self,
        simd: S,
        place: Range<usize>,
        totals: &mut [Packed],
        first: usize,
    ) {
        let (mut ys, mut dys) = ([&[][..]; N], [&[][..]; N]);
        for (r, (y, dy)) in ys.iter_mut().zip(&mut dys).enumerate() {
            let row = first + r * A::WIDTH;
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
