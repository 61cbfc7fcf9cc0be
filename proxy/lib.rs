//! The whodunit gateway: routes, upstreams, admin, commands.

pub mod admin;
pub mod cli;
mod compress;
pub mod gateway;
pub mod lab;
pub mod notice;
mod pages;
pub mod plan;
pub mod routes;
pub mod server;
pub mod sink;
mod treatment;
pub mod upstream;
