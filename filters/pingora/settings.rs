//! What a deployment decides about attribution, and where its records go.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderName;
use whodunit_filters::attribution::disclosure::DiagnosisSettings;
use whodunit_filters::attribution::ledger::Ledger;
use whodunit_filters::attribution::status::Statuses;
use whodunit_filters::attribution::{Record, Redact};
use whodunit_filters::chain::{self, Chain};
use whodunit_filters::head::HeadLimits;
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::timeouts::TimeoutsInForce;

use crate::advice::Advice;
use crate::counters::Counters;
use crate::door::head_limits;
use crate::listeners::Listeners;

/// The settings of one deployment. [`Settings::new`] has every default; change what you need.
pub struct Settings {
    /// The deployment's name: the member it writes into `Proxy-Status`, `Via`, `CDN-Loop`.
    pub node: Arc<str>,
    /// The filters, with their settings.
    pub chain: Chain,
    /// The limits of a request for which the service notes no others.
    pub limits: Arc<LimitsInForce>,
    /// The time limits of a request for which the service notes no others.
    pub timeouts: Arc<TimeoutsInForce>,
    /// What the ingress holds header sections to, before their route is known: the widest limits
    /// of any route.
    pub head: HeadLimits,
    /// The listeners, for their names in records and metrics.
    pub listeners: Listeners,
    /// The fields that this proxy alone may set, because they say who a client has proved to be
    /// ([`ClientAuth::forward`](crate::ClientAuth)): a client's own do not reach the origin.
    pub vouched: Vec<HeaderName>,
    /// What is told to clients, and how.
    pub diagnosis: DiagnosisSettings,
    /// Which status tells which cause.
    pub statuses: Statuses,
    /// What never reaches a log.
    pub redact: Redact,
    /// Which requests are recorded.
    pub which: Which,
}

/// Which requests are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Which {
    /// Those that failed.
    #[default]
    Errors,
    /// All.
    All,
    /// Those that failed, and this share of the others, from 0 to 1.
    Sample(f64),
}

/// Settings that may be replaced while requests are under way: each request keeps those it began
/// with.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<Settings>>);

/// Where records go. Called once for each record, on the request's own task: it must not block.
pub trait Sink: Send + Sync {
    /// Takes a record.
    fn write(&self, record: &Arc<Record>);

    /// Takes advice for whoever runs this proxy. Default: it goes to the `log` crate at level
    /// `warn` under the target `whodunit`.
    fn advise(&self, advice: &Advice) {
        log::warn!(target: "whodunit", "{advice}");
    }
}

/// Through the `log` crate, as one JSON line at level `info` under the target `whodunit`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

/// What outlives a change of settings: the counters, and the way out for records.
#[derive(Clone)]
pub struct Books {
    /// Counters, recent errors, neighbours.
    pub ledger: Arc<Ledger>,
    /// Where records go.
    pub sink: Arc<dyn Sink>,
    pub(crate) counters: Arc<Counters>,
}

impl Books {
    /// Books that write to this ledger and this sink.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>, sink: Arc<dyn Sink>) -> Self {
        Self { ledger, sink, counters: Arc::default() }
    }
}

impl Settings {
    /// Every default, for the deployment called `node`.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self::with_filters(node, &chain::Settings::default())
    }

    /// The same with settings for the filters.
    #[must_use]
    pub fn with_filters(node: &str, filters: &chain::Settings) -> Self {
        Self {
            node: node.into(),
            chain: Chain::new(node, filters),
            limits: Arc::new(filters.limits.in_force()),
            timeouts: Arc::new(filters.timeouts.in_force()),
            head: head_limits(
                filters.limits.request_header,
                filters.limits.request_headers,
                filters.limits.request_uri,
            ),
            listeners: Listeners::default(),
            vouched: Vec::new(),
            diagnosis: DiagnosisSettings::default(),
            statuses: Statuses::default(),
            redact: Redact::default(),
            which: Which::default(),
        }
    }

    /// Lets the ingress take header sections as large as these limits of a route allow; what is
    /// too large for the route that a request takes is refused once that is known.
    pub fn widen_head(&mut self, limits: &LimitsInForce) {
        let wider = head_limits(
            limits.request_header.value,
            limits.request_headers.value,
            limits.request_uri.value,
        );
        self.head.section = self.head.section.max(wider.section);
        self.head.fields = self.head.fields.max(wider.fields);
        self.head.target = self.head.target.max(wider.target);
    }
}

impl Live {
    /// Settings that requests will follow from now on, until they are replaced.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// Puts other settings into force for requests that begin from now on.
    pub fn replace(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }

    /// Those in force.
    #[must_use]
    pub fn load(&self) -> Arc<Settings> {
        self.0.load_full()
    }
}

impl From<Settings> for Live {
    fn from(settings: Settings) -> Self {
        Self::new(settings)
    }
}

impl Default for Books {
    fn default() -> Self {
        Self::new(Arc::default(), Arc::new(LogSink))
    }
}

impl Sink for LogSink {
    fn write(&self, record: &Arc<Record>) {
        log::info!(target: "whodunit", "{}", record.line().trim_end());
    }
}
