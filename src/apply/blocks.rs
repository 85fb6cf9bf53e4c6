//! A batch in blocks of rows, for what takes each row by itself.

use ndarray::{ArrayView2, Axis};

use super::parallel::{self, Tasks};
use super::product::{layered_rows, tile_rows, work};
use crate::activation::Cost;
use crate::element::Element;
use crate::lane::Job;

/// Each block reads all weights: a thread has two where both are of at least so many rows, so that one that is late
/// holds up the others by less.
const ROWS: usize = 36;
/// Fewer rows stay together: their layers are cut into columns, so that each thread reads its part of the weights.
const FEW: usize = 24;

/// Calls `f` with blocks of rows of `x`, and with the parts of `memory` and `out` that belong to them: every row has an
/// equal share of both.
///
/// `weights` is the number of multiply-adds for a row. Where there are many for all rows, threads take them, and
/// each stays with its rows in all that `f` does. A block has at most as many rows as go through a product together, and a thread
/// uses the memory of its first for all of them, so that what lies between two layers stays in the cache.
#[doc(hidden)]
pub fn blocks_of_rows<A: Element>(
    weights: usize,
    x: ArrayView2<'_, A>,
    memory: &mut [A],
    out: &mut [A],
    f: impl Fn(ArrayView2<'_, A>, &mut [A], &mut [A]) + Sync,
) {
    let batch = x.nrows();
    if batch == 0 {
        return;
    }
    let job = Job::new();
    let pieces = |for_each| parallel::pieces_of(Cost::Light, work(batch, weights), for_each);
    let pieces = match if batch < FEW { 1 } else { pieces(1) } {
        some if some > 1 && batch >= 2 * ROWS * some => pieces(2),
        some => some,
    };
    let block = layered_rows(job);
    let rows = batch.div_ceil(pieces);
    let rows = rows.next_multiple_of(if rows < block { tile_rows(job) } else { block });
    let (for_row, out_for_row) = (memory.len() / batch, out.len() / batch);
    let blocks = |x: ArrayView2<'_, A>, memory: &mut [A], out: &mut [A]| {
        let mut rest = out;
        for x in x.axis_chunks_iter(Axis(0), block) {
            let (out, after) = rest.split_at_mut(x.nrows() * out_for_row);
            f(x, &mut memory[..x.nrows() * for_row], out);
            rest = after;
        }
    };
    if pieces == 1 {
        return blocks(x, memory, out);
    }
    let blocks = &blocks;
    let mut tasks = Tasks::new();
    let (mut memory, mut out) = (memory, out);
    for x in x.axis_chunks_iter(Axis(0), rows) {
        let (memory_part, memory_rest) = memory.split_at_mut(x.nrows() * for_row);
        let (out_part, out_rest) = out.split_at_mut(x.nrows() * out_for_row);
        (memory, out) = (memory_rest, out_rest);
        tasks.push(move || job.install(|| blocks(x, memory_part, out_part)));
    }
    tasks.run();
}
