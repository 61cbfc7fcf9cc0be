//! A picked endpoint as a peer that Pingora can connect to.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pingora::upstreams::peer::HttpPeer;
use whodunit_filters::attribution::cause::proxy::PROXY_CONFIG_INVALID;
use whodunit_filters::attribution::{Failure, Key, NextHop};
use whodunit_filters::proxied::Greeting;
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_pingora::connect::{Latch, Line, Patience, Protocol};

use super::pool::{Picked, Upstream};

/// A peer to connect to.
pub struct Dialled {
    /// For Pingora.
    pub peer: Box<HttpPeer>,
    /// For an upgrade: to be [held](Latch::hold) once the connection stands.
    pub latch: Option<Latch>,
}

/// Where the connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the pool, if it has one.
    Pooled,
    /// A new one, that does not go to the pool: what is tried once more must not meet with the
    /// same stale connections again.
    Fresh,
    /// The same for an upgrade without a body, with a latch.
    Upgrade,
}

/// A group that no other connection belongs to; the fingerprints of upstreams leave the highest bit
/// clear.
static ALONE: AtomicU64 = AtomicU64::new(1 << 63);

/// Builds the peer. `greeting` tells whose connection it is, if that is to be told: a connection is
/// used again only where it would be told the same, byte for byte.
///
/// # Errors
/// `proxy_config_invalid` when the certificate is to be verified and there is no name to verify
/// it against.
pub fn dial(
    upstream: &Upstream,
    picked: &Picked,
    timeouts: &TimeoutsInForce,
    source: Source,
    greeting: Option<&Greeting>,
) -> Result<Dialled, Failure> {
    let secured = upstream.line.tls.is_some();
    let sni = if secured {
        server_name(upstream, picked.name.as_deref(), &picked.next_hop)?
    } else {
        String::new()
    };
    let mut peer = match &picked.next_hop {
        NextHop::Inet(address) =>
        {
            #[expect(clippy::disallowed_methods, reason = "from an address, never from a name")]
            HttpPeer::new(*address, secured, sni)
        }
        NextHop::Unix(path) => {
            HttpPeer::new_uds(path, secured, sni).expect("a target's path fits its address")
        }
    };
    peer.options.read_timeout = Some(timeouts.read.value.0);
    peer.options.write_timeout = Some(timeouts.write.value.0);
    peer.options.idle_timeout = Some(timeouts.idle.value.0);
    peer.group_key =
        greeting.map_or(upstream.fingerprint, |greeting| group(upstream.fingerprint, greeting));
    if source != Source::Pooled {
        peer.group_key = ALONE.fetch_add(1, Ordering::Relaxed);
        peer.options.idle_timeout = Some(Duration::from_millis(1));
    }
    let latch = (source == Source::Upgrade).then(Latch::default);
    let line = if latch.is_none() && greeting.is_none() {
        upstream.line.clone()
    } else {
        let line = &upstream.line;
        Arc::new(Line {
            tls: line.tls.clone(),
            // Only HTTP/1.1 knows how to change into another protocol.
            protocol: if latch.is_some() { Protocol::Http1 } else { line.protocol },
            latch: latch.clone(),
            greeting: greeting.cloned(),
        })
    };
    let patience = Patience { connect: timeouts.connect.value.0, tls: timeouts.tls.value.0 };
    line.string(&mut peer, patience);
    if source != Source::Pooled {
        peer.options.max_h2_streams = 1;
    }
    Ok(Dialled { peer: Box::new(peer), latch })
}

/// The group of the connections that began so. That two of them come to the same group is as
/// unlikely as a key of 63 bits is guessed; nobody outside can work towards it.
fn group(fingerprint: u64, greeting: &Greeting) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one((fingerprint, greeting)) >> 1
}

/// The name to ask an endpoint for, and to look for in its certificate. `name` is its own.
///
/// # Errors
/// As [`dial`].
pub(super) fn server_name(
    upstream: &Upstream,
    name: Option<&str>,
    next_hop: &NextHop,
) -> Result<String, Failure> {
    let name = match (&upstream.sni, name, next_hop) {
        (Some(sni), ..) => sni.to_string(),
        (None, Some(name), _) => name.trim_end_matches('.').to_owned(),
        (None, None, NextHop::Inet(address)) => address.ip().to_string(),
        (None, None, NextHop::Unix(_)) => String::new(),
    };
    if upstream.verify && name.is_empty() {
        return Err(Failure::denied(&PROXY_CONFIG_INVALID)
            .with(Key::Setting, format!("upstreams.{}.tls.sni", upstream.name))
            .with(Key::Rule, "no name to verify the certificate against"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
