//! Who broke the request: evidence, judgement and words for HTTP gateways, without I/O.
//!
//! ```text
//! facts          Exchange: what was asked, each attempt, how far it got, what failed and where
//!   │
//!   ▼
//! verdict        Diagnosis::of: the first row of the catalogue whose condition holds
//!   │
//!   ▼
//! words          header (Proxy-Status), page (the body), record (the log), ledger and metrics
//! ```
//!
//! Facts are recorded by whoever moves the bytes, and blame nobody: a [`Failure`] says at which
//! [`Side`], in which [`Phase`] and how something went wrong, with [`Evidence`]. A [`Diagnosis`] is
//! the only opinion: a cause, the [`Party`] with whom it lies, and a [`Certainty`]. All words follow
//! from it. The causes are the rows of [`attribution::cause`].
//!
//! Beside that stand the filters of a gateway: [`access`], [`rate`], [`limits`], [`loops`],
//! [`methods`], [`framing`], [`forwarded`], called in order by [`chain`]. Each owns its section of the configuration, and
//! refuses by a [`Failure`], which is judged like any other.
//!
//! [`Failure`]: attribution::Failure
//! [`Side`]: attribution::Side
//! [`Phase`]: attribution::Phase
//! [`Evidence`]: attribution::Evidence
//! [`Diagnosis`]: attribution::Diagnosis
//! [`Party`]: attribution::Party
//! [`Certainty`]: attribution::Certainty
//!
//! ```
//! use whodunit_filters::attribution::{
//!     Attempt, Diagnosis, Disclosure, Exchange, Failure, Fault, Key, NextHop, Phase, RequestId,
//!     Side, header,
//! };
//!
//! // The facts: the connection to this endpoint was refused.
//! let mut exchange = Exchange::begin(RequestId::parse(b"01JD3WZ9Q4").expect("well-formed"));
//! let mut attempt = Attempt::begin(NextHop::Inet("10.0.0.5:8080".parse()?));
//! let refused = Failure::new(Side::Origin, Phase::Connect, Fault::Refused);
//! attempt.fail(refused.with(Key::Errno, "ECONNREFUSED"));
//! exchange.attempt(attempt);
//!
//! // The verdict, and its words.
//! let diagnosis = Diagnosis::of(&exchange).expect("it failed");
//! assert_eq!(diagnosis.cause.id, "connect_refused");
//! assert_eq!(diagnosis.says, "Nothing accepts connections on 10.0.0.5:8080.");
//! let member = header::member("edge-1", &exchange, &diagnosis, 502, Disclosure::Minimal);
//! assert_eq!(
//!     member,
//!     "edge-1;error=connection_refused;cause=connect_refused;party=origin;ref=\"01JD3WZ9Q4\"",
//! );
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

pub mod access;
pub mod attribution;
pub mod chain;
pub mod chunked;
pub mod compression;
pub mod field;
#[cfg(test)]
mod fixture;
pub mod forwarded;
pub mod framing;
pub mod head;
mod layers;
pub mod limits;
pub mod loops;
pub mod methods;
pub mod network;
pub mod node;
pub mod path;
pub mod proxied;
pub mod rate;
pub mod rules;
pub mod secret;
pub mod timeouts;
pub mod trust;
pub mod units;

pub use layers::Set;
