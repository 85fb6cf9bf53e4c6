//! Labels, and the checks that they share.

use ndarray::{Array, ArrayRef, ArrayView1, Axis, Dimension, RemoveAxis};

use super::LossError;
use super::binary::check_weights;
use crate::Element;
use crate::softmax::normalizers;

/// The number of a class: any of Rust's integers.
pub trait Label: Copy + sealed::Sealed {
    /// The number, exactly.
    fn number(self) -> i128;
    /// The number as an index, if it is one.
    #[doc(hidden)]
    fn index(self) -> Option<usize>;
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
            #[inline(always)]
            fn index(self) -> Option<usize> {
                usize::try_from(self).ok()
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
        let (mut weight, mut count) = (super::sum::Sum::default(), 0usize);
        for (place, &label) in labels.iter().enumerate() {
            if ignored.is_some_and(|ignored| i128::from(ignored) == label.number()) {
                of_lanes.push(None);
                continue;
            }
            let Some(class) = label.index().filter(|&class| class < classes) else {
                let (index, label) = (index_of(place, labels.shape()), label.number());
                return Err(LossError::Label { index, label, classes });
            };
            match weights {
                Some(weights) => weight.add(weights[class].to_f64()),
                None => count += 1,
            }
            of_lanes.push(Some(class));
        }
        // Without weights they are ones, whose sum is exact.
        let weight = if weights.is_some() { weight.total() } else { count as f64 };
        Ok(Self { of_lanes, weight })
    }

    /// The log-probability of the class of each lane, without those of the others; 0 where it is ignored.
    pub(super) fn log_probabilities<A: Element, D: RemoveAxis>(
        &self,
        logits: &ArrayRef<A, D>,
        axis: Axis,
    ) -> Array<A, D::Smaller> {
        let normalizers = normalizers(axis, logits);
        let mut these = Vec::with_capacity(self.of_lanes.len());
        let each = self.of_lanes.iter().zip(&normalizers);
        if let Some(all) = logits.as_slice() {
            // Lanes of a plane stand side by side, or are a plane each.
            let side_by_side = logits.shape()[axis.index() + 1..].iter().product::<usize>();
            let plane = logits.len_of(axis) * side_by_side;
            let (mut start, mut beside) = (0, 0);
            these.extend(each.map(|(class, normalizer)| {
                let lane = start + beside;
                beside += 1;
                if beside == side_by_side {
                    (start, beside) = (start + plane, 0);
                }
                let at = |class: usize| all[lane + class * side_by_side];
                class.map_or(A::zero(), |class| normalizer.log_softmax(at(class)))
            }));
        } else {
            let lanes = logits.lanes(axis).into_iter().zip(each);
            these.extend(lanes.map(|(lane, (class, normalizer))| {
                class.map_or(A::zero(), |class| normalizer.log_softmax(lane[class]))
            }));
        }
        Array::from_shape_vec(normalizers.raw_dim(), these).expect("one for each lane")
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
