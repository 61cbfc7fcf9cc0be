//! Picking: an endpoint by the upstream's policy, and one of its addresses by the same. Whichever
//! the policy, a weight is the share of the endpoint as it is written; where its name has several
//! addresses, each is an endpoint of its own with an equal part of that share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::proxy::{NO_ENDPOINTS, PROXY_CONFIG_INVALID};
use whodunit_filters::attribution::{Failure, Key as Fact, NextHop};

use super::Pool;
use crate::upstream::balance::{Key, Share, WHOLE};
use crate::upstream::resolve::Answer;
use crate::upstream::roster::{Member, Seats, alike};

/// What an endpoint is picked by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// The addresses that were tried already in this request.
    pub tried: &'a [NextHop],
    /// What stands for its client, where requests are told apart.
    pub key: Option<Key>,
}

/// An endpoint, picked for one attempt.
#[derive(Clone, Debug)]
pub struct Picked {
    /// Its place in [`Upstream::endpoints`](super::Upstream::endpoints).
    pub endpoint: usize,
    /// Where to connect to.
    pub next_hop: NextHop,
    /// The name it was resolved from, if it has one.
    pub name: Option<Arc<str>>,
    /// How long finding the address took, waiting for the name server included.
    pub dns: Duration,
    /// How old the name server's answer is; `None` where none was needed.
    pub answer_age: Option<Duration>,
    /// Set if that answer is past its time and could not be renewed: why not.
    pub stale: Option<Failure>,
    /// Whether its name has other addresses that were not tried yet.
    pub more: bool,
    /// Endpoints whose turn came first and that no connection can be made to, each with the
    /// reason.
    pub passed_over: Vec<(usize, Failure)>,
}

/// An address of an endpoint.
struct Located {
    endpoint: usize,
    member: Arc<Member>,
    /// The name server's answer and how many addresses share the endpoint's weight.
    answer: Option<Answer>,
    among: usize,
}

/// The endpoints that are out of the question.
#[derive(Default)]
struct Out {
    passed_over: Vec<(usize, Failure)>,
    exhausted: Vec<usize>,
}

impl Out {
    fn has(&self, endpoint: usize) -> bool {
        self.exhausted.contains(&endpoint)
            || self.passed_over.iter().any(|(passed, _)| *passed == endpoint)
    }
}

impl Pool {
    /// Picks an endpoint. Those tried already in this request are not picked unless no other is
    /// left. Those that are out of rotation for failed requests alone come back if nobody is left.
    ///
    /// # Errors
    /// When there is no endpoint to pick: `no_endpoints`; when some are out of rotation and none is
    /// left: `no_healthy_upstream`; when none can be used: why the first of them cannot.
    pub async fn pick(&self, ask: Ask<'_>) -> Result<Picked, Failure> {
        let in_rotation = |next_hop: &NextHop| self.rotation().holds(next_hop);
        match self.pick_among(ask, in_rotation).await {
            Err(_) if self.rotation().recall() => Box::pin(self.pick_among(ask, in_rotation)).await,
            picked => picked,
        }
    }

    /// The same among the addresses that `may` be picked.
    pub(super) async fn pick_among(
        &self,
        ask: Ask<'_>,
        may: impl Fn(&NextHop) -> bool + Sync,
    ) -> Result<Picked, Failure> {
        let started = Instant::now();
        let mut out = Out::default();
        for tried in [ask.tried, &[]] {
            out.exhausted.clear();
            let ask = Ask { tried, ..ask };
            while let Some(located) = self.next(ask, &mut out, &may).await {
                let located = match located {
                    Some(first) if self.spread.compares() => {
                        self.less_busy(first, ask, &mut out, &may).await
                    }
                    Some(only) => only,
                    None => continue,
                };
                let mut picked = self.picked(located, tried, &may, started);
                picked.passed_over = out.passed_over;
                return Ok(picked);
            }
            if ask.tried.is_empty() {
                break;
            }
        }
        if let Some(failure) = self.nobody_healthy(&out.passed_over) {
            return Err(failure);
        }
        let name = self.upstream.name.to_string();
        Err(out.passed_over.into_iter().next().map_or_else(
            || Failure::denied(&NO_ENDPOINTS).with(Fact::Upstream, name.clone()),
            |(_, failure)| failure.with(Fact::Upstream, name.clone()),
        ))
    }

    /// The next address by the policy: `None` when no endpoint is left, `Some(None)` when the
    /// one whose turn it was has none.
    async fn next(
        &self,
        ask: Ask<'_>,
        out: &mut Out,
        may: &(impl Fn(&NextHop) -> bool + Sync),
    ) -> Option<Option<Located>> {
        let endpoint = self.spread.next(ask.key, |index| self.share(index, ask.tried, out, may))?;
        match self.locate(endpoint, ask, may).await {
            Ok(Some(located)) => Some(Some(located)),
            Ok(None) => {
                out.exhausted.push(endpoint);
                Some(None)
            }
            Err(failure) => {
                out.passed_over.push((endpoint, failure));
                Some(None)
            }
        }
    }

    /// The less busy of the one that was drawn and another one.
    async fn less_busy(
        &self,
        first: Located,
        ask: Ask<'_>,
        out: &mut Out,
        may: &(impl Fn(&NextHop) -> bool + Sync),
    ) -> Located {
        if first.answer.is_none() {
            // It has no other address.
            out.exhausted.push(first.endpoint);
        }
        match self.next(ask, out, may).await {
            Some(Some(other)) if self.load(&other) < self.load(&first) => other,
            _ => first,
        }
    }

    /// How busy an address is for what it can take.
    fn load(&self, located: &Located) -> f64 {
        let weight = f64::from(self.upstream.endpoints[located.endpoint].1);
        let share = f64::from(located.member.share(self.upstream.slow_start)) / f64::from(WHOLE);
        let among = f64::from(u32::try_from(located.among).unwrap_or(u32::MAX));
        f64::from(located.member.in_flight()) * among / (weight * share)
    }

    /// How much of its weight an endpoint has; none if it was tried, or has shown to be of no use.
    fn share(
        &self,
        endpoint: usize,
        tried: &[NextHop],
        out: &Out,
        may: impl Fn(&NextHop) -> bool,
    ) -> Share {
        if out.has(endpoint) {
            return 0;
        }
        match &self.seats[endpoint] {
            Seats::Named { .. } => WHOLE,
            Seats::Fixed(member) if tried.contains(&member.next_hop) || !may(&member.next_hop) => 0,
            Seats::Fixed(member) => member.share(self.upstream.slow_start),
        }
    }

    fn picked(
        &self,
        located: Located,
        tried: &[NextHop],
        may: impl Fn(&NextHop) -> bool,
        started: Instant,
    ) -> Picked {
        let Located { endpoint, member, answer, .. } = located;
        let next_hop = member.next_hop.clone();
        let name = match &self.upstream.endpoints[endpoint].0 {
            Target::Name(name, _) => Some(name.clone()),
            Target::Ip(_) | Target::Unix(_) => None,
        };
        let dns = if name.is_some() { started.elapsed() } else { Duration::ZERO };
        let answer_age = answer.as_ref().map(|answer| answer.age);
        let others = if answer.is_some() { self.seats[endpoint].known() } else { Vec::new() };
        let more = others
            .iter()
            .map(|other| &other.next_hop)
            .any(|other| *other != next_hop && !tried.contains(other) && may(other));
        let stale = answer.and_then(|answer| answer.stale);
        Picked { endpoint, next_hop, name, dns, answer_age, stale, more, passed_over: Vec::new() }
    }

    /// An address of the endpoint that was not tried yet; `None` if all of them were.
    async fn locate(
        &self,
        endpoint: usize,
        ask: Ask<'_>,
        may: &(impl Fn(&NextHop) -> bool + Sync),
    ) -> Result<Option<Located>, Failure> {
        let located = match (&self.upstream.endpoints[endpoint].0, &self.seats[endpoint]) {
            (Target::Name(name, _), seats) => {
                // Large, and of no use to those without a name.
                let answer = Box::pin(self.resolver.resolve(name)).await?;
                let found = seats.of(&self.lasting.roster, &answer.addresses);
                let Some((member, among)) = self.choose(&found.members, ask, may) else {
                    return Ok(None);
                };
                Located { endpoint, member, answer: Some(answer), among }
            }
            (_, Seats::Fixed(member)) => {
                Located { endpoint, member: member.clone(), answer: None, among: 1 }
            }
            (_, Seats::Named { .. }) => return Ok(None),
        };
        if let NextHop::Inet(address) = &located.member.next_hop
            && self.own.reached_by(*address).is_some()
        {
            let setting = format!("upstreams.{}.endpoints", self.upstream.name);
            return Err(Failure::denied(&PROXY_CONFIG_INVALID)
                .with(Fact::Setting, setting)
                .with(Fact::Rule, "an endpoint is a listener of this proxy")
                .with(Fact::Address, address.to_string()));
        }
        Ok(Some(located))
    }

    /// One of a name's addresses, and among how many: those of the first one's family; the others
    /// wait until these are tried.
    fn choose(
        &self,
        members: &[Arc<Member>],
        ask: Ask<'_>,
        may: impl Fn(&NextHop) -> bool,
    ) -> Option<(Arc<Member>, usize)> {
        let alike = alike(members.iter().map(|member| &member.next_hop));
        if alike == 0 {
            return None;
        }
        let open =
            |member: &&Arc<Member>| !ask.tried.contains(&member.next_hop) && may(&member.next_hop);
        let (near, far) = members.split_at(alike);
        if let (Some(_), Some(key)) = (self.spread.by(), ask.key) {
            let nearest = |members: &[Arc<Member>]| {
                members.iter().filter(open).min_by_key(|member| key.lot(&member.next_hop)).cloned()
            };
            return nearest(near).or_else(|| nearest(far)).map(|member| (member, alike));
        }
        let first = if self.spread.compares() {
            fastrand::usize(..alike)
        } else {
            self.picks.fetch_add(1, Ordering::Relaxed) % alike
        };
        let mut turn = near[first..].iter().chain(&near[..first]).chain(far).filter(open);
        let slow = self.upstream.slow_start;
        let ready = |member: &&Arc<Member>| {
            let share = member.share(slow);
            share >= WHOLE || fastrand::u32(..WHOLE) < share
        };
        let found = if slow.is_none() {
            turn.next()
        } else {
            turn.clone().find(ready).or_else(|| turn.next())
        };
        found.map(|member| (member.clone(), alike))
    }
}
