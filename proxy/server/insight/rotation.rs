//! Which endpoints are in rotation, and what took the others out.

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::{Value, json};
use whodunit_filters::attribution::record::timestamp;
use whodunit_filters::attribution::{NextHop, metrics};

use crate::plan::Plan;
use crate::upstream::pool::Pool;
use crate::upstream::rotation::{Reason, Standing, State};

/// Adds the addresses that somebody watches.
pub(super) fn add_metrics(text: &mut String, plan: &Plan) {
    let mut all = Vec::new();
    for (name, pool) in &plan.upstreams {
        if pool.upstream.health.is_none() && pool.upstream.eject.is_none() {
            continue;
        }
        let standings = pool.rotation().standings();
        let members = pool.members();
        // After a change of the configuration a name is not known until it is asked for.
        let before = standings.keys().filter(|hop| !members.whole && !members.has(hop)).cloned();
        let mut hops: Vec<NextHop> =
            members.busy.iter().chain(&members.idle).cloned().chain(before).collect();
        hops.sort_by_key(ToString::to_string);
        hops.dedup();
        all.extend(hops.into_iter().map(|next_hop| {
            let healthy = standings.get(&next_hop).is_none_or(Standing::is_in);
            (name.as_str(), next_hop, healthy)
        }));
    }
    metrics::add_endpoints(text, all.iter().map(|(name, hop, healthy)| (*name, hop, *healthy)));
}

/// The endpoints of an upstream, each with its addresses.
pub(super) fn endpoints(pool: &Pool) -> Vec<Value> {
    let standings = pool.rotation().standings();
    let endpoint = |(target, weight): &(_, u32)| {
        let addresses: Vec<Value> = pool
            .addresses(target)
            .unwrap_or_default()
            .iter()
            .map(|next_hop| address(next_hop, &standings))
            .collect();
        json!({ "address": target.to_string(), "weight": weight, "addresses": addresses })
    };
    pool.upstream.endpoints.iter().map(endpoint).collect()
}

fn address(next_hop: &NextHop, standings: &HashMap<NextHop, Standing>) -> Value {
    let unknown = Standing::default();
    let standing = standings.get(next_hop).unwrap_or(&unknown);
    let (state, since, until, reason) = match standing.state() {
        State::In { since } => ("in", since, None, None),
        State::Unhealthy { since, reason } => ("unhealthy", Some(since), None, Some(reason)),
        State::Ejected { since, until, reason } => {
            ("ejected", Some(since), Some(until), Some(reason))
        }
    };
    let time = |at: Option<SystemTime>| at.map(timestamp);
    let check = standing.last_check().map(|(at, outcome)| {
        let failed = outcome.err();
        json!({
            "ts": timestamp(at), "passed": failed.is_none(),
            "cause": cause(failed), "status": failed.and_then(Reason::status),
        })
    });
    json!({
        "address": next_hop.to_string(),
        "state": state,
        "since": time(since),
        "until": time(until),
        "cause": cause(reason),
        "status": reason.and_then(Reason::status),
        "failed_in_a_row": standing.failed_in_a_row(),
        "last_check": check,
    })
}

fn cause(reason: Option<Reason>) -> Option<&'static str> {
    reason.and_then(Reason::cause).map(|cause| cause.id)
}
