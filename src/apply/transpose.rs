//! Short lanes that are turned, so that a vector holds an element of each of them, and back.

use fearless_simd::Simd;

use crate::element::Element;
use crate::lane::{Kernel, Lane, LaneIo, SQUARE};

/// Lanes of `len` elements, one after the other, into or out of tiles: as many as a vector has stand in each, an element
/// of every lane in a row. Whole tiles only, and behind the last one `WIDTH` rows that may be overwritten.
pub(super) struct Turned<'a, A, const WIDTH: usize> {
    pub(super) len: usize,
    pub(super) count: usize,
    pub(super) tiles: &'a mut [[A; WIDTH]],
    pub(super) lanes: Lanes<'a, A>,
}

/// Where lanes are read from or written to.
pub(super) enum Lanes<'a, A> {
    From(&'a [A]),
    To(&'a mut [A]),
}

impl<A: Element, const WIDTH: usize> Kernel for Turned<'_, A, WIDTH> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { len, count, tiles, lanes } = self;
        // From the first element to behind the last vector.
        let all = (WIDTH - 1) * len + len.max(WIDTH);
        match lanes {
            Lanes::From(x) => {
                for i in 0..count {
                    let (x, tile) = (&x[i * len * WIDTH..], &mut tiles[i * len..]);
                    if const { A::Lanes::<S>::HAS_ROOM } && x.len() >= all {
                        in_vectors::<S, A, WIDTH>(simd, &x[..all], len, tile);
                    } else if in_squares::<S, A>(len) {
                        let to = tile[..len].as_flattened_mut();
                        transpose::<S, A>(simd, &x[..len * WIDTH], (WIDTH, len), to);
                    } else {
                        one_by_one(&x[..len * WIDTH], &mut tile[..len]);
                    }
                }
            }
            Lanes::To(out) => {
                for i in 0..count {
                    let (out, tile) = (&mut out[i * len * WIDTH..], &tiles[i * len..]);
                    if const { A::Lanes::<S>::HAS_ROOM } && out.len() >= all {
                        out_of_vectors::<S, A, WIDTH>(simd, tile, len, &mut out[..all]);
                    } else if in_squares::<S, A>(len) {
                        let (from, to) = (tile[..len].as_flattened(), &mut out[..len * WIDTH]);
                        transpose::<S, A>(simd, from, (len, WIDTH), to);
                    } else {
                        back_one_by_one(&tile[..len], &mut out[..len * WIDTH]);
                    }
                }
            }
        }
    }
}

/// Takes the lanes of a vector and of the one half the square further on in turn. Done once for each bit of the side of
/// a square, that is its transpose.
#[inline(always)]
fn zipped<S: Simd, V: LaneIo<S>, const WIDTH: usize>(square: [V; WIDTH]) -> [V; WIDTH] {
    let mut next = square;
    for i in 0..WIDTH / 2 {
        (next[2 * i], next[2 * i + 1]) = square[i].zip(square[i + WIDTH / 2]);
    }
    next
}

#[inline(always)]
fn transposed<S: Simd, V: LaneIo<S>, const WIDTH: usize>(square: [V; WIDTH]) -> [V; WIDTH] {
    let square = zipped::<S, V, WIDTH>(zipped::<S, V, WIDTH>(zipped::<S, V, WIDTH>(square)));
    if const { WIDTH == 16 } { zipped::<S, V, WIDTH>(square) } else { square }
}

/// Fills a tile in squares as large as vectors, of which the last overlaps the one before. What comes behind a short lane
/// is turned too.
#[inline(always)]
fn in_vectors<S: Simd, A: Element, const WIDTH: usize>(
    simd: S,
    x: &[A],
    len: usize,
    tile: &mut [[A; WIDTH]],
) {
    let mut column = 0;
    loop {
        let mut square = [A::Lanes::<S>::fill(simd, A::zero()); WIDTH];
        for j in 0..WIDTH {
            square[j] = A::Lanes::<S>::load(simd, &x[j * len + column..][..WIDTH]);
        }
        let square = transposed::<S, _, WIDTH>(square);
        let rows = &mut tile[column..column + WIDTH];
        for j in 0..WIDTH {
            square[j].store(&mut rows[j]);
        }
        if column + WIDTH >= len {
            return;
        }
        column = (column + WIDTH).min(len - WIDTH);
    }
}

/// The reverse. Short lanes are followed by anything, which the next overwrites.
#[inline(always)]
fn out_of_vectors<S: Simd, A: Element, const WIDTH: usize>(
    simd: S,
    tile: &[[A; WIDTH]],
    len: usize,
    out: &mut [A],
) {
    let mut column = 0;
    loop {
        let mut square = [A::Lanes::<S>::fill(simd, A::zero()); WIDTH];
        let rows = &tile[column..column + WIDTH];
        for j in 0..WIDTH {
            square[j] = A::Lanes::<S>::load(simd, &rows[j]);
        }
        let square = transposed::<S, _, WIDTH>(square);
        for j in 0..WIDTH {
            square[j].store(&mut out[j * len + column..][..WIDTH]);
        }
        if column + WIDTH >= len {
            return;
        }
        column = (column + WIDTH).min(len - WIDTH);
    }
}

/// `to` becomes the transpose of a matrix of `rows` and `columns`, both row by row, in small squares.
#[inline(always)]
fn transpose<S: Simd, A: Element>(
    simd: S,
    from: &[A],
    (rows, columns): (usize, usize),
    to: &mut [A],
) {
    // The last squares may overlap those before.
    for i in (0..rows).step_by(SQUARE) {
        let i = i.min(rows - SQUARE);
        for j in (0..columns).step_by(SQUARE) {
            let j = j.min(columns - SQUARE);
            let from = &from[i * columns + j..];
            A::Lanes::<S>::turn(simd, from, columns, &mut to[j * rows + i..], rows);
        }
    }
}

/// Whether lanes of this length are transposed in small squares: that gains a tenth of softmax's time in `f32` and
/// nothing in `f64`.
fn in_squares<S: Simd, A: Element>(len: usize) -> bool {
    A::Lanes::<S>::SINGLE && len >= SQUARE
}

/// Any number of lanes, as many as fit, into a tile.
pub(super) fn one_by_one<A: Element, const WIDTH: usize>(x: &[A], tile: &mut [[A; WIDTH]]) {
    for (j, lane) in x.chunks_exact(tile.len()).enumerate() {
        for (row, &value) in tile.iter_mut().zip(lane) {
            row[j] = value;
        }
    }
}

/// And back.
pub(super) fn back_one_by_one<A: Element, const WIDTH: usize>(tile: &[[A; WIDTH]], out: &mut [A]) {
    for (j, lane) in out.chunks_exact_mut(tile.len()).enumerate() {
        for (row, value) in tile.iter().zip(lane) {
            *value = row[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lanes, Turned};
    use crate::element::Element;
    use crate::lane::{Job, Level, run, with_level};

    fn check<A: Element, const WIDTH: usize>() {
        for len in 1..=64 {
            let count = 3;
            let x: Vec<A> = (0..count * len * WIDTH).map(|i| A::from_f64(i as f64)).collect();
            let mut tiles = vec![[A::zero(); WIDTH]; count * len + WIDTH];
            run(Job::new(), Turned { len, count, tiles: &mut tiles, lanes: Lanes::From(&x) });
            for (i, row) in tiles[..count * len].iter().enumerate() {
                let (tile, i) = (i / len, i % len);
                for (j, &y) in row.iter().enumerate() {
                    assert_eq!(y, x[(tile * WIDTH + j) * len + i], "{len}: {tile} {i} {j}");
                }
            }
            let mut out = vec![A::zero(); x.len()];
            run(Job::new(), Turned { len, count, tiles: &mut tiles, lanes: Lanes::To(&mut out) });
            assert_eq!(out, x, "{len}");
        }
    }

    #[test]
    fn tiles_hold_an_element_of_each_lane_in_a_row() {
        for level in Level::available() {
            with_level(level, || {
                check::<f32, 16>();
                check::<f64, 8>();
            });
        }
    }
}
