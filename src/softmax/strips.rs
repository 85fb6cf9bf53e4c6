//! Columns of an array whose rows are runs of memory, a few vectors of columns at a time: copied side by side, so that the
//! steps from the largest element to the quotients find them in the first caches, and finished on their way back.
//!
//! Whole rows ([`stream`](super::stream)) have accumulators of every column between their steps; where columns are short,
//! these are much of the work.

use fearless_simd::Simd;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::belt::{Belt, PARTS, is_whole};
use super::finish::quotient;
use super::input::Plain;
use super::lane::difference;
use super::tile::{Beside, logarithms, quotients};
use super::total::single;
use crate::activation::Cost;
use crate::apply::parallel::{self, singles};
use crate::apply::{GROUPS, LINE, NARROW, WORTH, is_of_amd};
use crate::element::Element;
use crate::lane::{Job, Kernel, Lane, LaneIo, run_fused};

/// Elements of the longest columns in strips.
const LONGEST: usize = 1 << 10;
/// Bytes of columns near by times the cube of the elements of one, at most: 256 × 4096 and 512 × 256 take 0.9 of the time
/// of whole rows, 500 × 500 and 384 × 1024, which are beyond, would take 1.1 to 1.2 (Intel Xeon); of `f32` and of `f64`;
const LARGEST: [u64; 2] = [1 << 46, 1 << 40];
/// softmax of `f32` on AMD's processors: 512 × 512 takes 0.76 to 0.81, 768 × 768 0.92 to 0.98, 900 × 1000 would take 1.1;
const LARGEST_AMD: u64 = 1 << 50;
/// and of threads, which meet three times in whole rows, but not here, elsewhere and on AMD's processors: two take 0.35 to
/// 0.85 of the time for columns of 512 to 1024, with `f64` and logarithms 0.5 to 1.1.
const LARGEST_SHARED: [u64; 2] = [1 << 50, 1 << 52];
/// Elements of the longest columns on a belt, of `f32` and of `f64`: 256 × 32768 take 0.8 to 1.0 of the time of whole rows,
/// 512 × 8192 would take 1.1 (Intel Xeon);
const LONGEST_PART: [usize; 2] = [256, 192];
/// the same on AMD's processors, where 256 × 16384 and planes of 128 × 3136 would take 1.2 to 1.5.
const LONGEST_PART_AMD: usize = 127;
/// Bytes of an array that strips are gathered from. What comes from memory goes over a belt,
const NEAR: usize = 4 << 20;
/// unless all columns take few bytes,
const SMALL: usize = 64 << 10;
/// or have so few elements: on Intel's processors, and on AMD's, where columns of 16 to 32 take 0.74 to 1.07 of the time on
/// a belt, their logarithms 0.70 to 0.96.
const FEW: [usize; 2] = [32, 15];
/// Bytes of the shortest rows of a plane that has a belt of its own: 32 × 32 columns take 0.9 to 1.0 of the time of whole
/// rows so.
const ROW: usize = 4 << 10;
/// Bytes of the copies of columns that go together.
const CELLS: usize = 256 << 10;

/// The place of a limit for this type.
fn of_type<A: Element>() -> usize {
    usize::from(!single::<A>())
}

/// Elements of the longest columns on a belt that has parts of planes.
fn longest<A: Element>() -> usize {
    if is_of_amd() { LONGEST_PART_AMD } else { LONGEST_PART[of_type::<A>()] }
}

/// Whether columns have few elements.
fn are_few(len: usize) -> bool {
    len <= FEW[usize::from(is_of_amd())]
}

/// The most work that columns in strips may be, bytes times the cube of a length.
#[derive(Clone, Copy)]
pub(super) struct Near {
    alone: u64,
    /// Where threads share the columns.
    shared: u64,
}

/// That of an array of so many elements; nothing if these come from memory.
pub(super) fn near<A: Element>(elements: usize, log: bool) -> Option<Near> {
    let bytes = elements * size_of::<A>();
    let usual = LARGEST[of_type::<A>()];
    // The questions below would be felt in calls for a few elements.
    if !(SMALL..=NEAR).contains(&bytes) {
        return (bytes < SMALL).then_some(Near { alone: usual, shared: usual });
    }
    let amd = is_of_amd();
    let alone = if amd && !log && const { single::<A>() } { LARGEST_AMD } else { usual };
    let several = parallel::threads(Cost::Moderate, singles::<A>(elements), WORTH) > 1;
    let shared = if several { LARGEST_SHARED[usize::from(amd)] } else { alone };
    Some(Near { alone, shared })
}

/// How columns are copied.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Few vectors of each row, as far as they fit the first-level cache.
    Strips,
    /// Many, while those before and behind are written and read.
    Belt,
}

impl Way {
    /// The better way for columns of this shape, of an array that is [`near`] or not, if one is better than whole rows.
    pub(super) fn of<A: Element>(
        near: Option<Near>,
        (len, columns): (usize, usize),
    ) -> Option<Self> {
        let bytes = len * columns * size_of::<A>();
        let work = (bytes as u64).saturating_mul((len as u64).saturating_pow(3));
        // Those that are too narrow for two threads are not cut, others have been.
        let is_cut = || columns * size_of::<A>() >= 2 * NARROW || parallel::is_part();
        let largest = match near {
            None => LARGEST[of_type::<A>()],
            Some(near) if near.shared != near.alone && is_cut() => near.shared,
            Some(near) => near.alone,
        };
        if columns < A::WIDTH {
            None
        } else if near.is_some() || bytes <= SMALL || are_few(len) {
            (len <= LONGEST && work <= largest).then_some(Self::Strips)
        } else {
            (len <= longest::<A>() && columns * size_of::<A>() >= ROW).then_some(Self::Belt)
        }
    }
}

/// The softmax, or its logarithm, of every column of `x`, or of `out` where there is none, into the same
/// column of `out`; returns whether this was done. Otherwise nothing was written.
pub(super) fn strips<A: Element, const LOG: bool>(
    job: Job,
    way: Way,
    x: Option<&ArrayView2<'_, A>>,
    out: &mut ArrayViewMut2<'_, A>,
) -> bool {
    let columns = out.ncols();
    // In place the last vector of a row may not overlap the one before.
    if columns < A::WIDTH || x.is_none() && !columns.is_multiple_of(A::WIDTH) {
        return false;
    }
    let mut xs: Option<Vec<&[A]>> = None;
    if let Some(x) = x {
        xs = match x.to_slice() {
            Some(x) => Some(x.chunks_exact(columns).collect()),
            None => x.outer_iter().map(|row| row.to_slice()).collect(),
        };
        if xs.is_none() {
            return false;
        }
    }
    let outs: Option<Vec<&mut [A]>> = if out.is_standard_layout() {
        out.as_slice_mut().map(|out| out.chunks_exact_mut(columns).collect())
    } else {
        out.outer_iter_mut().map(|row| row.into_slice()).collect()
    };
    let Some(mut outs) = outs else {
        return false;
    };
    let (xs, outs) = (xs.as_deref(), &mut outs[..]);
    match way {
        Way::Strips => run_fused(job, Strips::<'_, '_, A, LOG> { xs, outs }),
        Way::Belt => {
            let (len, memory) = (outs.len(), &mut Vec::new());
            let whole = false;
            run_fused(job, Belt::<'_, '_, '_, A, LOG> { xs, outs, len, whole, memory });
        }
    }
    true
}

/// Rows of planes that go over one belt: their places alone take 128 KiB.
const ROWS: usize = 4 << 10;
/// Bytes of planes that are better read in strips: of 48 × 49 or 64 × 64 elements, softmax would take 1.14 of the time on a
/// belt, logarithms 0.9 to 1.0.
const SMALL_PLANE: usize = 16 << 10;

/// Elements of the longest columns of planes that go over a belt in one piece.
const LONGEST_WHOLE: usize = ROWS / PARTS;

/// Whether planes of this shape go over one belt, in an array that is [`near`] or not, and [`is_far`](super::rows::is_far)
/// or not: in between longer ones would take up to 1.4 of the time of whole rows on two threads.
pub(super) fn share_a_belt<A: Element>(
    (near, far): (Option<Near>, bool),
    (len, columns): (usize, usize),
) -> bool {
    let most = if far { LONGEST_WHOLE } else { LONGEST_PART[of_type::<A>()] };
    let whole = len <= most && is_whole::<A>((len, columns));
    let large = len * columns * size_of::<A>() > SMALL_PLANE && columns >= A::WIDTH;
    near.is_none() && large && !are_few(len) && (whole || len <= longest::<A>())
}

/// The same of planes that [`share_a_belt`], one after the other; returns whether this was done.
pub(super) fn planes<A: Element, const LOG: bool>(
    job: Job,
    mut x: Option<&[A]>,
    mut out: &mut [A],
    (len, columns): (usize, usize),
) -> bool {
    let plane = len * columns;
    // Long columns only in one piece. In place the last vector of a row may not overlap the one before.
    let few = out.len() / plane < if len > longest::<A>() { PARTS } else { 2 };
    if few || x.is_none() && !columns.is_multiple_of(A::WIDTH) {
        return false;
    }
    let (size, is_whole) = (ROWS / len * plane, is_whole::<A>((len, columns)));
    let memory = &mut Vec::new();
    while !out.is_empty() {
        // The last belt has no fewer planes than the others.
        let count = if out.len() < 2 * size { out.len() } else { size };
        let (these, out_rest) = out.split_at_mut(count);
        let (these_x, x_rest) = x.map(|x| x.split_at(count)).unzip();
        let mut outs: Vec<&mut [A]> = these.chunks_exact_mut(columns).collect();
        let xs: Option<Vec<&[A]>> = these_x.map(|x| x.chunks_exact(columns).collect());
        let (xs, outs) = (xs.as_deref(), &mut outs[..]);
        let (whole, memory) = (count / plane >= PARTS && is_whole, &mut *memory);
        run_fused(job, Belt::<'_, '_, '_, A, LOG> { xs, outs, len, whole, memory });
        (x, out) = (x_rest, out_rest);
    }
    true
}

/// Rows of one length, at least that of a vector.
struct Strips<'a, 'b, A, const LOG: bool> {
    xs: Option<&'b [&'a [A]]>,
    outs: &'b mut [&'a mut [A]],
}

impl<A: Element, const LOG: bool> Kernel for Strips<'_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { xs, outs } = self;
        let (len, columns) = (outs.len(), outs.first().map_or(0, |row| row.len()));
        let most = (CELLS / size_of::<A>() / (len * A::WIDTH).max(1)).clamp(1, GROUPS);
        let mut memory = Vec::new();
        let memory = aligned(&mut memory, most * len * A::WIDTH);
        let mut first = 0;
        while first < columns {
            let count = match most.min((columns - first) / A::WIDTH) {
                GROUPS.. => GROUPS,
                2.. => 2,
                _ => 1,
            };
            // The last vector may overlap the one before.
            let at = first.min(columns - A::WIDTH);
            let cells = &mut memory[..count * len * A::WIDTH];
            let tops = match count {
                GROUPS => gather::<S, A, GROUPS>(simd, xs, outs, at, cells),
                2 => gather::<S, A, 2>(simd, xs, outs, at, cells),
                _ => gather::<S, A, 1>(simd, xs, outs, at, cells),
            };
            let mut factors = [(tops[0], tops[0]); GROUPS];
            let groups = cells.chunks_exact_mut(len * A::WIDTH).zip(&tops);
            for ((group, &top), factors) in groups.zip(&mut factors) {
                *factors = self::factors::<S, A, LOG>(simd, group, top, &mut ());
            }
            match count {
                GROUPS => scatter::<S, A, GROUPS, LOG>(simd, outs, at, cells, factors),
                2 => scatter::<S, A, 2, LOG>(simd, outs, at, cells, factors),
                _ => scatter::<S, A, 1, LOG>(simd, outs, at, cells, factors),
            }
            first += count * A::WIDTH;
        }
    }
}

/// So many elements of memory that begin at a cache line; it becomes as long as that takes.
#[inline(always)]
pub(super) fn aligned<A: Element>(memory: &mut Vec<A>, count: usize) -> &mut [A] {
    let line = LINE / size_of::<A>();
    if memory.len() < count + line {
        *memory = vec![A::zero(); count + line];
    }
    // An offset that does not exist costs speed, not correctness.
    let start = memory.as_ptr().align_offset(LINE).min(line);
    &mut memory[start..start + count]
}

/// Copies `G` vectors of each row from `at` on into groups; returns the largest element of each lane.
#[inline(always)]
fn gather<S: Simd, A: Element, const G: usize>(
    simd: S,
    xs: Option<&[&[A]]>,
    outs: &[&mut [A]],
    at: usize,
    cells: &mut [A],
) -> [A::Lanes<S>; GROUPS] {
    let mut tops = [A::Lanes::<S>::fill(simd, A::neg_infinity()); GROUPS];
    let len = outs.len();
    for (i, out) in outs.iter().enumerate() {
        let x = match xs {
            Some(xs) => &xs[i][at..at + G * A::WIDTH],
            None => &out[at..at + G * A::WIDTH],
        };
        for g in 0..G {
            let x = A::Lanes::<S>::load(simd, &x[g * A::WIDTH..(g + 1) * A::WIDTH]);
            tops[g] = x.at_least(tops[g]);
            x.store(&mut cells[(g * len + i) * A::WIDTH..][..A::WIDTH]);
        }
    }
    // Zeros are positive, whatever the order of the elements.
    for top in &mut tops {
        *top = *top + 0.0;
    }
    tops
}

/// What elements are multiplied by or reduced by.
pub(super) type Factors<V> = (V, V);

/// The factors of a group, whose elements are replaced by what they multiply. Something else may be done beside.
#[inline(always)]
pub(super) fn factors<S: Simd, A: Element, const LOG: bool>(
    simd: S,
    group: &mut [A],
    top: A::Lanes<S>,
    beside: &mut impl Beside,
) -> Factors<A::Lanes<S>> {
    if LOG {
        (top, logarithms::<S, A, Plain>(simd, Plain, group, top, beside))
    } else {
        quotients::<S, A, Plain>(simd, Plain, group, top, beside)
    }
}

/// What an element becomes by the factors of its column.
#[inline(always)]
pub(super) fn finished<V: Lane, const LOG: bool>(t: V, (a, b): Factors<V>) -> V {
    if LOG { difference(t, a, b) } else { quotient(t, (a, b)) }
}

/// Finishes groups on their way into the columns that they belong to.
#[inline(always)]
fn scatter<S: Simd, A: Element, const G: usize, const LOG: bool>(
    simd: S,
    outs: &mut [&mut [A]],
    at: usize,
    cells: &[A],
    factors: [Factors<A::Lanes<S>>; GROUPS],
) {
    let len = outs.len();
    for (i, out) in outs.iter_mut().enumerate() {
        let out = &mut out[at..at + G * A::WIDTH];
        for g in 0..G {
            let t = A::Lanes::<S>::load(simd, &cells[(g * len + i) * A::WIDTH..][..A::WIDTH]);
            finished::<_, LOG>(t, factors[g]).store(&mut out[g * A::WIDTH..(g + 1) * A::WIDTH]);
        }
    }
}
