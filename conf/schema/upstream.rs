//! `upstreams`: where requests go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whodunit_filters::units::Span;

use super::address::Target;
use super::health::{Eject, Health};
use super::spread::{Balance, Hash, Queue, Retries};
use super::text::ServerName;
use crate::sections::{LimitsOverride, TimeoutsOverride, Version};

/// A group of endpoints that answer the same requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The addresses that answer. With none, every request ends in `no_endpoints`.
    pub endpoints: Vec<Endpoint>,
    /// Speak TLS to the endpoints. Default: plain text.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Which HTTP is spoken to the endpoints.
    #[serde(default)]
    pub protocol: Protocol,
    /// Whether it is a proxy whose `Proxy-Status` members are believed.
    #[serde(default)]
    pub hop: bool,
    /// Whether each connection begins by telling whose it is, and in which version of the PROXY
    /// protocol: the client's address and the one that it connected to. Connections are then shared by
    /// requests of one client alone. Null: it does not.
    #[serde(default)]
    pub proxy_protocol: Option<Version>,
    /// How requests are spread over the endpoints.
    #[serde(default)]
    pub balance: Balance,
    /// What `balance: hash` goes by.
    #[serde(default)]
    pub hash: Hash,
    /// An address that is new, or back after it was out of service, gets a share of the requests
    /// that grows from a tenth to the whole over this time. Not with `balance: hash`. Default: the
    /// whole share at once.
    #[serde(default)]
    pub slow_start: Option<Span>,
    /// Checks that take endpoints out while they are not well. Default: nobody checks.
    #[serde(default)]
    pub health: Option<Health>,
    /// When an endpoint that fails requests gets none for a while. Default: never.
    #[serde(default)]
    pub eject: Option<Eject>,
    /// When a request is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How many connections to the endpoints may carry requests at a time. Idle ones do not count,
    /// nor do those of HTTP/2, which carry many: there, limit requests. Null: any number.
    #[serde(default = "connections")]
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
    /// How many requests may be under way at a time. Null: any number.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_requests: Option<u32>,
    /// Requests that find no place under these two limits wait for one. Default: they are refused
    /// at once.
    #[serde(default)]
    pub queue: Option<Queue>,
    /// Timeouts that differ for this upstream.
    #[serde(default)]
    pub timeouts: TimeoutsOverride,
    /// Limits that differ for this upstream.
    #[serde(default)]
    pub limits: LimitsOverride,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written")]
pub struct Endpoint {
    /// `host:port`, `ip:port`, `[v6]:port`, or `unix:/path`.
    pub address: Target,
    /// Its share of the requests, against the others', however many addresses its name has. 0 takes
    /// it out: what is under way there goes on to its end, and nothing new is sent. Default 1.
    pub weight: u16,
}

/// An endpoint as it is written: its address alone, or with a weight.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Endpoint")]
enum Written {
    Address(Target),
    Weighted(Weighted),
}

/// An endpoint with a weight.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "WeightedEndpoint")]
#[serde(deny_unknown_fields)]
struct Weighted {
    /// `host:port`, `ip:port`, `[v6]:port`, or `unix:/path`.
    address: Target,
    /// Its share of the requests, against the others'. 0 takes it out.
    #[serde(default = "one")]
    weight: u16,
}

#[expect(clippy::unnecessary_wraps, reason = "null stands for no limit")]
const fn connections() -> Option<u32> {
    Some(1024)
}

const fn one() -> u16 {
    1
}

impl From<Written> for Endpoint {
    fn from(written: Written) -> Self {
        match written {
            Written::Address(address) => Self { address, weight: one() },
            Written::Weighted(Weighted { address, weight }) => Self { address, weight },
        }
    }
}

/// TLS towards the endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The name to send and to look for in the certificate. Default: the endpoint's host name; its
    /// address, and no SNI, where it has none.
    pub sni: Option<ServerName>,
    /// A PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file of lists of revoked certificates, as authorities publish them. Default: nothing is
    /// looked up.
    pub crl: Option<PathBuf>,
    /// Whether the certificate is checked at all.
    pub verify: bool,
    /// A PEM file with the certificate to show, and its chain.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with that certificate's key.
    pub client_key: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { sni: None, ca: None, crl: None, verify: true, client_cert: None, client_key: None }
    }
}

/// Which HTTP is spoken to the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// With `tls`, whichever of HTTP/2 and HTTP/1.1 the endpoint chooses (ALPN); without, HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 over TLS. An endpoint that chooses otherwise is an error: nothing falls back.
    H2,
    /// HTTP/2 over plain text, without asking first.
    H2c,
}
