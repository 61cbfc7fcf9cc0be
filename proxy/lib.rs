//! x
pub mod lab;
