//! Lanes one after the other, each where it lies or through scratch memory.

use ndarray::{ArrayView1, ArrayViewMut1, Axis, Dimension};

use super::{Strand, Walk};
use crate::element::Element;

/// Scratch memory for the parts of a strand that are not slices.
struct Scratch<A> {
    x: Vec<A>,
    other: Vec<A>,
    out: Vec<A>,
}

impl<A: Element, B: Send + Clone, D: Dimension> Walk<'_, A, B, D> {
    pub(super) fn one_by_one(mut self, axis: Axis, f: &impl Fn(Strand<'_, A, B>)) {
        let mut scratch = Scratch { x: Vec::new(), other: Vec::new(), out: Vec::new() };
        let mut x = self.x.as_ref().map(|x| x.lanes(axis).into_iter());
        let mut other = self.other.as_ref().map(|x| x.lanes(axis).into_iter());
        let mut out = self.out.as_mut().map(|x| x.lanes_mut(axis).into_iter());
        for stat in &mut self.stat {
            strand(
                &mut scratch,
                x.as_mut().and_then(Iterator::next),
                other.as_mut().and_then(Iterator::next),
                out.as_mut().and_then(Iterator::next),
                stat,
                f,
            );
        }
    }
}

/// The lane where it lies, else a copy of it.
fn gather<'a, A: Element>(lane: &'a ArrayView1<'_, A>, scratch: &'a mut Vec<A>) -> &'a [A] {
    match lane.as_slice() {
        Some(slice) => slice,
        None => {
            scratch.clear();
            scratch.extend(lane.iter().copied());
            scratch
        }
    }
}

fn strand<A: Element, B>(
    scratch: &mut Scratch<A>,
    x: Option<ArrayView1<'_, A>>,
    other: Option<ArrayView1<'_, A>>,
    out: Option<ArrayViewMut1<'_, A>>,
    stat: &mut B,
    f: &impl Fn(Strand<'_, A, B>),
) {
    let other = other.as_ref().map_or(&[][..], |lane| gather(lane, &mut scratch.other));
    let x = match (&x, &out) {
        (Some(x), _) => gather(x, &mut scratch.x),
        (None, Some(out)) => {
            scratch.x.clear();
            match out.as_slice() {
                Some(out) => scratch.x.extend_from_slice(out),
                None => scratch.x.extend(out.iter().copied()),
            }
            &scratch.x
        }
        (None, None) => &[],
    };
    match out {
        None => f(Strand { x, other, out: &mut [], stat }),
        Some(mut out) => match out.as_slice_mut() {
            Some(out) => f(Strand { x, other, out, stat }),
            None => {
                scratch.out.clear();
                scratch.out.resize(out.len(), A::zero());
                f(Strand { x, other, out: &mut scratch.out, stat });
                for (to, from) in out.iter_mut().zip(&scratch.out) {
                    *to = *from;
                }
            }
        },
    }
}
