//! What comes before the first request of a connection that is to be secured.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use pingora::apps::HttpServerApp;
use pingora::protocols::SocketDigest;
use pingora::protocols::raw_connect::ProxyDigest;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::head::Glimpse;

use super::caller::Caller;
use super::entrance::Entrance;
use super::listener::InForce;
use super::plain::Plain;
use super::shake::{Shaken, shake};
use super::subject;
use super::tls::ServerTls;
use crate::arrival::ClientFacts;
use crate::ingress::{Ingress, Refusal};
use crate::tally::Tally;

/// Secures it; `None` where nothing came of that, which is recorded.
pub(super) async fn secure<A: HttpServerApp + Send + Sync + 'static>(
    ingress: &Ingress<A>,
    plain: Plain,
    tls: &ServerTls,
    terms: &InForce,
    tally: &mut Tally,
) -> Option<Caller> {
    let began = Instant::now();
    let rules = ingress.door().rules();
    let addresses = plain.addresses.clone();
    let note = |failure, came| tell(ingress, failure, came, began, &addresses, &terms.digest);
    if let Some(overload) = ingress.overload(&rules, Some(&addresses), tally) {
        // An answer would take a handshake, which costs more than anything else.
        note(overload, 0);
        return None;
    }
    match shake(plain, tls, rules.request_header).await {
        Shaken::Secured(stream, took) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let subject = certificates.and_then(|chain| subject::of(chain.first()?));
            let digest = match subject {
                None => terms.digest.clone(),
                Some(subject) => {
                    let shared = Entrance::of(&terms.digest).expect("it was made of one").clone();
                    Entrance { subject: Some(subject), ..shared }.digest()
                }
            };
            Some(Caller::secured(stream, took, digest))
        }
        Shaken::Http(plain, head) => {
            let caller = Caller::plain(plain, terms.digest.clone());
            explain(ingress, caller, &head, began).await;
            None
        }
        Shaken::Nothing => None,
        Shaken::Failed(failure, came) => {
            note(failure, came);
            None
        }
    }
}

/// Tells whoever speaks plain HTTP what is expected.
async fn explain<A: HttpServerApp + Send + Sync + 'static>(
    ingress: &Ingress<A>,
    caller: Caller,
    head: &BytesMut,
    began: Instant,
) {
    let protocol = if head.starts_with(b"PRI * HTTP/2") { "HTTP/2" } else { "HTTP/1.1" };
    let failure =
        Failure::new(Side::Client, Phase::Request, Fault::TlsNotTls).with(Key::LooksLike, protocol);
    let client = ClientFacts::new(began);
    client.heard_head(head.len());
    ingress.answer(Box::new(caller), head, failure, &client, true).await;
}

fn tell<A: HttpServerApp + Send + Sync + 'static>(
    ingress: &Ingress<A>,
    failure: Failure,
    came: usize,
    began: Instant,
    addresses: &Arc<SocketDigest>,
    entrance: &Arc<ProxyDigest>,
) {
    let client = ClientFacts::new(began);
    client.heard_head(came);
    ingress.door().turn_away(Refusal {
        failure,
        head: Glimpse::hidden("TLS"),
        client: &client,
        began,
        socket: Some(addresses),
        entrance: Some(entrance),
        answerable: false,
    });
}
