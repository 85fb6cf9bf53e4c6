//! The softmax family of arrays without elements, and of lanes of millions.

use ndarray::{Array, Array2, Array3, Axis, Dimension, RemoveAxis, ShapeBuilder, s};
use ndarray_activations::prelude::*;
use ndarray_activations::softmax::{
    Softmax, log_softmax_backward, softmax_backward, softmax_backward_inplace,
};

/// Every form along every axis of an array without elements.
fn empty_in_every_form<D: Dimension + RemoveAxis>(x: &Array<f32, D>) {
    let mask = x.mapv(|_| true);
    for axis in (0..x.ndim()).map(Axis) {
        let results = [
            x.softmax(axis),
            x.log_softmax(axis),
            x.softmin(axis),
            x.hardmax(axis),
            x.sparsemax(axis),
            Softmax::along(axis).scale(0.5).map(x),
            x.softmax_masked(axis, &mask),
            softmax_backward(x, x, axis),
            log_softmax_backward(x, x, axis),
            x.softmax_with_logsumexp(axis).0,
        ];
        let mut out = x.clone();
        x.softmax_assign_into(axis, &mut out);
        x.log_softmax_assign_into(axis, &mut out);
        out.softmax_inplace(axis);
        out.log_softmax_inplace(axis);
        for y in results {
            assert_eq!(y.shape(), x.shape());
        }
        assert!(x.logsumexp(axis).iter().all(|&l| l == f32::NEG_INFINITY));
    }
}

#[test]
fn arrays_without_elements_are_empty_in_every_form() {
    for shape in [(0, 1), (1, 0), (0, 0), (0, 5), (5, 0)] {
        empty_in_every_form(&Array2::zeros(shape));
        empty_in_every_form(&Array2::zeros(shape.f()));
    }
    for shape in [(0, 5, 1), (2, 1, 0), (1, 0, 1), (0, 0, 3), (4, 0, 6)] {
        empty_in_every_form(&Array3::zeros(shape));
    }
    // Parts of arrays keep strides of 1 beside what is empty.
    let b = Array3::<f32>::zeros((4, 5, 6));
    let views = [
        b.slice(s![0..0, .., ..]),
        b.slice(s![.., 0..0, ..]),
        b.slice(s![.., .., 0..0]),
        b.slice(s![1..1, ..;-1, ..1]),
    ];
    for view in views {
        for axis in (0..3).map(Axis) {
            let (mut out, mut all) = (b.clone(), b.clone());
            let _ = (view.softmax(axis), view.hardmax(axis), view.sparsemax(axis));
            let _ = Softmax::along(axis).temperature(2.0).map(&view);
            let _ = softmax_backward(&view, &view, axis);
            assert!(view.logsumexp(axis).iter().all(|&l| l == f32::NEG_INFINITY));
            let mut part = out.slice_mut(s![0..view.dim().0, 0..view.dim().1, 0..view.dim().2]);
            view.log_softmax_assign_into(axis, &mut part);
            part.softmax_inplace(axis);
            part.log_softmax_inplace(axis);
            let mut dy = all.slice_mut(s![0..view.dim().0, 0..view.dim().1, 0..view.dim().2]);
            softmax_backward_inplace(&view, &mut dy, axis);
        }
    }
}

/// So many elements that the third power of their number is beyond 64 bits.
#[test]
fn millions_of_equal_elements_share_evenly() {
    for shape in [(2_700_000, 1), (1, 2_700_000), (2_700_000, 2)] {
        let x = Array2::<f32>::zeros(shape);
        let axis = Axis(usize::from(shape.0 == 1));
        let each = (1.0 / 2_700_000f64) as f32;
        assert!(x.softmax(axis).iter().all(|&y| y == each));
        assert!(x.log_softmax(axis).iter().all(|&y| y == -(2_700_000f64.ln() as f32)));
    }
}

#[test]
#[should_panic(expected = "the factor of the elements must be finite, got inf")]
fn a_factor_of_several_that_overflows_is_refused() {
    let _ = Softmax::along(Axis(0)).scale(1e200).scale(1e200);
}
