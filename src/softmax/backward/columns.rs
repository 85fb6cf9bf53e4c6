//! Gradients of columns whose rows are runs of memory: whole rows, one after the other. A few columns, which would not fill
//! vectors, are read as if as many rows as a lane has accumulators were one. Threads take rows in turn.

use core::marker::PhantomData;
use core::ops::Range;

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::super::max::{load_padded, store_part};
use super::super::stream::deal;
use super::super::total::{Packed, Total, WIDEST, add, fold_packed, packed, single, unpacked};
use super::super::wide::Wide;
use super::{gradient, plus};
use crate::activation::Cost;
use crate::apply::parallel::{self, singles};
use crate::element::Element;
use crate::lane::{Job, Kernel, LaneIo, run_fused};
use crate::math::Pair;

/// Rows that are added together.
const ROWS: usize = 4;
/// Bytes of a row that go together: their accumulators take 32 times as many (`f64` 16 times), which the second-level cache
/// still has. Parts of rows are slow from memory: 4096 rows of 1000 take 0.4 of the time of halves, 1000 of 4096 as long.
const WIDE: usize = 16 << 10;

/// How many times as many elements as elsewhere are worth two threads, which meet twice: 64 x 1024 would take 1.2 to 1.4 of
/// the time of one, 512 x 512 take 0.65.
const MEETINGS: usize = 4;
/// Columns, at most, that are read as if several rows were one, in vectors.
const FEW: usize = 4;

/// Whether threads take rows in turn, of a plane of so many rows and columns: not those of less than some cache lines.
pub(super) fn shares<A: Element>(rows: usize, columns: usize) -> bool {
    rows >= A::WIDTH && columns * size_of::<A>() >= 512
}

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
    let (len, columns) = out.dim();
    let few = columns < FEW * A::WIDTH && !columns.is_multiple_of(A::WIDTH) && len >= A::WIDTH;
    let whole = out.is_standard_layout() && y.is_standard_layout();
    let is_flat = few && whole && dy.is_none_or(|dy| dy.is_standard_layout());
    let flat = is_flat.then_some(columns * A::WIDTH);
    let mut share = 1;
    if !is_flat && shares::<A>(len, columns) {
        let threads = parallel::threads(Cost::Moderate, singles::<A>(len * columns), MEETINGS);
        share = threads.min(A::WIDTH).next_power_of_two();
    }
    let dy = match dy.map(|dy| rows(dy, flat, share)) {
        Some(None) => return false,
        dy => dy.flatten(),
    };
    let outs = match flat {
        Some(size) => out.as_slice_mut().map(|out| vec![out.chunks_mut(size).collect()]),
        None => deal::<A, _>(out.outer_iter_mut().map(|row| row.into_slice()), len, share),
    };
    let (Some(y), Some(outs)) = (rows(y, flat, share), outs) else {
        return false;
    };
    let mut dy = dy.map(Vec::into_iter);
    // Those of short columns have a row each.
    let accumulators = A::WIDTH.min(len.next_power_of_two());
    let period = if is_flat { 1 } else { accumulators / share };
    let part = |(y, out)| {
        let dy = dy.as_mut().and_then(Iterator::next);
        Part { y, dy, out, period }
    };
    let parts: Vec<Part<'_, A>> = y.into_iter().zip(outs).map(part).collect();
    let width = parts[0].out.first().map_or(0, |row: &&mut [A]| row.len());
    let wide = if is_flat { width } else { WIDE / size_of::<A>() };
    let work = |step: &Step, part: &mut Part<'_, A>| match step {
        Step::Sums(place) => run_fused(job, Sums::<A, LOG> { part, place: place.clone() }),
        Step::Finish(place, totals) => {
            run_fused(job, Finish::<A, LOG> { part, place: place.clone(), totals });
            Vec::new()
        }
    };
    parallel::team(parts, work, |ask| {
        for at in (0..width).step_by(wide.max(1)) {
            let place = at..width.min(at + wide);
            let parts = ask(Step::Sums(place.clone()));
            let flat = is_flat.then_some(columns);
            let totals = run_fused(job, Fold::<A> { parts, rows: len, flat, of: PhantomData });
            ask(Step::Finish(place, totals));
        }
    });
    true
}

/// The rows, dealt to so many, or runs of so many elements.
fn rows<'a, A: Element>(
    x: &'a ArrayView2<'_, A>,
    flat: Option<usize>,
    share: usize,
) -> Option<Vec<Vec<&'a [A]>>> {
    match flat {
        Some(size) => x.to_slice().map(|x| vec![x.chunks(size).collect()]),
        None => deal::<A, _>(x.outer_iter().map(|row| row.to_slice()), x.nrows(), share),
    }
}

/// What threads do with their rows.
enum Step {
    /// They find the sums of these columns,
    Sums(Range<usize>),
    /// or write the gradients.
    Finish(Range<usize>, Vec<Packed>),
}

/// The rows of a thread.
struct Part<'a, A> {
    y: Vec<&'a [A]>,
    /// The old elements of the output where there are none.
    dy: Option<Vec<&'a [A]>>,
    out: Vec<&'a mut [A]>,
    /// The accumulators of a lane that these rows belong to, in turn. One where a run has a row for each of them; the last
    /// run may have fewer.
    period: usize,
}

/// Sums of columns, a vector after the other for each accumulator.
struct Sums<'s, 'a, A, const LOG: bool> {
    part: &'s Part<'a, A>,
    place: Range<usize>,
}

impl<A: Element, const LOG: bool> Kernel for Sums<'_, '_, A, LOG> {
    type Output = Vec<Packed>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<Packed> {
        let Self { part, place } = self;
        let (vectors, period) = (place.len().div_ceil(A::WIDTH), part.period);
        let mut totals = vec![[0.0; WIDEST]; period * vectors];
        let rows = match &part.y[..] {
            [all @ .., last] if last.len() < place.end => all.len(),
            all => all.len(),
        };
        for begin in (0..rows).step_by(ROWS * period) {
            for (j, totals) in totals.chunks_exact_mut(vectors).enumerate() {
                let mut row = begin + j;
                if row + (ROWS - 1) * period < rows {
                    part.add::<S, LOG, ROWS>(simd, place.clone(), totals, row);
                    continue;
                }
                while row < rows {
                    part.add::<S, LOG, 1>(simd, place.clone(), totals, row);
                    row += period;
                }
            }
        }
        if rows < part.y.len() {
            part.add::<S, LOG, 1>(simd, 0..part.y[rows].len(), &mut totals, rows);
        }
        totals
    }
}

/// The sums of columns from those of all parts, in each place of a row that belongs to the column.
struct Fold<A> {
    parts: Vec<Vec<Packed>>,
    rows: usize,
    flat: Option<usize>,
    of: PhantomData<A>,
}

impl<A: Element> Kernel for Fold<A> {
    type Output = Vec<Packed>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<Packed> {
        let Self { mut parts, rows, flat, .. } = self;
        if const { !single::<A>() } {
            for total in parts.iter_mut().flatten() {
                let sum = Total::unpack::<A>(simd, total);
                let first = Pair::sum(sum.first.high, sum.first.low);
                *total = Total { first, ..sum }.pack::<A>();
            }
        }
        if let Some(columns) = flat {
            return fold_flat::<A>(&parts.swap_remove(0), columns);
        }
        let used = rows.min(A::WIDTH).next_power_of_two();
        fold_packed::<S, A>(simd, parts, used)
    }
}

/// The same where the accumulators of each lane stand in one run.
fn fold_flat<A: Element>(totals: &[Packed], columns: usize) -> Vec<Packed> {
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
    each.chunks(A::WIDTH).map(packed::<A>).collect()
}

/// The gradients of these columns.
struct Finish<'s, 'a, A, const LOG: bool> {
    part: &'s mut Part<'a, A>,
    place: Range<usize>,
    totals: &'s [Packed],
}

impl<A: Element, const LOG: bool> Kernel for Finish<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { part, place, totals } = self;
        for row in 0..part.y.len() {
            let place = place.start..place.end.min(part.y[row].len());
            part.finish::<S, LOG>(simd, place, totals, row);
        }
    }
}

impl<A: Element> Part<'_, A> {
    /// Row `first` and others, `period` rows apart.
    #[inline(always)]
    fn add<S: Simd, const LOG: bool, const N: usize>(
        &self,
        simd: S,
        place: Range<usize>,
        totals: &mut [Packed],
        first: usize,
    ) {
        let (mut ys, mut dys) = ([&[][..]; N], [&[][..]; N]);
        for (r, (y, dy)) in ys.iter_mut().zip(&mut dys).enumerate() {
            let row = first + r * self.period;
            *y = &self.y[row][place.clone()];
            *dy = &self.dy.as_ref().map_or(&*self.out[row], |dy| dy[row])[place.clone()];
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
    fn finish<S: Simd, const LOG: bool>(
        &mut self,
        simd: S,
        place: Range<usize>,
        totals: &[Packed],
        row: usize,
    ) {
        let (y, out) = (&self.y[row][place.clone()], &mut self.out[row][place.clone()]);
        let dy = self.dy.as_ref().map(
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
