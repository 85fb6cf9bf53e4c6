//! Elementary functions on lanes, for formulas of one's own.
//!
//! Each is accurate to less than 1 ULP over its whole domain; see each function for its bound.

mod exp;
mod pair;
mod sigmoid;

pub use exp::{exp, exp_m1};
pub(crate) use pair::Pair;
pub use sigmoid::{sigmoid, silu, tanh};
