//! The lab behind the proxy: every fault gets the verdict that the lab's table promises.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use whodunit::lab::{self, Fault, Lab, Needs, Place};
use whodunit_filters::attribution::cause::CATALOGUE;

use crate::causes::UNPRODUCED;
use crate::rig::client::Client;
use crate::rig::message::Response;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

/// The faults that this proxy does not tell as the lab's table has it, each with the reason. One
/// that it learns to tell fails the test until it is taken off.
pub(crate) const UNTOLD: &[(&str, &str)] = &[
    ("upgrade-refused", "a 200 is passed on, as RFC 9110 section 7.8 lets an origin answer so"),
    ("length-and-coding", "Content-Length is dropped without a word where both are there"),
];

/// The causes that this test has seen produced when it passes: those of faults that leave no choice.
pub(crate) fn produced() -> impl Iterator<Item = &'static str> {
    let told = |fault: &&Fault| {
        fault.also.is_empty() && !UNTOLD.iter().any(|(name, _)| *name == fault.name)
    };
    lab::table().iter().filter(told).map(|fault| fault.cause)
}

/// Longer than all limits of the proxy together.
const SOON: Duration = Duration::from_secs(6);

/// How many faults are met at a time: most of the time is spent waiting for limits.
const AT_A_TIME: usize = 8;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A proxy before this fault, and the path to ask for.
fn before(fault: &Fault, lab: &Lab) -> (Proxy, String) {
    let (endpoint, path) = match lab.place(fault.name).expect("the lab has all it lists") {
        Place::Url(_) => (lab.address().to_string(), format!("/fault/{}", fault.name)),
        Place::Port(address) => (address.to_string(), "/".to_owned()),
        Place::Socket(path) => (format!("unix:{}", path.display()), "/".to_owned()),
    };
    // Longer than the lab's own pauses of a second, where it ends by itself.
    let mut settings = Settings::endpoints(&[&endpoint])
        .once()
        .with("timeouts", "connect: 500ms, tls: 700ms, read: 1500ms, write: 700ms");
    for need in fault.needs {
        settings = match need {
            Needs::Setting("timeouts.response") => settings.with("timeouts", "response: 1s"),
            Needs::Setting("limits.response_body") => {
                settings.with("limits", "response_body: 64KiB")
            }
            Needs::Tls => settings.having("tls: { verify: false, sni: app.test }"),
            Needs::Setting(other) => panic!("{}: who would set `{other}`?", fault.name),
            _ => settings,
        };
    }
    (settings.start(), path)
}

/// What is closed sooner was not closed for being idle.
pub(crate) const RESTED: Duration = Duration::from_millis(1_100);

/// Asks for the fault in the way that makes it show.
fn meet(fault: &Fault, lab: &Lab) -> Told {
    let (proxy, path) = before(fault, lab);
    let mut method = "GET";
    let mut fields = String::new();
    let mut body = None;
    for need in fault.needs {
        match need {
            Needs::Body(bytes) => {
                method = "POST";
                body = Some(*bytes);
            }
            Needs::Post => method = "POST",
            Needs::Reuse => {
                assert_eq!(proxy.get(&path).status(), 200);
                std::thread::sleep(RESTED);
            }
            Needs::Before => assert_eq!(proxy.get(&path).status(), 200),
            Needs::Upgrade => fields.push_str(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            ),
            Needs::Setting(_) | Needs::Tls => {}
        }
    }
    if method == "POST" {
        write!(fields, "Content-Length: {}\r\n", body.unwrap_or(2)).expect("a string takes it");
    }
    let head = format!("{method} {path} HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n");
    proxy.tell(|client| ask(client, method, &head, body))
}

fn ask(client: &mut Client, method: &str, head: &str, body: Option<u64>) -> Option<Response> {
    client.send(head);
    match body {
        Some(bytes) => client.upload(bytes),
        None if method == "POST" => client.send("hi"),
        None => {}
    }
    assert!(client.speaks_within(SOON), "no answer within {SOON:?}");
    client.receive(method)
}

/// What is wrong with the verdict on this fault, if anything.
fn judged(fault: &Fault, lab: &Lab) -> Option<String> {
    let meeting = std::panic::AssertUnwindSafe(|| meet(fault, lab));
    let complaint = match std::panic::catch_unwind(meeting) {
        Ok(told) => {
            let cause = told.text("cause");
            let right = cause == fault.cause || fault.also.contains(&cause);
            let by_chance = fault.also.contains(&cause);
            if !by_chance && UNPRODUCED.iter().any(|(id, _)| *id == cause) {
                return Some(format!("`{cause}` is produced: take it off the list in causes.rs"));
            }
            (!right).then(|| format!("`{cause}`, not `{}`: {}", fault.cause, told.record))
        }
        Err(_) => Some("a promise was broken; it stands above".to_owned()),
    };
    let untold = UNTOLD.iter().any(|(name, _)| *name == fault.name);
    match complaint {
        Some(_) if untold => None,
        None if untold => Some(format!("{} is told now: take it off the list", fault.name)),
        complaint => complaint.map(|complaint| format!("{}: {complaint}", fault.name)),
    }
}

#[test]
fn every_fault_of_the_lab_gets_its_verdict() {
    let runtime = runtime();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let lab = runtime.block_on(lab::start(listen)).expect("a lab");
    let met = lab::table();
    for (name, _) in UNTOLD {
        assert!(met.iter().any(|fault| fault.name == *name), "the lab has no `{name}`");
    }
    let wrong = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(fault) = met.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(complaint) = judged(fault, &lab) {
                        wrong.lock().expect("nobody panicked").push(complaint);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody panicked");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), met.len(), wrong.join("\n"));
}

#[test]
fn the_lab_names_causes_of_the_catalogue() {
    for fault in lab::table() {
        for id in std::iter::once(&fault.cause).chain(fault.also) {
            assert!(CATALOGUE.iter().any(|row| row.id == *id), "{}: no `{id}`", fault.name);
        }
    }
}
