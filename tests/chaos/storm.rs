//! What happens to the proxy and its endpoints, and when.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::node::Node;
use super::{Dice, say};

/// How long an endpoint is ill-treated at a time.
const WHILE: Duration = Duration::from_millis(2_500);
/// Between two events: for the endpoint to be back among the others, and to be seen to be.
const CALM: Duration = Duration::from_millis(1_500);

/// How much of it there is.
pub(super) struct Storm {
    /// No event begins after this.
    lasts: Duration,
    reloads: usize,
    replacements: usize,
}

/// What is done to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Ended at once.
    Killed,
    /// Stopped, with all its connections open.
    Paused,
    /// Let run only now and then.
    Slowed,
    /// Ended after another one had taken its name.
    Moved,
}

/// A deed, where and when.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) deed: Deed,
    pub(super) at: SocketAddr,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

const DEEDS: [Deed; 4] = [Deed::Killed, Deed::Paused, Deed::Slowed, Deed::Moved];

impl Storm {
    /// Each kind of event once.
    pub(super) const fn short() -> Self {
        Self { lasts: Duration::ZERO, reloads: 4, replacements: 1 }
    }

    /// As many as there is time for.
    pub(super) const fn long(lasts: Duration) -> Self {
        Self { lasts, reloads: 50, replacements: 2 }
    }

    /// Lets it come over them: what was done to the endpoints.
    pub(super) fn come(&self, node: &mut Node, endpoints: &mut [Endpoint], seed: u64) -> Vec<Done> {
        let mut dice = Dice(seed ^ 0xC4A0_5000);
        let began = Instant::now();
        let mut done = Vec::new();
        let (mut reloads, mut replacements) = (0, 0);
        let mut order = DEEDS;
        loop {
            for last in (1..order.len()).rev() {
                order.swap(last, dice.below(last + 1));
            }
            for deed in order {
                let share = self.share(began.elapsed(), done.len());
                while reloads < due(self.reloads, share) {
                    node.reload();
                    reloads += 1;
                }
                if replacements < due(self.replacements, share) {
                    say(&format!("{:>4} s: the binary is replaced", began.elapsed().as_secs()));
                    node.replace();
                    replacements += 1;
                }
                let endpoint = &mut endpoints[dice.below(3)];
                say(&format!(
                    "{:>4} s: {} at {} is {}",
                    began.elapsed().as_secs(),
                    endpoint.name,
                    endpoint.address,
                    format!("{deed:?}").to_lowercase()
                ));
                done.push(does(deed, endpoint));
                node.renew();
                std::thread::sleep(CALM);
            }
            if began.elapsed() >= self.lasts {
                break;
            }
        }
        for _ in reloads..self.reloads {
            node.reload();
        }
        node.alone();
        done
    }

    /// How much of it is over, in hundredths.
    fn share(&self, elapsed: Duration, deeds: usize) -> usize {
        if self.lasts.is_zero() {
            return (deeds + 1) * 100 / DEEDS.len();
        }
        let share = elapsed.as_millis() * 100 / self.lasts.as_millis();
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

/// How many of so many have to have happened by now.
fn due(all: usize, share: usize) -> usize {
    // A little early, so that something comes after the last one.
    (all * share / 80).min(all)
}

fn does(deed: Deed, endpoint: &mut Endpoint) -> Done {
    let (from, at) = (Instant::now(), endpoint.address);
    match deed {
        Deed::Killed => {
            endpoint.kill();
            std::thread::sleep(WHILE);
            endpoint.revive();
        }
        Deed::Paused => {
            endpoint.pause();
            std::thread::sleep(WHILE);
            endpoint.resume();
        }
        Deed::Slowed => endpoint.slow(WHILE),
        Deed::Moved => {
            endpoint.move_on();
        }
    }
    Done { deed, at, from, to: Instant::now() }
}

impl Display for Storm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { lasts, reloads, replacements } = self;
        if lasts.is_zero() {
            write!(f, "each event once")?;
        } else {
            write!(f, "{} s", lasts.as_secs())?;
        }
        write!(f, ", {reloads} reloads, {replacements} replacements")
    }
}
