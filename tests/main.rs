//! Tests over real sockets, against the real binary.

mod accuracy;
mod apart;
mod causes;
mod commands;
mod crowds;
mod forwarding;
mod http2;
mod lab;
mod limits;
mod loops;
mod network;
mod operations;
mod origins;
mod places;
mod proxied;
mod readme;
mod reload;
mod retries;
mod rig;
mod routes;
mod secrets;
mod strangers;
mod streams;
mod tls;
mod uploads;
mod witnesses;
