//! What this proxy itself did or could not do. Each names the setting and its value.

use super::{
    Again, Cause, ErrorType, Failure, Fault, Key, Party, Phase, Row, Scene, Status, by_denial,
    rows, witness,
};

/// Whether any of these rows can be the verdict.
pub(super) fn concern(scene: &Scene<'_>) -> bool {
    matches!(
        scene.fault(),
        Some(
            Fault::Panic
                | Fault::Unforeseen
                | Fault::FilesExhausted
                | Fault::PortsExhausted
                | Fault::Forbidden
        )
    )
}

rows! {
    PROXY_BUG = Row {
        id: "proxy_bug",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyInternalError),
        standard: Status::Code(500),
        cloudflare: Status::Code(500),
        again: Again::Never,
        meaning: "This proxy failed in a way that nobody foresaw: a panic, or a state that no row of the catalogue describes.",
        says: "This proxy met something that it was not built for.",
        remedy: "Report it with the record under this request's id; restarting the proxy or going back to an earlier version may help meanwhile.",
        details: "internal error",
        proof: &[Key::At],
        elsewhere: &[("nginx", "500 with an [alert] in the error log"), ("HAProxy", "500, termination state I")],
        when: |s| matches!(s.fault(), Some(Fault::Panic | Fault::Unforeseen)),
        witness: || witness::ended(witness::inside(Phase::Route, Fault::Panic).with(Key::At, "gateway.rs:1")),
    };
    PROXY_FILES_EXHAUSTED = Row {
        id: "proxy_files_exhausted",
        party: Party::Proxy,
        phase: Phase::Connect,
        error: Some(ErrorType::ProxyInternalError),
        standard: Status::Code(503),
        cloudflare: Status::Code(500),
        again: Again::After(5),
        meaning: "This proxy has as many files and connections open as the operating system lets it have, and could not open another.",
        says: "This proxy may not open any more files or connections[: {open} are open, and {max_count} are allowed].",
        remedy: "Raise the limit on open files[ ({setting})]: for this process with `ulimit -n`, or `LimitNOFILE` of its systemd unit; for the whole machine it is `fs.file-max`. Or lower `limits.connections`.",
        details: "out of file descriptors[ ({errno})][: {open} open, {max_count} allowed]",
        proof: &[Key::Errno, Key::Open, Key::MaxCount],
        elsewhere: &[("nginx", "socket() failed (24: Too many open files)"), ("HAProxy", "RC"), ("Caddy", "too many open files")],
        when: |s| matches!(s.fault(), Some(Fault::FilesExhausted)),
        witness: || witness::attempted(witness::origin(Phase::Connect, Fault::FilesExhausted).with(Key::Errno, "EMFILE").with(Key::Open, 1_024_u64).with(Key::MaxCount, 1_024_u64)),
    };
    PROXY_PORTS_EXHAUSTED = Row {
        id: "proxy_ports_exhausted",
        party: Party::Proxy,
        phase: Phase::Connect,
        error: Some(ErrorType::ProxyInternalError),
        standard: Status::Code(503),
        cloudflare: Status::Code(500),
        again: Again::After(5),
        meaning: "This machine has no local port left for another connection to that address.",
        says: "This machine has no local port left for a connection to {next_hop}[: {open} of the {max_count} ports {port_range} are in use on the way there].",
        remedy: "Let connections be used again (raise `timeouts.idle`, and see that the origin keeps them open), add endpoints, or widen the system's range of local ports (`net.ipv4.ip_local_port_range`).",
        details: "out of local ports[ ({errno})][: {open} of {max_count} in use]",
        proof: &[Key::Errno, Key::Open, Key::MaxCount],
        elsewhere: &[("nginx", "connect() failed (99: Cannot assign requested address)"), ("HAProxy", "RC"), ("Caddy", "cannot assign requested address")],
        when: |s| matches!(s.fault(), Some(Fault::PortsExhausted)),
        witness: || witness::attempted(witness::origin(Phase::Connect, Fault::PortsExhausted).with(Key::Errno, "EADDRNOTAVAIL").with(Key::Open, 28_232_u64).with(Key::MaxCount, 28_232_u64)),
    };
    PROXY_CONFIG_INVALID = Row {
        id: "proxy_config_invalid",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyConfigurationError),
        standard: Status::Code(500),
        cloudflare: Status::Code(500),
        again: Again::Never,
        meaning: "This proxy is set up in a way that cannot work: a setting contradicts itself or the machine, or this process has no right to what the setting names.",
        says: "This proxy is set up in a way that cannot work[: {rule}][ (the system says {errno})].",
        remedy: "Run `whodunit check`, which lists what it can find[, and correct `{setting}`]; rights to files and addresses are the system's to give (file permissions, local firewall).",
        details: "invalid configuration[ ({setting})][ ({errno})]",
        proof: &[Key::Setting],
        elsewhere: &[("nginx", "500, or connect() failed (13: Permission denied)"), ("Envoy", "NC")],
        when: |s| matches!(s.beyond(), Some((_, Fault::Forbidden))),
        witness: || witness::attempted(
            witness::origin(Phase::Connect, Fault::Forbidden).with(Key::Errno, "EACCES").with(Key::Setting, "upstreams.web.endpoints"),
        ),
    };
    LOOP_DETECTED = Row {
        id: "loop_detected",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyLoopDetected),
        standard: Status::Code(508),
        cloudflare: Status::Code(530),
        again: Again::Never,
        meaning: "The request came back to where it had been before, or passed too many proxies; sending it on would go on for ever.",
        says: "The request came back to where it had been, or passed too many proxies: {trace}.",
        remedy: "Find the link in that list that points back, and point it at the origin; most often an upstream's address, or its name, leads to this proxy again.",
        details: "loop[, hops so far: {hops}]",
        proof: &[Key::Trace, Key::Hops],
        elsewhere: &[("Cloudflare", "1000, DNS points to prohibited IP"), ("Alibaba ALB", "463"), ("Fastly", "503 Loop detected")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&LOOP_DETECTED).with(Key::Trace, vec!["edge-1".to_owned(), "edge-2".to_owned(), "edge-1".to_owned()]).with(Key::Hops, 2_u64),
        ),
    };
    DENIED_BY_POLICY = Row {
        id: "denied_by_policy",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::HttpRequestDenied),
        standard: Status::Code(403),
        cloudflare: Status::Code(403),
        again: Again::Never,
        meaning: "A rule of this proxy's configuration forbids the request.",
        says: "A rule here forbids this request[: {rule}].",
        remedy: "If the request is legitimate, change that rule[ (`{setting}`)].",
        details: "denied by a rule",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "403, access forbidden by rule"), ("Envoy", "403, UAEX or rbac_access_denied"), ("HAProxy", "403, PR"), ("Cloudflare", "403 with error 1020"), ("AWS ALB", "403 (AWS WAF)")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, "deny 198.51.100.0/24")),
    };
    RATE_LIMITED = Row {
        id: "rate_limited",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::HttpRequestError),
        standard: Status::Code(429),
        cloudflare: Status::Code(429),
        again: Again::After(1),
        meaning: "More requests or connections came than this proxy's configuration allows, in that time or from one client.",
        says: "More requests or connections came than `{setting}` allows[: {max_count} in {limit_ms}][, counted by {counted_by}].",
        remedy: "Send fewer at a time, and wait as long as `Retry-After` says[; if the limit is too low, raise `{setting}`].",
        details: "rate limit reached[ ({setting})]",
        proof: &[Key::Setting],
        elsewhere: &[("nginx", "limiting requests, 503 unless limit_req_status says otherwise"), ("Envoy", "429, RL"), ("Cloudflare", "429 with error 1015"), ("Alibaba ALB", "503 with ALB-QPS-Limited: Limited"), ("Traefik", "429")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&RATE_LIMITED)
                .with(Key::Setting, "routes[0].rate").with(Key::MaxCount, 100_u64).with(Key::LimitMs, 1_000_u64)
                .with(Key::CountedBy, "client").with(Key::RetryAfterMs, 10_u64),
       ),
    };
    NO_ROUTE = Row {
        id: "no_route",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationNotFound),
        standard: Status::Code(404),
        cloudflare: Status::Code(404),
        again: Again::Never,
        meaning: "No route of this proxy's configuration matches the request: its host and path, or its method and header fields.",
        says: "No route here matches host `{host}` and path `{path}`[ with method {method} and these header fields].",
        remedy: "Ask for a host and path that the configuration's `routes` hold, or add one that matches[ method {method} as well].",
        details: "no route matches",
        proof: &[Key::Host, Key::Path],
        elsewhere: &[("Envoy", "404, NR"), ("Traefik", "404 page not found"), ("HAProxy", "503, <NOSRV>")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&NO_ROUTE).with(Key::Host, "app.example.net").with(Key::Path, "/x")),
    };
    MAINTENANCE = Row {
        id: "maintenance",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationUnavailable),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::After(300),
        meaning: "This part of the site is out of service for maintenance: its operators planned it, and will bring it back.",
        says: "Route `{route}` is out of service for maintenance, as its operators planned[: {message}].",
        remedy: "Nothing is broken: try again later[, after {retry_after_ms}]. Operators end it by switching `{setting}` off.",
        details: "planned maintenance[ ({setting})]",
        proof: &[Key::Setting],
        elsewhere: &[("nginx", "503 by `return 503`"), ("HAProxy", "503, <NOSRV>, with all servers in MAINT"), ("Cloudflare", "a Worker or a waiting room that answers 503"), ("AWS ALB", "503 by a fixed-response action")],
        when: by_denial,
        witness: || {
            let mut exchange = witness::ended(
                Failure::denied(&MAINTENANCE).with(Key::Setting, "routes[0].maintenance").with(Key::RetryAfterMs, 600_000_u64),
            );
            exchange.route = Some("app".into());
            exchange
        },
    };
    NO_ENDPOINTS = Row {
        id: "no_endpoints",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationUnavailable),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::Never,
        meaning: "The upstream has no endpoint to send anything to, or all of them have weight 0.",
        says: "Upstream `{upstream}` has no endpoint that requests may be sent to.",
        remedy: "Give upstream `{upstream}` an endpoint with a weight above 0.",
        details: "no endpoints",
        proof: &[Key::Upstream],
        elsewhere: &[("Envoy", "503, UH"), ("AWS ALB", "503, no registered targets"), ("HAProxy", "503, <NOSRV>"), ("Traefik", "503, no available server")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&NO_ENDPOINTS).with(Key::Upstream, "web")),
    };
    UPSTREAM_LIMIT_REACHED = Row {
        id: "upstream_limit_reached",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ConnectionLimitReached),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::After(1),
        meaning: "As many connections or requests are under way to this upstream as the configuration allows.",
        says: "Upstream `{upstream}` is busy to its limit: {open} are under way[, and {max_count} are allowed][; {queued} wait for a place, and this request did so for {waited_ms}].",
        remedy: "Find out why the origin is not done with them[; if it can take more, raise `{setting}`].",
        details: "upstream limit reached[: {open} of {max_count}][ ({setting})][, {waited_ms} in the queue]",
        proof: &[Key::Setting, Key::Open],
        elsewhere: &[("nginx", "no live upstreams (max_conns)"), ("Envoy", "503, UO"), ("HAProxy", "503, sQ")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&UPSTREAM_LIMIT_REACHED)
                .with(Key::Open, 1_024_u64).with(Key::MaxCount, 1_024_u64).with(Key::Setting, "upstreams.web.max_connections"),
        ),
    };
    PROXY_OVERLOADED = Row {
        id: "proxy_overloaded",
        party: Party::Proxy,
        phase: Phase::Route,
        error: Some(ErrorType::ProxyInternalResponse),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::After(2),
        meaning: "This proxy has as much to do as it is allowed to take on, and turned the request away to keep serving the others.",
        says: "This proxy is busy to its limit: {open} are open[, and {max_count} are allowed].",
        remedy: "Spread the load over more proxies, or raise `{setting}` if this machine has room.",
        details: "overloaded[: {open} of {max_count}][ ({setting})]",
        proof: &[Key::Setting, Key::Open],
        elsewhere: &[("nginx", "worker_connections are not enough"), ("Envoy", "503, OM"), ("HAProxy", "PC")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&PROXY_OVERLOADED)
                .with(Key::Open, 20_000_u64).with(Key::MaxCount, 20_000_u64).with(Key::Setting, "limits.connections"),
        ),
    };
    PROXY_STOPPING = Row {
        id: "proxy_stopping",
        party: Party::Proxy,
        phase: Phase::Wait,
        error: Some(ErrorType::ProxyInternalError),
        standard: Status::CodeOrAbort(503),
        cloudflare: Status::CodeOrAbort(500),
        again: Again::Now,
        meaning: "This proxy was told to stop, and did so while the request was under way: it had not ended within the time that is left to requests then.",
        says: "This proxy was stopped while the request was under way[, {waited_ms} after it had begun].",
        remedy: "If requests honestly take that long, raise `shutdown.grace`, and let whatever stops the process wait longer than that (`TimeoutStopSec` of systemd, `terminationGracePeriodSeconds` of Kubernetes).",
        details: "proxy stopped[, {waited_ms} after the request had begun]",
        proof: &[Key::WaitedMs],
        elsewhere: &[("nginx", "connections cut off by worker_shutdown_timeout"), ("Envoy", "connections cut off at the end of --drain-time-s"), ("HAProxy", "connections cut off by hard-stop-after")],
        when: by_denial,
        witness: || witness::ended(Failure::denied(&PROXY_STOPPING).with(Key::WaitedMs, 31_000_u64)),
    };
    ADDRESS_PROHIBITED = Row {
        id: "address_prohibited",
        party: Party::Proxy,
        phase: Phase::Connect,
        error: Some(ErrorType::DestinationIpProhibited),
        standard: Status::Code(502),
        cloudflare: Status::Code(502),
        again: Again::Never,
        meaning: "The address that the request would go to is one that this proxy's configuration forbids to connect to.",
        says: "This proxy may not connect to {address}[, by the rule {rule}].",
        remedy: "Point the upstream elsewhere, or change the rule if that address is meant to be reached.",
        details: "address prohibited",
        proof: &[Key::Address, Key::Rule],
        elsewhere: &[("Cloudflare", "403 with error 1000, DNS points to prohibited IP"), ("Squid", "ERR_ACCESS_DENIED")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&ADDRESS_PROHIBITED).with(Key::Address, "169.254.169.254:80").with(Key::Rule, "link-local"),
        ),
    };
    NO_HEALTHY_UPSTREAM = Row {
        id: "no_healthy_upstream",
        party: Party::Origin,
        phase: Phase::Route,
        error: Some(ErrorType::DestinationUnavailable),
        standard: Status::Code(503),
        cloudflare: Status::Code(503),
        again: Again::After(5),
        meaning: "Every endpoint of the upstream was taken out, by health checks or after too many failures.",
        says: "Every endpoint of upstream `{upstream}` is out of service[: {endpoints}].",
        remedy: "Bring the endpoints back; what took each of them out stands in the record and on the admin listener under `/api/v1/upstreams`.",
        details: "no healthy endpoint",
        proof: &[Key::Endpoints, Key::AllAtOrigin],
        elsewhere: &[("nginx", "no live upstreams while connecting to upstream"), ("Envoy", "503, UH: no healthy upstream"), ("HAProxy", "503, <NOSRV>"), ("Caddy", "503, no upstreams available"), ("Traefik", "503, no available server")],
        when: by_denial,
        witness: || witness::ended(
            Failure::denied(&NO_HEALTHY_UPSTREAM).with(Key::Endpoints, vec!["192.0.2.1:8080 (refused connections)".to_owned()]).with(Key::AllAtOrigin, true),
        ),
    };
}
