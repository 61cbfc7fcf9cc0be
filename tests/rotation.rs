//! Which endpoints requests are sent to: checks and failures take some out, and they come back.

mod checks;
mod ejections;
mod reloads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::until;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Checks that do not let a test wait.
pub(crate) const OFTEN: &str = "interval: 20ms, timeout: 5s, healthy_after: 2, unhealthy_after: 3";

/// What the admin listener tells of this address.
fn standing(proxy: &Proxy, address: &str) -> Value {
    let all: Value = serde_json::from_str(&proxy.ask("/api/v1/upstreams").text()).expect("JSON");
    let list = |value: &Value, key: &str| value[key].as_array().expect("a list").clone();
    list(&all, "upstreams")
        .iter()
        .flat_map(|upstream| list(upstream, "endpoints"))
        .flat_map(|endpoint| list(&endpoint, "addresses"))
        .find(|found| found["address"] == address)
        .unwrap_or_else(|| panic!("no {address} in {all:#}"))
}

/// Waits until the address is in this state, and gives what is told of it.
pub(crate) fn becomes(proxy: &Proxy, address: &str, state: &str) -> Value {
    until(&format!("{address} to be {state}"), || {
        let standing = standing(proxy, address);
        (standing["state"] == state).then_some(standing)
    })
}

/// Waits until somebody has checked the address once more.
fn checked(proxy: &Proxy, address: &str) -> Value {
    let last = || standing(proxy, address)["last_check"].clone();
    let before = last();
    until(&format!("a check of {address}"), || Some(last()).filter(|now| *now != before))
}

/// The metric of this address; `None` where there is none.
fn metric(proxy: &Proxy, address: &str) -> Option<bool> {
    let text = proxy.ask("/metrics").text();
    let label = format!("endpoint=\"{address}\"}} ");
    let line =
        text.lines().find(|l| l.starts_with("whodunit_upstream_healthy{") && l.contains(&label))?;
    Some(line.ends_with(" 1"))
}

fn attempts(told: &Told) -> usize {
    told.value("attempts").as_array().map_or(0, Vec::len)
}

/// An address that no other test listens at or connects from.
fn apart(number: u8) -> SocketAddr {
    ([127, 0, 77, number], 0).into()
}

/// An origin at this address that answers everything.
fn well(address: SocketAddr) -> Origin {
    Origin::at(address, |mut connection| {
        while connection.request().is_some() {
            connection.send(OK);
        }
    })
}

/// An origin that answers checks with a status that can be changed, and all else as it should.
fn ailing(status: u16) -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let told = status.clone();
    let origin = Origin::serving(move |request| match request.target.as_str() {
        "/healthz" => {
            let status = told.load(Ordering::SeqCst);
            format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
        _ => OK.into(),
    });
    (origin, status)
}
