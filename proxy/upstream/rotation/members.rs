//! The addresses that an upstream has, and what is told of those that are out of rotation.

use std::net::SocketAddr;

use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::answer::NO_HEALTHY_UPSTREAM;
use whodunit_filters::attribution::cause::proxy::PROXY_BUG;
use whodunit_filters::attribution::record::timestamp;
use whodunit_filters::attribution::{
    Cause, Diagnosis, Exchange, Failure, Key, NextHop, Party, RequestId,
};

use super::{Standing, State};
use crate::upstream::pool::Pool;
use crate::upstream::roster::alike;

/// The most addresses that are named in one verdict.
const MOST_TOLD: usize = 16;

/// The addresses of an upstream, as far as they are known without asking a name server.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Those that requests may be sent to.
    pub busy: Vec<NextHop>,
    /// Those of names that wait until the ones of the other family were tried in vain.
    pub far: Vec<NextHop>,
    /// Those of endpoints that have weight 0.
    pub idle: Vec<NextHop>,
    /// How many names requests may be sent to whose addresses are not known.
    pub unknown: usize,
    /// Whether the addresses of all names are known.
    pub whole: bool,
}

impl Members {
    /// Whether the upstream has this address.
    #[must_use]
    pub fn has(&self, next_hop: &NextHop) -> bool {
        self.all().any(|known| known == next_hop)
    }

    /// All that there are.
    pub fn all(&self) -> impl Iterator<Item = &NextHop> {
        self.busy.iter().chain(&self.far).chain(&self.idle)
    }

    /// How many addresses requests may be sent to; a name that is not known counts as one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.busy.len() + self.unknown
    }
}

impl Pool {
    /// The addresses that the upstream has.
    #[must_use]
    pub fn members(&self) -> Members {
        let mut members = Members { whole: true, ..Members::default() };
        for (target, weight) in &self.upstream.endpoints {
            let Some(hops) = self.addresses(target) else {
                members.whole = false;
                members.unknown += usize::from(*weight > 0);
                continue;
            };
            let near = alike(hops.iter());
            for (at, next_hop) in hops.into_iter().enumerate() {
                let side = match (*weight > 0, at < near) {
                    (true, true) => &mut members.busy,
                    (true, false) => &mut members.far,
                    (false, _) => &mut members.idle,
                };
                if !side.contains(&next_hop) {
                    side.push(next_hop);
                }
            }
        }
        members
    }

    /// The same by the plan in force, which need not be this one's: a request ends by the plan that
    /// it began with.
    #[must_use]
    pub fn members_in_force(&self) -> Members {
        self.in_force().map_or_else(|| self.members(), |pool| pool.members())
    }

    /// The addresses of one endpoint; `None` for a name that was not resolved yet.
    #[must_use]
    pub fn addresses(&self, target: &Target) -> Option<Vec<NextHop>> {
        Some(match target {
            Target::Ip(address) => vec![NextHop::Inet(*address)],
            Target::Unix(path) => vec![NextHop::Unix(path.clone())],
            Target::Name(name, port) => {
                let addresses = self.recall(name)?;
                let hop = |ip: &std::net::IpAddr| NextHop::Inet(SocketAddr::new(*ip, *port));
                addresses.iter().map(hop).collect()
            }
        })
    }

    /// Whether an endpoint may have a turn: one that is an address and not out of rotation, or a
    /// name, whose addresses are looked at one by one.
    #[must_use]
    pub fn in_rotation(&self, endpoint: usize) -> bool {
        match &self.upstream.endpoints[endpoint].0 {
            Target::Ip(address) => self.rotation().holds(&NextHop::Inet(*address)),
            Target::Unix(path) => self.rotation().holds(&NextHop::Unix(path.clone())),
            Target::Name(..) => true,
        }
    }

    /// The addresses that requests may be sent to and are not, each with what took it out; of many,
    /// the first few and how many more.
    #[must_use]
    pub fn out_of_rotation(&self) -> Vec<String> {
        let standings = self.rotation().standings();
        if standings.values().all(Standing::is_in) {
            return Vec::new();
        }
        let members = self.members();
        let out = members.busy.iter().chain(&members.far).filter_map(|next_hop| {
            let told = match standings.get(next_hop)?.state() {
                State::In { .. } => return None,
                State::Unhealthy { since, reason } => {
                    format!("{reason}, since {}", timestamp(since))
                }
                State::Ejected { until, reason, .. } => {
                    format!("{reason}, until {}", timestamp(until))
                }
            };
            Some(format!("{next_hop} ({told})"))
        });
        let mut out: Vec<String> = out.collect();
        let more = out.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            out.truncate(MOST_TOLD);
            out.push(format!("{more} more"));
        }
        out
    }

    /// Why nobody can be picked, where some are out of rotation and the others cannot be used.
    pub(in crate::upstream) fn nobody_healthy(
        &self,
        passed_over: &[(usize, Failure)],
    ) -> Option<Failure> {
        let mut out = self.out_of_rotation();
        if out.is_empty() {
            return None;
        }
        out.extend(passed_over.iter().map(|(index, failure)| {
            format!("{} ({})", self.upstream.endpoints[*index].0, word(failure))
        }));
        let at_origin = self.all_out_at_origin()
            && passed_over.iter().all(|(_, failure)| verdict(failure).party == Party::Origin);
        let failure = Failure::denied(&NO_HEALTHY_UPSTREAM)
            .with(Key::Endpoints, out)
            .with(Key::AllAtOrigin, at_origin);
        Some(failure.with(Key::Upstream, self.upstream.name.to_string()))
    }

    /// Whether what took addresses out lay with the origin each time: neither the way there nor this
    /// proxy's own configuration can have done it.
    fn all_out_at_origin(&self) -> bool {
        let members = self.members();
        let at_origin = |standing: &Standing| match standing.state() {
            State::In { .. } => true,
            State::Unhealthy { reason, .. } | State::Ejected { reason, .. } => {
                // What has no verdict was an answer that a check does not take.
                reason.cause().is_none_or(|cause| cause.party == Party::Origin)
            }
        };
        let standings = self.rotation().standings();
        let mine = members.busy.iter().chain(&members.far).filter_map(|hop| standings.get(hop));
        mine.into_iter().all(at_origin)
    }
}

/// Why an endpoint cannot be used, in a word.
pub(crate) fn word(failure: &Failure) -> &'static str {
    verdict(failure).id
}

fn verdict(failure: &Failure) -> Cause {
    let mut exchange = Exchange::begin(RequestId::new());
    exchange.fail(failure.clone());
    Diagnosis::of(&exchange).map_or(&PROXY_BUG, |verdict| verdict.cause)
}
