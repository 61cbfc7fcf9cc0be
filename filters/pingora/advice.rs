//! What a proxy learned from its traffic, and that somebody should act upon before it costs
//! requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use whodunit_filters::attribution::NextHop;
use whodunit_filters::attribution::ledger::advised_idle;

/// An endpoint closes idle connections no later than this proxy stops using them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The endpoint.
    pub next_hop: NextHop,
    /// The upstream it belongs to, by name, if it has one.
    pub upstream: Option<Arc<str>>,
    /// The setting, by its place in the configuration, such as `timeouts.idle`.
    pub setting: Arc<str>,
    /// What it is set to.
    pub set_to: Duration,
    /// The endpoint's own idle timeout, as learned.
    pub learned: Duration,
}

impl Advice {
    /// What to set it to instead.
    #[must_use]
    pub fn advised(&self) -> Duration {
        advised_idle(self.learned)
    }
}

/// One line, with durations as the configuration takes them.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { next_hop, setting, set_to, learned, .. } = self;
        write!(f, "{next_hop}")?;
        if let Some(upstream) = &self.upstream {
            write!(f, " (upstream `{upstream}`)")?;
        }
        write!(
            f,
            " closes idle connections after {learned:.1?}, and `{setting}` keeps them for \
             {set_to:?}: now and then a request will meet with one that is just being closed; set \
             it to {:?} or less",
            self.advised()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_setting_and_the_value_to_set() {
        let mut advice = Advice {
            next_hop: NextHop::Inet(([10, 0, 0, 5], 8080).into()),
            upstream: Some("web".into()),
            setting: "timeouts.idle".into(),
            set_to: Duration::from_mins(1),
            learned: Duration::from_millis(5_003),
        };
        assert_eq!(
            advice.to_string(),
            "10.0.0.5:8080 (upstream `web`) closes idle connections after 5.0s, and \
             `timeouts.idle` keeps them for 60s: now and then a request will meet with one that is \
             just being closed; set it to 4s or less"
        );
        advice.upstream = None;
        assert!(advice.to_string().starts_with("10.0.0.5:8080 closes"), "{advice}");
    }
}
