//! Version 1: a line of text (section 2.1).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arrayvec::ArrayVec;

use super::{Flaw, Told, plain};

/// How it begins.
pub(super) const OPENING: &[u8] = b"PROXY ";
/// The longest line, with its CRLF.
pub(super) const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Option<(Told, usize)>, Flaw> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if window.len() < LONGEST { Ok(None) } else { Err(Flaw::TooLong) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(Flaw::LineEnd)?;
    let line = line.strip_prefix(OPENING).ok_or(Flaw::Parts)?;
    Ok(Some((parts(line)?, end + 1)))
}

fn parts(line: &[u8]) -> Result<Told, Flaw> {
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        // Whatever stands there beside is of no account.
        return Ok(Told::Unknown);
    }
    let line = std::str::from_utf8(line).map_err(|_| Flaw::Parts)?;
    let parts: ArrayVec<&str, 6> = line.split(' ').take(6).collect();
    let [family, from, to, from_port, to_port] = parts[..] else { return Err(Flaw::Parts) };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            _ => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        }
    };
    if !matches!(family, "TCP4" | "TCP6") {
        return Err(Flaw::Family);
    }
    let end = |ip: &str, number: &str| -> Result<SocketAddr, Flaw> {
        Ok(plain(address(ip).ok_or(Flaw::Address)?, port(number)?))
    };
    Ok(Told::Client { from: end(from, from_port)?, to: end(to, to_port)? })
}

/// Digits, of which the first is no zero unless it is the only one. Rust takes a sign as well.
fn port(text: &str) -> Result<u16, Flaw> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(Flaw::Port);
    }
    text.parse().map_err(|_| Flaw::Port)
}

pub(super) fn write(told: Told) -> ArrayVec<u8, LONGEST> {
    let mut line = ArrayVec::new();
    let written = match told {
        Told::Own | Told::Unknown => write!(line, "PROXY UNKNOWN\r\n"),
        Told::Client { from, to } => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from, from_port, to, to_port) = (from.ip(), from.port(), to.ip(), to.port());
            write!(line, "PROXY {family} {from} {to} {from_port} {to_port}\r\n")
        }
    };
    written.expect("the longest addresses fit");
    line
}
