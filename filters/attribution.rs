//! From facts to a verdict to words.
//!
//! [`evidence`] and [`exchange`] hold facts, [`diagnosis`] is the only place that blames, by the
//! rows of [`cause`]; what renders a verdict decides nothing.

mod alert;
mod around;
pub mod cause;
mod clock;
pub mod diagnosis;
pub mod disclosure;
pub mod evidence;
pub mod exchange;
pub mod explain;
pub mod header;
mod hop;
pub mod id;
mod json;
pub mod key;
pub mod ledger;
pub mod metrics;
pub mod page;
pub mod record;
pub mod redact;
pub mod reference;
pub mod rfc9209;
mod scene;
pub mod sniff;
pub mod status;
mod text;
mod token;
mod value;
mod wording;

pub use cause::{Cause, Row};
pub use diagnosis::Diagnosis;
pub use disclosure::Disclosure;
pub use evidence::{
    Certainty, CertificateFault, Evidence, Failure, Fault, Party, Phase, Scope, Sent, Side, Value,
};
pub use exchange::{Attempt, Connection, Exchange, NextHop, RequestFacts};
pub use id::RequestId;
pub use key::Key;
pub use ledger::Ledger;
pub use record::Record;
pub use redact::Redact;
pub use rfc9209::ErrorType;
pub use scene::Scene;
pub use status::{Dialect, Statuses};
