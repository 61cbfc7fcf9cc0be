//! x
pub mod admin;
pub mod lab;
pub mod sink;
pub mod upstream;
