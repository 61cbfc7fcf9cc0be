//! Counts that outlive a change of the configuration.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Rate, Table};

/// A route, a rate of its, and which of several that are equal.
type Key = (String, Rate, usize);

/// The counts of all rates that there are, as long as anybody uses them.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<Key, Weak<Table>>>);

impl Registry {
    /// The counts of these rates of a route, in their order: those that the route had already go on
    /// being counted.
    pub fn of(&self, route: &str, rates: &[Rate]) -> Vec<Arc<Table>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, table| table.strong_count() > 0);
        let tables = rates.iter().enumerate().map(|(at, rate)| {
            let nth = rates[..at].iter().filter(|other| *other == rate).count();
            let key = (route.to_owned(), rate.clone(), nth);
            if let Some(table) = all.get(&key).and_then(Weak::upgrade) {
                return table;
            }
            let table = Arc::new(Table::new(rate));
            all.insert(key, Arc::downgrade(&table));
            table
        });
        tables.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_change_is_counted_on() {
        let rate = |requests: u32| -> Rate {
            serde_json::from_str(&format!(r#"{{"requests":{requests}}}"#)).expect("a rate")
        };
        let registry = Registry::default();
        let before = registry.of("web", &[rate(1), rate(1), rate(2)]);
        assert!(!Arc::ptr_eq(&before[0], &before[1]), "equal ones count each by itself");
        let after = registry.of("web", &[rate(3), rate(2), rate(1)]);
        assert!(Arc::ptr_eq(&before[2], &after[1]) && Arc::ptr_eq(&before[0], &after[2]));
        assert!(!Arc::ptr_eq(&registry.of("api", &[rate(2)])[0], &before[2]));
        drop((before, after));
        let _ = registry.of("web", &[]);
        assert!(registry.0.lock().expect("nobody panicked").is_empty(), "the dead are forgotten");
    }
}
