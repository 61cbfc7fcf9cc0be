//! Checks of endpoints that could not be made, and ejections that never come about.

use super::numbers::timeout;
use super::{Check, steps};
use crate::schema::address::Target;
use crate::schema::health::{Health, Kind};
use crate::schema::upstream::Upstream;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for (name, upstream) in &config.upstreams {
        let name = name.as_str();
        if let Some(health) = &upstream.health {
            kind(check, name, upstream, health);
            port(check, name, upstream, health);
            for (key, span) in [("interval", health.interval), ("timeout", health.timeout)] {
                let path = steps!["upstreams", name, "health", key];
                let problem = timeout(check, &path, span, false);
                check.problems.extend(problem);
            }
        }
        if let Some(eject) = &upstream.eject {
            let path = steps!["upstreams", name, "eject", "for"];
            let problem = timeout(check, &path, eject.time, false);
            check.problems.extend(problem);
            alone(check, name, upstream);
        }
    }
}

fn kind(check: &mut Check<'_>, name: &str, upstream: &Upstream, health: &Health) {
    let key = |key| steps!["upstreams", name, "health", key];
    let plain = upstream.tls.is_none() && check.knows(&steps!["upstreams", name, "tls"]);
    if health.kind == Kind::Tls && plain {
        let says = format!("upstream `{name}` has no `tls`, so there is no handshake to check");
        let help = "write `type: tcp`";
        let problem = check.error(&key("type"), says).help(help);
        check.push(problem);
    }
    if health.kind == Kind::Http || !check.knows(&key("type")) {
        return;
    }
    for unused in ["path", "method", "host", "expect"] {
        if check.tree.holds(&key(unused)) {
            let kind = if health.kind == Kind::Tcp { "tcp" } else { "tls" };
            let says = format!("`{unused}` is of no use with `type: {kind}`: nothing is asked");
            let problem = check.error(&key(unused), says).help("write `type: http`, or remove it");
            check.push(problem);
        }
    }
}

fn port(check: &mut Check<'_>, name: &str, upstream: &Upstream, health: &Health) {
    let unix = upstream.endpoints.iter().find(|e| matches!(e.address, Target::Unix(_)));
    if let (Some(_), Some(endpoint)) = (health.port, unix) {
        let says = format!("`{}` is a Unix socket and has no other port", endpoint.address);
        let problem = check.error(&steps!["upstreams", name, "health", "port"], says);
        check.push(problem);
    }
}

/// An upstream with a single address, which is never ejected.
fn alone(check: &mut Check<'_>, name: &str, upstream: &Upstream) {
    let [endpoint] = &upstream.endpoints[..] else { return };
    let path = steps!["upstreams", name, "endpoints"];
    if matches!(endpoint.address, Target::Name(..)) || !check.tree.is_complete(&path) {
        return;
    }
    let says = format!("upstream `{name}` has one endpoint, which is never ejected");
    let problem = check
        .warning(&steps!["upstreams", name, "eject"], says)
        .help("without another one to take its requests, it keeps them");
    check.push(problem);
}
