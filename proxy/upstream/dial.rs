//! A picked endpoint as a peer that Pingora can connect to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::ALPN;
use pingora::upstreams::peer::HttpPeer;
use whodunit_filters::attribution::cause::proxy::PROXY_CONFIG_INVALID;
use whodunit_filters::attribution::{Failure, Key, NextHop};
use whodunit_filters::timeouts::TimeoutsInForce;

use super::gate::{Dialer, Gate};
use super::pool::{Picked, Upstream};
use super::tls::Tls;

/// A peer to connect to.
pub struct Dialled {
    /// For Pingora.
    pub peer: Box<HttpPeer>,
    /// For an upgrade: to be [held](Gate::hold) once the connection stands.
    pub gate: Option<Gate>,
}

/// Where the connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// From the pool, if it has one.
    Pooled,
    /// A new one, that does not go to the pool: what is tried once more must not meet with the
    /// same stale connections again.
    Fresh,
    /// The same for an upgrade without a body, through a gate.
    Upgrade,
}

/// A group that no other connection belongs to; the fingerprints of TLS sections leave the
/// highest bit clear.
static ALONE: AtomicU64 = AtomicU64::new(1 << 63);

/// Builds the peer.
///
/// # Errors
/// `proxy_config_invalid` when the certificate is to be verified and there is no name to verify
/// it against: Pingora would silently not verify it.
pub fn dial(
    upstream: &Upstream,
    picked: &Picked,
    timeouts: &TimeoutsInForce,
    line: Line,
) -> Result<Dialled, Failure> {
    let tls = upstream.tls.as_ref();
    let sni = match tls {
        Some(tls) => server_name(upstream, tls, picked)?,
        None => String::new(),
    };
    let mut peer = match &picked.next_hop {
        NextHop::Inet(address) =>
        {
            #[expect(clippy::disallowed_methods, reason = "from an address, never from a name")]
            HttpPeer::new(*address, tls.is_some(), sni)
        }
        NextHop::Unix(path) => {
            HttpPeer::new_uds(path, tls.is_some(), sni).expect("a target's path fits its address")
        }
    };
    let (connect, tls_limit) = (timeouts.connect.value.0, timeouts.tls.value.0);
    let options = &mut peer.options;
    options.alpn = ALPN::H1;
    // Pingora gives TCP and TLS this limit each.
    options.connection_timeout = Some(if tls.is_some() { tls_limit } else { connect });
    options.total_connection_timeout =
        Some(connect + if tls.is_some() { tls_limit } else { Duration::from_secs(1) });
    options.read_timeout = Some(timeouts.read.value.0);
    options.write_timeout = Some(timeouts.write.value.0);
    options.idle_timeout = Some(timeouts.idle.value.0);
    if let Some(tls) = tls {
        options.verify_cert = tls.verify;
        options.verify_hostname = tls.verify;
        options.ca.clone_from(&tls.ca);
        peer.client_cert_key.clone_from(&tls.client);
        peer.group_key = tls.fingerprint;
    }
    let gate = (line == Line::Upgrade).then(Gate::default);
    if line != Line::Pooled {
        peer.group_key = ALONE.fetch_add(1, Ordering::Relaxed);
        peer.options.idle_timeout = Some(Duration::from_millis(1));
    }
    if gate.is_some() || tls.is_some() && tls_limit != connect {
        let dialer = Dialer { connect, gate: gate.clone() };
        peer.options.custom_l4 = Some(Arc::new(dialer));
    }
    Ok(Dialled { peer: Box::new(peer), gate })
}

fn server_name(upstream: &Upstream, tls: &Tls, picked: &Picked) -> Result<String, Failure> {
    let name = match (&tls.sni, &picked.name, &picked.next_hop) {
        (Some(sni), ..) => sni.to_string(),
        (None, Some(name), _) => name.trim_end_matches('.').to_owned(),
        (None, None, NextHop::Inet(address)) => address.ip().to_string(),
        (None, None, NextHop::Unix(_)) => String::new(),
    };
    if tls.verify && name.is_empty() {
        return Err(Failure::denied(&PROXY_CONFIG_INVALID)
            .with(Key::Setting, format!("upstreams.{}.tls.sni", upstream.name))
            .with(Key::Rule, "no name to verify the certificate against"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
