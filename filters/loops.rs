//! Loops: requests that come round again, found by the trace in `CDN-Loop` (RFC 8586).
//!
//! On each request that is forwarded this node adds `<node>; r=<route>; t=<seal>`. The same node
//! and route again, with a seal that holds, is a loop; so is a trace that is too long, whoever wrote
//! it. An entry in this node's name whose seal does not hold (forged, or long past) is no loop.

mod seal;
mod trace;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attribution::cause::proxy;
use crate::attribution::{Failure, Key};
use crate::chain::{Edit, Filter, RequestView, RouteView, Verdict};
use crate::field::FieldName;
use crate::node;
use crate::secret::Secret;
use seal::Sealer;
use trace::{Entry, entries};

/// Stations that a verdict lists.
const LISTED: usize = 32;
/// Bytes of a station's id that it shows.
const SHOWN: usize = 64;

/// How loops are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoopSettings {
    /// The field that holds the trace. Default `CDN-Loop`.
    pub header: FieldName,
    /// How many stations a request may have passed, whosever they are. Default `16`.
    pub max_hops: u32,
    /// The key that entries are sealed with, shared by the nodes of one deployment. By default each
    /// process makes its own when it starts.
    pub secret: Option<Secret>,
}

impl Default for LoopSettings {
    fn default() -> Self {
        Self { header: FieldName::from_static("CDN-Loop"), max_hops: 16, secret: None }
    }
}

/// The filter that finds loops and keeps the trace.
pub struct Loops {
    header: HeaderName,
    max_hops: u32,
    node: String,
    sealer: Sealer,
    /// This node's entry for each route, which stays the same for a minute.
    own: RwLock<HashMap<Box<str>, Own>>,
}

/// An entry, and the minute of its seal.
struct Own {
    minute: u64,
    entry: HeaderValue,
}

/// The most entries that are kept: a service may name its routes as it likes.
const KEPT: usize = 4_096;

/// What a trace that is no loop has to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopReport {
    /// The stations passed before this one.
    pub hops: u32,
    /// How many of them bear this node's name and a seal that does not hold.
    pub forged: u32,
}

impl Loops {
    pub(crate) fn new(node: &str, settings: &LoopSettings) -> Self {
        let node = node::identifier(node);
        Self {
            header: settings.header.name().clone(),
            max_hops: settings.max_hops,
            sealer: Sealer::new(settings.secret.as_ref(), &node),
            node,
            own: RwLock::default(),
        }
    }

    /// This node's entry for a route.
    fn own(&self, route: &str, at: SystemTime) -> HeaderValue {
        let minute = seal::minute(at);
        let kept = self.own.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = kept.get(route).filter(|own| own.minute == minute) {
            return own.entry.clone();
        }
        drop(kept);
        let here = self.sealer.route(route);
        let seal = self.sealer.seal(&here, at);
        let entry = HeaderValue::try_from(format!("{}; r={here}; t={seal}", self.node))
            .expect("an identifier and hexadecimal digits make a field value");
        let mut kept = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(route.into(), Own { minute, entry: entry.clone() });
        entry
    }

    /// Reads the trace of a request.
    ///
    /// # Errors
    /// The failure to refuse the request with, if it is in a loop.
    pub fn examine(
        &self,
        request: &RequestView<'_>,
        route: &RouteView<'_>,
    ) -> Result<LoopReport, Box<Failure>> {
        let mut report = LoopReport::default();
        if !request.headers.contains_key(&self.header) {
            return Ok(report);
        }
        let here = self.sealer.route(route.name);
        let mut again = false;
        for entry in entries(request.headers, &self.header) {
            report.hops = report.hops.saturating_add(1);
            // Beyond that number the verdict is known, and entries are only counted.
            if report.hops > self.max_hops || entry.id() != self.node.as_bytes() {
                continue;
            }
            match self.sealed(entry, request) {
                None => report.forged += 1,
                Some(route) => again |= route == here.as_bytes(),
            }
        }
        let failure = if again {
            self.denied(request, report, true).with(Key::Rule, "the same node and route again")
        } else if report.hops > self.max_hops {
            self.denied(request, report, false)
                .with(Key::Rule, "more hops than allowed")
                .with(Key::MaxCount, u64::from(self.max_hops))
                .with(Key::Setting, "loop.max_hops")
        } else {
            return Ok(report);
        };
        Err(Box::new(failure))
    }

    /// The route of an entry that this deployment made a short time ago.
    fn sealed<'a>(&self, entry: Entry<'a>, request: &RequestView<'_>) -> Option<&'a [u8]> {
        let route = entry.parameter("r")?;
        let seal = entry.parameter("t")?;
        self.sealer.holds(seal, route, request.began).then_some(route)
    }

    fn denied(&self, request: &RequestView<'_>, report: LoopReport, closed: bool) -> Failure {
        let mut trace: Vec<String> = entries(request.headers, &self.header)
            .take(LISTED)
            .map(|entry| {
                let id = entry.id();
                id[..id.len().min(SHOWN)].escape_ascii().to_string()
            })
            .collect();
        let listed = u32::try_from(trace.len()).unwrap_or(u32::MAX);
        if report.hops > listed {
            trace.push(format!("{} more", report.hops - listed));
        }
        if closed {
            trace.push(self.node.clone());
        }
        Failure::denied(&proxy::LOOP_DETECTED)
            .with(Key::Trace, trace)
            .with(Key::Hops, u64::from(report.hops))
    }
}

impl Filter for Loops {
    fn request(&self, request: &RequestView<'_>, route: &RouteView<'_>) -> Verdict {
        self.examine(request, route).map_or_else(Verdict::Deny, |_| Verdict::Pass)
    }

    /// Sets the whole trace anew, as it came, with this node at its end: whatever `Connection` made
    /// others take out of the request is in it again.
    fn forward(&self, request: &RequestView<'_>, route: &RouteView<'_>, edit: &mut dyn Edit) {
        let own = self.own(route.name, request.began);
        if !request.headers.contains_key(&self.header) {
            return edit.set(self.header.clone(), own);
        }
        let mut stations: Vec<&[u8]> =
            entries(request.headers, &self.header).filter_map(Entry::whole).collect();
        stations.push(own.as_bytes());
        let value = HeaderValue::try_from(stations.join(&b", "[..]))
            .expect("parts of field values make a field value");
        edit.set(self.header.clone(), value);
    }
}

impl std::fmt::Debug for Loops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loops").field("node", &self.node).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
