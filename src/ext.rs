//! The methods on arrays.
use ndarray::{Array, ArrayRef, Dimension};

use crate::activation::*;
use crate::element::Element;

macro_rules! methods {
    ($($file:ident::$noun:ident { $($parameter:ident),* } => $method:tt, $inplace:ident;)*) => {
        /// Activations as methods of every array and view.
        pub trait ActivationExt<A: Element, D: Dimension>: Sealed {
            /// `op` of every element, as a new array; see [`Elementwise::map`].
            fn activate(&self, op: impl Elementwise) -> Array<A, D>;
            /// `op` of every element, in place; see [`Elementwise::map_inplace`].
            fn activate_inplace(&mut self, op: impl Elementwise);
            $(
                methods!(@declare $noun $method ($($parameter),*));
                #[doc = concat!("[`", stringify!($noun), "`] of every element, in place.")]
                fn $inplace(&mut self $(, $parameter: f64)*);
            )*
        }

        impl<A: Element, D: Dimension> ActivationExt<A, D> for ArrayRef<A, D> {
            fn activate(&self, op: impl Elementwise) -> Array<A, D> {
                op.map(self)
            }
            fn activate_inplace(&mut self, op: impl Elementwise) {
                op.map_inplace(self);
            }
            $(
                methods!(@define $noun $method ($($parameter),*));
                fn $inplace(&mut self $(, $parameter: f64)*) {
                    ($noun { $($parameter),* }).map_inplace(self);
                }
            )*
        }
    };
    (@declare $noun:ident _ ($($parameter:ident),*)) => {};
    (@declare $noun:ident $method:ident ($($parameter:ident),*)) => {
        #[doc = concat!("[`", stringify!($noun), "`] of every element, as a new array.")]
        fn $method(&self $(, $parameter: f64)*) -> Array<A, D>;
    };
    (@define $noun:ident _ ($($parameter:ident),*)) => {};
    (@define $noun:ident $method:ident ($($parameter:ident),*)) => {
        fn $method(&self $(, $parameter: f64)*) -> Array<A, D> {
            ($noun { $($parameter),* }).map(self)
        }
    };
}

/// Only ndarray's arrays have these methods.
pub trait Sealed {}
impl<A, D: Dimension> Sealed for ArrayRef<A, D> {}

for_each_activation!(methods);
