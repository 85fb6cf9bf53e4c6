//! The choice of an activation at run time.
