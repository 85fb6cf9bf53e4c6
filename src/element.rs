//! The element types of arrays: `f32` and `f64`.

use core::fmt::{Debug, Display};

use fearless_simd::Simd;
use ndarray::NdFloat;

use crate::choice::Loops;
use crate::lane::{Doubles, LaneIo, Singles, sealed::Sealed};
use crate::softmax::SoftmaxLoops;

/// An element type that activations work on: [`f32`] or [`f64`].
///
/// The bound of generic code. It is also a number of num-traits, whose `to_f64` takes a reference and gives an `Option`: of a
/// reference `x: &A` write `Element::to_f64(*x)`.
///
/// ```
/// use ndarray::{Array1, ArrayRef1};
/// use ndarray_activations::{Element, prelude::*};
/// fn largest_gelu<A: Element>(x: &ArrayRef1<A>) -> f64 {
///     let y: Array1<A> = x.gelu();
///     y.iter().fold(f64::MIN, |largest, &y| largest.max(Element::to_f64(y)))
/// }
/// assert_eq!(largest_gelu(&ndarray::array![0.0f32, -1.0]), 0.0);
/// ```
///
/// Integer arrays are rejected when the program is compiled:
///
/// ```compile_fail
/// use ndarray::array;
/// use ndarray_activations::prelude::*;
/// let _ = array![1, 2, 3].sigmoid();
/// ```
pub trait Element: NdFloat + Default + Debug + Display + Sealed + Loops + SoftmaxLoops {
    /// The vector type that holds this element on SIMD level `S`.
    #[doc(hidden)]
    type Lanes<S: Simd>: LaneIo<S> + crate::lane::Lane<Elem = Self>;
    /// Elements of one vector; a multiple of it is a good block length.
    const WIDTH: usize;
    /// The name of the type.
    const NAME: &'static str;

    /// From `f64`, rounded to nearest.
    fn from_f64(value: f64) -> Self;
    /// To `f64`, exact.
    fn to_f64(self) -> f64;
}

impl Sealed for f32 {}
impl Sealed for f64 {}

impl Element for f32 {
    type Lanes<S: Simd> = Singles<S>;
    const WIDTH: usize = 16;
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    type Lanes<S: Simd> = Doubles<S>;
    const WIDTH: usize = 8;
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}
