#![doc = include_str!("README.md")]

pub mod attribution;
pub mod chain;
pub mod chunked;
pub mod field;
#[cfg(test)]
mod fixture;
pub mod forwarded;
pub mod framing;
pub mod head;
mod layers;
pub mod limits;
pub mod loops;
pub mod methods;
pub mod network;
pub mod node;
pub mod secret;
pub mod timeouts;
pub mod trust;
pub mod units;

pub use layers::Set;
