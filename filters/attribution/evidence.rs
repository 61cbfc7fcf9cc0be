//! Facts: what was seen to break, where, and what it was seen by. Nothing here blames anybody.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::cause::Cause;
use super::key::Key;
use super::token::tokens;
pub use super::value::Value;

tokens! {
    /// Who failed.
    pub enum Party {
        /// Who sent the request.
        Client = "client",
        /// What lies between two machines.
        Network = "network",
        /// This proxy: its configuration, its limits, its resources, its bugs.
        Proxy = "proxy",
        /// Another proxy between this one and the origin.
        NextHop = "next-hop",
        /// The server the request is for.
        Origin = "origin",
    }
}

tokens! {
    /// How far a request had come when it failed.
    pub enum Phase {
        /// Reading the request from the client.
        Request = "request",
        /// Deciding what to do with it.
        Route = "route",
        /// Finding the address of the origin.
        Dns = "dns",
        /// Connecting to it.
        Connect = "connect",
        /// Securing the connection.
        Tls = "tls",
        /// Writing the request to it.
        Send = "send",
        /// Waiting for the first byte of the answer.
        Wait = "wait",
        /// Reading the answer.
        Receive = "receive",
        /// Writing the answer to the client.
        Respond = "respond",
    }
}

tokens! {
    /// How sure a verdict is.
    pub enum Certainty {
        /// All evidence that the verdict rests on was seen.
        Proved = "proved",
        /// Some of it is missing; the record says which.
        Likely = "likely",
        /// There is no evidence beyond the failure itself.
        Unknown = "unknown",
        /// Another system says so, and it is believed.
        Claimed = "claimed",
    }
}

tokens! {
    /// How far the request got on its way to the origin: whether sending it again can do harm.
    pub enum Sent {
        /// Not a byte was written.
        None = "none",
        /// Some of it was written.
        Partial = "partial",
        /// All of it was written.
        Full = "full",
        /// All of it was written and acknowledged by the other end.
        Acked = "acked",
    }
}

tokens! {
    /// Which requests fail beside one that did, as far as the last minutes tell.
    pub enum Scope {
        /// All of them of late: more likely something that is set up wrong, or is down.
        All = "all",
        /// Some of them: more likely too little room, or a loss on the way.
        Some = "some",
        /// No other one so far.
        First = "first",
    }
}

tokens! {
    /// Which of this proxy's two sides a failure was seen on.
    pub enum Side {
        /// Towards the client.
        Client = "client",
        /// Within this process.
        Inside = "inside",
        /// Towards the origin.
        Origin = "origin",
    }
}

/// What was seen to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A filter or a service refused the request and named the cause.
    Denied(Cause),
    /// The name does not exist (RFC 1035: RCODE 3).
    NameNotFound,
    /// No name server answered in time.
    NameTimedOut,
    /// A name server answered with another error, or without an address.
    NameError,
    /// Nothing accepts connections there (`ECONNREFUSED`).
    Refused,
    /// No way to that address (`EHOSTUNREACH`, `ENETUNREACH`).
    Unroutable,
    /// Out of local ports (`EADDRNOTAVAIL`).
    PortsExhausted,
    /// Out of file descriptors (`EMFILE`, `ENFILE`).
    FilesExhausted,
    /// This process may not use that address or socket (`EACCES`, `EPERM`).
    Forbidden,
    /// The limit of the phase ran out.
    TimedOut,
    /// The other end closed in good order (FIN).
    Closed,
    /// The other end, or something on the way, reset the connection (RST).
    Reset,
    /// A TLS alert came (RFC 8446 section 6): its number.
    TlsAlert(u8),
    /// What came instead of TLS was no TLS.
    TlsNotTls,
    /// The TLS handshake failed otherwise.
    TlsHandshake,
    /// The certificate was refused.
    Certificate(CertificateFault),
    /// The protocol agreed on (ALPN) is not the one that the configuration demands.
    Alpn,
    /// Bytes that are not HTTP.
    Malformed,
    /// Two statements about the length of the message that contradict each other.
    Framing,
    /// The header section is over the limit.
    HeaderTooLarge,
    /// One header field is over the limit.
    HeaderLineTooLarge,
    /// The chunked coding is broken.
    TransferCoding,
    /// The content coding is broken.
    ContentCoding,
    /// The body is over the limit.
    BodyTooLarge,
    /// The body ended before its time.
    Truncated,
    /// The body stopped coming.
    Stalled,
    /// The whole answer took longer than its limit.
    Deadline,
    /// A switch of protocols was asked for and not granted, or granted unasked.
    Upgrade,
    /// The other end reset the HTTP/2 stream (RFC 9113 section 7): its error code.
    StreamReset(u32),
    /// The other end is leaving the HTTP/2 connection: its error code.
    GoAway(u32),
    /// A panic in this process.
    Panic,
    /// A failure that nobody foresaw.
    Unforeseen,
}

tokens! {
    /// Why a certificate was refused.
    pub enum CertificateFault {
        /// Its time is over.
        Expired = "expired",
        /// Its time has not come.
        NotYetValid = "not_yet_valid",
        /// It is for other names.
        WrongName = "wrong_name",
        /// Its issuer is not trusted.
        Untrusted = "untrusted",
        /// It vouches for itself.
        SelfSigned = "self_signed",
        /// Its issuer took it back.
        Revoked = "revoked",
        /// It is broken otherwise.
        Invalid = "invalid",
    }
}

/// One failure, as seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Where it was seen.
    pub side: Side,
    /// How far the request had come.
    pub phase: Phase,
    /// What broke.
    pub fault: Fault,
    /// By what it was seen.
    pub evidence: Evidence,
}

impl Failure {
    /// A failure without evidence as yet.
    #[must_use]
    pub const fn new(side: Side, phase: Phase, fault: Fault) -> Self {
        Self { side, phase, fault, evidence: Evidence::new() }
    }

    /// A refusal that names its cause, in the phase where that cause belongs.
    #[must_use]
    pub fn denied(cause: Cause) -> Self {
        let side = if cause.party == Party::Client { Side::Client } else { Side::Inside };
        Self::new(side, cause.phase, Fault::Denied(cause))
    }

    /// Adds a piece of evidence.
    #[must_use]
    pub fn with(mut self, key: Key, value: impl Into<Value>) -> Self {
        self.evidence.set(key, value);
        self
    }
}

/// A bag of facts, at most one for each key, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence(Vec<(Key, Value)>);

impl Evidence {
    /// No evidence; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Records a fact, in place of an earlier one with the same key.
    pub fn set(&mut self, key: Key, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(k, _)| *k == key) {
            Some(slot) => slot.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Records a fact unless the key is there already.
    pub fn set_if_absent(&mut self, key: Key, value: impl Into<Value>) {
        if self.find(key).is_none() {
            self.0.push((key, value.into()));
        }
    }

    /// Takes a fact away.
    pub fn remove(&mut self, key: Key) {
        self.0.retain(|(k, _)| *k != key);
    }

    /// The fact under `key`.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<&Value> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The number under `key`.
    #[must_use]
    pub fn number(&self, key: Key) -> Option<u64> {
        match self.find(key)? {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The words under `key`.
    #[must_use]
    pub fn text(&self, key: Key) -> Option<&str> {
        match self.find(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes over the facts of `other`; those already here stay.
    pub fn absorb(&mut self, other: &Self) {
        for (key, value) in &other.0 {
            self.set_if_absent(*key, value.clone());
        }
    }

    /// The same facts, with room for so many more.
    pub(super) fn with_room(&self, more: usize) -> Self {
        let mut facts = Vec::with_capacity(self.0.len() + more);
        facts.extend_from_slice(&self.0);
        Self(facts)
    }

    /// The same facts, each with another value.
    pub(super) fn map(&self, other: impl Fn(Key, &Value) -> Value) -> Self {
        Self(self.0.iter().map(|(key, value)| (*key, other(*key, value))).collect())
    }

    /// All facts in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Value)> {
        self.0.iter().map(|(k, v)| (*k, v))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As a JSON object: numbers as numbers in the key's unit, the rest as text.
impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            match value {
                Value::Number(n) => map.serialize_entry(key, n)?,
                Value::Text(text) => map.serialize_entry(key, text)?,
                Value::List(list) => map.serialize_entry(key, list)?,
                Value::Flag(flag) => map.serialize_entry(key, flag)?,
            }
        }
        map.end()
    }
}
