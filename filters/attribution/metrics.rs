//! The ledger in Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use super::cause::{CATALOGUE, Status};
use super::evidence::Side;
use super::exchange::NextHop;
use super::ledger::{Histogram, Ledger, STATUS_CLASSES, Use};

/// The type of what [`render`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics. `build` are the labels of `whodunit_build_info`, such as the version.
#[must_use]
pub fn render(ledger: &Ledger, build: &[(&str, &str)]) -> String {
    let mut page = Page(String::with_capacity(64 * 1024));
    requests(&mut page, ledger);
    errors(&mut page, ledger);
    phases(&mut page, ledger);
    page.head("whodunit_connections", "gauge", "Open connections by side and use.");
    for (side, word) in [(Side::Client, "client"), (Side::Origin, "upstream")] {
        for (state, state_word) in [(Use::Active, "active"), (Use::Idle, "idle")] {
            if (side, state) == (Side::Origin, Use::Idle) {
                // The pool of idle connections is Pingora's own, and it does not tell.
                continue;
            }
            page.line(
                "whodunit_connections",
                &[("side", word), ("state", state_word)],
                &ledger.connected(side, state).to_string(),
            );
        }
    }
    idle(&mut page, ledger);
    page.head("whodunit_log_dropped_total", "counter", "Log lines dropped for want of room.");
    page.line("whodunit_log_dropped_total", &[], &ledger.lines_dropped().to_string());
    page.head("whodunit_config_reloads_total", "counter", "Reloads of the configuration.");
    for (applied, word) in [(true, "success"), (false, "failure")] {
        page.line(
            "whodunit_config_reloads_total",
            &[("result", word)],
            &ledger.reloads(applied).to_string(),
        );
    }
    page.head("whodunit_build_info", "gauge", "This build; the value is always 1.");
    page.line("whodunit_build_info", build, "1");
    page.0
}

/// Endpoints whose idle timeout is known; there is nothing to say of the others.
fn idle(page: &mut Page, ledger: &Ledger) {
    const NAME: &str = "whodunit_upstream_idle_timeout_seconds";
    page.head(NAME, "gauge", "Idle timeout of an endpoint, learned from connections it closed.");
    for known in ledger.neighbours() {
        if let Some(timeout) = known.neighbour.idle_timeout() {
            let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
            page.line(NAME, &[("endpoint", &known.next_hop.to_string())], &seconds(micros));
        }
    }
}

/// Adds which endpoints requests are sent to: the upstream's name, the endpoint, and whether it is
/// in rotation. Those that nobody watches are left out, for nothing is known of them.
pub fn add_endpoints<'a>(
    text: &mut String,
    endpoints: impl IntoIterator<Item = (&'a str, &'a NextHop, bool)>,
) {
    const NAME: &str = "whodunit_upstream_healthy";
    let mut page = Page(std::mem::take(text));
    page.head(NAME, "gauge", "Whether an endpoint gets requests, or is kept out for its failures.");
    for (upstream, endpoint, healthy) in endpoints {
        let labels = [("upstream", upstream), ("endpoint", &*endpoint.to_string())];
        page.line(NAME, &labels, if healthy { "1" } else { "0" });
    }
    *text = page.0;
}

fn requests(page: &mut Page, ledger: &Ledger) {
    page.head("whodunit_requests_total", "counter", "Requests answered, by class of status.");
    for requests in ledger.all_requests() {
        for class in STATUS_CLASSES {
            let count = requests.counted(class);
            // The class of what was answered with no status at all shows only when there is one.
            if class != "other" || count > 0 {
                page.line(
                    "whodunit_requests_total",
                    &[
                        ("listener", requests.listener()),
                        ("route", requests.route()),
                        ("status_class", class),
                    ],
                    &count.to_string(),
                );
            }
        }
    }
}

fn errors(page: &mut Page, ledger: &Ledger) {
    page.head("whodunit_errors_total", "counter", "Failed requests, by cause.");
    for upstream in ledger.all_upstreams() {
        for cause in CATALOGUE.iter() {
            for generated in [true, false] {
                let count = upstream.failures(cause, generated);
                let usual = generated == (cause.standard != Status::Pass);
                if usual || count > 0 {
                    page.line(
                        "whodunit_errors_total",
                        &[
                            ("cause", cause.id),
                            ("party", cause.party.as_str()),
                            ("phase", cause.phase.as_str()),
                            ("upstream", upstream.name()),
                            ("generated", if generated { "true" } else { "false" }),
                        ],
                        &count.to_string(),
                    );
                }
            }
        }
    }
}

fn phases(page: &mut Page, ledger: &Ledger) {
    const NAME: &str = "whodunit_phase_seconds";
    page.head(NAME, "histogram", "How long each phase of a request took.");
    for upstream in ledger.all_upstreams() {
        for (phase, histogram) in upstream.phases() {
            let cumulative = histogram.cumulative();
            let [.., count] = cumulative;
            if count == 0 {
                continue;
            }
            let labels = [("phase", phase), ("upstream", upstream.name())];
            let bounds = Histogram::BOUNDS_US.into_iter().map(seconds);
            for (bound, so_far) in bounds.chain(["+Inf".to_owned()]).zip(cumulative) {
                let labels = [labels[0], labels[1], ("le", bound.as_str())];
                page.line("whodunit_phase_seconds_bucket", &labels, &so_far.to_string());
            }
            page.line("whodunit_phase_seconds_sum", &labels, &seconds(histogram.sum_us()));
            page.line("whodunit_phase_seconds_count", &labels, &count.to_string());
        }
    }
}

/// Microseconds in seconds, without superfluous digits.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes all");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    _ => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        writeln!(self.0, " {value}").expect("a String takes all");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attribution::exchange::Times;
    use crate::attribution::ledger::Bounds;

    #[test]
    fn every_cause_is_there_from_the_start() {
        let page = render(&Ledger::new(Bounds::default()), &[("version", "0.1.0")]);
        for cause in CATALOGUE.iter() {
            let start = format!("whodunit_errors_total{{cause=\"{}\",", cause.id);
            let line = page.lines().find(|line| line.starts_with(&start)).expect("a line");
            assert!(line.ends_with(" 0"), "{line}");
        }
    }

    #[test]
    fn the_format_is_prometheus() {
        let ledger = Ledger::new(Bounds::default());
        let cause = CATALOGUE[0];
        let upstream = ledger.upstream("we\"b\\\n");
        upstream.failed(cause, true);
        let wait = Some(Duration::from_micros(1_250_500));
        upstream.timed(&Times { wait, ..Times::default() });
        ledger.requests("0.0.0.0:8080", "web").count(204);
        ledger.connections(Side::Origin, Use::Active, 3);
        let hop = NextHop::Inet(([192, 0, 2, 1], 80).into());
        let neighbour = ledger.neighbour(&hop, None);
        for at in [0, 6, 12].map(Duration::from_secs) {
            let at = std::time::Instant::now() + at;
            neighbour.closed_after(at, Duration::from_millis(5_003));
        }
        ledger.drop_lines(2);
        ledger.reload(true);
        let mut page = render(&ledger, &[("version", "0.1.0")]);
        let down = NextHop::Unix("/run/a".into());
        add_endpoints(&mut page, [("web", &hop, true), ("web", &down, false)]);
        let name = r#"upstream="we\"b\\\n""#;
        for line in [
            r#"whodunit_requests_total{listener="0.0.0.0:8080",route="web",status_class="2xx"} 1"#,
            &format!(
                r#"whodunit_errors_total{{cause="{}",party="{}",phase="{}",{name},generated="true"}} 1"#,
                cause.id, cause.party, cause.phase
            ),
            &format!(r#"whodunit_phase_seconds_bucket{{phase="wait",{name},le="1"}} 0"#),
            &format!(r#"whodunit_phase_seconds_bucket{{phase="wait",{name},le="2.5"}} 1"#),
            &format!(r#"whodunit_phase_seconds_bucket{{phase="wait",{name},le="+Inf"}} 1"#),
            &format!(r#"whodunit_phase_seconds_sum{{phase="wait",{name}}} 1.2505"#),
            &format!(r#"whodunit_phase_seconds_count{{phase="wait",{name}}} 1"#),
            r#"whodunit_connections{side="upstream",state="active"} 3"#,
            r#"whodunit_upstream_idle_timeout_seconds{endpoint="192.0.2.1:80"} 5.003"#,
            r#"whodunit_upstream_healthy{upstream="web",endpoint="192.0.2.1:80"} 1"#,
            r#"whodunit_upstream_healthy{upstream="web",endpoint="unix:/run/a"} 0"#,
            "whodunit_log_dropped_total 2",
            r#"whodunit_config_reloads_total{result="success"} 1"#,
            r#"whodunit_build_info{version="0.1.0"} 1"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            assert!(page.contains(&format!("# TYPE {family} ")), "{line}");
        }
    }

    #[test]
    fn seconds_are_short() {
        assert_eq!(
            [500, 1_000_000, 2_500_000, 120_000_000, 0].map(seconds),
            ["0.0005", "1", "2.5", "120", "0"]
        );
    }
}
