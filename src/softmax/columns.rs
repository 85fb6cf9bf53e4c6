//! Columns of an array: rows are copied into groups of lanes, and come back finished.

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::exp::{Constants, exp};
use super::finish::{crown, crowned, inverse, largest, logarithm, nearest, quotient};
use super::input::Input;
use super::lane::{difference, softmax};
use super::rows::Rows;
use super::stream::{shares, stream, width};
use super::sum::{Sum, chunk, each, is_shifted, mode, origin, suffices};
use super::tile::{Groups, logarithms, quotients, totals};
use super::total::{Total, WIDEST};
use crate::apply::{Columns, GROUPS, map_rows, read_rows, write_rows};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run, run_fused};

/// The softmax, or its logarithm, of columns.
#[derive(Clone, Copy)]
pub(super) struct Along<I, const LOG: bool> {
    pub(super) job: Job,
    pub(super) input: I,
    /// Whether the whole array [`is_far`](super::rows::is_far).
    pub(super) far: bool,
}

impl<A: Element, I: Input<A>, const LOG: bool> Columns<A> for Along<I, LOG> {
    fn job(&self) -> Job {
        self.job
    }

    fn groups(&self, groups: &mut [A], len: usize) {
        let Self { job, input, .. } = *self;
        if I::PLAIN {
            return run(job, Groups::<'_, A, I, LOG> { input, groups, len, logs: None });
        }
        if job.is_fused() {
            return run_fused(job, Groups::<'_, A, I, LOG> { input, groups, len, logs: None });
        }
        // Products are rare: not worth the code, as below.
        const { assert!(I::PLAIN || !LOG, "logarithms are of the elements themselves") };
        let (mut lane, mut out) = (vec![A::zero(); len], vec![A::zero(); len]);
        for group in groups.chunks_exact_mut(len * A::WIDTH) {
            for j in 0..A::WIDTH {
                for (x, row) in lane.iter_mut().zip(group.chunks_exact(A::WIDTH)) {
                    *x = row[j];
                }
                softmax(job, input, &lane, &mut out);
                for (&y, row) in out.iter().zip(group.chunks_exact_mut(A::WIDTH)) {
                    row[j] = y;
                }
            }
        }
    }

    fn rows(&self, x: Option<&[A]>, out: &mut [A], len: usize) -> bool {
        // Where a fused step is emulated, that is where all time goes: longer lanes go one by one, which is less code.
        if len > chunk::<A>() || !self.job.is_fused() {
            return false;
        }
        let Self { job, input, far } = *self;
        run_fused(job, Rows::<'_, A, I, LOG> { input, x, out, len, far });
        true
    }

    fn takes(&self, len: usize) -> bool {
        // Long columns of products are rare: not worth the code.
        self.job.is_fused() && (I::PLAIN || len <= chunk::<A>())
    }

    fn width(&self, len: usize) -> usize {
        width::<A>(len)
    }

    fn shares(&self, rows: usize, columns: usize) -> bool {
        I::PLAIN && self.job.is_fused() && shares::<A>(rows, columns)
    }

    fn stream(&self, x: Option<&ArrayView2<'_, A>>, out: &mut ArrayViewMut2<'_, A>) -> bool {
        I::PLAIN && stream::<A, LOG>(self.job, x, out)
    }

    fn columns(
        &self,
        x: Option<ArrayView2<'_, A>>,
        mut out: ArrayViewMut2<'_, A>,
        memory: &mut Vec<A>,
    ) {
        let (len, count) = out.dim();
        let groups = count.div_ceil(A::WIDTH);
        let part = len.min(chunk::<A>());
        let tile = groups * part * A::WIDTH;
        if memory.len() < tile {
            memory.resize(tile, A::zero());
        }
        let memory = &mut memory[..tile];
        if I::PLAIN && len > part {
            return Long::<'_, '_, A, I, LOG> { along: *self, x, out, memory, groups }.run();
        }
        let input = self.input;
        let tops = match &x {
            Some(x) => run_fused(self.job, Gather { input, x: x.view(), memory, len }),
            None => run_fused(self.job, Gather { input, x: out.view(), memory, len }),
        };
        let mut factors = [[[A::zero(); WIDEST]; 2]; GROUPS];
        let each = memory.chunks_exact_mut(len * A::WIDTH).zip(&tops).zip(&mut factors);
        for ((group, top), factors) in each {
            *factors = run_fused(self.job, Factors::<'_, A, I, LOG> { input, group, top });
        }
        run_fused(
            self.job,
            Scatter::<'_, '_, A, LOG> { out: &mut out, memory, len, factors: &factors },
        );
    }
}

/// Copies columns into groups; returns the largest key of each.
pub(super) struct Gather<'a, 'b, A, I> {
    pub(super) input: I,
    pub(super) x: ArrayView2<'b, A>,
    pub(super) memory: &'a mut [A],
    pub(super) len: usize,
}

impl<A: Element, I: Input<A>> Kernel for Gather<'_, '_, A, I> {
    type Output = [[A; WIDEST]; GROUPS];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { input, x, memory, len } = self;
        let mut tops = [A::Lanes::<S>::fill(simd, A::neg_infinity()); GROUPS];
        read_rows::<S, A>(
            simd,
            &x,
            #[inline(always)]
            |i, group, x| {
                tops[group] = input.key(x).at_least(tops[group]);
                x.store(&mut memory[(group * len + i) * A::WIDTH..][..A::WIDTH]);
            },
        );
        let mut all = [[A::zero(); WIDEST]; GROUPS];
        for (all, top) in all.iter_mut().zip(tops) {
            *all = each::<S, A>(top + 0.0);
        }
        all
    }
}

/// Sums a group; returns what its elements are then multiplied by or reduced by.
struct Factors<'a, A, I, const LOG: bool> {
    input: I,
    group: &'a mut [A],
    top: &'a [A; WIDEST],
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Factors<'_, A, I, LOG> {
    type Output = [[A; WIDEST]; 2];
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { input, group, top } = self;
        let top = A::Lanes::<S>::load(simd, &top[..A::WIDTH]);
        if LOG {
            let log = logarithms::<S, A, I>(simd, input, group, top);
            return [each::<S, A>(top), each::<S, A>(log)];
        }
        let inverse = quotients::<S, A, I>(simd, input, group, top);
        [each::<S, A>(inverse.0), each::<S, A>(inverse.1)]
    }
}

/// Finishes groups on their way into the columns that they belong to.
struct Scatter<'a, 'b, A, const LOG: bool> {
    out: &'a mut ArrayViewMut2<'b, A>,
    memory: &'a [A],
    len: usize,
    factors: &'a [[[A; WIDEST]; 2]; GROUPS],
}

impl<A: Element, const LOG: bool> Kernel for Scatter<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { out, memory, len, factors } = self;
        let factors = factors.map(
            #[inline(always)]
            |[a, b]| {
                let load = A::Lanes::<S>::load;
                (load(simd, &a[..A::WIDTH]), load(simd, &b[..A::WIDTH]))
            },
        );
        write_rows::<S, A>(
            out,
            #[inline(always)]
            |i, group| {
                let place = (group * len + i) * A::WIDTH;
                let t = A::Lanes::<S>::load(simd, &memory[place..][..A::WIDTH]);
                let (a, b) = factors[group];
                if LOG { difference(t, a, b) } else { quotient(t, (a, b)) }
            },
        );
    }
}

/// Lanes longer than a chunk, which are seen twice or three times.
struct Long<'a, 'b, A, I, const LOG: bool> {
    along: Along<I, LOG>,
    x: Option<ArrayView2<'b, A>>,
    out: ArrayViewMut2<'b, A>,
    memory: &'a mut [A],
    groups: usize,
}

/// Sums of each lane of a group.
type Sums<A> = [Sum<A>; WIDEST];
/// The largest key of lanes that are shifted by it, 0 else.
type Shifts<A> = [A; WIDEST];

impl<A: Element, I: Input<A>, const LOG: bool> Long<'_, '_, A, I, LOG> {
    fn run(mut self) {
        let zero = [A::zero(); WIDEST];
        let mut all = self.sums::<{ mode::ADD }>(&[zero; GROUPS]);
        // Most lanes need no shift. Where one does, everything is summed again.
        let shift = |sum: Sum<A>| {
            if is_shifted(self.along.input, sum.max) { sum.max } else { A::zero() }
        };
        let mut shifts = [zero; GROUPS];
        for (shifts, sums) in shifts.iter_mut().zip(&all) {
            *shifts = sums.map(shift);
        }
        if shifts != [zero; GROUPS] {
            all = self.sums::<{ mode::ADD }>(&shifts);
        }
        let enough = |sum: &Sum<A>| suffices(sum.rest, sum.largest);
        if LOG && !all.iter().flat_map(|sums| &sums[..A::WIDTH]).all(enough) {
            let counted = self.sums::<{ mode::COUNT }>(&shifts);
            let places = all.iter_mut().flatten().zip(counted.iter().flatten());
            for (sum, counted) in places {
                if !enough(sum) {
                    *sum = *counted;
                }
            }
        }
        let Self { along, x, mut out, .. } = self;
        let finish = Finish::<'_, '_, A, I, LOG> {
            input: along.input,
            x: x.as_ref(),
            out: &mut out,
            sums: &all,
        };
        run_fused(along.job, finish);
    }

    /// The sums of every lane.
    fn sums<const MODE: u8>(&mut self, shifts: &[Shifts<A>; GROUPS]) -> Vec<Sums<A>> {
        let Along { job, input, .. } = self.along;
        let mut all: Vec<Sums<A>> = Vec::new();
        let size = chunk::<A>();
        for start in (0..self.out.nrows()).step_by(size) {
            let rows = start..self.out.nrows().min(start + size);
            let len = rows.len();
            let memory = &mut self.memory[..self.groups * len * A::WIDTH];
            let tops = match &self.x {
                Some(x) => {
                    let x = x.slice_axis(Axis(0), rows.into());
                    run_fused(job, Gather { input, x, memory, len })
                }
                None => {
                    let x = self.out.slice_axis(Axis(0), rows.into());
                    run_fused(job, Gather { input, x, memory, len })
                }
            };
            let each = memory.chunks_exact_mut(len * A::WIDTH).zip(&tops).zip(shifts);
            for (i, ((group, top), shifts)) in each.enumerate() {
                let next = run_fused(job, Part::<'_, A, I, MODE> { input, group, top, shifts });
                match all.get_mut(i) {
                    None => all.push(next),
                    Some(sums) => {
                        for (sum, next) in sums.iter_mut().zip(next) {
                            *sum = sum.merge(next);
                        }
                    }
                }
            }
        }
        all
    }
}

/// The sum of a chunk of each lane.
struct Part<'a, A, I, const MODE: u8> {
    input: I,
    group: &'a mut [A],
    top: &'a [A; WIDEST],
    shifts: &'a Shifts<A>,
}

impl<A: Element, I: Input<A>, const MODE: u8> Kernel for Part<'_, A, I, MODE> {
    type Output = Sums<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Sums<A> {
        let Self { input, group, top, shifts } = self;
        let top = A::Lanes::<S>::load(simd, &top[..A::WIDTH]);
        let shifts = A::Lanes::<S>::load(simd, &shifts[..A::WIDTH]);
        let origin = origin::<S, A, I>(simd, input, Constants::new(), top, shifts);
        let (total, counts) = totals::<S, A, I, MODE>(simd, input, group, [top, shifts], origin);
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

/// The results of lanes whose sums are known.
struct Finish<'a, 'b, A, I, const LOG: bool> {
    input: I,
    x: Option<&'a ArrayView2<'b, A>>,
    out: &'a mut ArrayViewMut2<'b, A>,
    sums: &'a [Sums<A>],
}

impl<A: Element, I: Input<A>, const LOG: bool> Kernel for Finish<'_, '_, A, I, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { input, x, out, sums } = self;
        let constants = Constants::new();
        let zero = A::Lanes::<S>::fill(simd, A::zero());
        let mut origins = [origin::<S, A, I>(simd, input, constants, zero, zero); GROUPS];
        let mut factors = [(zero, zero); GROUPS];
        let mut crowns = [zero; GROUPS];
        let mut any = false;
        for (group, sums) in sums.iter().enumerate() {
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
            let origin = origin::<S, A, I>(simd, input, constants, top, top);
            if LOG {
                let counts = sums.map(
                    #[inline(always)]
                    |sum| A::from_f64(sum.count),
                );
                let counts = A::Lanes::<S>::load(simd, &counts[..A::WIDTH]);
                let largest = largest::<S, A, I>(simd, input, top, origin);
                factors[group] = (top, nearest(logarithm::<S, A>(total, largest, counts)));
                continue;
            }
            factors[group] = inverse(total);
            origins[group] = origin;
            if let Some(crowned) = crowned::<S, A, I>(simd, input, total, top, origin) {
                crowns[group] = crowned;
                any = true;
            }
        }
        map_rows::<S, A>(
            simd,
            x,
            out,
            #[inline(always)]
            |group, x| {
                let (a, b) = factors[group];
                if LOG {
                    return difference(x, a, b);
                }
                let (value, low) = input.value(simd, x);
                let y = quotient(exp(value, low, origins[group]).high, (a, b));
                if any { crown(y, crowns[group]) } else { y }
            },
        );
    }
}
