//! `upstreams.*.health` and `upstreams.*.eject`: which endpoints requests are sent to at all.

mod forms;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whodunit_filters::units::Span;

use super::percent::Share;

pub use forms::{Authority, Expect, Page};

/// Checks of the endpoints that nobody's request waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// What a check does.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The path to ask for, with its query if it has one.
    pub path: Page,
    /// The method to ask with.
    pub method: Method,
    /// The host to ask for. Null: the endpoint's own name or address.
    pub host: Option<Authority>,
    /// The port to check. Null: the endpoint's own.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The statuses that a healthy endpoint answers with.
    pub expect: Expect,
    /// The time from one check of an address to the next.
    pub interval: Span,
    /// How long each step of a check may take: to connect, to secure the connection, to be answered.
    pub timeout: Span,
    /// So many checks in a row that an endpoint which is out passes to come back.
    #[schemars(range(min = 1, max = 1000))]
    pub healthy_after: u32,
    /// So many checks in a row that an endpoint fails to be taken out.
    #[schemars(range(min = 1, max = 1000))]
    pub unhealthy_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            path: Page::default(),
            method: Method::default(),
            host: None,
            port: None,
            expect: Expect::default(),
            interval: Span::seconds(5),
            timeout: Span::seconds(2),
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

/// What a check does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Connects as a request would (TLS, HTTP/2), asks for the path, and looks at the status.
    #[default]
    Http,
    /// Connects by TCP or to the Unix socket, and says nothing.
    Tcp,
    /// Connects and makes the TLS handshake.
    Tls,
}

/// The method to ask with: those that change nothing (RFC 9110 section 9.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`.
    #[default]
    Get,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// When an endpoint that fails requests gets none for a while. Failures count by their verdicts: only
/// those of the origin or of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Eject {
    /// So many attempts in a row that fail: connections that cannot be made, are lost or stay silent,
    /// answers that are no HTTP, and the statuses 502, 503 and 504.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub after: u32,
    /// For how long. The first failure after that takes it out again, if none went well, and each
    /// time that follows soon for longer: twice, three times, up to ten times as long.
    #[serde(rename = "for")]
    pub time: Span,
    /// The most of the upstream's addresses that may be out when one more is ejected, that one
    /// included: at least one, never all of them.
    pub max: Share,
}

impl Default for Eject {
    fn default() -> Self {
        Self { after: 5, time: Span::seconds(30), max: Share::of(50) }
    }
}
