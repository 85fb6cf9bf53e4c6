//! The element-wise catalogue, end to end. One binary: the compiler then makes every verb of every
//! activation once for all of these tests.

#[path = "../common/mod.rs"]
mod common;

mod accuracy;
mod derivatives;
mod layouts;
mod parameters;
mod peers_bugs;
mod properties;
mod reference;
mod reproducible;
mod special_values;
