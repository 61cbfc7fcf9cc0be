//! Whole services over real sockets: somebody's `ProxyHttp`, wrapped, between a client and an
//! origin that are made of raw bytes.

mod doors;
mod hooked;
mod http2;
mod named;
mod order;
mod own;
mod panics;
mod rig;
mod terminator;
mod wrapped;
