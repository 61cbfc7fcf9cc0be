//! Settings of an upstream that are of no use by themselves.

use super::{Check, steps};
use crate::schema::spread::{Balance, By};
use crate::schema::upstream::Upstream;

pub(super) fn check(check: &mut Check<'_>, name: &str, upstream: &Upstream) {
    let knows = |key| check.knows(&steps!["upstreams", name, key]);
    let mut useless: Vec<(&str, &str, &str)> = Vec::new();
    if knows("balance") {
        if upstream.balance != Balance::Hash && upstream.hash.by != By::Client {
            useless.push((
                "hash",
                "`hash` is of no use without `balance: hash`",
                "write that as well",
            ));
        }
        if upstream.balance == Balance::Hash && upstream.slow_start.is_some() {
            let says = "`slow_start` is of no use with `balance: hash`, which keeps each client where it is";
            useless.push(("slow_start", says, "take it out"));
        }
    }
    let unlimited = upstream.max_connections.is_none() && upstream.max_requests.is_none();
    if upstream.queue.is_some() && unlimited && knows("max_connections") && knows("max_requests") {
        let says = "nothing ever waits in `queue`: neither `max_connections` nor `max_requests` sets a limit";
        useless.push(("queue", says, "set one of them"));
    }
    let retries = &upstream.retries;
    if retries.attempts == 1
        && (!retries.on.is_empty() || retries.backoff.is_some())
        && check.knows(&steps!["upstreams", name, "retries", "attempts"])
    {
        let says = "`attempts: 1` never tries again, whatever else `retries` says";
        useless.push(("retries", says, "allow a second attempt"));
    }
    for (key, says, help) in useless {
        let problem = check.warning(&steps!["upstreams", name, key], says.to_owned()).help(help);
        check.push(problem);
    }
}
