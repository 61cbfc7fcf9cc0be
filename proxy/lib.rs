//! x
pub mod lab;
pub mod sink;
pub mod upstream;
