//! Neighbouring lanes at once, one in each lane of the vectors.
//!
//! Every number is computed as in a walk along one lane, in the same order, so the bits are the
//! same: what is lane `j` of an accumulator there is an accumulator of its own here.

use fearless_simd::Simd;

use super::exp::{Constants, Origin, exp};
use super::finish::{crown, crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::Input;
use super::lane::difference;
use super::sum::{
    BLOCK, SHORT, Sum, chunk, constants_stay_in_memory, count, each, is_shifted, mode, origin,
    suffices, term,
};
use super::total::{Accumulator, Total, WIDEST};
use crate::apply::{Columns, LongColumns};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run};

/// The softmax, or its logarithm, of columns.
#[derive(Clone, Copy)]
pub(super) struct Along<I, const LOG: bool> {
    pub(super) job: Job,
    pub(super) input: I,
}

impl<A: Element, I: Input<A>, const LOG: bool> Columns<A> for Along<I, LOG> {
    fn whole(&self, tiles: &mut [A], len: usize, stride: usize) {
        let input = self.input;
        if LOG {
            run(self.job, Whole::<'_, A, I, { mode::COUNT }> { input, tiles, len, stride });
        } else {
            run(self.job, Whole::<'_, A, I, { mode::STORE }> { input, tiles, len, stride });
        }
    }

    fn longest(&self) -> usize {
        chunk::<A>()
    }

    fn long(&self, columns: usize) -> Box<dyn LongColumns<A> + '_> {
        let column = |_| LongColumn { of_lanes: [A::zero(); WIDEST], sums: None, all: None };
        let columns = (0..columns.div_ceil(A::WIDTH)).map(column).collect();
        Box::new(Long::<A, I, LOG> { along: *self, columns })
    }
}

/// One vector of lanes in a tile: element `i` of them is a vector at `start + i · stride`.
struct Column<'a, A> {
    tile: &'a mut [A],
    start: usize,
    stride: usize,
}

impl<A: Element> Column<'_, A> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.tile.len() / self.stride
    }

    /// Every `step`-th vector from one to another.
    #[inline(always)]
    fn rows(&mut self, from: usize, to: usize, step: usize) -> impl Iterator<Item = &mut [A]> {
        let rows = &mut self.tile[from * self.stride..to * self.stride];
        rows[self.start..].chunks_mut(step * self.stride).map(
            #[inline(always)]
            |row| &mut row[..A::WIDTH],
        )
    }

    /// `f` of every row.
    #[inline(always)]
    fn map<S: Simd>(&mut self, simd: S, f: impl Fn(A::Lanes<S>) -> A::Lanes<S>) {
        for row in self.rows(0, self.len(), 1) {
            f(A::Lanes::<S>::load(simd, row)).store(row);
        }
    }

    /// The largest key of each lane.
    #[inline(always)]
    fn max<S: Simd, I: Input<A>>(&mut self, simd: S, input: I) -> A::Lanes<S> {
        let mut top = A::Lanes::<S>::fill(simd, A::neg_infinity());
        for row in self.rows(0, self.len(), 1) {
            top = input.key(A::Lanes::<S>::load(simd, row)).at_least(top);
        }
        // Zeros are positive, whatever the order of the elements.
        top + 0.0
    }
}

/// The sum of each lane; exponentials take the place of their arguments where they are stored.
#[inline(always)]
fn totals<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    column: &mut Column<'_, A>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> (Total<S>, A::Lanes<S>) {
    // Most lanes need no shift: a loop of their own.
    if I::PLAIN && origin.shift.is_none() {
        let origin = origin.without_shift();
        return totals_from::<S, A, I, MODE>(simd, input, column, top, origin);
    }
    totals_from::<S, A, I, MODE>(simd, input, column, top, origin)
}

/// The sum of each lane for its logarithm: of all elements where that suffices, and of all but the
/// largest, which are counted, where it does not.
#[inline(always)]
fn totals_for_log<S: Simd, A: Element, I: Input<A>>(
    simd: S,
    input: I,
    column: &mut Column<'_, A>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
    largest: Total<S>,
) -> (Total<S>, A::Lanes<S>) {
    if column.len() <= SHORT {
        return totals::<S, A, I, { mode::COUNT }>(simd, input, column, top, origin);
    }
    let (all, _) = totals::<S, A, I, { mode::ADD }>(simd, input, column, top, origin);
    let (mut sums, largest) = (all.store(), largest.store());
    let mut enough = true;
    for j in 0..A::WIDTH {
        enough &= suffices(sums[j], largest[j]);
    }
    if enough {
        return (all, top.splat(0.0));
    }
    let (rest, counts) = totals::<S, A, I, { mode::COUNT }>(simd, input, column, top, origin);
    let (rest, mut counts) = (rest.store(), each::<S, A>(counts));
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
    column: &mut Column<'_, A>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> (Total<S>, A::Lanes<S>) {
    let (width, rows) = (A::WIDTH, column.len());
    let counts = if MODE == mode::COUNT {
        count::<S, A, I>(simd, input, column.rows(0, rows, 1).map(shared), top)
    } else {
        top.splat(0.0)
    };
    if rows <= SHORT {
        let every = column.rows(0, rows, 1);
        let sum = accumulate::<S, A, I, MODE>(simd, input, every, top, origin);
        return (sum.total(), counts);
    }
    let mut totals = [Total::zero(simd); WIDEST];
    for start in (0..rows).step_by(BLOCK * width) {
        let end = rows.min(start + BLOCK * width);
        for (j, total) in totals[..width.min(end - start)].iter_mut().enumerate() {
            let every = column.rows(start + j, end, width);
            let sum = accumulate::<S, A, I, MODE>(simd, input, every, top, origin);
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

#[inline(always)]
fn shared<A>(row: &mut [A]) -> &[A] {
    row
}

/// The sum of some elements of each lane.
#[inline(always)]
fn accumulate<'a, S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    rows: impl Iterator<Item = &'a mut [A]>,
    top: A::Lanes<S>,
    origin: Origin<A::Lanes<S>>,
) -> Accumulator<A::Lanes<S>, MODE> {
    let mut sum = Accumulator::new(top);
    for row in rows {
        constants_stay_in_memory::<MODE>();
        let x = A::Lanes::<S>::load(simd, row);
        let e = term::<S, A, I, MODE>(simd, input, x, top, origin);
        if MODE == mode::STORE {
            e.high.store(row);
        }
        sum.add(e);
    }
    constants_stay_in_memory::<MODE>();
    sum
}

/// Lanes of at most a chunk.
struct Whole<'a, A, I, const MODE: u8> {
    input: I,
    tiles: &'a mut [A],
    len: usize,
    stride: usize,
}

impl<A: Element, I: Input<A>, const MODE: u8> Kernel for Whole<'_, A, I, MODE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, tiles, len, stride } = self;
        let constants = Constants::new();
        for tile in tiles.chunks_exact_mut(len * stride) {
            for start in (0..stride).step_by(A::WIDTH) {
                let mut column = Column { tile: &mut *tile, start, stride };
                whole::<S, A, I, MODE>(simd, input, constants, &mut column);
            }
        }
    }
}

#[inline(always)]
fn whole<S: Simd, A: Element, I: Input<A>, const MODE: u8>(
    simd: S,
    input: I,
    constants: Constants,
    column: &mut Column<'_, A>,
) {
    let top = column.max(simd, input);
    let origin = origin::<S, A, I>(simd, input, constants, top, top);
    if MODE == mode::COUNT {
        let largest = largest::<S, A, I>(simd, input, top, origin);
        let (total, counts) = totals_for_log::<S, A, I>(simd, input, column, top, origin, largest);
        let log = nearest(logarithm::<S, A>(total, largest, counts));
        return column.map(
            simd,
            #[inline(always)]
            |x| difference(x, top, log),
        );
    }
    let (total, _) = totals::<S, A, I, MODE>(simd, input, column, top, origin);
    let inverse = inverse(total);
    column.map(
        simd,
        #[inline(always)]
        |t| quotient(t, inverse),
    );
    if let Some(crowned) = crowned::<S, A, I>(simd, input, total, top, origin) {
        column.map(
            simd,
            #[inline(always)]
            |y| crown(y, crowned),
        );
    }
}

/// Lanes longer than a chunk.
struct Long<A, I, const LOG: bool> {
    along: Along<I, LOG>,
    /// Of each vector of lanes.
    columns: Vec<LongColumn<A>>,
}

struct LongColumn<A> {
    /// The largest key of lanes that are shifted by it, 0 else.
    of_lanes: [A; WIDEST],
    sums: Option<[Sum<A>; WIDEST]>,
    /// The sums of all elements, while those of all but the largest are taken.
    all: Option<[Sum<A>; WIDEST]>,
}

impl<A: Element, I: Input<A>, const LOG: bool> LongColumns<A> for Long<A, I, LOG> {
    fn sum(&mut self, tile: &mut [A], stride: usize) {
        let (job, input) = (self.along.job, self.along.input);
        for (place, start) in self.columns.iter_mut().zip((0..stride).step_by(A::WIDTH)) {
            let (column, of_lanes) = (Column { tile: &mut *tile, start, stride }, &place.of_lanes);
            let next = if place.all.is_some() {
                run(job, Part::<'_, A, I, { mode::COUNT }> { input, column, of_lanes })
            } else {
                run(job, Part::<'_, A, I, { mode::ADD }> { input, column, of_lanes })
            };
            place.sums = Some(match place.sums {
                None => next,
                Some(sums) => core::array::from_fn(|j| sums[j].merge(next[j])),
            });
        }
    }

    fn again(&mut self) -> bool {
        let mut again = false;
        for column in &mut self.columns {
            let Some(sums) = column.sums else {
                continue;
            };
            let of_lanes = sums
                .map(|sum| if is_shifted(self.along.input, sum.max) { sum.max } else { A::zero() });
            if of_lanes != column.of_lanes {
                again = true;
            }
            column.of_lanes = of_lanes;
        }
        if again {
            for column in &mut self.columns {
                column.sums = None;
            }
            return true;
        }
        LOG && self.count()
    }

    fn finish(&mut self, tile: &mut [A], stride: usize) {
        let input = self.along.input;
        for (place, start) in self.columns.iter().zip((0..stride).step_by(A::WIDTH)) {
            if let Some(sums) = &place.sums {
                let column = Column { tile: &mut *tile, start, stride };
                run(self.along.job, Finish::<'_, A, I, LOG> { input, column, sums });
            }
        }
    }
}

impl<A: Element, I, const LOG: bool> Long<A, I, LOG> {
    /// The sum of all elements where that suffices for the logarithm; returns whether the largest
    /// must be counted in some lane.
    fn count(&mut self) -> bool {
        let enough = |sum: &Sum<A>| suffices(sum.rest, sum.largest);
        let mut again = false;
        for column in &mut self.columns {
            match (column.sums, column.all.take()) {
                (Some(sums), None) => {
                    again |= !sums[..A::WIDTH].iter().all(enough);
                    column.all = Some(sums);
                }
                (Some(sums), Some(all)) => {
                    let choose = |j: usize| if enough(&all[j]) { all[j] } else { sums[j] };
                    column.sums = Some(core::array::from_fn(choose));
                }
                (None, _) => {}
            }
        }
        for column in &mut self.columns {
            if again {
                column.sums = None;
            } else if column.sums.is_none() {
                column.sums = column.all.take();
            }
        }
        again
    }
}

/// The sum of a chunk of each lane.
struct Part<'a, A, I, const MODE: u8> {
    input: I,
    column: Column<'a, A>,
    of_lanes: &'a [A; WIDEST],
}

impl<A: Element, I: Input<A>, const MODE: u8> Kernel for Part<'_, A, I, MODE> {
    type Output = [Sum<A>; WIDEST];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> [Sum<A>; WIDEST] {
        let Self { input, mut column, of_lanes } = self;
        let top = column.max(simd, input);
        let of_lanes = A::Lanes::<S>::load(simd, &of_lanes[..A::WIDTH]);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, of_lanes);
        let (total, counts) = totals::<S, A, I, MODE>(simd, input, &mut column, top, origin);
        let largest = largest::<S, A, I>(simd, input, top, origin).store();
        let (total, counts) = (total.store(), each::<S, A>(counts));
        let (max, exponents) = (each::<S, A>(top), each::<S, A>(origin.exponent));
        core::array::from_fn(
            #[inline(always)]
            |j| Sum {
                max: max[j],
                exponent: exponents[j].to_f64() as i32,
                rest: total[j],
                largest: largest[j],
                count: counts[j].to_f64(),
            },
        )
    }
}

/// The results of a chunk of each lane.
struct Finish<'a, A, I, const LOG: bool> {
    input: I,
    column: Column<'a, A>,
    sums: &'a [Sum<A>; WIDEST],
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Finish<'_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, mut column, sums } = self;
        let top = sums.map(
            #[inline(always)]
            |sum| sum.max,
        );
        let top = A::Lanes::<S>::load(simd, &top[..A::WIDTH]);
        let total = sums.map(
            #[inline(always)]
            |sum| sum.rest,
        );
        let total = Total::load(simd, &total);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, top);
        if LOG {
            let counts = sums.map(
                #[inline(always)]
                |sum| A::from_f64(sum.count),
            );
            let counts = A::Lanes::<S>::load(simd, &counts[..A::WIDTH]);
            let largest = largest::<S, A, I>(simd, input, top, origin);
            let log = nearest(logarithm::<S, A>(total, largest, counts));
            return column.map(
                simd,
                #[inline(always)]
                |x| difference(x, top, log),
            );
        }
        let inverse = inverse(total);
        column.map(
            simd,
            #[inline(always)]
            |x| {
                let (value, low) = input.value(simd, x);
                quotient(exp(value, low, origin).high, inverse)
            },
        );
        if let Some(crowned) = crowned::<S, A, I>(simd, input, total, top, origin) {
            column.map(
                simd,
                #[inline(always)]
                |y| crown(y, crowned),
            );
        }
    }
}
