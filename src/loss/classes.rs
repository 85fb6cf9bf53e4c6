//! Labels, and the checks that they share.

use ndarray::{ArrayRef, ArrayView1, Axis, Dimension, RemoveAxis};

use super::LossError;
use super::binary::check_weights;
use crate::Element;

/// The number of a class: any of Rust's integers.
pub trait Label: Copy + sealed::Sealed {
    /// The number, exactly.
    fn number(self) -> i128;
}

mod sealed {
    /// Nobody else implements labels.
    pub trait Sealed {}
}

macro_rules! labels {
    ($($integer:ty)*) => {$(
        impl sealed::Sealed for $integer {}
        impl Label for $integer {
            #[inline(always)]
            fn number(self) -> i128 {
                self as i128
            }
        }
    )*};
}
labels!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// The class of each lane, `None` where it is ignored, with its weight.
pub(super) struct Classes {
    pub(super) of_lanes: Vec<Option<usize>>,
    /// The sum of the weights of what is not ignored.
    pub(super) weight: f64,
}

impl Classes {
    pub(super) fn new<A: Element, L: Label, D: RemoveAxis>(
        logits: &ArrayRef<A, D>,
        labels: &ArrayRef<L, D::Smaller>,
        axis: Axis,
        weights: Option<ArrayView1<'_, A>>,
        ignored: Option<i64>,
    ) -> Result<Self, LossError> {
        let classes = class_axis(logits, axis, weights)?;
        let expected = logits.raw_dim().remove_axis(axis);
        if labels.shape() != expected.slice() {
            let (expected, got) = (expected.slice().to_vec(), labels.shape().to_vec());
            return Err(LossError::Shape { what: "labels", expected, got });
        }
        let mut of_lanes = Vec::with_capacity(labels.len());
        let mut weight = super::sum::Sum::default();
        for (place, label) in labels.iter().enumerate() {
            let label = label.number();
            if ignored.is_some_and(|ignored| i128::from(ignored) == label) {
                of_lanes.push(None);
                continue;
            }
            let class = usize::try_from(label).ok().filter(|&class| class < classes);
            let Some(class) = class else {
                let index = index_of(place, labels.shape());
                return Err(LossError::Label { index, label, classes });
            };
            weight.add(weight_of(weights, class));
            of_lanes.push(Some(class));
        }
        Ok(Self { of_lanes, weight: weight.total() })
    }
}

/// The number of classes, once axis and weights are checked.
pub(super) fn class_axis<A: Element, D: Dimension>(
    logits: &ArrayRef<A, D>,
    axis: Axis,
    weights: Option<ArrayView1<'_, A>>,
) -> Result<usize, LossError> {
    let (Axis(axis), ndim) = (axis, logits.ndim());
    if axis >= ndim {
        return Err(LossError::Axis { axis, ndim });
    }
    let classes = logits.shape()[axis];
    if let Some(weights) = weights {
        if weights.len() != classes {
            let (expected, got) = (vec![classes], vec![weights.len()]);
            return Err(LossError::Shape { what: "class weights", expected, got });
        }
        check_weights("class weights", &weights)?;
    }
    Ok(classes)
}

/// The weight of one class.
#[inline(always)]
pub(super) fn weight_of<A: Element>(weights: Option<ArrayView1<'_, A>>, class: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[class].to_f64())
}

/// The index along each axis of a place in C order.
fn index_of(place: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = place;
    let mut index = vec![0; shape.len()];
    for (index, &len) in index.iter_mut().zip(shape).rev() {
        *index = rest % len;
        rest /= len;
    }
    index
}
