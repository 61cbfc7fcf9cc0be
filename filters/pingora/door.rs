//! The rules at the door, and the answer to a request that is turned away there.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use pingora::protocols::SocketDigest;
use pingora::protocols::l4::socket::SocketAddr;
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::page::Grpc;
use whodunit_filters::attribution::{Failure, Key, Phase, RequestFacts, RequestId, Side};
use whodunit_filters::chain::Peer;
use whodunit_filters::head::HeadLimits;
use whodunit_filters::units::Size;

use crate::clients::{Clients, Seat};
use crate::context::Case;
use crate::house::Entrance;
use crate::ingress::{Doorman, Refusal, Rules};
use crate::listeners::Where;
use crate::outcome;
use crate::reply::{Asked, Reply};
use crate::settings::{Books, Live};

/// Keeps the door of an attributed service.
pub(crate) struct Door {
    pub(crate) live: Live,
    pub(crate) books: Books,
    pub(crate) clients: Arc<Clients>,
}

impl Doorman for Door {
    fn rules(&self) -> Rules {
        let settings = self.live.load();
        let timeouts = &settings.timeouts;
        Rules {
            head: settings.head,
            request_header: timeouts.request_header.value.0,
            keepalive: timeouts.keepalive.value.0,
            write: timeouts.write.value.0,
            requests: settings.limits.requests_per_connection.value,
            connections: i64::from(settings.limits.connections.value),
        }
    }

    fn admit(&self, ip: IpAddr) -> Result<Option<Seat>, Failure> {
        let most = self.live.load().limits.connections_per_client.value;
        most.map(|most| self.clients.seat(ip, most)).transpose()
    }

    fn trusts(&self, peer: Peer) -> bool {
        self.live.load().chain.forwarded.trusts(peer)
    }

    fn counted(&self, state: Use, change: i64) {
        self.books.ledger.connections(Side::Client, state, change);
    }

    fn open(&self) -> i64 {
        let ledger = &self.books.ledger;
        ledger.connected(Side::Client, Use::Active) + ledger.connected(Side::Client, Use::Idle)
    }

    fn speaks_h2c(&self, local: &SocketAddr) -> bool {
        self.live.load().listeners.speaks_h2c(local)
    }

    fn refuse(&self, refusal: Refusal<'_>) -> Bytes {
        self.turn_away(refusal).map_or_else(Bytes::new, |reply| reply.bytes())
    }

    fn turn_away(&self, refusal: Refusal<'_>) -> Option<Reply> {
        let mut case = Case::new(self.live.load(), self.books.clone());
        case.begun(refusal.began);
        if let Some(id) = refusal.head.field("x-request-id").and_then(RequestId::parse) {
            case.exchange.id = id;
        }
        case.exchange.bytes.client_in = refusal.client.received();
        let peer = refusal.socket.and_then(SocketDigest::peer_addr);
        case.listener = Where::of(refusal.entrance, refusal.socket);
        let client = match peer {
            Some(SocketAddr::Inet(address)) => Peer::Inet(*address).ip(),
            Some(SocketAddr::Unix(_)) | None => None,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let facts = RequestFacts {
            listener: (case.listener.as_ref())
                .map(|at| at.name(&case.settings.listeners).to_string())
                .unwrap_or_default(),
            client: peer.map(crate::listeners::address).unwrap_or_default(),
            real_client: None,
            client_subject: (refusal.entrance.and_then(Entrance::of))
                .and_then(|entrance| entrance.subject.clone()),
            method: refusal.head.method().unwrap_or_default().to_owned(),
            host: refusal.head.field(HOST.as_str()).map(text).unwrap_or_default(),
            path: refusal.head.target().map(std::borrow::Cow::into_owned).unwrap_or_default(),
            protocol: refusal.head.protocol(),
            forged_hops: 0,
            told_by: (refusal.entrance.and_then(Entrance::of))
                .and_then(|entrance| entrance.told_by.clone()),
        };
        let asked = Asked {
            accept: refusal.head.field(ACCEPT.as_str()),
            head: facts.method == "HEAD",
            grpc: Grpc::asked(refusal.head.field("content-type")),
        };
        let mut failure = refusal.failure;
        if failure.side == Side::Client && failure.phase == Phase::Request {
            failure.evidence.set_if_absent(Key::BytesSoFar, refusal.client.received());
        }
        outcome::refused(case, failure, facts, client, asked, refusal.answerable)
    }
}

/// What the ingress holds heads to.
pub(crate) fn head_limits(section: Size, fields: u32, target: Size) -> HeadLimits {
    let bytes = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    HeadLimits {
        section: bytes(section),
        fields: usize::try_from(fields).unwrap_or(usize::MAX),
        target: bytes(target),
    }
}
