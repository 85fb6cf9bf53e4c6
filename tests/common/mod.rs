//! What the tests and the accuracy example share. Each uses a part of it.
#![allow(dead_code)]

pub mod dd;
pub mod inputs;
pub mod measure;
pub mod noun;
pub mod reference;
pub mod ulp;
pub mod vectors;
