//! Lanes that are no run of memory: beside a gap, with steps, backwards, across another order, repeated.

use ndarray::{Array1, Array3, ArrayRef1, ArrayView3, ArrayViewMut3, Axis, s};
use ndarray_activations::softmax::{
    Softmax, log_softmax_backward, log_softmax_backward_inplace, softmax_backward,
    softmax_backward_inplace,
};
use ndarray_activations::{Element, Level, prelude::*, with_level};

fn memory<A: Element>(shape: (usize, usize, usize), first: usize) -> Array3<A> {
    let mut i = first;
    Array3::from_shape_simple_fn(shape, || {
        i += 1;
        match i % 997 {
            3 => A::neg_infinity(),
            57 => A::nan(),
            111 => A::infinity(),
            205 => A::from_f64(6000.0),
            _ => A::from_f64((i * i % 1013) as f64 / 80.0 - 6.0),
        }
    })
}

/// A part of memory in several layouts.
fn views<A>(memory: &Array3<A>) -> [ArrayView3<'_, A>; 6] {
    let (a, b, c) = memory.dim();
    [
        memory.slice(s![1.., 1.., 1..c - 1]),
        memory.slice(s![..;2, .., ..;2]),
        memory.slice(s![.., ..;-1, 1..;-1]),
        memory.slice(s![1.., ..;-2, ..]).reversed_axes(),
        memory.slice(s![.., .., 1..]).permuted_axes([1, 2, 0]),
        memory.slice(s![..a - 1, ..b - 1, ..]).permuted_axes([0, 2, 1]),
    ]
}

fn views_mut<A>(memory: &mut Array3<A>, layout: usize) -> ArrayViewMut3<'_, A> {
    let (a, b, c) = memory.dim();
    match layout {
        0 => memory.slice_mut(s![1.., 1.., 1..c - 1]),
        1 => memory.slice_mut(s![..;2, .., ..;2]),
        2 => memory.slice_mut(s![.., ..;-1, 1..;-1]),
        3 => memory.slice_mut(s![1.., ..;-2, ..]).reversed_axes(),
        4 => memory.slice_mut(s![.., .., 1..]).permuted_axes([1, 2, 0]),
        _ => memory.slice_mut(s![..a - 1, ..b - 1, ..]).permuted_axes([0, 2, 1]),
    }
}

fn bits<A: Element>(x: A) -> u64 {
    if x.is_nan() { u64::MAX } else { Element::to_f64(x).to_bits() }
}

/// Every lane of `y` is what `f` makes of the same lanes of the inputs, each alone in an array of its own.
fn check<A: Element>(
    what: &str,
    axis: Axis,
    y: &ArrayView3<'_, A>,
    inputs: [&ArrayView3<'_, A>; 2],
    f: impl Fn(&ArrayRef1<A>, &ArrayRef1<A>) -> Array1<A>,
) {
    assert_eq!(y.shape(), inputs[0].shape(), "{what}");
    let others = inputs[0].lanes(axis).into_iter().zip(inputs[1].lanes(axis));
    for (y, (a, b)) in y.lanes(axis).into_iter().zip(others) {
        let expected = f(&a.to_owned(), &b.to_owned());
        let same = y.iter().zip(&expected).all(|(&y, &e)| bits(y) == bits(e));
        assert!(same, "{what} along {axis:?} of {:?}: {y} is not {expected}", inputs[0].shape());
    }
}

fn all<A: Element>(shape: (usize, usize, usize)) {
    let (x, dy) = (memory::<A>(shape, 1), memory::<A>(shape, 500));
    let first = Axis(0);
    for (layout, (x, other)) in views(&x).into_iter().zip(views(&dy)).enumerate() {
        // The second input may stand otherwise.
        let copy = other.to_owned();
        let dy = if layout % 2 == 0 { other } else { copy.view() };
        for axis in (0..3).map(Axis) {
            let one = [&x, &x];
            check("softmax", axis, &x.softmax(axis).view(), one, |x, _| x.softmax(first));
            check("log", axis, &x.log_softmax(axis).view(), one, |x, _| x.log_softmax(first));
            check("softmin", axis, &x.softmin(axis).view(), one, |x, _| x.softmin(first));
            let scaled = |axis| Softmax::along(axis).scale(-0.7);
            check("scaled", axis, &scaled(axis).map(&x).view(), one, |x, _| scaled(first).map(x));
            let sums = x.logsumexp(axis);
            for (sum, lane) in sums.iter().zip(x.lanes(axis)) {
                assert_eq!(bits(*sum), bits(lane.to_owned().logsumexp(first)[()]), "logsumexp");
            }
            let back = softmax_backward(&x, &dy, axis);
            check("backward", axis, &back.view(), [&x, &dy], |y, dy| {
                softmax_backward(y, dy, first)
            });
            let back = log_softmax_backward(&x, &dy, axis);
            check("log backward", axis, &back.view(), [&x, &dy], |y, dy| {
                log_softmax_backward(y, dy, first)
            });
            for to in 0..6 {
                let mut cells = memory::<A>(shape, 77);
                if views_mut(&mut cells, to).shape() != x.shape() {
                    continue;
                }
                let before = cells.clone();
                let mut out = views_mut(&mut cells, to);
                x.softmax_assign_into(axis, &mut out);
                check("softmax into", axis, &out.view(), one, |x, _| x.softmax(first));
                x.log_softmax_assign_into(axis, &mut out);
                check("log into", axis, &out.view(), one, |x, _| x.log_softmax(first));
                out.assign(&x);
                out.softmax_inplace(axis);
                check("softmax in place", axis, &out.view(), one, |x, _| x.softmax(first));
                out.assign(&x);
                out.log_softmax_inplace(axis);
                check("log in place", axis, &out.view(), one, |x, _| x.log_softmax(first));
                out.assign(&dy);
                softmax_backward_inplace(&x, &mut out, axis);
                check("backward in place", axis, &out.view(), [&x, &dy], |y, dy| {
                    softmax_backward(y, dy, first)
                });
                out.assign(&dy);
                log_softmax_backward_inplace(&x, &mut out, axis);
                check("log backward in place", axis, &out.view(), [&x, &dy], |y, dy| {
                    log_softmax_backward(y, dy, first)
                });
                // What stands beside it stays.
                let mut rest = before;
                views_mut(&mut rest, to).assign(&views_mut(&mut cells, to));
                let same = rest.iter().zip(&cells).all(|(&a, &b)| bits(a) == bits(b));
                assert!(same, "written beside the output, layout {to}");
            }
        }
    }
}

#[test]
fn lanes_have_the_bits_they_have_alone_whatever_stands_between_them() {
    for level in Level::available() {
        with_level(level, || {
            for shape in [(3, 4, 5), (23, 5, 12), (5, 9, 50), (3, 3, 160), (2, 3, 330)] {
                all::<f32>(shape);
                all::<f64>(shape);
            }
        });
    }
}

/// More than what is put side by side at a time, and enough for threads.
#[test]
fn many_lanes_beside_gaps_have_the_bits_they_have_alone() {
    for shape in [(130, 40, 14), (3, 1500, 5)] {
        all::<f32>(shape);
    }
    all::<f64>((60, 40, 14));
}

/// A row that is repeated.
#[test]
fn broadcast_arrays_are_softmaxed_like_copies() {
    for len in [1, 3, 20, 100, 300, 700] {
        let row = memory::<f32>((1, 1, len), 300);
        let x = row.broadcast((4, 90, len)).expect("one row for all");
        let copy = x.to_owned();
        for axis in (0..3).map(Axis) {
            let same = |a: Array3<f32>, b: Array3<f32>| {
                a.iter().zip(&b).all(|(a, b)| bits(*a) == bits(*b))
            };
            assert!(same(x.softmax(axis), copy.softmax(axis)), "{len}, {axis:?}");
            assert!(same(x.log_softmax(axis), copy.log_softmax(axis)), "{len}, {axis:?}");
            let sums = x.logsumexp(axis).into_iter().zip(copy.logsumexp(axis));
            assert!(sums.into_iter().all(|(a, b)| bits(a) == bits(b)), "{len}, {axis:?}");
            let back = softmax_backward(&x, &copy, axis);
            assert!(same(back, softmax_backward(&copy, &copy, axis)), "{len}, {axis:?}");
        }
    }
}
