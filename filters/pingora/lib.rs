//! x

pub mod arrival;
mod gate;
pub mod ingress;
mod linger;
mod reading;
