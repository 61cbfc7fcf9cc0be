//! `routes`: which requests go where.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::text::{Host, Name, Prefix};
use crate::sections::{AccessOverride, Compression, LimitsOverride, TimeoutsOverride, rate};

/// One route: which requests it takes, and the upstream they go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name in records and metrics. Default: the upstream's name, numbered where that is taken.
    #[serde(default)]
    pub name: Option<Name>,
    /// The requests it takes. Default: all that no other route takes.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// The name of the upstream its requests go to.
    pub upstream: Name,
    /// Timeouts that differ on this route; they win over those of the upstream.
    #[serde(default)]
    pub timeouts: TimeoutsOverride,
    /// Limits that differ on this route; they win over those of the upstream.
    #[serde(default)]
    pub limits: LimitsOverride,
    /// Who may come in on this route; each list in place of the global one.
    #[serde(default)]
    pub access: AccessOverride,
    /// How many requests may come in which time: one rate, or several that all have to be kept.
    /// Default: any number.
    #[serde(default)]
    pub rate: rate::Several,
    /// How many requests may be under way at a time. Null: any number.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// How answers are compressed on this route, in place of what is said globally. Null: they are
    /// not.
    #[serde(default, deserialize_with = "stated")]
    pub compression: Option<Instead>,
}

/// Reads a key that is present, so that `null` can override.
fn stated<'de, D: Deserializer<'de>>(read: D) -> Result<Option<Instead>, D::Error> {
    Instead::deserialize(read).map(Some)
}

/// What stands in place of the global `compression`, if only that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Instead(pub Option<Compression>);

/// The requests of a route. Of several routes that fit, the one with the exact host wins, then
/// the longest wildcard, then the one for any host; among those, the longest path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The hosts. Default: any.
    pub host: Option<Host>,
    /// How their paths begin. Default: any.
    pub path: Option<Prefix>,
}

impl Match {
    /// How narrow it is: of two matches that cover a request, the greater wins.
    #[must_use]
    pub fn rank(&self) -> (bool, usize, usize) {
        let exact = self.host.as_ref().is_some_and(Host::is_exact);
        let host = self.host.as_ref().map_or(0, |host| host.as_str().len());
        (exact, host, self.prefix().len())
    }

    /// How its paths begin; `/` for any.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.path.as_ref().map_or("/", Prefix::as_str)
    }
}
