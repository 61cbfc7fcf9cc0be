//! Which addresses of an upstream requests are sent to: all of them, but for those that health
//! checks or failures of requests took out.
//!
//! The standing of an address outlives a change of the configuration: a new one only begins anew
//! where it checks in another way.

mod members;
mod shown;
mod standing;
mod voice;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::health::{Eject, Health};
use whodunit_filters::attribution::NextHop;

pub use members::Members;
pub(crate) use members::word;
pub use standing::{Reason, Standing, State};
use standing::{Turn, allowed};
use voice::Voice;

use super::roster::Roster;

/// Who of one upstream is in rotation.
#[derive(Debug, Default)]
pub struct Rotation {
    /// How many addresses are out.
    out: AtomicUsize,
    /// How many have failed the last request or more.
    suspected: AtomicUsize,
    table: Mutex<Table>,
    /// Who is told of those that come back.
    roster: Arc<Roster>,
}

#[derive(Debug, Default)]
struct Table {
    rules: Rules,
    /// Goes up when checks of another kind begin.
    generation: u64,
    standings: HashMap<NextHop, Standing>,
    /// When the next round of checks of an endpoint is due.
    rounds: HashMap<Target, Instant>,
    voice: Voice,
}

/// What takes an address out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// How addresses are checked.
    pub health: Option<Arc<Health>>,
    /// What the connections for that are like, in a number.
    pub line: u64,
    /// When failures of requests count.
    pub eject: Option<Eject>,
}

impl Rotation {
    /// All addresses of this roster are in.
    #[must_use]
    pub fn of(roster: Arc<Roster>) -> Self {
        Self { roster, ..Self::default() }
    }

    /// Whether requests are sent to this address. Costs nothing worth speaking of while all are in.
    #[must_use]
    pub fn holds(&self, next_hop: &NextHop) -> bool {
        if self.out.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let mut table = self.table();
        !self.settle(&mut table, next_hop)
    }

    /// Follows other rules from now on, for these addresses. Gives the number that the checks by these
    /// rules bear.
    pub fn follow(&self, rules: Rules, members: &Members) -> u64 {
        let mut table = self.table();
        table.keep(members);
        let checked = |rules: &Rules| rules.health.as_ref().map(|h| (h.clone(), rules.line));
        if checked(&table.rules) != checked(&rules) {
            table.generation += 1;
            for standing in table.standings.values_mut() {
                standing.check_anew();
            }
            table.rounds.clear();
        }
        if rules.eject.is_none() {
            for standing in table.standings.values_mut() {
                standing.acquit();
            }
        }
        table.rules = rules;
        self.count(&table);
        table.generation
    }

    /// A check of an address by the rules of this number has ended.
    pub fn checked(&self, generation: u64, next_hop: &NextHop, outcome: Result<(), Reason>) {
        let mut table = self.table();
        let Some(health) = table.rules.health.clone().filter(|_| generation == table.generation)
        else {
            return;
        };
        let standing = table.standings.entry(next_hop.clone()).or_default();
        let turn = standing.checked(outcome, &health);
        self.count(&table);
        self.tell(&mut table, next_hop, turn);
    }

    /// An attempt at an address failed. `members` are asked for only where that counts.
    pub fn failed(&self, next_hop: &NextHop, reason: Reason, members: impl FnOnce() -> Members) {
        let Some(eject) = self.table().rules.eject else { return };
        let members = members();
        if !members.busy.contains(next_hop) {
            return;
        }
        let mut table = self.table();
        table.keep(&members);
        let out = |hop: &&NextHop| table.standings.get(*hop).is_some_and(|s| !s.is_in());
        let out = members.busy.iter().filter(out).count();
        let room = out < allowed(members.count(), eject.max);
        let standing = table.standings.entry(next_hop.clone()).or_default();
        let turn = standing.failed(reason, &eject, room, Instant::now());
        self.count(&table);
        self.tell(&mut table, next_hop, turn);
    }

    /// An attempt at an address went well.
    pub fn answered(&self, next_hop: &NextHop) {
        if self.suspected.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut table = self.table();
        if let Some(standing) = table.standings.get_mut(next_hop) {
            standing.answered();
            self.count(&table);
        }
    }

    /// Nobody is left: those who are out for failed requests alone come back. Says whether there
    /// were any.
    pub fn recall(&self) -> bool {
        if self.out.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut table = self.table();
        let table = &mut *table;
        let mut back = false;
        for (next_hop, standing) in &mut table.standings {
            if let Some(turn) = standing.recall() {
                back = true;
                table.voice.say(&table.rules.upstream, next_hop, &turn);
            }
        }
        self.count(table);
        back
    }

    /// What is known of each address.
    #[must_use]
    pub fn standings(&self) -> HashMap<NextHop, Standing> {
        let mut table = self.table();
        let hops: Vec<NextHop> = table.standings.keys().cloned().collect();
        for next_hop in hops {
            self.settle(&mut table, &next_hop);
        }
        table.standings.clone()
    }

    /// When the next round of checks of an endpoint is due, if there was one before.
    #[must_use]
    pub fn due(&self, endpoint: &Target) -> Option<Instant> {
        self.table().rounds.get(endpoint).copied()
    }

    /// A round of checks has ended: when the next one is due, and whom the upstream still has.
    pub fn ended(&self, generation: u64, endpoint: &Target, next: Instant, members: &Members) {
        let mut table = self.table();
        if table.generation == generation {
            table.rounds.insert(endpoint.clone(), next);
            table.keep(members);
            self.count(&table);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an address back in whose time is over. Says whether it is still out.
    fn settle(&self, table: &mut Table, next_hop: &NextHop) -> bool {
        let Some(standing) = table.standings.get_mut(next_hop) else { return false };
        let turn = standing.settle(Instant::now(), table.rules.eject.as_ref());
        let out = !standing.is_in();
        if turn.is_some() {
            self.count(table);
            self.tell(table, next_hop, turn);
        }
        out
    }

    /// Says what happened to an address, and lets one that is back begin slowly.
    fn tell(&self, table: &mut Table, next_hop: &NextHop, turn: Option<Turn>) {
        let Some(turn) = turn else { return };
        table.voice.say(&table.rules.upstream, next_hop, &turn);
        if matches!(turn, Turn::Served | Turn::Healthy(_, true)) {
            self.roster.returned(next_hop);
        }
    }

    fn count(&self, table: &Table) {
        let count = |of: fn(&Standing) -> bool| {
            table.standings.values().filter(|standing| of(standing)).count()
        };
        self.out.store(count(|standing| !standing.is_in()), Ordering::Relaxed);
        self.suspected.store(count(Standing::is_suspected), Ordering::Relaxed);
    }
}

impl Table {
    /// Forgets addresses that the upstream does not have any more, as far as that is known.
    fn keep(&mut self, members: &Members) {
        if members.whole {
            self.standings.retain(|next_hop, _| members.has(next_hop));
        }
    }
}

#[cfg(test)]
mod tests;
