//! The proxy, its endpoints and its clients.

use super::endpoint::Endpoint;
use super::held::Held;
use super::node::Node;
use super::storm::{Done, Storm};
use super::traffic::{Outcome, Traffic};
use crate::rig::dns::Dns;

/// All of them.
pub(super) struct Stage {
    node: Node,
    endpoints: Vec<Endpoint>,
}

/// How long the traffic lasts before anything is measured.
const WARM: std::time::Duration = std::time::Duration::from_secs(2);

impl Stage {
    /// Builds it, and lets it run for a moment.
    pub(super) fn set() -> Self {
        let dns = Dns::new();
        let endpoints: Vec<_> = (0..3).map(|nth| Endpoint::start(nth, &dns)).collect();
        let node = Node::start(endpoints.iter().map(Endpoint::written).collect(), dns.address);
        let traffic = Traffic::start(&node, 0);
        std::thread::sleep(WARM);
        let bad: Vec<_> = traffic.end().into_iter().filter(|o| !o.is_good()).collect();
        assert!(bad.is_empty(), "in calm weather: {bad:#?}");
        Self { node, endpoints }
    }

    /// What the proxy holds at rest.
    pub(super) fn held(&self) -> Held {
        self.node.held()
    }

    /// Lets the storm come while there is traffic.
    pub(super) fn weather(&mut self, storm: &Storm, seed: u64) -> (Vec<Outcome>, Vec<Done>) {
        let traffic = Traffic::start(&self.node, seed);
        let done = storm.come(&mut self.node, &mut self.endpoints, seed);
        (traffic.end(), done)
    }

    /// Ends it: what the proxy has written.
    pub(super) fn strike(self) -> String {
        self.node.stop()
    }
}
