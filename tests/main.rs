//! Tests over real sockets, against the real binary.

mod apart;
mod causes;
mod commands;
mod forwarding;
mod limits;
mod loops;
mod operations;
mod readme;
mod reload;
mod retries;
mod rig;
