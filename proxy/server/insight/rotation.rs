//! Which endpoints are in rotation, as a metric.

use whodunit_filters::attribution::{NextHop, metrics};

use crate::plan::Plan;
use crate::upstream::rotation::Standing;

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
        let mut hops: Vec<NextHop> = members.all().cloned().chain(before).collect();
        hops.sort_by_key(ToString::to_string);
        hops.dedup();
        all.extend(hops.into_iter().map(|next_hop| {
            let healthy = standings.get(&next_hop).is_none_or(Standing::is_in);
            (name.as_str(), next_hop, healthy)
        }));
    }
    metrics::add_endpoints(text, all.iter().map(|(name, hop, healthy)| (*name, hop, *healthy)));
}
