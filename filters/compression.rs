//! Which answers go out compressed, and what that changes about their header sections. The bytes are
//! somebody else's to compress.

mod accept;

use std::borrow::Cow;

use http::header::{
    self, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::chain::{Edit, ResponseView};
use crate::units::Size;

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Br,
    /// gzip (RFC 1952).
    Gzip,
}

/// What is compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compression {
    /// The codings to use. Of those that a client would rather have than others, the first one listed
    /// here is used. Default `[zstd, br, gzip]`.
    #[schemars(length(min = 1))]
    pub encodings: Vec<Coding>,
    /// The types of content to compress, `type/*` for all of one kind. Streams of events and gRPC are
    /// left alone whatever is listed. Default: text, and what is text by another name.
    #[schemars(length(min = 1))]
    pub types: Vec<ContentType>,
    /// Answers that are known to be smaller are left alone. Default `1KiB`.
    pub min_size: Size,
    /// How much work each coding takes on for a smaller answer.
    pub levels: Levels,
}

/// How much work each coding takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// 1 to 19. Default `3`.
    #[schemars(range(min = 1, max = 19))]
    pub zstd: u8,
    /// 0 to 11. Default `4`.
    #[schemars(range(min = 0, max = 11))]
    pub br: u8,
    /// 1 to 9. Default `6`.
    #[schemars(range(min = 1, max = 9))]
    pub gzip: u8,
}

/// A type of content (RFC 9110 section 8.3.1) without parameters, or `type/*`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(Cow<'static, str>);

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It stays as it is, and would for everybody.
    Leave,
    /// It stays as it is; somebody who accepts other codings would get it compressed.
    Vary,
    /// It is compressed.
    Encode(Coding),
    /// It has no body, and tells a client that the compressed one which it holds is still good.
    Confirm,
}

/// What there is to gain by.
const TYPES: [&str; 12] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/xhtml+xml",
    "application/rss+xml",
    "application/atom+xml",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/wasm",
    "image/svg+xml",
];

/// Fields that tell of the very bytes of the body, which will be others (RFC 9530, RFC 3230, RFC 1864).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

impl Compression {
    /// What becomes of this answer to a request of this version with these fields.
    #[must_use]
    pub fn decide(
        &self,
        version: Version,
        request: &HeaderMap,
        response: &ResponseView<'_>,
    ) -> Decision {
        if response.status == StatusCode::NOT_MODIFIED && holds_ours(request, response.headers) {
            return Decision::Confirm;
        }
        if !self.suits(response) || untouchable(request) {
            return Decision::Leave;
        }
        // HTTP/1.0 has no way to tell the end of what is compressed on the way but to close.
        if matches!(version, Version::HTTP_09 | Version::HTTP_10) {
            return Decision::Vary;
        }
        let accepted = accept::choose(&self.encodings, request.get_all(ACCEPT_ENCODING));
        accepted.map_or(Decision::Vary, Decision::Encode)
    }

    /// Whether an answer would be compressed for a client that accepts it.
    fn suits(&self, response: &ResponseView<'_>) -> bool {
        let (status, headers) = (response.status, response.headers);
        let bodiless = status.is_informational()
            || [
                StatusCode::NO_CONTENT,
                StatusCode::RESET_CONTENT,
                StatusCode::PARTIAL_CONTENT,
                StatusCode::NOT_MODIFIED,
            ]
            .contains(&status);
        let length = headers.get(CONTENT_LENGTH).map(|length| {
            length.to_str().ok().and_then(|length| length.parse::<u64>().ok()).unwrap_or(0)
        });
        !bodiless
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && length.is_none_or(|length| length >= self.min_size.0)
            && headers.get(CONTENT_TYPE).is_some_and(|held| self.lists(held))
            && !untouchable(headers)
    }

    fn lists(&self, held: &HeaderValue) -> bool {
        let Ok(held) = held.to_str() else { return false };
        let held = held.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        held != "text/event-stream"
            && !held.starts_with("application/grpc")
            && self.types.iter().any(|listed| listed.holds(&held))
    }
}

impl ContentType {
    fn holds(&self, held: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(kind) => held.starts_with(kind),
            None => held == self.0,
        }
    }
}

/// Whether a message forbids to change its body (RFC 9111 sections 5.2.1.6 and 5.2.2.6).
fn untouchable(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|line| {
        let mut words = line.as_bytes().split(|byte| *byte == b',');
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    })
}

impl Decision {
    /// Changes the header section of an answer to a request with this method accordingly.
    pub fn apply(self, method: &Method, headers: &HeaderMap, edit: &mut dyn Edit) {
        if self == Self::Leave {
            return;
        }
        if !varies(headers) {
            edit.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if self == Self::Vary {
            return;
        }
        if let Some(weak) = weakened(headers) {
            edit.set(ETAG, HeaderValue::from_bytes(&weak).expect("a value behind two letters"));
        }
        let Self::Encode(coding) = self else { return };
        edit.set(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        for name in [CONTENT_LENGTH, ACCEPT_RANGES].iter().chain(&DIGESTS) {
            edit.remove(name);
        }
        if method != Method::HEAD {
            edit.set(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// The tag of an answer as it stands beside a compressed body, where that is another: other bytes, the
/// same thing (RFC 9110 section 8.8.1).
fn weakened(headers: &HeaderMap) -> Option<Vec<u8>> {
    let strong = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"))?;
    Some([b"W/", strong.as_bytes()].concat())
}

/// Whether the client asks about what it got with such a tag. It updates what it holds only by an
/// answer with the same one (RFC 9111 section 4.3.4).
fn holds_ours(request: &HeaderMap, response: &HeaderMap) -> bool {
    weakened(response).is_some_and(|weak| {
        let mut lines = request.get_all(IF_NONE_MATCH).iter();
        lines.any(|line| line.as_bytes().windows(weak.len()).any(|part| part == weak))
    })
}

/// Whether `Vary` tells already of the field that decides here.
fn varies(headers: &HeaderMap) -> bool {
    headers.get_all(header::VARY).iter().any(|line| {
        let mut names = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
    })
}

impl Coding {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            encodings: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            types: TYPES.iter().map(|name| ContentType(Cow::Borrowed(name))).collect(),
            min_size: Size::kib(1),
            levels: Levels::default(),
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self { zstd: 3, br: 4, gzip: 6 }
    }
}

impl TryFrom<String> for ContentType {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let token = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
        };
        match text.split_once('/') {
            Some((kind, rest)) if token(kind) && (rest == "*" || token(rest)) => {
                Ok(Self(text.to_ascii_lowercase().into()))
            }
            _ => Err(format!(
                "`{}` is not a type of content: write one such as `application/json`, or `text/*`",
                text.escape_debug()
            )),
        }
    }
}

impl From<ContentType> for String {
    fn from(held: ContentType) -> Self {
        held.0.into_owned()
    }
}

impl JsonSchema for ContentType {
    fn schema_name() -> Cow<'static, str> {
        "ContentType".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[A-Za-z0-9!#$&^_.+-]+/(\*|[A-Za-z0-9!#$&^_.+-]+)$",
            "description": "A type of content such as `application/json`, or `text/*`."
        })
    }
}

#[cfg(test)]
mod tests;
