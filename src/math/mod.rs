//! Elementary functions on lanes, for formulas of one's own.
//!
//! Each is accurate to less than 1 ULP over its whole domain; see each function for its bound.
//!
//! Two ways lead there. `f64` values, and `f32` values where it is cheap, are computed with
//! unevaluated sums of two lanes, or by tables of polynomials; other `f32` functions are
//! computed in `f64` lanes with short polynomials and rounded once.

pub(crate) mod elu;
pub(crate) mod erf;
pub(crate) mod exp;
pub(crate) mod gate;
pub(crate) mod ln;
pub(crate) mod pair;
pub(crate) mod phi;
pub(crate) mod poly;
pub(crate) mod tanh;
pub(crate) mod wide;

pub use erf::{erf, erfc};
pub use exp::{exp, exp_m1};
pub use gate::{sigmoid, silu};
pub use ln::{ln, ln_1p, softplus};
pub(crate) use pair::Pair;
pub use tanh::tanh;
