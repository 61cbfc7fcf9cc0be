//! The chain: the filters that each request and each answer pass, in order.
//!
//! A filter decides and touches nothing else: it reads views, and refuses by a [`Failure`]. One
//! line of the list in `filters!` below registers a filter; its place in the order of
//! calls and its section of the configuration follow from that line.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::attribution::{Failure, RequestId};
use crate::{access, forwarded, framing, limits, loops, methods, rate, rules, timeouts};

/// What a filter decides.
#[derive(Debug)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Stop here, for this reason.
    Deny(Box<Failure>),
}

/// Who is at the other end of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host and a port.
    Inet(SocketAddr),
    /// A process on this machine, through a Unix socket.
    Unix,
}

/// A request, as it came from the client: nothing was added to or taken from it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The request target as it stood on the request line (RFC 9112 section 3.2); for HTTP/2 the
    /// `:path`.
    pub target: &'a [u8],
    /// The host and port asked for: those of an absolute target, the `:authority`, or `Host`
    /// (RFC 9112 section 3.3).
    pub host: Option<&'a str>,
    /// The protocol version.
    pub version: Version,
    /// The header section.
    pub headers: &'a HeaderMap,
    /// Whether the client's connection is encrypted.
    pub secure: bool,
    /// The other end of the client's connection.
    pub peer: Peer,
    /// The client itself, seen through the proxies that are trusted; `None` when not known. See
    /// [`forwarded::Forwarded::real_client`].
    pub client: Option<IpAddr>,
    /// The address that the request came in at.
    pub listener: &'a str,
    /// The request's id.
    pub id: &'a RequestId,
    /// When the request began.
    pub began: SystemTime,
    /// When its header section was there.
    pub arrived: Instant,
}

/// The route that a request takes, with the settings in force on it.
#[derive(Clone, Copy, Debug)]
pub struct RouteView<'a> {
    /// The route's name; no two routes of a configuration share one.
    pub name: &'a str,
    /// The limits in force.
    pub limits: &'a limits::LimitsInForce,
    /// The timeouts in force.
    pub timeouts: &'a timeouts::TimeoutsInForce,
    /// The rules in force.
    pub rules: &'a rules::Rules,
}

/// The header section of the origin's final answer.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header section.
    pub headers: &'a HeaderMap,
    /// The method of the request that it answers.
    pub method: &'a Method,
}

/// A header section that is about to go out. Whoever keeps more than a [`HeaderMap`] for it (the
/// names as they were spelt, say) keeps that in step.
pub trait Edit {
    /// Sets a field, in place of all of that name.
    fn set(&mut self, name: HeaderName, value: HeaderValue);
    /// Adds a field line after those of that name.
    fn append(&mut self, name: HeaderName, value: HeaderValue);
    /// Takes away all fields of that name.
    fn remove(&mut self, name: &HeaderName);
}

/// One filter. Each hook lets pass, or does nothing, unless the filter says otherwise.
pub trait Filter: Send + Sync {
    /// Judges a request, after its route is known and before anything goes upstream.
    fn request(&self, _: &RequestView<'_>, _: &RouteView<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Edits the header section that goes to the origin, after what belongs to the client's
    /// connection alone was taken out of it (RFC 9110 section 7.6.1).
    fn forward(&self, _: &RequestView<'_>, _: &RouteView<'_>, _: &mut dyn Edit) {}

    /// Judges the header section of the origin's final answer.
    fn response(&self, _: &ResponseView<'_>, _: &RouteView<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Judges the request's body when `so_far` bytes of it have come.
    fn request_body(&self, _so_far: u64, _: &RouteView<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Judges the answer's body when `so_far` bytes of it have come, `elapsed` after the request
    /// was sent.
    fn response_body(&self, _so_far: u64, _elapsed: Duration, _: &RouteView<'_>) -> Verdict {
        Verdict::Pass
    }
}

/// Declares [`Chain`] and [`Settings`]. A line is the filter's name and type, and, if it has any,
/// its settings with their section's name in the configuration.
macro_rules! filters {
    ($( #[doc = $doc:literal] $name:ident: $filter:ty $(, $section:literal $settings:ty)?; )+) => {
        /// The sections of the configuration that belong to filters.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $($( #[doc = $doc] #[serde(rename = $section)] pub $name: $settings, )?)+
        }

        impl Settings {
            /// The names of these sections. A reader of a configuration that holds others as well
            /// tells by them which are read as [`Settings`].
            pub const SECTIONS: &'static [&'static str] = &[$($($section,)?)+];
        }

        /// The filters, in the order in which they are called.
        #[derive(Debug)]
        pub struct Chain {
            $( #[doc = $doc] pub $name: $filter, )+
        }

        impl Chain {
            /// The chain of the deployment called `node`.
            #[must_use]
            pub fn new(node: &str, settings: &Settings) -> Self {
                Self { $( $name: <$filter>::new(node $(, &settings.$name as &$settings)?), )+ }
            }

            fn each(&self) -> impl Iterator<Item = &dyn Filter> {
                [$( &self.$name as &dyn Filter, )+].into_iter()
            }
        }
    };
}

filters! {
    /// Who may come in.
    access: access::Gatekeeper, "access" access::Access;
    /// How often.
    rate: rate::Throttle;
    /// Methods that are not forwarded.
    methods: methods::Methods;
    /// How large things may be.
    limits: limits::Limiter, "limits" limits::Limits;
    /// How long things may take.
    timeouts: timeouts::Deadline, "timeouts" timeouts::Timeouts;
    /// Requests that come round again.
    loops: loops::Loops, "loop" loops::LoopSettings;
    /// Who asked, by which way.
    forwarded: forwarded::Forwarded, "forwarded" forwarded::ForwardedSettings;
    /// Answers that contradict themselves about their length.
    framing: framing::Framing;
}

/// The first refusal, if there is one; filters after it are not asked.
impl Filter for Chain {
    fn request(&self, request: &RequestView<'_>, route: &RouteView<'_>) -> Verdict {
        first(self.each().map(|filter| filter.request(request, route)))
    }

    fn forward(&self, request: &RequestView<'_>, route: &RouteView<'_>, edit: &mut dyn Edit) {
        self.each().for_each(|filter| filter.forward(request, route, edit));
    }

    fn response(&self, response: &ResponseView<'_>, route: &RouteView<'_>) -> Verdict {
        first(self.each().map(|filter| filter.response(response, route)))
    }

    fn request_body(&self, so_far: u64, route: &RouteView<'_>) -> Verdict {
        first(self.each().map(|filter| filter.request_body(so_far, route)))
    }

    fn response_body(&self, so_far: u64, elapsed: Duration, route: &RouteView<'_>) -> Verdict {
        first(self.each().map(|filter| filter.response_body(so_far, elapsed, route)))
    }
}

fn first(mut verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.find(|verdict| matches!(verdict, Verdict::Deny(_))).unwrap_or(Verdict::Pass)
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Deny(Box::new(failure))
    }
}

impl From<Option<Failure>> for Verdict {
    /// A failure denies; none passes.
    fn from(failure: Option<Failure>) -> Self {
        failure.map_or(Self::Pass, Self::from)
    }
}

impl Verdict {
    /// The reason for a refusal.
    #[must_use]
    pub fn denied(self) -> Option<Box<Failure>> {
        match self {
            Self::Pass => None,
            Self::Deny(failure) => Some(failure),
        }
    }
}

impl Peer {
    /// The peer's address, an IPv4 address in IPv6 clothes as IPv4; `None` for a Unix socket.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Inet(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl Edit for HeaderMap {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.insert(name, value);
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        Self::append(self, name, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        Self::remove(self, name);
    }
}

#[cfg(test)]
mod tests;
