//! Tests over real sockets, against the real binary.

mod readme;
