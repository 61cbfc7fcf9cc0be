//! The error types of RFC 9209 section 2.3 in plain words, for members that say no more than that.

use crate::attribution::evidence::Party;
use crate::attribution::rfc9209::ErrorType;

/// What a type of error means by itself.
pub(super) struct Kind {
    pub(super) says: &'static str,
    /// Whom it points to; it never proves it.
    pub(super) points: Option<Party>,
    pub(super) next: &'static str,
}

const fn kind(says: &'static str, points: Party, next: &'static str) -> Kind {
    Kind { says, points: Some(points), next }
}

const READ_ORIGIN: &str = "Look into the origin's log at this time.";
const READ_PROXY: &str = "Look into the log of that proxy at this time.";
const HEADER: &str = "Make the answer's header smaller at the origin, or raise that proxy's limit.";
const TRAILER: &str =
    "Make the answer's trailer smaller at the origin, or raise that proxy's limit.";
const WAY: &str = "Check that the origin is up and reachable from that proxy, and that no firewall is in between.";

#[allow(clippy::too_many_lines, reason = "it is a table")]
pub(super) const fn of(error: ErrorType) -> Kind {
    use ErrorType as E;
    use Party::{Client, Network, Origin, Proxy};
    match error {
        E::DnsTimeout => kind(
            "No name server answered the question for the origin's name in time.",
            Network,
            "Check the name server that this proxy asks.",
        ),
        E::DnsError => kind(
            "The name server answered the question for the origin's name with an error.",
            Network,
            "Ask it yourself (`dig NAME`); correct the name, or the zone.",
        ),
        E::DestinationNotFound => kind(
            "The proxy does not know where a request for this host and path should go.",
            Proxy,
            "Ask for a host and path that it serves, or add a route for them there.",
        ),
        E::DestinationUnavailable => kind(
            "The proxy regards everything it could send this request to as out of service.",
            Origin,
            "Look at the health of the origins behind that proxy.",
        ),
        E::DestinationIpProhibited => kind(
            "The proxy is not allowed to connect to the origin's address.",
            Proxy,
            "Check that the origin's name leads to the right address, or change that rule.",
        ),
        E::DestinationIpUnroutable => kind(
            "No way leads from the proxy to the origin's address.",
            Network,
            "Check the address, and the routes from that proxy's machine to it.",
        ),
        E::ConnectionRefused => kind(
            "The proxy's connection to the origin was refused.",
            Origin,
            "Check that the service is running and listens on the port that this proxy uses.",
        ),
        E::ConnectionTerminated => kind(
            "The connection to the origin was closed before an answer was complete.",
            Origin,
            READ_ORIGIN,
        ),
        E::ConnectionTimeout => {
            kind("The proxy could not connect to the origin in time.", Network, WAY)
        }
        E::ConnectionReadTimeout => kind(
            "The proxy was waiting for bytes of the origin, and none came in time.",
            Origin,
            "Find out what the origin was doing for so long, or raise that proxy's read limit.",
        ),
        E::ConnectionWriteTimeout => kind(
            "The proxy could not write the request to the origin in time.",
            Origin,
            "Find out why the origin does not read, or raise that proxy's write limit.",
        ),
        E::ConnectionLimitReached => kind(
            "The proxy has as many connections to the origin as it may have.",
            Proxy,
            "Find out why the origin is not done with them, or raise that limit.",
        ),
        E::TlsProtocolError => kind(
            "The proxy and the origin could not set up TLS.",
            Origin,
            "Check that the port speaks TLS, and which versions both of them offer.",
        ),
        E::TlsCertificateError => kind(
            "The proxy does not accept the origin's certificate.",
            Origin,
            "Check its dates, its names and its issuer (`openssl s_client -connect HOST:PORT`).",
        ),
        E::TlsAlertReceived => kind(
            "The origin broke the TLS connection off with an alert.",
            Origin,
            "Look into the origin's log at this time; the alert says what it disliked.",
        ),
        E::HttpRequestError => kind(
            "The proxy refuses the request: something is wrong with it.",
            Client,
            "Correct the request; the status says in which way it is wrong.",
        ),
        E::HttpRequestDenied => kind(
            "The proxy does not allow this request.",
            Proxy,
            "If the request is legitimate, change the rule that forbids it.",
        ),
        E::HttpResponseIncomplete => {
            kind("The origin's answer ended before it was complete.", Origin, READ_ORIGIN)
        }
        E::HttpResponseHeaderSectionSize => {
            kind("The header section of the origin's answer is too large.", Origin, HEADER)
        }
        E::HttpResponseHeaderSize => {
            kind("One header field of the origin's answer is too large.", Origin, HEADER)
        }
        E::HttpResponseBodySize => kind(
            "The body of the origin's answer is too large.",
            Origin,
            "Make the answer smaller, or raise that proxy's limit.",
        ),
        E::HttpResponseTrailerSectionSize => {
            kind("The trailer section of the origin's answer is too large.", Origin, TRAILER)
        }
        E::HttpResponseTrailerSize => {
            kind("One trailer field of the origin's answer is too large.", Origin, TRAILER)
        }
        E::HttpResponseTransferCoding => kind(
            "The transfer coding of the origin's answer could not be decoded.",
            Origin,
            "Correct the origin, or whatever stands before it and rewrites bodies.",
        ),
        E::HttpResponseContentCoding => kind(
            "The content coding of the origin's answer could not be decoded.",
            Origin,
            "Correct `Content-Encoding` at the origin: it must name what was done to the body.",
        ),
        E::HttpResponseTimeout => kind(
            "The origin's whole answer did not come in time.",
            Origin,
            "Find out why the answer takes so long, or raise that proxy's limit.",
        ),
        E::HttpUpgradeFailed => kind(
            "The change of protocol that was asked for, such as to WebSocket, failed.",
            Origin,
            "Check that the origin serves this protocol at this path.",
        ),
        E::HttpProtocolError => kind(
            "What the origin sent is not valid HTTP.",
            Origin,
            "Check that the port is the right one and speaks HTTP.",
        ),
        E::ProxyInternalResponse => {
            kind("The proxy made the answer itself without asking anybody.", Proxy, READ_PROXY)
        }
        E::ProxyInternalError => kind("The proxy met an error of its own.", Proxy, READ_PROXY),
        E::ProxyConfigurationError => {
            kind("The proxy is set up wrongly.", Proxy, "Check the configuration of that proxy.")
        }
        E::ProxyLoopDetected => kind(
            "The request came back to a proxy that it had already passed.",
            Proxy,
            "Find the proxy whose next hop points back, and point it at the origin.",
        ),
    }
}
