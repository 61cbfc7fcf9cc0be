//! What a service chose by itself in place of the settings.

use std::sync::Arc;

use pingora::upstreams::peer::HttpPeer;
use whodunit_filters::Set;
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_filters::units::Span;

/// The timeouts with those that a service set in its peer by itself, so that a verdict does not name
/// a setting that was not in force.
pub(super) fn timeouts(timeouts: &Arc<TimeoutsInForce>, peer: &HttpPeer) -> Arc<TimeoutsInForce> {
    let options = &peer.options;
    let (connect, read) = (options.connection_timeout, options.read_timeout);
    let write = options.write_timeout;
    let same = connect == Some(timeouts.connect.value.0)
        && read == Some(timeouts.read.value.0)
        && write == Some(timeouts.write.value.0);
    if same {
        return timeouts.clone();
    }
    let mut chosen = TimeoutsInForce::clone(timeouts);
    let slots = [
        (&mut chosen.connect, connect, "the peer's `connection_timeout`"),
        (&mut chosen.read, read, "the peer's `read_timeout`"),
        (&mut chosen.write, write, "the peer's `write_timeout`"),
    ];
    for (slot, value, place) in slots {
        if let Some(value) = value.filter(|value| *value != slot.value.0) {
            *slot = Set { value: Span(value), place: place.into() };
        }
    }
    Arc::new(chosen)
}
