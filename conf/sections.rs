//! The sections that belong to the filters and to attribution, gathered here so that the rest of
//! this crate has one place to take them from.

pub use whodunit_filters::access::{AccessInForce, AccessOverride, Source};
pub use whodunit_filters::attribution::Statuses;
pub use whodunit_filters::attribution::disclosure::{DiagnosisSettings, Disclose, On};
pub use whodunit_filters::attribution::page::own::Codes;
pub use whodunit_filters::attribution::redact::Redact;
pub use whodunit_filters::chain::Settings;
pub use whodunit_filters::compression::{Compression, ContentType};
pub use whodunit_filters::field::FieldName;
pub use whodunit_filters::limits::{LimitsInForce, LimitsOverride};
pub use whodunit_filters::proxied::Version;
pub use whodunit_filters::rate;
pub use whodunit_filters::secret::Secret;
pub use whodunit_filters::timeouts::{TimeoutsInForce, TimeoutsOverride};
pub use whodunit_filters::trust::Trust;
