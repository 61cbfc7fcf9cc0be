//! Routes that are out of service, as planned.

use pingora::proxy::Session;
use whodunit_conf::Way;
use whodunit_conf::schema::route::answer::Notice;
use whodunit_filters::attribution::cause::proxy::MAINTENANCE;
use whodunit_filters::attribution::{Failure, Key};
use whodunit_filters::chain::Peer;
use whodunit_filters::trust::trusts;
use whodunit_pingora::Noted;

/// A route that is out of service.
#[derive(Debug)]
pub(super) struct Closed {
    notice: Notice,
    setting: String,
}

impl Closed {
    pub(super) fn of(way: &Way) -> Option<Self> {
        let notice = way.route.maintenance.notice()?;
        Some(Self { notice, setting: format!("{}.maintenance", way.place) })
    }

    /// Why a request is refused, if its client is none of those that are served nevertheless.
    pub(super) fn refuse(&self, session: &Session) -> Option<Failure> {
        let client = session.known().and_then(|known| known.client);
        let peer = client.map_or(Peer::Unix, |ip| Peer::Inet((ip, 0).into()));
        if trusts(&self.notice.allow, peer) {
            return None;
        }
        let failure = Failure::denied(&MAINTENANCE)
            .with(Key::Setting, self.setting.clone())
            .with(Key::RetryAfterMs, self.notice.retry_after.0);
        Some(match &self.notice.message {
            Some(message) => failure.with(Key::Message, message.clone()),
            None => failure,
        })
    }
}
