//! The header of the PROXY protocol, by which a proxy tells the next one whose connection it passes
//! on: a line of text (version 1) or a block of bytes (version 2) before anything else, TLS included.
//!
//! The source is `HAProxy`'s `doc/proxy-protocol.txt` (revision of 2020/03/05). A header that it does
//! not allow is refused, however it came about: who reads it leniently reads it otherwise than the
//! next one does.
//!
//! ```
//! use whodunit_filters::proxied::{Greeting, Reading, Told, Version, read};
//!
//! let told = Told::Client { from: "203.0.113.9:5000".parse()?, to: "192.0.2.1:443".parse()? };
//! let greeting = Greeting::new(Version::V1, told);
//! assert_eq!(greeting.bytes(), b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\n");
//! assert_eq!(read(greeting.bytes()), Reading::Complete { told, length: greeting.bytes().len() });
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod binary;
mod text;

use std::net::{IpAddr, SocketAddr};

use arrayvec::ArrayVec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest header that is read, in bytes: nginx takes no longer ones either. One of version 1
/// has 107 at the most, and one of version 2 may carry things that nobody here looks at.
pub const LONGEST: usize = 4_096;

/// Which of its two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ProxyProtocol")]
pub enum Version {
    /// A line of text.
    V1,
    /// A block of bytes.
    V2,
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// The sender's own, as for a health check (`LOCAL`). Version 1 has no word for it.
    Own,
    /// Somebody's that cannot be told (`UNKNOWN`), or that is no connection of TCP.
    Unknown,
    /// A client's.
    Client {
        /// The client.
        from: SocketAddr,
        /// Where it connected to.
        to: SocketAddr,
    },
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// More are needed.
    Partial,
    /// They begin with a header of this length.
    Complete {
        /// What it says.
        told: Told,
        /// Its length in bytes; what follows is the client's.
        length: usize,
    },
    /// They will never be a good header.
    Refused(Flaw),
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is none.
    Missing,
    /// It is longer than it may be.
    TooLong,
    /// The line does not end as it must, in CR and LF.
    LineEnd,
    /// The line does not have the parts that it must.
    Parts,
    /// An address is none, or not of the kind announced.
    Address,
    /// A port is none.
    Port,
    /// Neither version.
    Version,
    /// Neither `LOCAL` nor `PROXY`.
    Command,
    /// A kind of address or of transport that is not defined.
    Family,
    /// The block is shorter than the addresses announced.
    TooShort,
}

/// A header, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Greeting(ArrayVec<u8, { text::LONGEST }>);

/// Reads a header from the first bytes of a connection. May be called again with the same bytes and
/// more, until it is not [`Reading::Partial`].
#[must_use]
pub fn read(bytes: &[u8]) -> Reading {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(came, due)| came == due);
    let read = if begins(&binary::SIGNATURE) {
        binary::read(bytes)
    } else if begins(text::OPENING) {
        text::read(bytes)
    } else {
        Err(Flaw::Missing)
    };
    match read {
        Ok(Some((told, length))) => Reading::Complete { told, length },
        Ok(None) => Reading::Partial,
        Err(flaw) => Reading::Refused(flaw),
    }
}

impl Greeting {
    /// The header that tells this.
    #[must_use]
    pub fn new(version: Version, told: Told) -> Self {
        let told = match told {
            Told::Client { from, to } if from.is_ipv4() != to.is_ipv4() => {
                Told::Client { from: widened(from), to: widened(to) }
            }
            told => told,
        };
        Self(match version {
            Version::V1 => text::write(told),
            Version::V2 => binary::write(told),
        })
    }

    /// It as it is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Flaw {
    /// It in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no PROXY protocol header",
            Self::TooLong => "PROXY protocol header too long",
            Self::LineEnd => "PROXY protocol line without CRLF",
            Self::Parts => "PROXY protocol line without its six parts",
            Self::Address => "invalid address in the PROXY protocol header",
            Self::Port => "invalid port in the PROXY protocol header",
            Self::Version => "unknown version of the PROXY protocol",
            Self::Command => "unknown command in the PROXY protocol header",
            Self::Family => "unknown address family in the PROXY protocol header",
            Self::TooShort => "PROXY protocol header too short for its addresses",
        }
    }
}

/// An address in IPv6 clothes: both of a header are of one kind.
fn widened(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddr::new(ip.into(), address.port())
}

/// The same without.
fn plain(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests;
