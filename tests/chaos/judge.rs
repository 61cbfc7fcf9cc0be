//! Whether what clients saw is what had to be, and whether what was told of it is true.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::storm::{Deed, Done};
use super::traffic::{End, Outcome};

/// How long after a deed its consequences may show: the longest of the limits, and the checks that
/// take an endpoint out or back in.
const AFTERMATH: Duration = Duration::from_millis(3_500);

/// What may be said of an endpoint to which this was done.
fn truths(deed: Deed) -> &'static [&'static str] {
    match deed {
        Deed::Killed => &[
            "connect_refused",
            "origin_closed",
            "origin_reset",
            "keepalive_race",
            "request_write_failed",
            "response_truncated",
        ],
        Deed::Paused | Deed::Slowed => &[
            "origin_slow",
            "response_stalled",
            "request_write_timeout",
            "connect_timeout",
            "connect_queue_full",
        ],
        Deed::Moved => &[
            "connect_refused",
            "dns_stale_address",
            "origin_closed",
            "origin_reset",
            "keepalive_race",
            "request_write_failed",
            "response_truncated",
        ],
    }
}

/// The verdict on the verdicts.
#[derive(Default)]
pub(super) struct Verdict {
    requests: usize,
    again: usize,
    failed: BTreeMap<String, usize>,
    complaints: Vec<String>,
}

/// Holds what clients saw against what was done and what the proxy wrote.
pub(super) fn judge(outcomes: &[Outcome], deeds: &[Done], log: &str) -> Verdict {
    let mut records: HashMap<String, Value> = HashMap::new();
    let mut verdict = Verdict { requests: outcomes.len(), ..Verdict::default() };
    for line in log.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(record) => {
                let id = record["id"].as_str().unwrap_or_default().to_owned();
                if records.insert(id, record).is_some() {
                    verdict.complain(format!("two records of one request: {line}"));
                }
            }
            Err(_) => verdict.complain(format!("a line of the log is no record: {line}")),
        }
    }
    for outcome in outcomes {
        verdict.again += usize::from(outcome.again);
        let record = records.remove(&outcome.id);
        if outcome.is_good() {
            if let Some(record) = record {
                verdict.complain(format!("{outcome:?} is recorded as failed: {record}"));
            }
            continue;
        }
        match record {
            Some(record) => verdict.weigh(outcome, &record, deeds),
            None => verdict.complain(format!("nothing was told of {outcome:?}")),
        }
    }
    // What a client put once more it has forgotten; the proxy may have seen it leave.
    for record in records.values().filter(|record| record["party"] != "client") {
        verdict.complain(format!("no client saw this fail: {record}"));
    }
    verdict
}

impl Verdict {
    fn weigh(&mut self, outcome: &Outcome, record: &Value, deeds: &[Done]) {
        let cause = record["cause"].as_str().unwrap_or_default();
        *self.failed.entry(format!("{:?} {cause}", outcome.end)).or_default() += 1;
        let next_hop = record["next_hop"].as_str().unwrap_or_default();
        let mut guilty = deeds.iter().filter(|done| {
            done.at.to_string() == next_hop
                && done.from <= outcome.ended
                && outcome.began <= done.to + AFTERMATH
        });
        if !guilty.any(|done| truths(done.deed).contains(&cause)) {
            self.complain(format!("{outcome:?} was not done by {next_hop}: {record}"));
        }
        match outcome.end {
            // The answer was under way.
            End::Broken => {}
            End::Failed(_) if !outcome.told => {
                self.complain(format!("the client was told no cause: {outcome:?} {record}"));
            }
            End::Failed(_) if !outcome.kind.is_idempotent() => {}
            End::Failed(_) | End::Silent | End::Refused | End::Wrong | End::Good => {
                self.complain(format!("this could have been saved: {outcome:?} {record}"));
            }
        }
    }

    fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    pub(super) fn is_right(&self) -> bool {
        self.complaints.is_empty()
    }

    /// What is wrong, the first of it in full.
    pub(super) fn complaints(&self) -> String {
        let shown: Vec<_> = self.complaints.iter().take(12).map(String::as_str).collect();
        format!("{} complaints:\n{}", self.complaints.len(), shown.join("\n"))
    }

    /// What came of it all.
    pub(super) fn text(&self) -> String {
        let failed: usize = self.failed.values().sum();
        let mut out = format!(
            "{} requests, {failed} failed, {} put once more by the client",
            self.requests, self.again
        );
        for (what, count) in &self.failed {
            write!(out, "\n  {count:>6}  {what}").expect("a String takes all");
        }
        out
    }
}
