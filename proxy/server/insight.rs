//! What the admin listener shows of the running process.

mod rotation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use whodunit_filters::attribution::cause::CATALOGUE;
use whodunit_filters::attribution::ledger::{ENOUGH, Known, Query, advised_idle};
use whodunit_filters::attribution::record::timestamp;
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
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        let mut text = metrics::render(&self.running.ledger, &build);
        rotation::add_metrics(&mut text, &self.running.plan.load());
        text
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
                let ledger = &self.running.ledger;
                let (good, bad) = ledger.upstream(name).minutes().counted(Instant::now());
                let fare = ledger.endpoints(name);
                let mut shown = pool.shown();
                shown["answered_lately"] = json!(good);
                shown["failed_lately"] = json!(bad);
                shown["endpoints_failing"] = json!(fare.failing);
                shown["endpoints_answering"] = json!(fare.answering);
                shown
            })
            .collect();
        let addresses: Vec<Value> = known.iter().map(address).collect();
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

/// What is known of one address.
fn address(known: &Known) -> Value {
    let Known { next_hop, upstreams, neighbour } = known;
    let upstreams: Vec<&str> = upstreams.iter().map(AsRef::as_ref).collect();
    let now = Instant::now();
    let ago = |at: Instant| u64::try_from(now.saturating_duration_since(at).as_millis()).ok();
    let minutes = neighbour.minutes();
    let (good, bad) = minutes.counted(now);
    let in_a_row = minutes.in_a_row(now);
    let failures: Vec<Value> = neighbour
        .last_failures()
        .into_iter()
        .map(|(at, cause)| json!({ "ts": timestamp(at), "cause": cause.id, "party": cause.party }))
        .collect();
    let last = neighbour.last_failures().into_iter().next();
    let warning = neighbour.outlived().map(|timeout| {
        format!(
            "it closes idle connections before `timeouts.idle` is over: set that to {:?} or less",
            advised_idle(timeout)
        )
    });
    let check = neighbour.check(now);
    json!({
        "address": next_hop.to_string(),
        "upstreams": upstreams,
        "health": if in_a_row >= ENOUGH { "failing" } else if minutes.answers(now) { "answering" }
            else if in_a_row > 0 { "failed" } else { "unknown" },
        "answered_lately": good,
        "failed_lately": bad,
        "failed_in_a_row": in_a_row,
        "in_flight": neighbour.in_flight(),
        "last_accepted_ms_ago": neighbour.last_accepted().and_then(ago),
        "last_success_ms_ago": neighbour.last_success().and_then(ago),
        "last_failure_ms_ago": last
            .and_then(|(at, _)| at.elapsed().ok())
            .and_then(|ago| u64::try_from(ago.as_millis()).ok()),
        "last_failure": last.map(|(_, cause)| cause.id),
        "last_failures": failures,
        "idle_timeout_ms": neighbour.idle_timeout().map(|d| d.as_millis()),
        "usual_wait_ms": neighbour.usual_wait(now).map(|d| d.as_millis()),
        "check": check.map(|(_, finding)| finding.as_str()),
        "check_ms_ago": check.and_then(|(age, _)| u64::try_from(age.as_millis()).ok()),
        "warning": warning,
    })
}
