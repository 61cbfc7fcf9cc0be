//! What the operator is told of addresses that leave the rotation or come back: a line each, and not
//! more of them than anybody reads.

use std::time::{Duration, Instant};

use whodunit_filters::attribution::NextHop;
use whodunit_filters::units::Span;

use super::standing::Turn;
use crate::notice;

/// The most lines of one upstream within this time.
const LINES: u32 = 20;
const WITHIN: Duration = Duration::from_secs(10);

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Voice {
    since: Option<Instant>,
    said: u32,
    unsaid: u32,
}

impl Voice {
    /// Says what happened to an address.
    pub(super) fn say(&mut self, upstream: &str, next_hop: &NextHop, turn: &Turn) {
        if let Some(line) = self.line(upstream, next_hop, turn, Instant::now()) {
            notice::say(&line);
        }
    }

    /// The line; `None` if there were too many lately.
    fn line(
        &mut self,
        upstream: &str,
        next_hop: &NextHop,
        turn: &Turn,
        now: Instant,
    ) -> Option<String> {
        if self.since.is_none_or(|since| now.duration_since(since) >= WITHIN) {
            (self.since, self.said) = (Some(now), 0);
        }
        if self.said >= LINES {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        let mut line = format!("endpoint {next_hop} of upstream `{upstream}` {}", words(turn));
        if self.unsaid > 0 {
            let unsaid = std::mem::take(&mut self.unsaid).to_string();
            line.extend(["; ", &unsaid, " such changes before were not told"]);
        }
        Some(line)
    }
}

fn words(turn: &Turn) -> String {
    let row = |count: u32, one: &str, many: &str| match count {
        1 => format!("a {one}"),
        _ => format!("{count} {many} in a row"),
    };
    match turn {
        Turn::Unhealthy(count, reason) => {
            format!("is out of rotation: {} failed ({reason})", row(*count, "check", "checks"))
        }
        Turn::Healthy(count, true) => {
            format!("is back in rotation: {} went well", row(*count, "check", "checks"))
        }
        Turn::Healthy(count, false) => format!(
            "is healthy, and still out of rotation for failed requests: {} went well",
            row(*count, "check", "checks")
        ),
        Turn::Ejected(count, reason, time) => format!(
            "is out of rotation for {}: {} failed ({reason})",
            Span(*time),
            row(*count, "request", "requests")
        ),
        Turn::Served => "is back in rotation: its time is over".to_owned(),
        Turn::Recalled => "is back in rotation: no other one is left".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::standing::Reason;
    use super::*;

    #[test]
    fn a_flood_of_changes_is_told_of_in_a_few_lines() {
        let mut voice = Voice::default();
        let hop = NextHop::Inet(([192, 0, 2, 1], 80).into());
        let turn = Turn::Unhealthy(3, Reason::Answered(404, None));
        let now = Instant::now();
        let told: Vec<_> = (0..30).filter_map(|_| voice.line("web", &hop, &turn, now)).collect();
        assert_eq!(told.len(), 20);
        assert_eq!(
            told[0],
            "endpoint 192.0.2.1:80 of upstream `web` is out of rotation: 3 checks in a row failed (status 404)"
        );
        let later = voice.line("web", &hop, &Turn::Served, now + WITHIN).expect("it is time");
        assert!(
            later.ends_with("its time is over; 10 such changes before were not told"),
            "{later}"
        );
        let last = voice.line("web", &hop, &Turn::Served, now + WITHIN).expect("it is the second");
        assert!(last.ends_with("its time is over"), "{last}");
    }
}
