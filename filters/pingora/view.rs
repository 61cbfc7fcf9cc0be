//! What filters and records see of a Pingora session.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr as InetAddress};

use http::{HeaderMap, HeaderName, Version, header as names};
use pingora::http::RequestHeader;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::proxy::Session;
use whodunit_filters::attribution::RequestFacts;
use whodunit_filters::chain::{Peer, RequestView};
use whodunit_filters::proxied::Told;

use crate::context::Case;
use crate::house::Entrance;
use crate::listeners::{Where, address};
use crate::note::Noted;

/// Where a client connected to that came by a Unix socket.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const NOWHERE_IN_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The request, as it came from the client.
pub(crate) fn request<'a>(session: &'a Session, case: &'a Case) -> RequestView<'a> {
    let request = session.req_header();
    let peer = peer(session);
    RequestView {
        method: &request.method,
        target: request.raw_path(),
        host: host(request),
        version: request.version,
        headers: &request.headers,
        secure: session.as_downstream().digest().is_some_and(|digest| digest.ssl_digest.is_some()),
        peer,
        client: case.real_client,
        listener: "",
        id: &case.exchange.id,
        began: case.exchange.began,
        arrived: case.exchange.started + case.exchange.times.request.unwrap_or_default(),
    }
}

/// The authority asked for: `Host`, or what stands for it in HTTP/2.
fn host(request: &RequestHeader) -> Option<&str> {
    let field = request.headers.get(names::HOST).and_then(|host| host.to_str().ok());
    field.or_else(|| request.uri.authority().map(http::uri::Authority::as_str))
}

fn peer(session: &Session) -> Peer {
    match session.client_addr() {
        Some(SocketAddr::Inet(address)) => Peer::Inet(*address),
        Some(SocketAddr::Unix(_)) | None => Peer::Unix,
    }
}

/// The client, seen through the proxies that are trusted.
pub(crate) fn client(session: &Session, case: &Case) -> Option<IpAddr> {
    case.settings.chain.forwarded.real_client(peer(session), &session.req_header().headers)
}

/// Whose connection the request came over, as the next proxy is told of it: the client itself, and
/// the address that it connected to. The port of a client whose own connection ends at another proxy
/// is not known, and told as 0.
#[must_use]
pub fn ends(session: &Session) -> Told {
    let Some(ip) = session.known().and_then(|known| known.client) else { return Told::Unknown };
    let inet = |address: Option<&SocketAddr>| match address {
        Some(SocketAddr::Inet(address)) => Some(*address),
        Some(SocketAddr::Unix(_)) | None => None,
    };
    let peer = inet(session.client_addr()).filter(|peer| peer.ip().to_canonical() == ip);
    let to = inet(session.server_addr()).map_or_else(
        || {
            let nowhere = if ip.is_ipv4() { NOWHERE } else { NOWHERE_IN_IPV6 };
            InetAddress::new(nowhere, 0)
        },
        |to| InetAddress::new(to.ip().to_canonical(), to.port()),
    );
    Told::Client { from: InetAddress::new(ip, peer.map_or(0, |peer| peer.port())), to }
}

/// What was asked for, for a record.
pub(crate) fn facts(session: &Session, case: &Case) -> RequestFacts {
    let request = session.req_header();
    let listeners = &case.settings.listeners;
    let trace = case.settings.chain.loops.examine(&self::request(session, case), &case.route());
    RequestFacts {
        listener: entered(session).map(|at| at.name(listeners).to_string()).unwrap_or_default(),
        client: session.client_addr().map(address).unwrap_or_default(),
        real_client: case.real_client.filter(|ip| peer(session).ip() != Some(*ip)),
        client_subject: entrance(session).and_then(|entrance| entrance.subject.clone()),
        method: request.method.to_string(),
        host: host(request).unwrap_or_default().to_owned(),
        path: text(request.raw_path()),
        protocol: protocol(request.version),
        told_by: entrance(session).and_then(|entrance| entrance.told_by.clone()),
        forged_hops: trace.map_or(0, |trace| trace.forged),
    }
}

/// What is known of the client's connection, where it came in at a listener of ours.
pub(crate) fn entrance(session: &Session) -> Option<&Entrance> {
    session.as_downstream().digest()?.proxy_digest.as_deref().and_then(Entrance::of)
}

/// Where the request came in.
pub(crate) fn entered(session: &Session) -> Option<Where> {
    let digest = session.as_downstream().digest()?;
    Where::of(digest.proxy_digest.as_deref(), digest.socket_digest.as_deref())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// All lines of a field, joined as RFC 9110 section 5.2 says.
pub(crate) fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let mut lines = headers.get_all(name).iter();
    let mut all = text(lines.next()?.as_bytes());
    for line in lines {
        all.push_str(", ");
        all.push_str(&text(line.as_bytes()));
    }
    Some(all.into_boxed_str())
}
