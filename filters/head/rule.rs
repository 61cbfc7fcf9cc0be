//! The rules that a request head can break.

use crate::attribution::cause::client;
use crate::attribution::{Cause, Failure, Key};

/// A rule of HTTP that a request breaks, named by what breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A line ends in LF alone.
    BareLf,
    /// A CR that no LF follows.
    BareCr,
    /// White space between a field's name and its colon (RFC 9112 section 5.1).
    SpaceBeforeColon,
    /// A field that goes on in the next line (RFC 9112 section 5.2).
    Fold,
    /// More than one `Host` (RFC 9112 section 3.2).
    TwoHosts,
    /// HTTP/1.1 without `Host` (RFC 9112 section 3.2).
    NoHost,
    /// `Host` says something else than the target.
    HostDiffers,
    /// `Content-Length` together with `Transfer-Encoding` (RFC 9112 section 6.1).
    LengthWithCoding,
    /// Several `Content-Length`s that differ (RFC 9110 section 8.6).
    LengthsDiffer,
    /// A `Content-Length` that is no number (RFC 9110 section 8.6).
    LengthInvalid,
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 section 6.1).
    CodingOnOldVersion,
    /// `Transfer-Encoding` other than a single `chunked` (RFC 9112 section 6.3).
    CodingUnknown,
    /// A path whose `..` lead above the root (RFC 3986 section 5.2.4).
    AboveRoot,
    /// A path that is not the same to all who read it: see [`crate::path`].
    TwoPaths,
    /// A NUL.
    Nul,
    /// Another control character.
    Control,
    /// What stands before the first space is no method.
    Method,
    /// There are not three parts in the request line.
    RequestLine,
    /// The target is in none of the four forms of RFC 9112 section 3.2, or has bad characters.
    Target,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// A name or a password in the target or in `Host` (RFC 9110 section 4.2.4).
    UserInfo,
    /// `Host` is not a host with an optional port.
    Host,
    /// A field line without a colon.
    NoColon,
    /// A field's name is empty, over-long or has bad characters.
    FieldName,
    /// A field's value has bad characters.
    FieldValue,
    /// A chunk's size is no hexadecimal number, or too large (RFC 9112 section 7.1).
    ChunkSize,
    /// A chunk's extensions have bad characters or are too long (RFC 9112 section 7.1.1).
    ChunkExtension,
    /// A chunk is longer or shorter than its size says.
    ChunkEnd,
    /// The trailer section is too large (RFC 9112 section 7.1.2).
    TrailerSize,
    /// An HTTP/2 message that breaks the rules of RFC 9113 section 8.1.1: its fields, or a body
    /// that is not as long as its `Content-Length` says.
    Message,
    /// HTTP/2 frames that break the rules of the connection (RFC 9113 section 5.4.1).
    Frames,
    /// More HTTP/2 frames than serve any request (RFC 9113 section 10.5).
    Flood,
}

impl Rule {
    /// The rule in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "bare LF",
            Self::BareCr => "bare CR",
            Self::SpaceBeforeColon => "space before a colon",
            Self::Fold => "folded field line",
            Self::TwoHosts => "more than one Host",
            Self::NoHost => "no Host",
            Self::HostDiffers => "Host differs from the target",
            Self::LengthWithCoding => "Content-Length with Transfer-Encoding",
            Self::LengthsDiffer => "differing Content-Lengths",
            Self::LengthInvalid => "invalid Content-Length",
            Self::CodingOnOldVersion => "Transfer-Encoding in HTTP/1.0",
            Self::CodingUnknown => "Transfer-Encoding other than chunked",
            Self::AboveRoot => "path that leads above the root",
            Self::TwoPaths => "path that leads to different routes, by who reads it",
            Self::Nul => "NUL",
            Self::Control => "control character",
            Self::Method => "invalid method",
            Self::RequestLine => "invalid request line",
            Self::Target => "invalid target",
            Self::Version => "unknown version",
            Self::UserInfo => "user information in the authority",
            Self::Host => "invalid Host",
            Self::NoColon => "field line without a colon",
            Self::FieldName => "invalid field name",
            Self::FieldValue => "invalid field value",
            Self::ChunkSize => "invalid chunk size",
            Self::ChunkExtension => "invalid chunk extension",
            Self::ChunkEnd => "chunk does not end where its size says",
            Self::TrailerSize => "trailer section too large",
            Self::Message => "malformed HTTP/2 message",
            Self::Frames => "broken HTTP/2 frames",
            Self::Flood => "flood of HTTP/2 frames",
        }
    }

    /// The cause that a request has which breaks this rule: ambiguous if two readers could
    /// understand it differently, else malformed.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::BareLf
            | Self::BareCr
            | Self::SpaceBeforeColon
            | Self::Fold
            | Self::TwoHosts
            | Self::NoHost
            | Self::HostDiffers
            | Self::LengthWithCoding
            | Self::LengthsDiffer
            | Self::LengthInvalid
            | Self::CodingOnOldVersion
            | Self::CodingUnknown
            | Self::AboveRoot
            | Self::TwoPaths => &client::CLIENT_REQUEST_AMBIGUOUS,
            Self::Nul
            | Self::Control
            | Self::Method
            | Self::RequestLine
            | Self::Target
            | Self::Version
            | Self::UserInfo
            | Self::Host
            | Self::NoColon
            | Self::FieldName
            | Self::FieldValue
            | Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::TrailerSize
            | Self::Message
            | Self::Frames
            | Self::Flood => &client::CLIENT_REQUEST_MALFORMED,
        }
    }

    /// The refusal of a request that breaks this rule.
    #[must_use]
    pub fn broken(self) -> Failure {
        Failure::denied(self.cause()).with(Key::Rule, self.as_str())
    }

    /// The same with the place, in bytes from the start of the request (of its body for what
    /// concerns chunks).
    #[must_use]
    pub fn at(self, offset: usize) -> Failure {
        self.broken().with(Key::Offset, offset)
    }
}
