//! The operating system's word in an error.

use std::io;

use pingora::Error;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

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

/// A connection that could not be made, by the operating system's word.
pub(crate) fn refused(error: &io::Error) -> Failure {
    let on_the_way = || error.raw_os_error().and_then(on_the_way);
    let fault = fault(error).or_else(on_the_way).unwrap_or(Fault::Unforeseen);
    if fault == Fault::Unforeseen {
        let at = error
            .raw_os_error()
            .map_or_else(|| "connect".into(), |os| format!("connect: errno {os}"));
        return Failure::new(Side::Inside, Phase::Connect, fault).with(Key::At, at);
    }
    named(Failure::new(Side::Origin, Phase::Connect, fault), error)
}

/// What the kernel calls some answers to a SYN by ICMP (`icmp_err_convert` in its
/// `net/ipv4/icmp.c`), and a route of its own that is a `blackhole` (EINVAL).
const fn on_the_way(errno: i32) -> Option<Fault> {
    match errno {
        22 | 64 | 112 => Some(Fault::Unroutable),
        92 | 95 => Some(Fault::Reset),
        _ => None,
    }
}

/// What was seen to break, if the operating system's word tells.
pub(super) fn fault(error: &io::Error) -> Option<Fault> {
    Some(match (error.kind(), error.raw_os_error()) {
        // A Unix socket that is not there is as much as nobody listening on it.
        (io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound, _) => Fault::Refused,
        (io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => {
            Fault::Unroutable
        }
        (io::ErrorKind::PermissionDenied, _) => Fault::Forbidden,
        (io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted, _) => Fault::Reset,
        (io::ErrorKind::TimedOut, _) => Fault::TimedOut,
        (io::ErrorKind::AddrNotAvailable, _) => Fault::PortsExhausted,
        (_, Some(24 | 23)) => Fault::FilesExhausted,
        _ => return None,
    })
}

/// Adds the symbolic name of the operating system's error.
pub(super) fn errno(failure: Failure, error: &Error) -> Failure {
    match io_error(error) {
        Some(error) => named(failure, error),
        None => failure,
    }
}

fn named(failure: Failure, error: &io::Error) -> Failure {
    let name = match error.raw_os_error() {
        Some(1) => "EPERM",
        Some(2) => "ENOENT",
        Some(13) => "EACCES",
        Some(22) => "EINVAL",
        Some(23) => "ENFILE",
        Some(24) => "EMFILE",
        Some(32) => "EPIPE",
        Some(64) => "ENONET",
        Some(92) => "ENOPROTOOPT",
        Some(95) => "EOPNOTSUPP",
        Some(99) => "EADDRNOTAVAIL",
        Some(101) => "ENETUNREACH",
        Some(103) => "ECONNABORTED",
        Some(104) => "ECONNRESET",
        Some(110) => "ETIMEDOUT",
        Some(111) => "ECONNREFUSED",
        Some(112) => "EHOSTDOWN",
        Some(113) => "EHOSTUNREACH",
        Some(other) => return failure.with(Key::Errno, format!("errno {other}")),
        None => return failure,
    };
    failure.with(Key::Errno, name)
}
