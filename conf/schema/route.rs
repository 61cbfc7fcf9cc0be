//! `routes`: which requests go where, and what is done to them on the way.

pub mod answer;
pub mod edits;
pub mod matching;
pub mod rewrite;
pub(crate) mod shown;
pub mod template;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Name;
use crate::sections::{LimitsOverride, TimeoutsOverride};
pub use answer::{Maintenance, Redirect, Respond};
pub use edits::{RequestEdits, ResponseEdits};
pub use matching::Match;
pub use rewrite::Rewrite;

/// One route: which requests it takes, and what becomes of them. It has one of `upstream`,
/// `redirect` and `respond`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Its name in records and metrics. Default: the upstream's name, `redirect` or `respond`,
    /// numbered where that is taken.
    pub name: Option<Name>,
    /// The requests it takes. Default: all that no other route takes.
    #[serde(rename = "match")]
    pub matches: Match,
    /// The name of the upstream its requests go to.
    #[schemars(with = "Name")]
    pub upstream: Option<Name>,
    /// Where its clients are sent instead.
    pub redirect: Option<Redirect>,
    /// The answer that its clients get instead.
    pub respond: Option<Respond>,
    /// What the upstream is asked for in place of what the client asked for.
    pub rewrite: Rewrite,
    /// Fields of the request that are changed before the upstream gets it.
    pub request_headers: RequestEdits,
    /// Fields of the answer that are changed before the client gets it, whoever made it.
    pub response_headers: ResponseEdits,
    /// Whether its clients are told that it is out of service, as planned.
    pub maintenance: Maintenance,
    /// Timeouts that differ on this route; they win over those of the upstream.
    pub timeouts: TimeoutsOverride,
    /// Limits that differ on this route; they win over those of the upstream.
    pub limits: LimitsOverride,
}
