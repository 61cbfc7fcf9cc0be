//! What is known of an upstream beyond one plan: a change of the configuration goes on with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use whodunit_filters::attribution::Ledger;
use whodunit_filters::rate;

use super::budget::Budget;
use super::places::Places;
use super::pool::Pool;
use super::roster::Roster;
use super::rotation::Rotation;
use crate::routes::lane::Lanes;

/// What outlives a plan, of one upstream.
#[derive(Debug)]
pub struct Lasting {
    /// What is under way.
    pub places: Arc<Places>,
    /// Since when its addresses are there.
    pub roster: Arc<Roster>,
    /// Which of them requests are sent to.
    pub rotation: Rotation,
    /// What was tried again.
    pub budget: Budget,
    /// The upstream by the plan in force.
    pub in_force: Mutex<Weak<Pool>>,
}

impl Lasting {
    /// The upstream by the plan in force; `None` once that one is gone, or before the first.
    pub fn in_force(&self) -> Option<Arc<Pool>> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

/// The same of all upstreams that there are or were, as long as anybody uses it.
#[derive(Debug, Default)]
pub struct Registry {
    /// What is under way on routes.
    pub lanes: Lanes,
    /// How often requests came lately, by route.
    pub rates: rate::Registry,
    ledger: Arc<Ledger>,
    all: Mutex<BTreeMap<String, Weak<Lasting>>>,
}

impl Registry {
    /// Nothing as yet. How busy an address is stands in this ledger.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, ..Self::default() }
    }

    /// What is known of the upstream of this name.
    pub fn of(&self, name: &str) -> Arc<Lasting> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lasting| lasting.strong_count() > 0);
        if let Some(lasting) = all.get(name).and_then(Weak::upgrade) {
            return lasting;
        }
        let roster = Arc::new(Roster::new(self.ledger.clone()));
        let lasting = Arc::new(Lasting {
            places: Arc::default(),
            rotation: Rotation::of(roster.clone()),
            roster,
            budget: Budget::default(),
            in_force: Mutex::default(),
        });
        all.insert(name.to_owned(), Arc::downgrade(&lasting));
        lasting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_under_a_name_is_kept_as_long_as_it_is_used() {
        let registry = Registry::default();
        let before = registry.of("web");
        let after = registry.of("web");
        assert!(Arc::ptr_eq(&before, &after));
        drop((before, after));
        registry.of("api");
        assert_eq!(
            registry.all.lock().expect("nobody panicked").len(),
            1,
            "the dead are forgotten"
        );
    }
}
