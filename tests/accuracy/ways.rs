//! The ways in: how a request that meets a fault comes to it.

use std::fmt;

use whodunit::lab::{Fault, Needs, Reach};

/// One way in. Its default is the plainest.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own, and all combine")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Way {
    /// Whether the client speaks HTTP/2.
    pub(super) http2: bool,
    /// Whether the origin is spoken to by TLS.
    pub(super) tls: bool,
    /// Whether the connection to the origin carried a request before.
    pub(super) reused: bool,
    /// Whether another attempt failed before, elsewhere.
    pub(super) second: bool,
    /// Whether the request has a body that takes many segments.
    pub(super) large: bool,
}

/// The size of a large request's body, where the fault does not ask for another.
pub(super) const LARGE: u64 = 200_000;

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            if self.http2 { "HTTP/2" } else { "HTTP/1.1" },
            if self.tls { "TLS" } else { "plain" },
            if self.reused { "reused" } else { "fresh" },
            if self.second { "second" } else { "first" },
            if self.large { "large" } else { "small" },
        ];
        f.write_str(&words.join(" "))
    }
}

impl Way {
    /// All that there are.
    fn all() -> impl Iterator<Item = Self> {
        (0..32u8).map(|bits| Self {
            http2: bits & 16 > 0,
            tls: bits & 1 > 0,
            reused: bits & 2 > 0,
            second: bits & 4 > 0,
            large: bits & 8 > 0,
        })
    }

    /// Those by which a fault can be met, the plainest first.
    pub(super) fn to(fault: &Fault) -> Vec<Self> {
        Self::all().filter(|way| way.leads_to(fault)).collect()
    }

    fn leads_to(self, fault: &Fault) -> bool {
        let needs = |need: &Needs| fault.needs.contains(need);
        let body = fault.needs.iter().any(|need| matches!(need, Needs::Body(_)));
        // What happens before a request is looked at happens on a connection's first one; and what
        // the first one decides is decided for all.
        let reused = match fault.reach() {
            Reach::Path => !self.reused || !at_once(fault),
            Reach::Port | Reach::Socket => !self.reused,
        };
        // A port that cannot be connected to says nothing, of TLS or otherwise; and what speaks
        // plain text where TLS is spoken is a fault of its own.
        let tls = match fault.reach() {
            Reach::Path => true,
            Reach::Port if needs(&Needs::Tls) => self.tls,
            Reach::Port => !self.tls || is_behind_tls(fault),
            Reach::Socket => !self.tls,
        };
        // The first attempt runs into a limit, which tells less than anything that is seen to
        // happen, and as much as another limit.
        let second = !self.second || !self.reused && !is_limit(fault);
        // A fault that asks for a body has its own; and what ends as it begins, ends in the middle of
        // a large request, which is another cause.
        let large =
            (!body || self.large) && (!self.large || !needs(&Needs::Upgrade) && !on_arrival(fault));
        // Nothing of HTTP/2 asks for another protocol.
        let http2 = !self.http2 || !needs(&Needs::Upgrade);
        reused && tls && second && large && http2 && (!needs(&Needs::Reuse) || self.reused)
    }
}

/// Whether the connection is reset at once: on one that had rested, nothing tells that from one that
/// the origin had given up before.
fn at_once(fault: &Fault) -> bool {
    ["origin-reset", "upload-reset", "early-answer-drop"].contains(&fault.name)
}

/// Whether connections end as soon as they are there.
fn on_arrival(fault: &Fault) -> bool {
    ["accept-close", "accept-drop", "accept-reset"].contains(&fault.name)
}

/// Whether the port takes connections and does what it does as well with TLS around it.
fn is_behind_tls(fault: &Fault) -> bool {
    fault.name == "accept-silent"
}

/// Whether it shows by a limit that runs out before the answer has begun.
fn is_limit(fault: &Fault) -> bool {
    let limits = ["connect_timeout", "tls_stalled", "origin_slow", "request_write_timeout"];
    limits.contains(&fault.cause) || fault.name == "header-dribble"
}
