//! The head of an HTTP/1 request, looked at before anybody acts on it.
//!
//! [`Head`] follows the bytes as they come, looks at each of them once, and says as soon as it can
//! whether they are a request whose meaning is beyond doubt. It refuses whatever is malformed
//! (RFC 9112 section 3), whatever two readers could understand differently (sections 6.3 and
//! 11.2: request smuggling), and whatever is over its limits; and names the rule and the place.
//! It is stricter than the parser behind it, so that what passes here is never refused there.
//!
//! ```
//! use whodunit_filters::head::{Framing, Head, HeadLimits, Inspection};
//!
//! let head = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi";
//! let Inspection::Complete(facts) = Head::new().inspect(head, &HeadLimits::default()) else {
//!     panic!("a good request");
//! };
//! assert_eq!((&head[facts.target], facts.framing), (&b"/x"[..], Framing::Length(2)));
//! ```

mod field;
mod glimpse;
mod line;
mod parsed;
mod rule;

use std::ops::Range;

use http::Version;

use crate::attribution::cause::client;
use crate::attribution::{Failure, Key};

pub use glimpse::Glimpse;
use line::RequestLine;

pub use line::METHOD_MAX;
pub use parsed::Parsed;
pub use rule::Rule;

/// The most fields that Pingora's parser takes.
pub const FIELDS_MAX: usize = 256;
/// The longest target that `http::Uri` takes, with room for the slash put before a bare query.
pub const TARGET_MAX: usize = 65_533;
/// The largest header section that leaves room for a request line within Pingora's 1,048,575 bytes.
pub const SECTION_MAX: usize = 960_000;

/// How large the head of a request may be. What is above the parser's own limits
/// ([`FIELDS_MAX`], [`TARGET_MAX`], [`SECTION_MAX`]) is taken as these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The header section, from after the request line to the empty line, in bytes
    /// (`limits.request_header`, 32 KiB).
    pub section: usize,
    /// The number of field lines (`limits.request_headers`, 100).
    pub fields: usize,
    /// The request target, in bytes (`limits.request_uri`, 32 KiB).
    pub target: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { section: 32 << 10, fields: 100, target: 32 << 10 }
    }
}

/// How the length of a request's body is told (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What a good head says. The ranges are places in the bytes that were inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadFacts {
    /// The length of the head with its empty line, in bytes.
    pub length: usize,
    /// The method.
    pub method: Range<usize>,
    /// The request target.
    pub target: Range<usize>,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The value of `Host`; always there in HTTP/1.1.
    pub host: Option<Range<usize>>,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits for a `100 Continue` (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
    /// Whether the client asks for another protocol (RFC 9110 section 7.8).
    pub upgrade: bool,
}

/// What is to be done with the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Inspection {
    /// More are needed.
    Partial,
    /// They begin with a good head.
    Complete(HeadFacts),
    /// They will never be a good head.
    Refused(Failure),
}

/// The inspection of one head.
#[derive(Debug, Default)]
pub struct Head {
    /// Bytes looked at.
    scanned: usize,
    /// Where the line under way begins.
    line: usize,
    /// Field lines that are complete.
    fields: usize,
    /// The request line, once it is complete.
    request: Option<RequestLine>,
}

impl Head {
    /// An inspection that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at what has come: `buf` holds the same bytes as at the last call and those that came
    /// since. Empty lines before a request (RFC 9112 section 2.2) must have been taken away.
    pub fn inspect(&mut self, buf: &[u8], limits: &HeadLimits) -> Inspection {
        match self.advance(buf, limits) {
            Ok(Some(facts)) => Inspection::Complete(facts),
            Ok(None) => Inspection::Partial,
            Err(failure) => Inspection::Refused(failure),
        }
    }

    fn advance(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<HeadFacts>, Failure> {
        while let Some(found) = buf[self.scanned..].iter().position(|b| *b == b'\n') {
            let end = self.scanned + found;
            if let Some(request) = &self.request {
                check_section(buf, request.length, end + 1, limits)?;
            }
            let bare = end == self.line || buf[end - 1] != b'\r';
            let line = self.line..if bare { end } else { end - 1 };
            if bare && (self.request.is_some() || line.is_empty()) {
                return Err(Rule::BareLf.at(end));
            }
            self.scanned = end + 1;
            self.line = end + 1;
            let Some(request) = &self.request else {
                // Its end is looked at last, as if it had come by itself.
                let request = RequestLine::read(&buf[line], |size| check_target(size, limits))?;
                if bare {
                    return Err(Rule::BareLf.at(end));
                }
                self.request = Some(request);
                continue;
            };
            if line.is_empty() {
                return field::read(buf, request, self.fields, self.scanned).map(Some);
            }
            self.fields += 1;
            check_count(self.fields, limits)?;
        }
        if let Some(request) = &self.request {
            check_section(buf, request.length, buf.len(), limits)?;
        } else {
            let target = line::check_partial(buf, self.scanned)?;
            // The version and the line's end may be among the bytes after the target.
            check_target(target.saturating_sub(b" HTTP/1.1\r".len()), limits)?;
        }
        self.scanned = buf.len();
        Ok(None)
    }
}

fn check_count(fields: usize, limits: &HeadLimits) -> Result<(), Failure> {
    let most = limits.fields.min(FIELDS_MAX);
    if fields <= most {
        return Ok(());
    }
    Err(Failure::denied(&client::CLIENT_HEADER_TOO_LARGE)
        .with(Key::Count, fields)
        .with(Key::MaxCount, most)
        .with(Key::Setting, "limits.request_headers"))
}

fn check_target(size: usize, limits: &HeadLimits) -> Result<(), Failure> {
    let limit = limits.target.min(TARGET_MAX);
    if size <= limit {
        return Ok(());
    }
    Err(Failure::denied(&client::CLIENT_URI_TOO_LONG)
        .with(Key::Size, size)
        .with(Key::Limit, limit)
        .with(Key::Setting, "limits.request_uri"))
}

/// The header section reaches from `start` to `end`, or at least until there.
fn check_section(buf: &[u8], start: usize, end: usize, limits: &HeadLimits) -> Result<(), Failure> {
    let limit = limits.section.min(SECTION_MAX);
    let size = end - start;
    if size <= limit {
        return Ok(());
    }
    Err(Failure::denied(&client::CLIENT_HEADER_TOO_LARGE)
        .with(Key::Size, size)
        .with(Key::Limit, limit)
        .with(Key::Setting, "limits.request_header")
        .with(Key::Field, field::largest(&buf[start..end])))
}

#[cfg(test)]
mod tests;
