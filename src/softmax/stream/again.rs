//! The last pass where exponentials were not kept: they are made again, relative to the origins of whole lanes.

use fearless_simd::Simd;

use super::numbers::at;
use super::{ROWS, Stream};
use crate::apply::copy_short;
use crate::element::Element;
use crate::lane::{Kernel, LaneIo};
use crate::softmax::exp::{Constants, Origin, exp};
use crate::softmax::finish::{crown, quotient};
use crate::softmax::total::WIDEST;

/// The softmax of all rows of a stream.
pub(super) struct Again<'s, 'a, 'b, A, const LOG: bool> {
    pub(super) stream: &'s mut Stream<'a, 'b, A, LOG>,
    /// Floors and offsets of each element of a row.
    pub(super) origins: &'s [Vec<A>; 2],
    /// Both parts of the inverse.
    pub(super) factors: &'s [Vec<A>; 2],
    pub(super) crowns: Option<&'s [A]>,
}

impl<A: Element, const LOG: bool> Kernel for Again<'_, '_, '_, A, LOG> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (constants, mut row) = (Constants::new(), 0);
        while row + ROWS <= self.stream.outs.len() {
            self.rows::<S, ROWS>(simd, constants, row);
            row += ROWS;
        }
        while row < self.stream.outs.len() {
            self.rows::<S, 1>(simd, constants, row);
            row += 1;
        }
        self.tail(simd, constants);
    }
}

impl<A: Element, const LOG: bool> Again<'_, '_, '_, A, LOG> {
    /// `N` rows from `first` on.
    #[inline(always)]
    fn rows<S: Simd, const N: usize>(&mut self, simd: S, constants: Constants, first: usize) {
        let Self { stream, origins: [floors, offsets], factors: [high, low], crowns } = self;
        let (vectors, last) = (stream.vectors(), stream.width() - A::WIDTH);
        let xs = stream.xs.and_then(|xs| xs[first..].first_chunk::<N>());
        let Some(outs) = stream.outs[first..].first_chunk_mut::<N>() else { return };
        for v in 0..vectors {
            let place = (v * A::WIDTH).min(last)..(v * A::WIDTH).min(last) + A::WIDTH;
            let origin = Origin::plain(constants, at(simd, floors, v), at(simd, offsets, v));
            let inverse = (at(simd, high, v), at(simd, low, v));
            // All of them before the first is stored, which would make loads from the same place of other pages wait.
            let mut results = [inverse.0; N];
            for (r, y) in results.iter_mut().enumerate() {
                let x: &[A] = if let Some(xs) = xs { xs[r] } else { outs[r] };
                let x = A::Lanes::<S>::load(simd, &x[place.clone()]);
                *y = quotient(exp(x, None, origin).high, inverse);
            }
            if let Some(crowns) = *crowns {
                for y in &mut results {
                    *y = crown(*y, at(simd, crowns, v));
                }
            }
            for (r, y) in results.into_iter().enumerate() {
                y.store(&mut outs[r][place.clone()]);
            }
        }
    }

    /// What is left behind the last row.
    #[inline(always)]
    fn tail<S: Simd>(&mut self, simd: S, constants: Constants) {
        let Self { stream, origins: [floors, offsets], factors: [high, low], crowns } = self;
        let (x, out) = (stream.tail.0, &mut *stream.tail.1);
        for (v, out) in out.chunks_mut(A::WIDTH).enumerate() {
            let mut padded = [A::neg_infinity(); WIDEST];
            let len = out.len();
            copy_short(x.map_or(&*out, |x| &x[v * A::WIDTH..][..len]), &mut padded[..len]);
            let origin = Origin::plain(constants, at(simd, floors, v), at(simd, offsets, v));
            let x = A::Lanes::<S>::load(simd, &padded[..A::WIDTH]);
            let inverse = (at(simd, high, v), at(simd, low, v));
            let mut y = quotient(exp(x, None, origin).high, inverse);
            if let Some(crowns) = *crowns {
                y = crown(y, at(simd, crowns, v));
            }
            y.store(&mut padded[..A::WIDTH]);
            copy_short(&padded[..len], out);
        }
    }
}
