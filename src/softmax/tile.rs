//! A vector of neighbouring lanes at once, one in each lane of the vectors: element `i` of lane `j`
//! of the group stands at `i · WIDTH + j`.
//!
//! Every number is computed as in a walk along one lane, in the same order, so the bits are the
//! same: what is lane `j` of an accumulator there is an accumulator of its own here.

use fearless_simd::Simd;

use super::exp::{Constants, Exp, Origin};
use super::finish::{crown, crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::Input;
use super::lane::difference;
use super::sum::{
    BLOCK, SHORT, constants_stay_in_memory, count, each, mode, origin, suffices, term,
};
use super::total::{Accumulator, Total, WIDEST};
use super::wide::Wide;
use crate::apply::GROUPS;
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run, run_fused};

/// What is done beside a sum: of each lane a step after each element.
pub(super) trait Beside {
    /// Does the next step.
    fn step(&mut self);
}

impl Beside for () {
    #[inline(always)]
    fn step(&mut self) {}
}

/// `f` of every vector.
#[inline(always)]
pub(super) fn map<S: Simd, A: Element>(
    simd: S,
    group: &mut [A],
    f: impl Fn(A::Lanes<S>) -> A::Lanes<S>,
) {
    for row in group.chunks_exact_mut(A::WIDTH) {
        f(A::Lanes::<S>::load(simd, row)).store(row);
    }
}

/// The largest key of each lane.
#[inline(always)]
fn max<S: Simd, A: Element, I: Input<A>>(simd: S, input: I, group: &[A]) -> A::Lanes<S> {
    let mut top = A::Lanes::<S>::fill(simd, A::neg_infinity());
    for row in group.chunks_exact(A::WIDTH) {
        top = input.key(A::Lanes::<S>::load(simd, row)).at_least(top);
    }
    // Zeros are positive, whatever the order of the elements.
    top + 0.0
}

/// The sum of each lane; exponentials take the place of their arguments where they are stored.
#[inline(always)]
pub(super) fn totals<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    beside: &mut impl Beside,
) -> (Total<S>, A::Lanes<S>) {
    // Most lanes need no shift: a loop of their own.
    if I::PLAIN && origin.shift.is_none() {
        let origin = origin.without_shift();
        return totals_from::<S, A, I, MODE>(simd, input, group, top, origin, beside);
    }
    if !I::PLAIN {
        return totals_from::<S, A, I, MODE>(simd, input, group, top, origin, beside);
    }
    shifted_totals::<S, A, I, MODE>(simd, input, group, &each::<S, A>(top))
}

/// The same as a function of its own: in line, loops that hardly ever run would be half of the code. It makes its
/// own origin: one that is passed in memory would have to be put there for every group.
#[cold]
#[inline(never)]
fn shifted_totals<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    group: &mut [A],
    peaks: &[A; WIDEST],
) -> (Total<S>, A::Lanes<S>) {
    simd.vectorize(
        #[inline(always)]
        || {
            let top = A::Lanes::<S>::load(simd, &peaks[..A::WIDTH]);
            let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
            totals_from::<S, A, I, MODE>(simd, input, group, top, origin, &mut ())
        },
    )
}

/// The sum of each lane for its logarithm: of all elements where that suffices, and of all but the
/// largest, which are counted, where it does not.
#[inline(always)]
fn totals_for_log<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    largest: Total<S>,
    beside: &mut impl Beside,
) -> (Total<S>, A::Lanes<S>) {
    let mut known = None;
    if group.len() / A::WIDTH > SHORT {
        let (all, _) = totals::<S, A, I, { mode::ADD }>(simd, input, group, top, origin, beside);
        let (sums, largest) = (all.store(), largest.store());
        let mut enough = true;
        for j in 0..A::WIDTH {
            enough &= suffices(sums[j], largest[j]);
        }
        if enough {
            return (all, top.splat(0.0));
        }
        known = Some((sums, largest));
    }
    let counted = totals::<S, A, I, { mode::COUNT }>(simd, input, group, top, origin, beside);
    let Some((mut sums, largest)) = known else { return counted };
    let (rest, mut counts) = (counted.0.store(), each::<S, A>(counted.1));
    for j in 0..A::WIDTH {
        if suffices(sums[j], largest[j]) {
            counts[j] = A::zero();
        } else {
            sums[j] = rest[j];
        }
    }
    (Total::load(simd, &sums), A::Lanes::<S>::load(simd, &counts[..A::WIDTH]))
}

#[inline(always)]
fn totals_from<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    beside: &mut impl Beside,
) -> (Total<S>, A::Lanes<S>) {
    let width = A::WIDTH;
    let counts = if const { MODE == mode::COUNT } {
        count::<S, A, I>(simd, input, group.chunks_exact(width), top)
    } else {
        top.splat(0.0)
    };
    if group.len() <= SHORT * width {
        let mut sum = Accumulator::<_, MODE>::new(top);
        for row in group.chunks_exact_mut(width) {
            sum.add(next::<S, A, I, MODE>(simd, input, row, top, origin));
            beside.step();
        }
        constants_stay_in_memory::<MODE>();
        return (sum.total(), counts);
    }
    let mut totals = [Total::zero(simd); WIDEST];
    // As many rows as there are accumulators stand in a round.
    let round = width * width;
    for block in group.chunks_mut(BLOCK * round) {
        for (j, total) in totals[..width.min(block.len() / width)].iter_mut().enumerate() {
            let mut sum = Accumulator::<_, MODE>::new(top);
            let place = j * width..(j + 1) * width;
            let mut rounds = block.chunks_exact_mut(round);
            for rows in rounds.by_ref() {
                let row = &mut rows[place.clone()];
                sum.add(next::<S, A, I, MODE>(simd, input, row, top, origin));
                beside.step();
            }
            if let Some(row) = rounds.into_remainder().get_mut(place) {
                sum.add(next::<S, A, I, MODE>(simd, input, row, top, origin));
                beside.step();
            }
            constants_stay_in_memory::<MODE>();
            *total = total.plus::<A>(sum.total());
        }
    }
    let mut half = width / 2;
    while half > 0 {
        for j in 0..half {
            totals[j] = totals[j].plus::<A>(totals[j + half]);
        }
        half /= 2;
    }
    (totals[0], counts)
}

/// The exponentials of one element of each lane.
#[inline(always)]
fn next<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    row: &mut [A],
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Exp<A::Lanes<S>> {
    constants_stay_in_memory::<MODE>();
    let e = term::<S, A, I, MODE>(simd, input, A::Lanes::<S>::load(simd, row), top, origin);
    if const { MODE == mode::STORE } {
        e.high.store(row);
    }
    e
}

/// The longest lanes of which some groups go together; longer ones take 4 to 6 % more time so.
const TOGETHER: usize = 32;

/// Lanes of at most a chunk, seen and overwritten whole, one group after the other.
pub(super) struct Groups<'a, A, I, const LOG: bool> {
    pub(super) input: I,
    pub(super) groups: &'a mut [A],
    pub(super) len: usize,
    /// Takes, of logarithms, the largest key of each lane and the logarithm of its sum relative to that instead.
    pub(super) logs: Option<&'a mut [(A, Wide)]>,
}

impl<A: Element, I: Input<A>, const LOG: bool> Groups<'_, A, I, LOG> {
    /// Compiled once, not again wherever it is called.
    #[inline(never)]
    pub(super) fn run_all(self, job: Job) {
        // Products are rare: not worth a copy of the loops in which a fused step is emulated.
        if I::PLAIN { run(job, self) } else { run_fused(job, self) }
    }
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Groups<'_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, groups, len, mut logs } = self;
        // A few groups go from step to step together: while the last number of one is awaited, the next begins.
        let together = if len <= TOGETHER { GROUPS } else { 1 };
        for groups in groups.chunks_mut(together * len * A::WIDTH) {
            let mut tops = [A::Lanes::<S>::fill(simd, A::zero()); GROUPS];
            for (top, group) in tops.iter_mut().zip(groups.chunks_exact(len * A::WIDTH)) {
                *top = max::<S, A, I>(simd, input, group);
            }
            if LOG {
                let count = groups.len() / len;
                let these = logs.as_mut().and_then(
                    #[inline(always)]
                    |logs| logs.split_off_mut(..count),
                );
                log_softmax::<S, A, I>(simd, input, groups, len, &tops, these);
                continue;
            }
            for (group, &top) in groups.chunks_exact_mut(len * A::WIDTH).zip(&tops) {
                let inverse = quotients::<S, A, I>(simd, input, group, top, &mut ());
                map::<S, A>(
                    simd,
                    group,
                    #[inline(always)]
                    |t| quotient(t, inverse),
                );
            }
        }
    }
}

/// The logarithm of the softmax of at most [`GROUPS`] groups with these largest keys, or what it is made of.
#[inline(always)]
fn log_softmax<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    groups: &mut [A],
    len: usize,
    tops: &[A::Lanes<S>; GROUPS],
    made_of: Option<&mut [(A, Wide)]>,
) {
    let zero = Total::zero(simd);
    let mut sums = [(zero, zero, tops[0]); GROUPS];
    for ((group, &top), sums) in groups.chunks_exact_mut(len * A::WIDTH).zip(tops).zip(&mut sums) {
        *sums = sums_for_log::<S, A, I>(simd, input, group, top, &mut ());
    }
    if let Some(made_of) = made_of {
        let sums = sums.iter().zip(tops);
        for (to, (&(total, largest, counts), &top)) in made_of.chunks_exact_mut(A::WIDTH).zip(sums)
        {
            let logs = logarithm::<S, A>(total, largest, counts).store();
            for (to, from) in to.iter_mut().zip(each::<S, A>(top).into_iter().zip(logs)) {
                *to = from;
            }
        }
        return;
    }
    let mut logs = [tops[0]; GROUPS];
    let count = groups.len() / (len * A::WIDTH);
    for (log, &(total, largest, counts)) in logs.iter_mut().zip(&sums).take(count) {
        *log = nearest(logarithm::<S, A>(total, largest, counts));
    }
    let groups = groups.chunks_exact_mut(len * A::WIDTH);
    for ((group, &top), &log) in groups.zip(tops).zip(&logs) {
        map::<S, A>(
            simd,
            group,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
}

/// What the logarithm of each lane's sum is made of: the sum, the largest element and how many of them are not in it.
#[inline(always)]
fn sums_for_log<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    beside: &mut impl Beside,
) -> (Total<S>, Total<S>, A::Lanes<S>) {
    let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
    let largest = largest::<S, A, I>(simd, input, top, origin);
    let (total, counts) =
        totals_for_log::<S, A, I>(simd, input, group, top, origin, largest, beside);
    (total, largest, counts)
}

/// The logarithm of each lane's sum of exponentials, relative to the largest.
#[inline(always)]
pub(super) fn logarithms<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    beside: &mut impl Beside,
) -> A::Lanes<S> {
    let (total, largest, counts) = sums_for_log::<S, A, I>(simd, input, group, top, beside);
    nearest(logarithm::<S, A>(total, largest, counts))
}

/// Puts numbers in the place of the elements that are their softmax when they are multiplied by the
/// pair that is returned.
#[inline(always)]
pub(super) fn quotients<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    group: &mut [A],
    top: A::Lanes<S>,
    beside: &mut impl Beside,
) -> (A::Lanes<S>, A::Lanes<S>) {
    let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
    let (total, _) = totals::<S, A, I, { mode::STORE }>(simd, input, group, top, origin, beside);
    let inverse = inverse(total);
    let Some(crowned) = crowned::<S, A, I>(simd, input, total, top, origin) else {
        return inverse;
    };
    map::<S, A>(
        simd,
        group,
        #[inline(always)]
        |t| crown(quotient(t, inverse), crowned),
    );
    (top.splat(1.0), top.splat(0.0))
}
