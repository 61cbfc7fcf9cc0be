//! The operating system's word in an error.

use std::io;

use pingora::Error;
use whodunit_filters::attribution::{Failure, Key};

/// The operating system's error at the root, however deep Pingora has wrapped it.
pub(super) fn io_error(error: &Error) -> Option<&io::Error> {
    let root = error.root_cause();
    let direct = root.downcast_ref::<io::Error>();
    direct.or_else(|| {
        let mut next = root.source();
        for _ in 0..8 {
            let cause = next?;
            if let Some(found) = cause.downcast_ref::<io::Error>() {
                return Some(found);
            }
            next = cause.source();
        }
        None
    })
}

/// Adds the symbolic name of the operating system's error.
pub(super) fn errno(failure: Failure, error: &Error) -> Failure {
    let name = match io_error(error).and_then(io::Error::raw_os_error) {
        Some(1) => "EPERM",
        Some(2) => "ENOENT",
        Some(13) => "EACCES",
        Some(23) => "ENFILE",
        Some(24) => "EMFILE",
        Some(32) => "EPIPE",
        Some(99) => "EADDRNOTAVAIL",
        Some(101) => "ENETUNREACH",
        Some(103) => "ECONNABORTED",
        Some(104) => "ECONNRESET",
        Some(110) => "ETIMEDOUT",
        Some(111) => "ECONNREFUSED",
        Some(113) => "EHOSTUNREACH",
        Some(other) => return failure.with(Key::Errno, format!("errno {other}")),
        None => return failure,
    };
    failure.with(Key::Errno, name)
}
