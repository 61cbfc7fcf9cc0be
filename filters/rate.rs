//! How often: so many requests in a time, for each client, for the whole route, or for each value of
//! a header field. What is not used is saved up to a limit: a bucket of tokens, exact to the request.

mod bucket;
mod kept;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::attribution::cause::proxy::RATE_LIMITED;
use crate::attribution::{Failure, Key};
use crate::chain::{Filter, RequestView, RouteView, Verdict};
use crate::field::FieldName;
use crate::units::Span;

pub use kept::Registry;
pub use table::{MAX_KEYS, Table};

/// How many requests may come in which time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many requests …
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// … in this time, evenly. Default `1s`.
    #[serde(default = "second")]
    pub per: Span,
    /// How many may come at once after a rest. Default: as many as `requests`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// Whose requests are counted together: `client` (the default), `route`, or `header NAME`.
    #[serde(default)]
    pub by: By,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum By {
    /// Those of a client: of an IPv4 address, or of the 64 bits of an IPv6 address that tell the
    /// network, since a host there has all the rest to choose from. All clients on Unix sockets are
    /// one.
    #[default]
    Client,
    /// All on the route.
    Route,
    /// Those with the same value of this header field. All without it are counted together.
    Header(HeaderName),
}

/// `rate` as it is written: one rate, or a list of rates that all have to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Several(pub Vec<Rate>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(Rate),
    List(Vec<Rate>),
}

/// A rate in force, with the counts.
#[derive(Clone, Debug)]
pub struct Meter {
    /// The rate.
    pub rate: Rate,
    /// The place of its setting.
    pub place: Cow<'static, str>,
    /// The counts.
    pub table: Arc<Table>,
}

/// The rates in force on a route, all of which have to be kept.
#[derive(Clone, Debug, Default)]
pub struct Rates(pub Vec<Meter>);

/// The filter that holds requests to the rates in force on their route.
#[derive(Debug)]
pub struct Throttle(());

impl Throttle {
    pub(crate) const fn new(_: &str) -> Self {
        Self(())
    }
}

impl Rate {
    /// How many may come at once after a rest.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.burst.unwrap_or(self.requests)
    }
}

const fn second() -> Span {
    Span::seconds(1)
}

impl Meter {
    /// The one whose requests this is counted among.
    fn key(&self, request: &RequestView<'_>) -> u128 {
        match &self.rate.by {
            By::Route => 0,
            By::Client => request.client.map_or(0, network),
            By::Header(name) => {
                // What a client sends is neither kept nor to be met by another value.
                let lines = || request.headers.get_all(name).iter();
                let [high, low] = self.table.hashing.each_ref().map(|hashing| {
                    hashing.hash_one(lines().map(http::HeaderValue::as_bytes).collect::<Vec<_>>())
                });
                u128::from(high) << 64 | u128::from(low)
            }
        }
    }

    /// The wait is rounded up: whoever comes back after it is let through.
    fn refusal(&self, wait: Duration) -> Failure {
        let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Failure::denied(&RATE_LIMITED)
            .with(Key::MaxCount, u64::from(self.rate.requests))
            .with(Key::LimitMs, self.rate.per.0)
            .with(Key::CountedBy, self.rate.by.to_string())
            .with(Key::RetryAfterMs, ms)
            .with(Key::Setting, self.place.clone())
    }
}

/// The client's network, as one number: an IPv4 address, or the first half of an IPv6 address.
fn network(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(ip) >> 64 << 64,
    }
}

impl Rates {
    /// Counts a request, unless one of the rates forbids it: then none counts it. All the buckets are
    /// held until all have agreed, always in this order.
    fn count(&self, request: &RequestView<'_>) -> Option<Failure> {
        let mut agreed = Vec::with_capacity(self.0.len());
        for meter in &self.0 {
            match meter.table.look(meter.key(request), request.arrived) {
                Ok(place) => agreed.push(place),
                Err(wait) => return Some(meter.refusal(wait)),
            }
        }
        agreed.into_iter().for_each(table::Place::take);
        None
    }
}

impl Filter for Throttle {
    fn request(&self, request: &RequestView<'_>, route: &RouteView<'_>) -> Verdict {
        if route.rules.rates.0.is_empty() {
            return Verdict::Pass;
        }
        route.rules.rates.count(request).into()
    }
}

impl From<Written> for Several {
    fn from(written: Written) -> Self {
        match written {
            Written::One(rate) => Self(vec![rate]),
            Written::List(rates) => Self(rates),
        }
    }
}

impl From<Several> for Written {
    fn from(several: Several) -> Self {
        Self::List(several.0)
    }
}

impl TryFrom<String> for By {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(' ') {
            None if text == "client" => Ok(Self::Client),
            None if text == "route" => Ok(Self::Route),
            Some(("header", name)) => FieldName::try_from(name.trim().to_owned())
                .map(|name| Self::Header(name.name().clone())),
            _ => Err(format!(
                "`{}` is nothing to count by: write `client`, `route`, or `header` and a field's name, such as `header X-Api-Key`",
                text.escape_debug()
            )),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Route => f.write_str("route"),
            Self::Header(name) => write!(f, "header {name}"),
        }
    }
}

impl From<By> for String {
    fn from(by: By) -> Self {
        by.to_string()
    }
}

impl JsonSchema for By {
    fn schema_name() -> Cow<'static, str> {
        "RateBy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(client|route|header +[^ ]+)$",
            "description": "Whose requests are counted together: `client`, `route`, or `header NAME`."
        })
    }
}

impl JsonSchema for Several {
    fn schema_name() -> Cow<'static, str> {
        "Rates".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Rate>();
        json_schema!({
            "description": "One rate, or a list of rates that all have to be kept.",
            "anyOf": [one, { "type": "array", "items": one }]
        })
    }
}

#[cfg(test)]
mod tests;
