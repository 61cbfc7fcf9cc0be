//! Timeouts and limits whose value would fail every request, or that cannot be kept.

use whodunit_filters::units::{Size, Span};

use super::{Check, steps};
use crate::problem::Problem;
use crate::schema::upstream::Upstream;
use crate::tree::Step;

/// The longest span: clocks overflow somewhere beyond it.
const LONGEST: Span = Span::seconds(366 * 24 * 60 * 60);

/// Limits above which the HTTP library answers by itself.
const SIZES: [(&str, u64); 5] = [
    ("request_header", 1_048_575),
    ("request_uri", 65_534),
    ("response_header", 1_048_575),
    ("response_header_line", 1_048_575),
    ("request_body", u64::MAX),
];
const COUNTS: [(&str, u64); 5] = [
    ("request_headers", 256),
    ("response_headers", 256),
    ("connections", 10_000_000),
    ("connections_per_client", 10_000_000),
    ("requests_per_connection", u32::MAX as u64),
];

/// Spans that may be zero: nothing is kept.
const KEPT: [&str; 2] = ["idle", "keepalive"];

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    section(check, &[]);
    for (index, _) in config.routes.iter().enumerate() {
        section(check, &steps!["routes", index]);
    }
    for (name, upstream) in &config.upstreams {
        section(check, &steps!["upstreams", name.as_str()]);
        spans(check, name, upstream);
    }
    let others = [
        (steps!["resolver", "timeout"].to_vec(), Some(config.resolver.timeout), false),
        (steps!["shutdown", "grace"].to_vec(), Some(config.shutdown.grace), true),
        (steps!["shutdown", "delay"].to_vec(), Some(config.shutdown.delay), true),
        (steps!["log", "rotate", "age"].to_vec(), config.log.rotate.age, false),
    ];
    for (path, span, zero) in others {
        let problem = span.and_then(|span| timeout(check, &path, span, zero));
        check.problems.extend(problem);
    }
    if config.log.rotate.size == Some(Size(0)) {
        let says = "0 would replace the file at every record".to_owned();
        let problem =
            check.error(&steps!["log", "rotate", "size"], says).help("write `null` for never");
        check.push(problem);
    }
}

/// The spans of an upstream's own settings.
fn spans(check: &mut Check<'_>, name: &str, upstream: &Upstream) {
    let own = [
        (steps!["upstreams", name, "slow_start"].to_vec(), upstream.slow_start),
        (steps!["upstreams", name, "retries", "backoff"].to_vec(), upstream.retries.backoff),
        (steps!["upstreams", name, "queue", "timeout"].to_vec(), upstream.queue.map(|q| q.timeout)),
    ];
    for (path, span) in own {
        let problem = span.and_then(|span| timeout(check, &path, span, false));
        check.problems.extend(problem);
    }
}

/// Looks at what was written under `timeouts` and `limits` below a path: the defaults are right,
/// and read so, a section need not be listed key by key a second time.
fn section(check: &mut Check<'_>, above: &[Step<'_>]) {
    let written = check.tree.json_at(above);
    let entries = |section: &str| {
        let entries = written.get(section).and_then(|value| value.as_object()).cloned();
        entries.unwrap_or_default()
    };
    for (key, value) in entries("timeouts") {
        let Some(span) = value.as_str().and_then(|text| text.parse().ok()) else { continue };
        let path = [above, &steps!["timeouts", key.as_str()]].concat();
        let problem = timeout(check, &path, span, KEPT.contains(&key.as_str()));
        check.problems.extend(problem);
    }
    for (key, value) in entries("limits") {
        let size =
            value.as_u64().or_else(|| value.as_str()?.parse::<Size>().ok().map(|size| size.0));
        let Some(size) = size else { continue };
        let path = [above, &steps!["limits", key.as_str()]].concat();
        let problem = limit(check, &path, &key, size);
        check.problems.extend(problem);
    }
}

pub(super) fn timeout(
    check: &Check<'_>,
    path: &[Step<'_>],
    span: Span,
    zero: bool,
) -> Option<Problem> {
    if span.0.is_zero() && !zero {
        let says = "0 would be over before it began".to_owned();
        let help = if matches!(path.last(), Some(Step::Key("response" | "age"))) {
            "write `null` for no limit"
        } else {
            "remove the key for its default"
        };
        return Some(check.error(path, says).help(help));
    }
    (span > LONGEST).then(|| {
        check.error(path, format!("`{span}` is longer than a year")).help("`366d` is the most")
    })
}

fn limit(check: &Check<'_>, path: &[Step<'_>], key: &str, value: u64) -> Option<Problem> {
    if value == 0 && !key.ends_with("_body") {
        let says = "a limit of 0 would refuse everything".to_owned();
        return Some(check.error(path, says).help("remove the key for its default"));
    }
    let most = SIZES.iter().chain(&COUNTS).find(|(name, _)| *name == key)?.1;
    (value > most).then(|| check.error(path, format!("the most that can be allowed is {most}")))
}
