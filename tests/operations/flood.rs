//! When every origin of an upstream is down and its clients hammer on.

use std::fs::OpenOptions;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::OK;
use super::bulk::resident;
use crate::rig::client::Client;
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::proxy::Process;
use crate::rig::{skip, until};

const CONNECTIONS: usize = 1_000;
const CLIENTS: usize = 20;
/// Requests on each connection.
const WARM: usize = 5;
const FLOOD: usize = 20;
/// What memory may vary by, in KiB, whatever the number of failures.
const FLAT: u64 = 12 << 10;

/// Asks for the dead upstream so often on each of these connections.
fn hammer(clients: &mut [Client], times: usize) {
    for _ in 0..times {
        for client in &mut *clients {
            client.send("GET /dead HTTP/1.1\r\nHost: app.test\r\n\r\n");
        }
        for client in &mut *clients {
            let answer = client.receive("GET").expect("a failure is an answer");
            assert_eq!(answer.status, 502);
            assert!(answer.fields.text("proxy-status").is_some(), "{answer:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_of_failures_takes_no_more_memory_and_waits_for_no_log() {
    let all = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: all, maximum: all }).expect("up to the maximum");
    if all.is_some_and(|files| files < 3 * CONNECTIONS as u64) {
        skip("a_flood_of_failures", &format!("only {all:?} files"));
        return;
    }
    let (folder, origin, dead) =
        (tempfile::tempdir().expect("a folder"), Origin::answering(OK), Refusing::new());
    // A log that nobody reads: when the pipe is full, its writer waits for ever.
    let log = folder.path().join("log");
    let made = Command::new("mkfifo").arg(&log).status().expect("it is everywhere");
    assert!(made.success());
    let unread = OpenOptions::new().read(true).write(true).open(&log).expect("it is ours");
    let config = folder.path().join("whodunit.yaml");
    let yaml = format!(
        "listeners: [ {{ address: \"127.0.0.1:0\" }} ]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ path: \"{}\", queue: 64 }}\n\
         routes: [ {{ match: {{ path: /dead }}, upstream: dead }}, {{ upstream: web }} ]\n\
         upstreams: {{ dead: {{ endpoints: [ \"{}\" ] }}, web: {{ endpoints: [ \"{}\" ] }} }}\n",
        log.display(),
        dead.endpoint,
        origin.endpoint
    );
    std::fs::write(&config, yaml).expect("the folder is ours");
    let mut process = Process::start(&["run", "--config", config.to_str().expect("text")]);
    let address = process.says("listening on http://", 0);
    let address = address.split(' ').next().expect("an address").parse().expect("an address");
    let admin = process.says("admin on http://", 0).parse().expect("an address");

    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::connect(address)).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let parts = clients.chunks_mut(CONNECTIONS / CLIENTS);
        let warming: Vec<_> = parts.map(|part| scope.spawn(move || hammer(part, WARM))).collect();
        for one in warming {
            one.join().expect("each is answered");
        }
    });
    let before = resident(process.id());
    std::thread::scope(|scope| {
        let healthy = scope.spawn(|| {
            let mut client = Client::connect(address);
            let mut answered = 0;
            while !over.load(Ordering::Relaxed) {
                client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
                assert_eq!(client.receive("GET").expect("it is well").status, 200);
                answered += 1;
            }
            answered
        });
        let parts = clients.chunks_mut(CONNECTIONS / CLIENTS);
        let flooding: Vec<_> = parts.map(|part| scope.spawn(move || hammer(part, FLOOD))).collect();
        for one in flooding {
            one.join().expect("each is answered");
        }
        over.store(true, Ordering::Relaxed);
        assert!(healthy.join().expect("each is answered") > 0);
        let after = resident(process.id());
        assert!(after < before + FLAT, "{before} KiB, then {after} KiB");
    });
    let dropped = until("the dropped lines to be counted", || {
        let mut client = Client::connect(admin);
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let text = client.receive("GET")?.text();
        let line = text.lines().find_map(|l| l.strip_prefix("whodunit_log_dropped_total "))?;
        line.parse::<usize>().ok().filter(|dropped| *dropped > 0)
    });
    // What a pipe and the queue hold went in; the rest did not.
    assert!(dropped > CONNECTIONS * FLOOD / 2, "{dropped}");
    drop(unread);
}
