//! Columns of an array whose rows are runs of memory: whole rows at a time, in three passes (maximum,
//! exponentials, quotients), without a copy. A few columns, which would not fill vectors, are read as if
//! as many rows as a vector has lanes were one.
//!
//! Every number is computed as in a walk along one lane, in the same order, so the bits are the same. Threads take whole
//! rows too ([`parts`]).
//! The rare cases are left to others: lanes that are shifted by their maximum, and chunks that are far below the maximum of
//! their lane.

use core::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use self::parts::Parts;
use super::sum::{SHORT, chunk};
use super::total::single;
use crate::activation::Cost;
use crate::apply::is_of_amd;
use crate::apply::parallel::{self, singles};
use crate::element::Element;
use crate::lane::Job;

mod again;
mod numbers;
mod parts;
mod passes;

/// Bytes of a tile. Short runs of memory in many rows cost more than reading a tile again from memory that
/// is farther away: of 4096 rows of 1000, whole ones take 0.7 of the time of runs of 512 bytes.
const TILE: usize = 64 << 20;
/// Bytes of the widest row: what is known of its columns stays in the first caches.
const WIDE: usize = 8 << 10;
/// Bytes of the longest short row and of the shortest long one of which one thread of AMD's processors makes exponentials
/// again, in arrays that are far from the caches: columns take 0.79 to 0.9 of the time so. Of those between it would take
/// 0.87 to 1.24. Two threads make them again there, since memory limits them sooner (0.74 to 0.93), and wherever they take
/// rows in turn, since those beside the rows of another thread had better not be written (0.69 to 0.94 near the caches).
const AGAIN: [usize; 2] = [256, 32 << 10];
/// Rows that are read together.
const ROWS: usize = 4;
/// How many times as many elements as elsewhere are worth two threads: they meet three times here.
const MEETINGS: usize = 8;

/// Columns of `rows` elements that are walked together.
pub(super) fn width<A: Element>(rows: usize) -> usize {
    let fit = TILE / size_of::<A>() / rows.max(1);
    (fit / A::WIDTH * A::WIDTH).clamp(ROWS * A::WIDTH, WIDE / size_of::<A>())
}

/// The softmax, or its logarithm, of every column of `x`, or of `out` where there is none, into the same
/// column of `out`; returns whether this was done. Otherwise nothing was lost: `x`, or `out` where there is
/// none, is as it was. `far` is whether they are part of an array that [`is_far`](super::rows::is_far).
pub(super) fn stream<A: Element, const LOG: bool>(
    job: Job,
    far: bool,
    x: Option<&ArrayView2<'_, A>>,
    out: &mut ArrayViewMut2<'_, A>,
) -> bool {
    let (rows, columns) = out.dim();
    if !job.is_fused() || rows == 0 {
        return false;
    }
    let threads = || parallel::threads(Cost::Moderate, singles::<A>(rows * columns), MEETINGS);
    let again = const { single::<A>() } && {
        let row = columns * size_of::<A>();
        let one = row <= AGAIN[0] || row >= AGAIN[1];
        let in_turn = is_of_amd() && dealt::<A>(rows, columns);
        far && one || (far || in_turn) && threads() > 1
    };
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
        let tail = (x_tail, tail);
        let (xs, outs) = (xs.as_deref(), &mut outs[..]);
        let all = Stream::<A, LOG> {
            job,
            xs,
            outs,
            tail,
            columns,
            round: A::WIDTH,
            share: 1,
            first: 0,
            again,
        };
        return all.by_chunks(if rows > chunk::<A>() { threads() } else { 1 }).run();
    }
    // Without an input of its own the last vector of a row may not overlap the one before.
    if columns < A::WIDTH || x.is_none() && !columns.is_multiple_of(A::WIDTH) {
        return false;
    }
    let share =
        if dealt::<A>(rows, columns) { threads().min(A::WIDTH).next_power_of_two() } else { 1 };
    let mut xs: Option<Vec<Vec<&[A]>>> = None;
    if let Some(x) = x {
        let Some(dealt) = deal::<A, _>(x.outer_iter().map(|row| row.to_slice()), rows, share)
        else {
            return false;
        };
        xs = Some(dealt);
    }
    let Some(mut outs) =
        deal::<A, _>(out.outer_iter_mut().map(|row| row.into_slice()), rows, share)
    else {
        return false;
    };
    let mut xs = xs.iter().flatten();
    let streams = outs.iter_mut().map(|outs| {
        let (xs, tail) = (xs.next().map(Vec::as_slice), (None, &mut [][..]));
        Stream::<A, LOG> { job, xs, outs, tail, columns, round: 1, share, first: 0, again }
    });
    let mut streams: Vec<_> = streams.collect();
    match streams.pop() {
        Some(all) if share == 1 && rows > chunk::<A>() => all.by_chunks(threads()).run(),
        last => {
            streams.extend(last);
            Parts { streams, rows }.run()
        }
    }
}

/// The length of as many rows as a vector has lanes, where that is the better way to read them.
fn flat<A: Element>(rows: usize, columns: usize) -> Option<usize> {
    let few = columns < ROWS * A::WIDTH && !columns.is_multiple_of(A::WIDTH);
    (few && has_accumulators::<A>(rows)).then_some(columns * A::WIDTH)
}

/// Whether threads can share the rows of so many columns.
pub(super) fn shares<A: Element>(rows: usize, columns: usize) -> bool {
    rows > chunk::<A>() || dealt::<A>(rows, columns)
}

/// Whether threads take rows in turn: not where these are shorter than the cache lines that a core fetches at once.
fn dealt<A: Element>(rows: usize, columns: usize) -> bool {
    has_accumulators::<A>(rows) && columns * size_of::<A>() >= 512
}

/// Whether each chunk has accumulators beside each other; one that is added in order has not.
fn has_accumulators<A: Element>(rows: usize) -> bool {
    let last = rows % chunk::<A>();
    rows > SHORT && (last == 0 || last > SHORT)
}

/// The rows to so many, or nothing where one is nothing: in turn as many rows that follow each other as have accumulators
/// of their own, so that few rows have a neighbour that another thread writes.
pub(super) fn deal<A: Element, T>(
    all: impl Iterator<Item = Option<T>>,
    rows: usize,
    share: usize,
) -> Option<Vec<Vec<T>>> {
    let together = A::WIDTH / share;
    let most = rows.div_ceil(A::WIDTH) * together;
    let mut hands: Vec<Vec<T>> = (0..share).map(|_| Vec::with_capacity(most)).collect();
    for (i, one) in all.enumerate() {
        hands[i / together % share].push(one?);
    }
    Some(hands)
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
    /// Streams that rows were dealt to: a power of two, at most the lanes of a vector, so that each has some of the
    /// accumulators of every lane.
    share: usize,
    /// The first of its chunks.
    first: usize,
    /// Whether the exponentials of softmax are made again for the results. Kept in the output they would go to memory twice.
    again: bool,
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

    /// How many chunks its rows belong to.
    fn chunks(&self) -> usize {
        let tail = usize::from(!self.tail.1.is_empty());
        (self.outs.len() * self.share + tail).div_ceil(chunk::<A>() / self.round)
    }

    /// Its rows in one of its chunks.
    fn rows(&self, chunk_index: usize) -> Range<usize> {
        let size = chunk::<A>() / self.round / self.share;
        let len = self.outs.len();
        (chunk_index * size).min(len)..len.min((chunk_index + 1) * size)
    }
}

#[cfg(test)]
mod tests {
    use super::stream;
    use crate::element::Element;
    use crate::lane::{Job, Level, with_level};
    use ndarray::Array2;

    fn results<A: Element>(x: &Array2<A>, in_place: bool, far: bool) -> Option<Vec<u64>> {
        let mut out = if in_place { x.clone() } else { Array2::zeros(x.raw_dim()) };
        let (x, job) = ((!in_place).then(|| x.view()), Job::new());
        let done = stream::<A, false>(job, far, x.as_ref(), &mut out.view_mut());
        done.then(|| out.iter().map(|y| Element::to_f64(*y).to_bits()).collect())
    }

    /// On every machine, whatever the size of the array.
    #[test]
    fn exponentials_that_are_made_again_have_the_same_bits() {
        for level in Level::available() {
            with_level(level, || {
                if Job::new().is_fused() {
                    check()
                }
            });
        }
    }

    /// Whole rows, rows that are read flat, several chunks, lanes whose chunks are far apart and lanes of one element that
    /// is nearly all of the sum.
    fn check() {
        for (rows, columns) in [(65, 64), (300, 8200), (999, 10), (4100, 48), (9000, 16), (5001, 3)]
        {
            let mut x = Array2::from_shape_fn((rows, columns), |(i, j)| {
                ((i * i + 7 * j) % 1013) as f32 / 80.0 - (i / 4096 * 15 + j % 8) as f32
            });
            x[[rows / 2, columns / 2]] = 30.0;
            let near = results(&x, false, false).expect("into a buffer");
            assert_eq!(results(&x, false, true), Some(near.clone()), "{rows} x {columns}");
            for far in [false, true] {
                let in_place = results(&x, true, far);
                assert!(in_place.is_none_or(|y| y == near), "{rows} x {columns} in place, {far}");
            }
            // Chunks so far below the lane that kept exponentials would be lost.
            x.indexed_iter_mut().filter(|((i, _), _)| *i < rows / 2).for_each(|(_, x)| *x -= 150.0);
            let far = results(&x, false, true).expect("nothing stands in the way");
            let in_place = results(&x, true, true);
            assert!(in_place.is_none_or(|y| y == far), "{rows} x {columns}");
            if let Some(near) = results(&x, false, false) {
                assert_eq!(far, near, "{rows} x {columns}");
            }
            let double = x.mapv(f64::from);
            assert_eq!(results(&double, false, true), results(&double, false, false));
            // What is not a number makes all of its lane so, what is infinitely low nothing.
            x.mapv_inplace(|x| if x < -100.0 { x + 150.0 } else { x });
            (x[[rows - 1, 0]], x[[3, 1]]) = (f32::NAN, f32::NEG_INFINITY);
            let far = results(&x, false, true).expect("no lane is shifted");
            assert_eq!(Some(&far), results(&x, false, false).as_ref(), "{rows} x {columns}");
            let zeros = far.iter().filter(|&&y| y == 0).count();
            let nan = far.iter().filter(|&&y| f64::from_bits(y).is_nan()).count();
            assert!(zeros > 0 && nan == rows, "{rows} x {columns}: {zeros} zeros, {nan} NaN");
        }
    }
}
