//! Columns of an array whose rows are runs of memory: whole rows at a time, in three passes (maximum,
//! exponentials, quotients), without a copy. A few columns, which would not fill vectors, are read as if
//! as many rows as a vector has lanes were one.
//!
//! Every number is computed as in a walk along one lane, in the same order, so the bits are the same.
//! The rare cases are left to the tiles: lanes that are shifted by their maximum, chunks that are far
//! below the maximum of their lane, and long lanes in place.

use core::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use self::numbers::{Factors, Origins};
use self::passes::{Finish, Tops, Totals};
use super::input::Plain;
use super::lane::deepest;
use super::sum::{SHORT, Sum, chunk, is_shifted, mode, suffices};
use super::wide::{Wide, power_of_two};
use crate::element::Element;
use crate::lane::{Job, run_fused};

mod numbers;
mod passes;

/// Bytes of a tile. Short runs of memory in many rows cost more than reading a tile again from memory that
/// is farther away: of 4096 rows of 1000, whole ones take 0.7 of the time of runs of 512 bytes.
const TILE: usize = 64 << 20;
/// Bytes of the widest row: what is known of its columns stays in the first caches.
const WIDE: usize = 8 << 10;
/// Rows that are read together.
const ROWS: usize = 4;

/// Columns of `rows` elements that are walked together.
pub(super) fn width<A: Element>(rows: usize) -> usize {
    let fit = TILE / size_of::<A>() / rows.max(1);
    (fit / A::WIDTH * A::WIDTH).clamp(ROWS * A::WIDTH, WIDE / size_of::<A>())
}

/// The softmax, or its logarithm, of every column of `x`, or of `out` where there is none, into the same
/// column of `out`; returns whether this was done. Otherwise nothing was lost: `x`, or `out` where there is
/// none, is as it was.
pub(super) fn stream<A: Element, const LOG: bool>(
    job: Job,
    x: Option<&ArrayView2<'_, A>>,
    out: &mut ArrayViewMut2<'_, A>,
) -> bool {
    let (rows, columns) = out.dim();
    if !job.is_fused() || rows == 0 || x.is_none() && rows > chunk::<A>() {
        return false;
    }
    if let Some(flat) = flat::<A>(rows, columns)
        && out.is_standard_layout()
        && x.is_none_or(|x| x.is_standard_layout())
        && let Some(out) = out.as_slice_mut()
    {
        let split = out.len() / flat * flat;
        let (x, x_tail) = x.and_then(|x| x.to_slice()).map(|x| x.split_at(split)).unzip();
        let (out, tail) = out.split_at_mut(split);
        let xs: Option<Vec<&[A]>> = x.map(|x| x.chunks_exact(flat).collect());
        let mut outs: Vec<&mut [A]> = out.chunks_exact_mut(flat).collect();
        let (xs, tail) = (xs.as_deref(), (x_tail, tail));
        let outs = &mut outs;
        return Stream::<A, LOG> { job, xs, outs, tail, columns, round: A::WIDTH }.run();
    }
    // Without an input of its own the last vector of a row may not overlap the one before.
    if columns < A::WIDTH || x.is_none() && !columns.is_multiple_of(A::WIDTH) {
        return false;
    }
    let xs: Option<Option<Vec<&[A]>>> =
        x.map(|x| x.outer_iter().map(|row| row.to_slice()).collect());
    if xs == Some(None) {
        return false;
    }
    let outs: Option<Vec<&mut [A]>> = out.outer_iter_mut().map(|row| row.into_slice()).collect();
    let Some(mut outs) = outs else {
        return false;
    };
    let (xs, tail) = (xs.as_ref().and_then(Option::as_deref), (None, &mut [][..]));
    Stream::<A, LOG> { job, xs, outs: &mut outs, tail, columns, round: 1 }.run()
}

/// The length of as many rows as a vector has lanes, where that is the better way to read them.
fn flat<A: Element>(rows: usize, columns: usize) -> Option<usize> {
    let last = rows % chunk::<A>();
    let few = columns < ROWS * A::WIDTH && !columns.is_multiple_of(A::WIDTH);
    // A chunk that is added in order has no accumulators for a vector.
    (few && rows > SHORT && (last == 0 || last > SHORT)).then_some(columns * A::WIDTH)
}

/// Rows of one length, at least that of a vector.
struct Stream<'a, 'b, A, const LOG: bool> {
    job: Job,
    xs: Option<&'b [&'a [A]]>,
    outs: &'b mut [&'a mut [A]],
    /// What is left of an array that is read flat.
    tail: (Option<&'a [A]>, &'a mut [A]),
    /// Lanes.
    columns: usize,
    /// Elements of a lane in each row: 1, or as many as a vector has lanes where arrays are read flat.
    round: usize,
}

/// Numbers of the lanes in a chunk, in whole vectors.
struct Known<A> {
    tops: Vec<A>,
    floors: Vec<A>,
    offsets: Vec<A>,
    exponents: Vec<A>,
    largest: Vec<Wide>,
    /// Which vectors are to be counted.
    open: Vec<bool>,
}

/// The sums of the lanes.
struct Sums<A> {
    /// Of the whole lane.
    lanes: Vec<Sum<A>>,
    /// The binary exponents of each chunk of each lane.
    exponents: Vec<Vec<A>>,
}

impl<A: Element> Sums<A> {
    /// The vectors of lanes with one whose largest elements must be counted.
    fn open(&self) -> Vec<bool> {
        let open = |sum: &Sum<A>| !suffices(sum.rest, sum.largest);
        self.lanes.chunks_exact(A::WIDTH).map(|sums| sums.iter().any(open)).collect()
    }

    fn replace(&mut self, counted: &Self) {
        for (sum, counted) in self.lanes.iter_mut().zip(&counted.lanes) {
            if !suffices(sum.rest, sum.largest) {
                *sum = *counted;
            }
        }
    }
}

impl<A: Element, const LOG: bool> Stream<'_, '_, A, LOG> {
    #[inline(always)]
    fn width(&self) -> usize {
        self.columns * self.round
    }

    /// Where vector `v` of a row begins.
    #[inline(always)]
    fn place(&self, v: usize) -> usize {
        (v * A::WIDTH).min(self.width() - A::WIDTH)
    }

    /// Vectors of a row.
    #[inline(always)]
    fn vectors(&self) -> usize {
        self.width().div_ceil(A::WIDTH)
    }

    /// What is known of lanes, for each element of a row.
    fn expanded(&self, lanes: &[A]) -> Vec<A> {
        if self.round == 1 {
            return lanes.to_vec();
        }
        (0..self.width()).map(|i| lanes[i % self.columns]).collect()
    }

    /// Numbers of the elements of a row, for each lane in whole vectors.
    fn folded<T: Copy>(&self, all: &[T], f: impl Fn(T, T) -> T) -> Vec<T> {
        if self.round == 1 {
            return all.to_vec();
        }
        let mut all = all.to_vec();
        let mut half = self.round / 2;
        while half > 0 {
            let (low, high) = all.split_at_mut(half * self.columns);
            for (low, &high) in low.iter_mut().zip(&*high) {
                *low = f(*low, high);
            }
            half /= 2;
        }
        all.resize(self.columns.next_multiple_of(A::WIDTH), all[0]);
        all.truncate(self.columns.next_multiple_of(A::WIDTH));
        for i in self.columns..all.len() {
            all[i] = all[0];
        }
        all
    }

    #[inline(always)]
    fn source(&self, row: usize) -> &[A] {
        match self.xs {
            Some(xs) => xs[row],
            None => &*self.outs[row],
        }
    }

    fn run(mut self) -> bool {
        let rows = self.outs.len() * self.round + self.tail.1.len() / self.columns;
        let chunks = rows.div_ceil(chunk::<A>());
        let Some(sums) = (match (LOG, rows <= SHORT) {
            (false, _) => self.sums::<{ mode::STORE }>(chunks, Vec::new()),
            (true, false) => self.sums::<{ mode::ADD }>(chunks, Vec::new()),
            (true, true) => self.sums::<{ mode::COUNT }>(chunks, Vec::new()),
        }) else {
            return false;
        };
        let sums = if LOG && rows > SHORT { self.counted(chunks, sums) } else { Some(sums) };
        sums.is_some_and(|sums| self.finish(&sums))
    }

    /// With the largest elements counted, in lanes where that is better.
    fn counted(&mut self, chunks: usize, mut sums: Sums<A>) -> Option<Sums<A>> {
        let open = sums.open();
        if open.contains(&true) {
            if self.round > 1 {
                return None;
            }
            sums.replace(&self.sums::<{ mode::COUNT }>(chunks, open)?);
        }
        Some(sums)
    }

    /// The sums of the lanes, chunk by chunk; nothing where a lane is shifted.
    fn sums<const MODE: u8>(&mut self, chunks: usize, open: Vec<bool>) -> Option<Sums<A>> {
        let job = self.job;
        let mut all: Vec<Sum<A>> = Vec::new();
        let (mut exponents, mut open) = (Vec::new(), open);
        for index in 0..chunks {
            let (rows, last) = (self.rows(index), index + 1 == chunks);
            let tops = run_fused(job, Tops { stream: self, rows: rows.clone(), last });
            let zeros = vec![A::zero(); tops.len()];
            let mut known = Known {
                floors: zeros.clone(),
                offsets: zeros.clone(),
                exponents: zeros,
                largest: vec![Wide::ZERO; tops.len()],
                tops,
                open,
            };
            if !run_fused(job, Origins { known: &mut known, alone: chunks == 1 }) {
                return None;
            }
            let totals = Totals::<A, LOG, MODE> { stream: self, known: &known, rows, last };
            let (totals, counts) = run_fused(job, totals);
            let totals = totals.iter().flat_map(|totals| &totals[..A::WIDTH]);
            for (i, (&rest, &count)) in totals.zip(&counts).enumerate() {
                let next = Sum {
                    max: known.tops[i],
                    exponent: known.exponents[i].to_f64() as i32,
                    rest,
                    largest: known.largest[i],
                    count: count.to_f64(),
                };
                match all.get_mut(i) {
                    Some(sum) => *sum = sum.merge(next),
                    None => all.push(next),
                }
            }
            exponents.push(known.exponents);
            open = known.open;
        }
        if chunks > 1 && all.iter().any(|sum| is_shifted(Plain, sum.max)) {
            return None;
        }
        Some(Sums { lanes: all, exponents })
    }

    /// The rows of a chunk.
    fn rows(&self, chunk_index: usize) -> Range<usize> {
        let size = chunk::<A>() / self.round;
        chunk_index * size..self.outs.len().min((chunk_index + 1) * size)
    }

    /// The results; nothing is done where a chunk is too far below its lane.
    fn finish(&mut self, sums: &Sums<A>) -> bool {
        let job = self.job;
        let distance = |exponent: A, sum: &Sum<A>| exponent.to_f64() as i32 - sum.exponent;
        let far = |exponents: &Vec<A>| {
            exponents.iter().zip(&sums.lanes).any(|(&e, sum)| distance(e, sum) < deepest::<A>())
        };
        if !LOG && sums.exponents.iter().any(far) {
            return false;
        }
        let (factors, crowns) = run_fused(job, Factors::<A, LOG> { sums: &sums.lanes });
        let factors = factors.map(|factors| self.expanded(&factors));
        let crowns = crowns.map(|crowns| self.expanded(&crowns));
        for (index, exponents) in sums.exponents.iter().enumerate() {
            let (rows, last) = (self.rows(index), index + 1 == sums.exponents.len());
            let same = exponents.iter().zip(&sums.lanes).all(|(&e, sum)| distance(e, sum) == 0);
            let plain = LOG || same && crowns.is_none();
            let rare = (!plain).then(|| {
                let power = |(&e, sum)| A::from_f64(power_of_two(distance(e, sum)));
                let powers: Vec<A> = exponents.iter().zip(&sums.lanes).map(power).collect();
                let none = vec![A::zero(); factors[0].len()];
                [self.expanded(&powers), crowns.clone().unwrap_or(none)]
            });
            run_fused(job, Finish { stream: self, rows, last, factors: &factors, rare });
        }
        true
    }
}
