//! Upstreams: their endpoints and how these are spoken to.

use super::addresses::Own;
use super::{Check, spread, steps};
use crate::schema::address::Target;
use crate::schema::upstream::{Protocol, Tls, Upstream};

pub(super) fn check(check: &mut Check<'_>, own: &Own) {
    let config = check.config;
    for (name, upstream) in &config.upstreams {
        endpoints(check, own, name, upstream);
        if let Some(tls) = &upstream.tls {
            secure(check, name, tls);
        }
        protocol(check, name, upstream);
        spread::check(check, name, upstream);
    }
}

fn endpoints(check: &mut Check<'_>, own: &Own, name: &str, upstream: &Upstream) {
    let all = &upstream.endpoints;
    let path = steps!["upstreams", name, "endpoints"];
    let weighed = |index| check.knows(&steps!["upstreams", name, "endpoints", index, "weight"]);
    let whole = check.tree.is_complete(&path) && (0..all.len()).all(weighed);
    if whole && all.is_empty() {
        let says =
            format!("upstream `{name}` has no endpoints: its requests end in `no_endpoints`");
        let problem = check.warning(&path, says);
        check.push(problem);
    } else if whole && all.iter().all(|endpoint| endpoint.weight == 0) {
        let says = format!(
            "every endpoint of upstream `{name}` has weight 0: its requests end in `no_endpoints`"
        );
        let problem = check.warning(&path, says);
        check.push(problem);
    }
    for (index, endpoint) in all.iter().enumerate() {
        let address = &endpoint.address;
        let whole = steps!["upstreams", name, "endpoints", index];
        let inner = steps!["upstreams", name, "endpoints", index, "address"];
        let at = if check.tree.holds(&inner) { &inner[..] } else { &whole[..] };
        if let Some(listener) = own.reached(address) {
            let says = format!("`{address}` is this proxy itself: it listens on `{listener}`");
            let help = "name the address of the service behind the proxy";
            let problem = check.error(at, says).help(help);
            check.push(problem);
        }
        if let Some(first) = all[..index].iter().position(|other| other.address == *address) {
            let says = format!("`{address}` is listed twice");
            let first = check.at(&steps!["upstreams", name, "endpoints", first, "address"]);
            let problem = check
                .error(at, says)
                .other(first, "first listed here")
                .help("to send it more requests, give it a `weight`");
            check.push(problem);
        }
        let secured = matches!(address, Target::Ip(ip) if ip.port() == 443)
            || matches!(address, Target::Name(_, 443));
        if secured && upstream.tls.is_none() && check.knows(&steps!["upstreams", name, "tls"]) {
            let says = format!("`{address}` is spoken to in plain text, but port 443 expects TLS");
            let help = format!("add `tls: {{}}` to upstream `{name}`");
            let problem = check.warning(at, says).help(help);
            check.push(problem);
        }
    }
}

fn protocol(check: &mut Check<'_>, name: &str, upstream: &Upstream) {
    if !check.knows(&steps!["upstreams", name, "tls"]) {
        return;
    }
    let (says, help) = match (upstream.protocol, &upstream.tls) {
        (Protocol::H2, None) => (
            "`protocol: h2` is HTTP/2 over TLS, and there is no `tls`".to_owned(),
            format!("add `tls: {{}}` to upstream `{name}`, or write `protocol: h2c`"),
        ),
        (Protocol::H2c, Some(_)) => (
            "`protocol: h2c` is HTTP/2 over plain text, and there is `tls`".to_owned(),
            "write `protocol: h2`, or take `tls` out".to_owned(),
        ),
        _ => return,
    };
    let problem = check.error(&steps!["upstreams", name, "protocol"], says).help(help);
    check.push(problem);
}

fn secure(check: &mut Check<'_>, name: &str, tls: &Tls) {
    let key = |key| steps!["upstreams", name, "tls", key];
    let halves = [
        ("client_cert", "client_key", tls.client_cert.is_some(), tls.client_key.is_some()),
        ("client_key", "client_cert", tls.client_key.is_some(), tls.client_cert.is_some()),
    ];
    for (there, missing, is_there, has_other) in halves {
        if is_there && !has_other && check.knows(&key(missing)) {
            let says = format!("`{there}` is of no use without `{missing}`");
            let problem = check.error(&key(there), says);
            check.push(problem);
        }
    }
    for (file, path) in [
        ("ca", &tls.ca),
        ("crl", &tls.crl),
        ("client_cert", &tls.client_cert),
        ("client_key", &tls.client_key),
    ] {
        if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            let problem = check.error(&key(file), format!("`{file}` must name a file"));
            check.push(problem);
        }
    }
    if !tls.verify {
        let says = format!(
            "the certificates of upstream `{name}` are not checked: anybody can pass for it"
        );
        let help = "give the authority that signed them as `ca` instead";
        let problem = check.warning(&key("verify"), says).help(help);
        check.push(problem);
        for (file, path) in [("ca", &tls.ca), ("crl", &tls.crl)] {
            if path.is_some() {
                let says = format!("`{file}` is of no use with `verify: false`");
                let problem = check.error(&key(file), says);
                check.push(problem);
            }
        }
    }
}
