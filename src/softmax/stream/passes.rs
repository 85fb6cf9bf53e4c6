//! The passes over the rows of a [`Stream`], each compiled by itself: then its constants stay in registers.

use core::ops::Range;

use fearless_simd::Simd;

use super::numbers::at;
use super::parts::Known;
use super::{ROWS, Stream};
use crate::apply::copy_short;
use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo};
use crate::softmax::exp::{Constants, Origin};
use crate::softmax::finish::{crown, quotient};
use crate::softmax::input::Plain;
use crate::softmax::lane::difference;
use crate::softmax::sum::{BLOCK, SHORT, first, mode, term};
use crate::softmax::total::{
    Accumulator, Packed, Total, WIDEST, add, fold_packed, packed, unpacked,
};
use crate::softmax::wide::Wide;

/// The largest elements.
pub(super) struct Tops<'s, 'a, 'b, A, const LOG: bool> {
    pub(super) stream: &'s Stream<'a, 'b, A, LOG>,
    pub(super) rows: Range<usize>,
    pub(super) last: bool,
}

impl<A: Element, const LOG: bool> Kernel for Tops<'_, '_, '_, A, LOG> {
    type Output = Vec<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<A> {
        self.stream.tops(simd, self.rows, self.last)
    }
}

/// Sums of the exponentials of each lane, a vector of lanes after the other, and counts.
pub(super) type Sums<A> = (Vec<Packed>, Vec<A>);

/// The sums of the exponentials and the counts.
pub(super) struct Totals<'s, 'a, 'b, A, const LOG: bool, const MODE: u8> {
    pub(super) stream: &'s mut Stream<'a, 'b, A, LOG>,
    pub(super) known: &'s Known<A>,
    pub(super) rows: Range<usize>,
    pub(super) last: bool,
}

impl<A: Element, const LOG: bool, const MODE: u8> Kernel for Totals<'_, '_, '_, A, LOG, MODE> {
    type Output = Sums<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        self.stream.totals::<S, MODE>(simd, Constants::new(), self.known, self.rows, self.last)
    }
}

/// The sums and counts of streams that rows were dealt to, each with some of the accumulators of all lanes, as those of one.
pub(super) struct Fold<A> {
    pub(super) parts: Vec<Sums<A>>,
}

impl<A: Element> Kernel for Fold<A> {
    type Output = Sums<A>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Sums<A> {
        let (totals, counts): (Vec<_>, Vec<_>) = self.parts.into_iter().unzip();
        let counts = counts.into_iter().reduce(|mut counts, others| {
            for (count, other) in counts.iter_mut().zip(others) {
                *count += other;
            }
            counts
        });
        let totals = fold_packed::<S, A>(simd, totals, A::WIDTH);
        (totals, counts.expect("there are streams"))
    }
}

/// The last pass over some rows.
pub(super) struct Finish<'s, 'a, 'b, A, const LOG: bool> {
    pub(super) stream: &'s mut Stream<'a, 'b, A, LOG>,
    pub(super) rows: Range<usize>,
    pub(super) last: bool,
    pub(super) factors: &'s [Vec<A>; 2],
    /// Powers of two and the crowned lanes, where they matter.
    pub(super) rare: Option<[Vec<A>; 2]>,
}

impl<A: Element, const LOG: bool> Kernel for Finish<'_, '_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { stream, rows, last, factors: [a, b], rare } = self;
        if LOG {
            return stream.differences(simd, rows, last, a, b);
        }
        if let Some([powers, crowns]) = rare {
            return stream.overwrite(
                simd,
                rows,
                last,
                #[inline(always)]
                |v, t| {
                    let t = t * at(simd, &powers, v);
                    crown(quotient(t, (at(simd, a, v), at(simd, b, v))), at(simd, &crowns, v))
                },
            );
        }
        stream.overwrite(
            simd,
            rows,
            last,
            #[inline(always)]
            |v, t| quotient(t, (at(simd, a, v), at(simd, b, v))),
        );
    }
}

impl<A: Element, const LOG: bool> Stream<'_, '_, A, LOG> {
    /// The largest element of each lane in some rows.
    #[inline(always)]
    fn tops<S: Simd>(&self, simd: S, rows: Range<usize>, last: bool) -> Vec<A> {
        let mut tops = vec![A::neg_infinity(); self.vectors() * A::WIDTH];
        let mut next = rows.start;
        while next < rows.end {
            let four = [0, 1, 2, 3].map(
                #[inline(always)]
                |r| self.source((next + r).min(rows.end - 1)),
            );
            for (v, top) in tops.chunks_exact_mut(A::WIDTH).enumerate() {
                let at = self.place(v);
                let [a, b, c, d] = four.map(
                    #[inline(always)]
                    |row| A::Lanes::<S>::load(simd, &row[at..at + A::WIDTH]),
                );
                let old = A::Lanes::<S>::load(simd, top);
                a.at_least(b).at_least(c.at_least(d)).at_least(old).store(top);
            }
            next += 4;
        }
        if last {
            let tail = self.tail.0.unwrap_or(&*self.tail.1);
            for (top, &x) in tops.iter_mut().zip(tail) {
                *top = if x > *top { x } else { *top };
            }
        }
        let mut tops = self.folded(&tops, |a, b| if b > a { b } else { a });
        // Zeros are positive, whatever the order of the elements.
        tops.iter_mut().for_each(|top| *top += A::zero());
        tops
    }

    /// The sum of the exponentials of each lane in a chunk, and the counts.
    #[inline(always)]
    fn totals<S: Simd, const MODE: u8>(
        &mut self,
        simd: S,
        constants: Constants,
        known: &Known<A>,
        rows: Range<usize>,
        last: bool,
    ) -> Sums<A> {
        let known = &Known {
            tops: self.expanded(&known.tops),
            floors: self.expanded(&known.floors),
            offsets: self.expanded(&known.offsets),
            exponents: Vec::new(),
            largest: Vec::new(),
            counted: known.counted,
            open: known.open.clone(),
        };
        let lanes = known.tops.len();
        let mut counts = vec![A::zero(); lanes];
        let start = vec![A::from_f64(Accumulator::<A::Lanes<S>, MODE>::START); lanes];
        let (mut sums, mut errors) = (start.clone(), vec![A::zero(); lanes]);
        let short = self.round == 1 && self.share == 1 && rows.len() <= SHORT;
        // Accumulators of a lane beside those within a row.
        let period = if self.round > 1 || short { 1 } else { A::WIDTH / self.share };
        let mut totals = vec![Total::zero(simd); period * self.vectors()];
        let mut begin = rows.start;
        loop {
            let end = rows.end.min(begin + BLOCK * period);
            for j in 0..period {
                let mut row = begin + j;
                while row + (ROWS - 1) * period < end {
                    let these = [0, 1, 2, 3].map(
                        #[inline(always)]
                        |r| row + r * period,
                    );
                    let all = [&mut sums[..], &mut errors, &mut counts];
                    self.terms::<S, MODE, ROWS>(simd, constants, known, these, all);
                    row += ROWS * period;
                }
                while row < end {
                    let all = [&mut sums[..], &mut errors, &mut counts];
                    self.terms::<S, MODE, 1>(simd, constants, known, [row], all);
                    row += period;
                }
                // The tail goes on in the accumulators of its lanes, unless they are full.
                if last && end == rows.end && (end - begin) < BLOCK * period {
                    self.tail::<S, MODE>(simd, constants, known, &mut sums, &mut errors);
                }
                let places = &mut totals[j * self.vectors()..][..self.vectors()];
                for (v, total) in places.iter_mut().enumerate() {
                    let place = v * A::WIDTH..(v + 1) * A::WIDTH;
                    let sum = Accumulator::<A::Lanes<S>, MODE>::from_parts(
                        A::Lanes::<S>::load(simd, &sums[place.clone()]),
                        A::Lanes::<S>::load(simd, &errors[place]),
                    )
                    .total();
                    *total = if short { sum } else { total.plus::<A>(sum) };
                }
                sums.copy_from_slice(&start);
                errors.fill(A::zero());
            }
            let full = end - begin == BLOCK * period;
            begin = end;
            // A tail behind full accumulators has a block of its own.
            if begin == rows.end && !(full && last && !self.tail.1.is_empty()) {
                break;
            }
        }
        // Accumulators of other streams come before those of one.
        let mut half = if self.share == 1 { period / 2 } else { 0 };
        while half > 0 {
            for i in 0..half * self.vectors() {
                totals[i] = totals[i].plus::<A>(totals[i + half * self.vectors()]);
            }
            half /= 2;
        }
        if self.share == 1 {
            totals.truncate(self.vectors());
        }
        let totals: Vec<Packed> = totals.iter().map(|total| total.pack::<A>()).collect();
        if self.round == 1 {
            return (totals, counts);
        }
        let each: Vec<Wide> = totals.iter().flat_map(unpacked::<A>).collect();
        let each = self.folded(&each, |a, b| add::<A>(a, b));
        let totals = each.chunks(A::WIDTH).map(packed::<A>);
        (totals.collect(), vec![A::zero(); each.len()])
    }

    /// The exponentials of some rows, added up.
    #[inline(always)]
    fn terms<S: Simd, const MODE: u8, const N: usize>(
        &mut self,
        simd: S,
        constants: Constants,
        known: &Known<A>,
        rows: [usize; N],
        [sums, errors, counts]: [&mut [A]; 3],
    ) {
        let (width, xs) = (self.width(), self.xs.map(|xs| rows.map(|row| xs[row])));
        let outs = self.outs.get_disjoint_mut(rows).expect("different rows");
        let last = width - A::WIDTH;
        for v in 0..width.div_ceil(A::WIDTH) {
            if MODE == mode::COUNT && known.open.get(v) == Some(&false) {
                continue;
            }
            let (place, start) = (v * A::WIDTH..(v + 1) * A::WIDTH, (v * A::WIDTH).min(last));
            let origin =
                Origin::plain(constants, at(simd, &known.floors, v), at(simd, &known.offsets, v));
            let mut sum = Accumulator::<A::Lanes<S>, MODE>::from_parts(
                at(simd, sums, v),
                at(simd, errors, v),
            );
            let top = at(simd, &known.tops, v);
            let mut count = top.splat(0.0);
            // All of them before the first is stored: where rows are whole pages apart, a load behind a store of another
            // row looks like one of what was stored, and waits. Without registers for that they are loaded one by one.
            let early = const { MODE == mode::STORE && A::Lanes::<S>::HAS_ROOM };
            let mut loaded = [top; N];
            if early {
                for (r, loaded) in loaded.iter_mut().enumerate() {
                    let x: &[A] = if let Some(xs) = xs { xs[r] } else { outs[r] };
                    *loaded = A::Lanes::<S>::load(simd, &x[start..start + A::WIDTH]);
                }
            }
            for r in 0..N {
                let x = if early {
                    loaded[r]
                } else {
                    let x = match xs {
                        Some(xs) => &xs[r][start..start + A::WIDTH],
                        None => &outs[r][start..start + A::WIDTH],
                    };
                    A::Lanes::<S>::load(simd, x)
                };
                let e = term::<S, A, Plain, MODE>(simd, Plain, x, top, origin);
                if const { MODE == mode::STORE } {
                    e.high.store(&mut outs[r][start..start + A::WIDTH]);
                }
                if const { MODE == mode::COUNT } {
                    count = count + Lane::select(x.eq(top), x.splat(1.0), x.splat(0.0));
                }
                sum.add(e);
            }
            let (sum, error) = sum.parts();
            sum.store(&mut sums[place.clone()]);
            error.store(&mut errors[place.clone()]);
            if const { MODE == mode::COUNT } {
                let old = A::Lanes::<S>::load(simd, &counts[place.clone()]);
                (old + count).store(&mut counts[place]);
            }
        }
    }

    /// The same of what is left behind the last row.
    #[inline(always)]
    fn tail<S: Simd, const MODE: u8>(
        &mut self,
        simd: S,
        constants: Constants,
        known: &Known<A>,
        sums: &mut [A],
        errors: &mut [A],
    ) {
        let (x, out) = (self.tail.0, &mut *self.tail.1);
        for (v, out) in out.chunks_mut(A::WIDTH).enumerate() {
            let place = v * A::WIDTH..(v + 1) * A::WIDTH;
            let mut padded = [A::neg_infinity(); WIDEST];
            match x {
                Some(x) => copy_short(&x[v * A::WIDTH..][..out.len()], &mut padded[..out.len()]),
                None => copy_short(out, &mut padded[..out.len()]),
            }
            let origin =
                Origin::plain(constants, at(simd, &known.floors, v), at(simd, &known.offsets, v));
            let mut sum = Accumulator::<A::Lanes<S>, MODE>::from_parts(
                at(simd, sums, v),
                at(simd, errors, v),
            );
            let x = A::Lanes::<S>::load(simd, &padded[..A::WIDTH]);
            let e = term::<S, A, Plain, MODE>(simd, Plain, x, at(simd, &known.tops, v), origin);
            if const { MODE == mode::STORE } {
                e.high.store(&mut padded[..A::WIDTH]);
                copy_short(&padded[..out.len()], out);
            }
            sum.add(e.only(first(x, out.len())));
            let (sum, error) = sum.parts();
            sum.store(&mut sums[place.clone()]);
            error.store(&mut errors[place]);
        }
    }

    /// The logarithms of the softmax in some rows.
    #[inline(always)]
    fn differences<S: Simd>(
        &mut self,
        simd: S,
        rows: Range<usize>,
        last: bool,
        tops: &[A],
        logs: &[A],
    ) {
        let (vectors, width) = (self.vectors(), self.width());
        for row in rows {
            let (x, out) = (self.xs.map(|xs| xs[row]), &mut *self.outs[row]);
            for v in 0..vectors {
                let start = (v * A::WIDTH).min(width - A::WIDTH);
                let out = &mut out[start..start + A::WIDTH];
                let x = match x {
                    Some(x) => A::Lanes::<S>::load(simd, &x[start..start + A::WIDTH]),
                    None => A::Lanes::<S>::load(simd, out),
                };
                difference(x, at(simd, tops, v), at(simd, logs, v)).store(out);
            }
        }
        if last {
            let (x, out) = (self.tail.0, &mut *self.tail.1);
            for (i, out) in out.iter_mut().enumerate() {
                let x = if let Some(x) = x { x[i] } else { *out };
                *out = (x - tops[i]) - logs[i];
            }
        }
    }

    /// Every vector of some rows replaced with `f` of its number and itself.
    #[inline(always)]
    fn overwrite<S: Simd>(
        &mut self,
        simd: S,
        rows: Range<usize>,
        last: bool,
        f: impl Fn(usize, A::Lanes<S>) -> A::Lanes<S>,
    ) {
        let (end, tail) = (self.vectors() - 1, self.width() - A::WIDTH);
        for out in &mut self.outs[rows] {
            // Read before the vector that it overlaps is written.
            let final_one = A::Lanes::<S>::load(simd, &out[tail..]);
            for (v, out) in out.chunks_exact_mut(A::WIDTH).take(end).enumerate() {
                f(v, A::Lanes::<S>::load(simd, out)).store(out);
            }
            f(end, final_one).store(&mut out[tail..]);
        }
        if last {
            for (v, out) in self.tail.1.chunks_mut(A::WIDTH).enumerate() {
                let mut padded = [A::zero(); WIDEST];
                copy_short(out, &mut padded[..out.len()]);
                f(v, at(simd, &padded, 0)).store(&mut padded[..A::WIDTH]);
                copy_short(&padded[..out.len()], out);
            }
        }
    }
}
