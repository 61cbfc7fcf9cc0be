//! What is known of a name without asking.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Resolver, literal, locked};

impl Resolver {
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
