//! The loops of softmax for each element type, compiled with this crate and not again in every
//! program that uses it: nothing here is generic.

use super::input::{Factor, Plain, Scale};
use super::normalizers::{Many, Normalizer};
use super::rows::is_far;
use super::strips::near;
use super::{SoftmaxStats, backward, columns, lane, logsumexp, masked};
use crate::apply::{Columns, Pairs, Reduce};
use crate::element::Element;
use crate::lane::Job;

/// What happens to lanes, for one element type.
pub trait SoftmaxLoops: Sized {
    /// The softmax of a lane of `x · factor`, of an array that [`is_far`] or not.
    #[doc(hidden)]
    fn softmax_lane(job: Job, factor: Factor, far: bool, x: &[Self], out: &mut [Self]);
    #[doc(hidden)]
    fn log_softmax_lane(job: Job, far: bool, x: &[Self], out: &mut [Self]);
    #[doc(hidden)]
    fn logsumexp_lane(job: Job, x: &[Self]) -> Self;
    /// The same of many lanes.
    #[doc(hidden)]
    fn logsumexp_of_many(many: &Many) -> &dyn Reduce<Self, Self>;
    #[doc(hidden)]
    fn normalizer_of_lane(job: Job, x: &[Self]) -> Normalizer<Self>;
    #[doc(hidden)]
    fn normalizers_of_many(many: &Many) -> &dyn Reduce<Self, Normalizer<Self>>;
    #[doc(hidden)]
    fn softmax_stats(x: &[Self]) -> SoftmaxStats<Self>;
    /// The gradients of lanes from those of their softmax and that itself.
    #[doc(hidden)]
    const SOFTMAX_GRADIENTS: Pairs<Self>;
    #[doc(hidden)]
    const LOG_SOFTMAX_GRADIENTS: Pairs<Self>;
    /// `x`, or `out` where there is none, into `out` where the mask is true, `hidden` elsewhere.
    #[doc(hidden)]
    fn choose(x: Option<&[Self]>, mask: &[bool], out: &mut [Self], hidden: Self);
    /// What lanes side by side, and many of them, are given to.
    #[doc(hidden)]
    fn softmax_columns(along: &SoftmaxColumns<Self>) -> &dyn Columns<Self>;
}

/// The softmax of columns.
pub struct SoftmaxColumns<A>(Kind<A>);

enum Kind<A> {
    Plain(columns::Along<Plain, false>),
    Scaled(columns::Along<Scale<A>, false>),
    Logarithm(columns::Along<Plain, true>),
}

impl<A: Element> SoftmaxColumns<A> {
    /// Of `x · factor`; without a factor, the logarithm. For an array of so many elements.
    pub(super) fn new(job: Job, factor: Option<Factor>, elements: usize) -> Self {
        let (far, near) = (is_far::<A>(elements), near::<A>(elements, factor.is_none()));
        let input = Plain;
        Self(match factor {
            None => Kind::Logarithm(columns::Along { job, input, far, near }),
            Some((1.0, 0.0)) => Kind::Plain(columns::Along { job, input, far, near }),
            Some(factor) => {
                Kind::Scaled(columns::Along { job, input: Scale::new(factor), far, near })
            }
        })
    }
}

macro_rules! loops {
    ($($elem:ident)*) => {
        $(
            impl SoftmaxLoops for $elem {
                fn softmax_lane(
                    job: Job,
                    factor: Factor,
                    far: bool,
                    x: &[$elem],
                    out: &mut [$elem],
                ) {
                    match factor {
                        (1.0, 0.0) => lane::softmax(job, Plain, far, x, out),
                        _ => lane::softmax(job, Scale::new(factor), far, x, out),
                    }
                }
                fn log_softmax_lane(job: Job, far: bool, x: &[$elem], out: &mut [$elem]) {
                    lane::log_softmax(job, far, x, out);
                }
                fn logsumexp_lane(job: Job, x: &[$elem]) -> $elem {
                    logsumexp::logsumexp(job, x)
                }
                fn logsumexp_of_many(many: &Many) -> &dyn Reduce<$elem, $elem> {
                    many
                }
                fn normalizer_of_lane(job: Job, x: &[$elem]) -> Normalizer<$elem> {
                    Normalizer::of_lane(job, x)
                }
                fn normalizers_of_many(many: &Many) -> &dyn Reduce<$elem, Normalizer<$elem>> {
                    many
                }
                fn softmax_stats(x: &[$elem]) -> SoftmaxStats<$elem> {
                    logsumexp::counted(x)
                }
                const SOFTMAX_GRADIENTS: Pairs<$elem> = backward::pairs_of::<$elem, false>();
                const LOG_SOFTMAX_GRADIENTS: Pairs<$elem> = backward::pairs_of::<$elem, true>();
                fn choose(x: Option<&[$elem]>, mask: &[bool], out: &mut [$elem], hidden: $elem) {
                    masked::choose(x, mask, out, hidden);
                }
                fn softmax_columns(along: &SoftmaxColumns<$elem>) -> &dyn Columns<$elem> {
                    match &along.0 {
                        Kind::Plain(along) => along,
                        Kind::Scaled(along) => along,
                        Kind::Logarithm(along) => along,
                    }
                }
            }
        )*
    };
}
loops!(f32 f64);
