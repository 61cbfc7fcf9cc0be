//! The whodunit gateway: routes, upstreams, admin, commands.

pub mod admin;
pub mod cli;
pub mod gateway;
pub mod lab;
pub mod notice;
mod pem;
pub mod plan;
pub mod routes;
mod secure;
pub mod server;
pub mod sink;
mod treatment;
pub mod upstream;
