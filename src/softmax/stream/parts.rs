//! Streams that threads take: whole chunks of every lane each, or rows in turn, so that each has some of the accumulators
//! of every lane. Both give the sums of one stream, to the bit.

use std::sync::Arc;

use super::Stream;
use super::again::Again;
use super::numbers::{Factors, Numbers, Origins};
use super::passes::{Finish, Fold, Sums, Tops, Totals};
use crate::apply::parallel;
use crate::element::Element;
use crate::lane::{Job, run_fused};
use crate::softmax::input::Plain;
use crate::softmax::lane::deepest;
use crate::softmax::sum::{SHORT, Sum, chunk, is_shifted, mode, suffices};
use crate::softmax::total::{WIDEST, single, unpacked};
use crate::softmax::wide::{Wide, power_of_two};

/// All streams of some lanes.
pub(super) struct Parts<'a, 'b, A, const LOG: bool> {
    pub(super) streams: Vec<Stream<'a, 'b, A, LOG>>,
    /// Elements of a lane.
    pub(super) rows: usize,
}

/// Numbers of the lanes in a chunk, in whole vectors.
pub(super) struct Known<A> {
    pub(super) tops: Vec<A>,
    pub(super) floors: Vec<A>,
    pub(super) offsets: Vec<A>,
    pub(super) exponents: Vec<A>,
    pub(super) largest: Vec<Wide>,
    /// Whether the largest elements are counted, and in which vectors; in all where that is empty.
    pub(super) counted: bool,
    pub(super) open: Vec<bool>,
}

impl<A: Element> Known<A> {
    /// From the largest elements; nothing where a lane is shifted. `alone` says that the chunk is the whole lane.
    fn new(job: Job, tops: Vec<A>, alone: bool, sought: Sought, open: &[bool]) -> Option<Self> {
        let zeros = vec![A::zero(); tops.len()];
        let mut known = Self {
            floors: zeros.clone(),
            offsets: zeros.clone(),
            exponents: zeros,
            largest: vec![Wide::ZERO; tops.len()],
            tops,
            counted: sought == Sought::Counts,
            open: open.to_vec(),
        };
        run_fused(job, Origins { known: &mut known, alone }).then_some(known)
    }

    /// With sums of nothing.
    fn no_sums(&self) -> OfChunk<A> {
        let zeros = vec![A::zero(); self.tops.len()];
        self.sums((vec![[0.0; WIDEST]; self.tops.len() / A::WIDTH], zeros))
    }

    /// With the sums and counts.
    fn sums(&self, (totals, counts): Sums<A>) -> OfChunk<A> {
        let mut sums = Vec::with_capacity(self.tops.len());
        for (v, totals) in totals.iter().enumerate() {
            let place = v * A::WIDTH..(v + 1) * A::WIDTH;
            let numbers = self.tops[place.clone()].iter().zip(&self.exponents[place.clone()]);
            let others = self.largest[place.clone()].iter().zip(&counts[place]);
            let totals = unpacked::<A>(totals);
            for (((&max, &exponent), (&largest, &count)), rest) in numbers.zip(others).zip(totals) {
                let exponent = exponent.to_f64() as i32;
                sums.push(Sum { max, exponent, rest, largest, count: count.to_f64() });
            }
        }
        (sums, self.exponents.clone())
    }
}

/// The sums of the lanes.
struct Lanes<A> {
    /// Of the whole lane.
    sums: Vec<Sum<A>>,
    /// The binary exponents of each chunk of each lane.
    exponents: Vec<Vec<A>>,
}

impl<A: Element> Lanes<A> {
    /// The vectors of lanes with one whose largest elements must be counted.
    fn open(&self) -> Vec<bool> {
        let open = |sum: &Sum<A>| !suffices(sum.rest, sum.largest);
        self.sums.chunks_exact(A::WIDTH).map(|sums| sums.iter().any(open)).collect()
    }

    /// Whether a chunk is too far below its lane.
    fn is_far(&self) -> bool {
        let far = |(&e, sum)| distance(e, sum) < deepest::<A>();
        self.exponents.iter().any(|exponents| exponents.iter().zip(&self.sums).any(far))
    }

    fn replace(&mut self, counted: &Self) {
        for (sum, counted) in self.sums.iter_mut().zip(&counted.sums) {
            if !suffices(sum.rest, sum.largest) {
                *sum = *counted;
            }
        }
    }
}

/// The sums of the lanes in a chunk, and their binary exponents.
type OfChunk<A> = (Vec<Sum<A>>, Vec<A>);

impl<'a, 'b, A: Element, const LOG: bool> Stream<'a, 'b, A, LOG> {
    /// Cut into at most so many, each of whole chunks.
    pub(super) fn by_chunks(self, most: usize) -> Parts<'a, 'b, A, LOG> {
        let size = chunk::<A>() / self.round;
        let rows = self.outs.len() * self.round + self.tail.1.len() / self.columns;
        let (chunks, mut streams) = (self.chunks(), Vec::new());
        let count = most.clamp(1, chunks);
        let mut rest = self;
        for i in 1..count {
            let first = i * chunks / count;
            let at = (first - rest.first) * size;
            let Stream { job, columns, round, share, again, .. } = rest;
            let (outs, outs_rest) = rest.outs.split_at_mut(at);
            let (xs, xs_rest) = rest.xs.map(|xs| xs.split_at(at)).unzip();
            let none = (None, &mut [][..]);
            streams.push(Stream {
                job,
                xs,
                outs,
                tail: none,
                columns,
                round,
                share,
                first: rest.first,
                again,
            });
            rest = Stream { xs: xs_rest, outs: outs_rest, first, ..rest };
        }
        streams.push(rest);
        Parts { streams, rows }
    }
}

/// What threads do with their streams.
enum Step<A> {
    /// They find the largest elements in a chunk,
    Tops(usize),
    /// or its sums,
    Totals(usize, Arc<Known<A>>),
    /// or both in all of their chunks,
    Chunks(Sought, Vec<bool>),
    /// or write the results.
    Finish(Results<A>),
}

/// What is sought in chunks.
#[derive(Clone, Copy, PartialEq)]
enum Sought {
    /// The largest elements, beside sums of nothing.
    Tops,
    /// Those and the sums of all.
    Sums,
    /// Sums of all but the largest, which are counted.
    Counts,
}

/// What comes of it.
struct Found<A> {
    tops: Vec<A>,
    sums: Sums<A>,
    chunks: Vec<Option<OfChunk<A>>>,
}

/// What the results are made of.
struct Results<A> {
    lanes: Lanes<A>,
    numbers: Numbers<A>,
}

impl<A: Element, const LOG: bool> Parts<'_, '_, A, LOG> {
    /// The results in place of what the rows are; returns whether this was done.
    pub(super) fn run(self) -> bool {
        let Self { streams, rows } = self;
        let chunks = rows.div_ceil(chunk::<A>());
        let Stream { job, round, share, xs, again, .. } = streams[0];
        let work = |step: &Step<A>, stream: &mut Stream<'_, '_, A, LOG>| {
            let mut found =
                Found { tops: Vec::new(), sums: (Vec::new(), Vec::new()), chunks: Vec::new() };
            match step {
                Step::Tops(index) => found.tops = stream.tops_of(*index, chunks),
                Step::Totals(index, known) => found.sums = stream.totals_of(*index, chunks, known),
                Step::Chunks(sought, open) => {
                    let indices = stream.first..stream.first + stream.chunks();
                    let of_chunk = |index| stream.of_chunk(index, chunks, *sought, open);
                    found.chunks = indices.map(of_chunk).collect();
                }
                Step::Finish(results) => stream.finish(chunks, results),
            }
            found
        };
        let (dealt, can_count, keeps) = (share > 1, round == 1, !LOG && !again);
        let replaces = keeps && xs.is_none();
        parallel::team(streams, work, |ask| {
            Lead::<A, LOG> { ask, job, chunks, dealt, can_count, keeps, replaces }
                .run(rows <= SHORT)
        })
    }
}

/// What happens between the steps.
struct Lead<'l, A, const LOG: bool> {
    ask: &'l mut dyn FnMut(Step<A>) -> Vec<Found<A>>,
    job: Job,
    chunks: usize,
    /// Whether each stream has rows of every chunk.
    dealt: bool,
    /// Whether the streams can count.
    can_count: bool,
    /// Whether exponentials are kept in the output,
    keeps: bool,
    /// in place of the elements.
    replaces: bool,
}

impl<A: Element, const LOG: bool> Lead<'_, A, LOG> {
    fn run(mut self, short: bool) -> bool {
        // What stands in the way is looked for before the first element is lost.
        let first = self.replaces && self.chunks > 1;
        if first && self.lanes(Sought::Tops, &[]).is_none_or(|lanes| lanes.is_far()) {
            return false;
        }
        let sought = if LOG && short { Sought::Counts } else { Sought::Sums };
        let Some(mut lanes) = self.lanes(sought, &[]) else {
            return false;
        };
        let open = if LOG && !short { lanes.open() } else { Vec::new() };
        if open.contains(&true) {
            let counted = if self.can_count { self.lanes(Sought::Counts, &open) } else { None };
            match counted {
                Some(counted) => lanes.replace(&counted),
                None => return false,
            }
        }
        if self.keeps && lanes.is_far() {
            return false;
        }
        let numbers = run_fused(self.job, Factors::<A, LOG> { sums: &lanes.sums });
        (self.ask)(Step::Finish(Results { lanes, numbers }));
        true
    }

    /// The sums of the lanes; nothing where a lane is shifted.
    fn lanes(&mut self, sought: Sought, open: &[bool]) -> Option<Lanes<A>> {
        let found: Option<Vec<OfChunk<A>>> = if self.dealt {
            (0..self.chunks).map(|index| self.of_chunk(index, sought, open)).collect()
        } else {
            let found = (self.ask)(Step::Chunks(sought, open.to_vec()));
            found.into_iter().flat_map(|found| found.chunks).collect()
        };
        let (mut all, mut exponents): (Vec<Sum<A>>, _) = (Vec::new(), Vec::new());
        for (sums, of_chunk) in found? {
            if all.is_empty() {
                all = sums;
            } else {
                for (sum, next) in all.iter_mut().zip(sums) {
                    *sum = sum.merge(next);
                }
            }
            exponents.push(of_chunk);
        }
        if self.chunks > 1 && all.iter().any(|sum| is_shifted(Plain, sum.max)) {
            return None;
        }
        Some(Lanes { sums: all, exponents })
    }

    /// The sums of the lanes in a chunk that all streams have a part of.
    fn of_chunk(&mut self, index: usize, sought: Sought, open: &[bool]) -> Option<OfChunk<A>> {
        let found = (self.ask)(Step::Tops(index));
        let tops = found.into_iter().map(|found| found.tops).reduce(|mut tops, others| {
            for (top, other) in tops.iter_mut().zip(others) {
                *top = if other > *top { other } else { *top };
            }
            tops
        });
        let known = Known::new(self.job, tops?, self.chunks == 1, sought, open)?;
        if sought == Sought::Tops {
            return Some(known.no_sums());
        }
        let known = Arc::new(known);
        let found = (self.ask)(Step::Totals(index, known.clone()));
        let parts = found.into_iter().map(|found| found.sums).collect();
        Some(known.sums(run_fused(self.job, Fold { parts })))
    }
}

/// From the exponent of a lane to that of its chunk, which is above it only where the lane has no softmax.
fn distance<A: Element>(exponent: A, lane: &Sum<A>) -> i32 {
    (exponent.to_f64() as i32 - lane.exponent).min(0)
}

impl<A: Element, const LOG: bool> Stream<'_, '_, A, LOG> {
    /// The largest element of each lane in chunk `index` of `chunks`.
    fn tops_of(&self, index: usize, chunks: usize) -> Vec<A> {
        let (rows, last) = (self.rows(index - self.first), index + 1 == chunks);
        run_fused(self.job, Tops { stream: self, rows, last })
    }

    fn totals_of(&mut self, index: usize, chunks: usize, known: &Known<A>) -> Sums<A> {
        let (rows, last) = (self.rows(index - self.first), index + 1 == chunks);
        let (job, stream) = (self.job, self);
        match (LOG || stream.again, known.counted) {
            (false, _) => {
                run_fused(job, Totals::<A, LOG, { mode::STORE }> { stream, known, rows, last })
            }
            (true, false) => {
                run_fused(job, Totals::<A, LOG, { mode::ADD }> { stream, known, rows, last })
            }
            (true, true) => {
                run_fused(job, Totals::<A, LOG, { mode::COUNT }> { stream, known, rows, last })
            }
        }
    }

    /// The sums of the lanes in a chunk that is all here.
    fn of_chunk(
        &mut self,
        index: usize,
        chunks: usize,
        sought: Sought,
        open: &[bool],
    ) -> Option<OfChunk<A>> {
        let tops = self.tops_of(index, chunks);
        let known = Known::new(self.job, tops, chunks == 1, sought, open)?;
        if sought == Sought::Tops {
            return Some(known.no_sums());
        }
        let totals = self.totals_of(index, chunks, &known);
        Some(known.sums(totals))
    }

    /// The results.
    fn finish(&mut self, chunks: usize, results: &Results<A>) {
        let Results { lanes, numbers: Numbers { factors, crowns, origins } } = results;
        let factors = &factors.each_ref().map(|factors| self.expanded(factors));
        let crowns = crowns.as_ref().map(|crowns| self.expanded(crowns));
        if const { !LOG && single::<A>() } && self.again {
            let origins = &origins.each_ref().map(|origins| self.expanded(origins));
            let crowns = crowns.as_deref();
            let job = self.job;
            return run_fused(job, Again { stream: self, origins, factors, crowns });
        }
        for index in self.first..self.first + self.chunks() {
            let exponents = &lanes.exponents[index];
            let (rows, last) = (self.rows(index - self.first), index + 1 == chunks);
            let same = exponents.iter().zip(&lanes.sums).all(|(&e, sum)| distance(e, sum) == 0);
            let plain = LOG || same && crowns.is_none();
            let rare = (!plain).then(|| {
                let power = |(&e, sum)| A::from_f64(power_of_two(distance(e, sum)));
                let powers: Vec<A> = exponents.iter().zip(&lanes.sums).map(power).collect();
                let none = vec![A::zero(); factors[0].len()];
                [self.expanded(&powers), crowns.clone().unwrap_or(none)]
            });
            run_fused(self.job, Finish { stream: self, rows, last, factors, rare });
        }
    }
}
