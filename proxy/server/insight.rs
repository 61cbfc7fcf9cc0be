//! What the admin listener shows of the running process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde_json::{Value, json};
use whodunit_filters::attribution::cause::CATALOGUE;
use whodunit_filters::attribution::ledger::Query;
use whodunit_filters::attribution::{Record, metrics};

use super::Running;
use crate::admin::Insight;

/// What is known of the process.
pub(super) struct Knowledge {
    running: Arc<Running>,
    state: AtomicU8,
    /// Dropped log lines that the ledger was told of.
    dropped: AtomicU64,
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

impl Knowledge {
    pub(super) fn new(running: Arc<Running>) -> Self {
        Self { running, state: AtomicU8::new(STARTING), dropped: AtomicU64::new(0) }
    }

    pub(super) fn set_ready(&self) {
        self.state.store(READY, Ordering::Release);
    }

    pub(super) fn set_draining(&self) {
        self.state.store(DRAINING, Ordering::Release);
    }
}

impl Insight for Knowledge {
    fn metrics_text(&self) -> String {
        let dropped = self.running.sink.dropped();
        let told = self.dropped.swap(dropped, Ordering::AcqRel);
        self.running.ledger.drop_lines(dropped.saturating_sub(told));
        metrics::render(&self.running.ledger, &[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn recent(&self, query: &Query) -> Vec<Arc<Record>> {
        self.running.ledger.recent(query)
    }

    fn summary(&self) -> Value {
        let mut by_party: BTreeMap<&str, u64> = BTreeMap::new();
        let mut errors = Vec::new();
        for upstream in self.running.ledger.all_upstreams() {
            for cause in CATALOGUE.iter() {
                for generated in [true, false] {
                    let count = upstream.failures(cause, generated);
                    if count > 0 {
                        *by_party.entry(cause.party.as_str()).or_default() += count;
                        errors.push(json!({
                            "cause": cause.id, "party": cause.party, "upstream": upstream.name(),
                            "generated": generated, "count": count,
                        }));
                    }
                }
            }
        }
        let requests: u64 = self
            .running
            .ledger
            .all_requests()
            .iter()
            .flat_map(|requests| {
                use whodunit_filters::attribution::ledger::STATUS_CLASSES;
                STATUS_CLASSES.iter().map(|class| requests.counted(class)).collect::<Vec<_>>()
            })
            .sum();
        json!({ "requests": requests, "errors_by_party": by_party, "errors": errors })
    }

    fn upstreams(&self) -> Value {
        let known = self.running.ledger.neighbours();
        let plan = self.running.plan.load();
        let upstreams: Vec<Value> = plan
            .upstreams
            .iter()
            .map(|(name, pool)| {
                let endpoints: Vec<Value> = pool
                    .upstream
                    .endpoints
                    .iter()
                    .map(|(target, weight)| json!({ "address": target.to_string(), "weight": weight }))
                    .collect();
                json!({ "name": name, "endpoints": endpoints })
            })
            .collect();
        let ago = |at: std::time::Instant| u64::try_from(at.elapsed().as_millis()).ok();
        let addresses: Vec<Value> = known
            .iter()
            .map(|(next_hop, neighbour)| {
                let failure = neighbour.last_failure();
                json!({
                    "address": next_hop.to_string(),
                    "in_flight": neighbour.in_flight(),
                    "last_accepted_ms_ago": neighbour.last_accepted().and_then(ago),
                    "last_success_ms_ago": neighbour.last_success().and_then(ago),
                    "last_failure_ms_ago": failure.and_then(|(at, _)| ago(at)),
                    "last_failure": failure.map(|(_, cause)| cause.id),
                    "idle_timeout_ms": neighbour.idle_timeout().map(|d| d.as_millis()),
                })
            })
            .collect();
        json!({ "upstreams": upstreams, "addresses": addresses })
    }

    fn config(&self) -> Value {
        self.running.checked.load().config.shown()
    }

    fn ready(&self) -> Result<(), String> {
        match self.state.load(Ordering::Acquire) {
            READY => Ok(()),
            DRAINING => Err("draining: the process was told to stop".to_owned()),
            _ => Err("starting".to_owned()),
        }
    }
}
