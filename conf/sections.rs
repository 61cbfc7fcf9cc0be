//! The sections that belong to the filters and to attribution, gathered here so that the rest of
//! this crate has one place to take them from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use whodunit_filters::Set;
pub use whodunit_filters::attribution::disclosure::{DiagnosisSettings, Disclose, On};
pub use whodunit_filters::attribution::redact::Redact;
pub use whodunit_filters::chain::Settings;
pub use whodunit_filters::field::FieldName;
pub use whodunit_filters::limits::{Limits, LimitsInForce, LimitsOverride};
pub use whodunit_filters::secret::Secret;
pub use whodunit_filters::timeouts::{Timeouts, TimeoutsInForce, TimeoutsOverride};
pub use whodunit_filters::trust::Trust;

/// Which status stands for which failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Statuses {
    /// Those RFC 9209 recommends, but for `no_route` (404) and `loop_detected` (508).
    #[default]
    Standard,
    /// Those RFC 9209 recommends.
    Rfc9209,
    /// Cloudflare's.
    Cloudflare,
    /// Alibaba Cloud's.
    Alibaba,
}
