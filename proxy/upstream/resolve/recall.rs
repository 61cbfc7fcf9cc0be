//! What is known of a name without asking.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Good, Resolver, literal, locked};

impl Resolver {
    /// Takes over the last good answer of an earlier resolver. It is past its time from the start: it
    /// is used only while no question succeeds.
    pub fn remember(&self, name: &str, earlier: &Self) {
        let entry = locked(&earlier.0.names).get(name).cloned();
        let Some(before) = entry else { return };
        let state = locked(&before.state);
        let Some(good) = &state.good else { return };
        let (addresses, learned) = (good.addresses.clone(), good.learned);
        drop(state);
        let entry = self.0.entry(name);
        let good = || Good { addresses, learned, holds: Duration::ZERO };
        locked(&entry.state).good.get_or_insert_with(good);
    }

    /// The addresses of `name` by the last good answer, however old; `None` if there was none.
    #[must_use]
    pub fn recall(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        if let Some(addresses) = literal(name) {
            return Some(addresses);
        }
        let entry = locked(&self.0.names).get(name).cloned()?;
        locked(&entry.state).good.as_ref().map(|good| good.addresses.clone())
    }
}
