//! What this proxy itself did or could not do. Each names the setting and its value.

use super::{Again, Cause, Row, Status, by_denial, rows, witness};
use crate::attribution::diagnosis::Scene;
use crate::attribution::evidence::{Failure, Fault, Party, Phase, Side};
use crate::attribution::key::Key;
use crate::attribution::rfc9209::ErrorType;

rows! {
    NO_ROUTE = Row {
        id: "no_route",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationNotFound),
        standard: Status::Code(404),
        cloudflare: Status::Code(404),
        again: Again::Never,
        meaning: "No route of this proxy's configuration matches the host and path asked for.",
        says: "No route here matches host `{host}` and path `{path}`.",
        remedy: "Ask for a host and path that the configuration's `routes` hold, or add one that matches.",
        details: "no route matches",
        proof: &[Key::Host, Key::Path],
        elsewhere: &[("Envoy", "NR"), ("Traefik", "404 page not found"), ("AWS ALB", "503 without a target group")],
        when: by_denial,
        witness: || witness::denied(&NO_ROUTE, |f| {
            f.evidence.set(Key::Host, "app.example.net");
            f.evidence.set(Key::Path, "/x");
        }),
    };
    LOOP_DETECTED = Row {
        id: "loop_detected",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyLoopDetected),
        standard: Status::Code(508),
        cloudflare: Status::Code(508),
        again: Again::Never,
        meaning: "A placeholder.",
        says: "A placeholder.",
        remedy: "A placeholder.",
        details: "a placeholder",
        proof: &[],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&LOOP_DETECTED, |_| {}),
    };
    NO_ENDPOINTS = Row {
        id: "no_endpoints",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationUnavailable),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::Never,
        meaning: "The upstream has no endpoints, or all of them have weight 0.",
        says: "Upstream `{upstream}` has no endpoint to send requests to.",
        remedy: "Add an endpoint to upstream `{upstream}`, or give one a weight above 0.",
        details: "no endpoints",
        proof: &[Key::Upstream],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&NO_ENDPOINTS, |f| f.evidence.set(Key::Upstream, "web")),
    };
    PROXY_CONFIG_INVALID = Row {
        id: "proxy_config_invalid",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyConfigurationError),
        standard: Status::Code(500),
        cloudflare: Status::Code(500),
        again: Again::Never,
        meaning: "A setting of this proxy cannot work.",
        says: "The setting `{setting}` cannot work.",
        remedy: "Correct `{setting}`.",
        details: "invalid configuration",
        proof: &[Key::Setting],
        elsewhere: &[],
        when: by_denial,
        witness: || witness::denied(&PROXY_CONFIG_INVALID, |f| f.evidence.set(Key::Setting, "upstreams.web.endpoints")),
    };
    PROXY_BUG = Row {
        id: "proxy_bug",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyInternalError),
        standard: Status::Code(500),
        cloudflare: Status::Code(500),
        again: Again::Never,
        meaning: "This proxy failed in a way that nobody foresaw: a panic, or a state that no row of the catalogue describes.",
        says: "This proxy has a bug: {at}.",
        remedy: "Report it with the record under this request's id; restarting the proxy or going back to an earlier version may help meanwhile.",
        details: "internal error",
        proof: &[Key::At],
        elsewhere: &[("nginx", "500 with an [alert] in the error log"), ("HAProxy", "500, termination state I"), ("Envoy", "503 without a response flag")],
        when: |scene: &Scene<'_>| matches!(scene.failure, Some(Failure { fault: Fault::Panic | Fault::Unforeseen, .. })),
        witness: || witness::ended(Failure::new(Side::Inside, Phase::Route, Fault::Panic).with(Key::At, "gateway.rs:1")),
    };
}
