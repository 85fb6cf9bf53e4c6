//! Long lanes in place, without a copy of the whole lane: that would be written by one thread and read by all.

use super::input::Plain;
use super::lane::{Logarithm, finish_chunk, log_softmax, reduce_by, softmax};
use super::sum::{Sum, chunk, is_shifted, merged, mode, suffices, sums_below, tops};
use crate::activation::Cost;
use crate::apply::beyond_cache;
use crate::apply::parallel::{self, singles};
use crate::element::Element;
use crate::lane::Job;

/// How many times as many elements as elsewhere are worth two threads, which meet three times. Each has one piece: what it
/// wrote in one step it reads in the next.
const MEETINGS: usize = 4;
/// Bytes of the longest lane that a single thread copies as a whole.
const COPIED: usize = 512 << 10;

fn threads<A>(len: usize) -> usize {
    parallel::threads(Cost::Moderate, singles::<A>(len), MEETINGS)
}

/// Whether softmax of a lane of so many elements is better than that of a copy: 0.5 to 0.7 of the time where threads would
/// share the copy, 0.3 from memory; elsewhere it would take 1.05 to 1.1. Logarithms need no copy of any part.
pub(super) fn is_better<A, const LOG: bool>(len: usize) -> bool {
    let is_shared = || parallel::threads(Cost::Moderate, singles::<A>(len), 1) > 1;
    LOG || len * size_of::<A>() > COPIED || is_shared()
}

/// The softmax of a lane of more than a chunk, or its logarithm, in place of its elements.
pub(super) fn in_place<A: Element, const LOG: bool>(job: Job, out: &mut [A]) {
    if overwritten::<A, LOG>(job, out) {
        return;
    }
    let x = out.to_vec();
    if LOG {
        log_softmax(job, false, &x, out);
    } else {
        softmax(job, Plain, false, &x, out);
    }
}

/// What threads do with their pieces.
enum Step<A> {
    /// They find the largest elements of chunks,
    Tops,
    /// the sums,
    Sums,
    /// or those of all but the largest,
    Counts,
    /// or write the results, from the sum of the lane and its logarithm.
    Finish(Sum<A>, A),
}

/// Whole chunks of a lane, but for the last.
struct Piece<'a, A> {
    out: &'a mut [A],
    sums: Vec<Sum<A>>,
}

impl<A: Element> Piece<'_, A> {
    /// A step; returns the sums.
    fn work<const LOG: bool>(&mut self, job: Job, step: &Step<A>) -> Vec<Sum<A>> {
        let Self { out, sums } = self;
        match *step {
            Step::Tops => *sums = tops(job, out),
            Step::Sums if LOG => sums_below::<A, { mode::ADD }>(job, out, &mut [], sums),
            Step::Counts => sums_below::<A, { mode::COUNT }>(job, out, &mut [], sums),
            Step::Sums => {
                let mut copy = Vec::with_capacity(chunk::<A>());
                let chunks = out.chunks_mut(chunk::<A>());
                for (out, sum) in chunks.zip(sums.chunks_mut(1)) {
                    copy.clear();
                    copy.extend_from_slice(out);
                    sums_below::<A, { mode::STORE }>(job, &copy, out, sum);
                }
            }
            Step::Finish(Sum { max, .. }, log) if LOG => reduce_by(job, out, max, log),
            Step::Finish(sum, _) => {
                let job = beyond_cache::<A>(job, out.len(), false);
                for (out, of_chunk) in out.chunks_mut(chunk::<A>()).zip(sums) {
                    finish_chunk(job, Plain, out, of_chunk, sum);
                }
                return Vec::new();
            }
        }
        self.sums.clone()
    }
}

/// The same of lanes that are not shifted, and for softmax have no chunk far below; returns whether it is one.
/// Otherwise nothing was written.
fn overwritten<A: Element, const LOG: bool>(job: Job, out: &mut [A]) -> bool {
    // Exponentials that are kept are lost below 2^-100, or 2^-1000.
    let most = if size_of::<A>() == 4 { 60.0 } else { 600.0 };
    let size = out.len().div_ceil(threads::<A>(out.len())).next_multiple_of(chunk::<A>());
    let pieces = out.chunks_mut(size).map(|out| Piece { out, sums: Vec::new() }).collect();
    let work = |step: &Step<A>, piece: &mut Piece<'_, A>| piece.work::<LOG>(job, step);
    parallel::team(pieces, work, |ask| {
        let tops = ask(Step::Tops).concat();
        let max =
            tops.iter().fold(tops[0].max, |max, sum| if sum.max > max { sum.max } else { max });
        // Not a number is not less than anything.
        let is_near = |sum: &Sum<A>| (max - sum.max).to_f64() < most;
        if is_shifted(Plain, max) || !LOG && !tops.iter().all(is_near) {
            return false;
        }
        let sum = merged(&ask(Step::Sums).concat());
        if !LOG {
            ask(Step::Finish(sum, A::zero()));
            return true;
        }
        let sum =
            if suffices(sum.rest, sum.largest) { sum } else { merged(&ask(Step::Counts).concat()) };
        let log = A::from_f64(Logarithm { sum }.of(job).value());
        ask(Step::Finish(sum, log));
        true
    })
}
