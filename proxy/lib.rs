//! x
pub mod lab;
pub mod upstream;
