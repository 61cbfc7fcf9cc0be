//! Much at a time: large bodies in little memory, and many clients that do nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{GET, OK};
use crate::rig::client::Client;
use crate::rig::message::Framing;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

const GIB: usize = 1 << 30;
/// In KiB.
const LITTLE: u64 = 100 * 1024;

/// The most memory that the process ever had, in KiB (`VmHWM` of proc(5)).
#[cfg(target_os = "linux")]
fn peak(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The memory that a process has now, in KiB (`VmRSS` of proc(5)).
#[cfg(target_os = "linux")]
pub(super) fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How bodies are delimited.
const FRAMINGS: [Framing; 2] = [Framing::Length(GIB), Framing::Chunked];

fn field(framing: Framing) -> String {
    match framing {
        Framing::Length(length) => format!("Content-Length: {length}"),
        _ => "Transfer-Encoding: chunked".to_owned(),
    }
}

/// A mebibyte of a body.
fn piece(framing: Framing) -> Vec<u8> {
    let bytes = vec![7; 1 << 20];
    match framing {
        Framing::Chunked => [b"100000\r\n", bytes.as_slice(), b"\r\n"].concat(),
        _ => bytes,
    }
}

fn last(framing: Framing) -> &'static [u8] {
    if framing == Framing::Chunked { b"0\r\n\r\n" } else { b"" }
}

/// Waits until nothing moves any more: everything between the two ends is full.
fn settled(moved: &AtomicUsize) {
    let mut before = 0;
    until("something to move, and then to come to rest", || {
        std::thread::sleep(Duration::from_millis(100));
        let now = moved.load(Ordering::SeqCst);
        let rests = now > 0 && now == before;
        before = now;
        rests.then_some(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_gibibyte_goes_up_in_little_memory() {
    for framing in FRAMINGS {
        let offered = Arc::new(AtomicUsize::new(0));
        let origin = Origin::new({
            let offered = Arc::clone(&offered);
            move |mut connection| {
                connection.head();
                // An origin that does not read for a while must not fill the proxy up.
                settled(&offered);
                assert_eq!(connection.swallow(), GIB);
                connection.send(OK);
                connection.hold();
            }
        });
        let proxy = Settings::to(&origin).start();
        let told = proxy.tell(|client| {
            let head = format!("PUT / HTTP/1.1\r\nHost: app.test\r\n{}\r\n\r\n", field(framing));
            client.send(head);
            let piece = piece(framing);
            for _ in 0..GIB >> 20 {
                client.send(&piece);
                offered.fetch_add(1, Ordering::SeqCst);
            }
            client.send(last(framing));
            client.receive("PUT")
        });
        assert_eq!(told.status(), 200);
        assert!(peak(&proxy) < LITTLE, "{} KiB, {framing:?}", peak(&proxy));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_gibibyte_comes_down_in_little_memory() {
    for framing in FRAMINGS {
        let poured = Arc::new(AtomicUsize::new(0));
        let origin = Origin::new({
            let poured = Arc::clone(&poured);
            move |mut connection| {
                connection.request();
                let head = format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", field(framing));
                connection.pour(head.as_bytes());
                let piece = piece(framing);
                for _ in 0..GIB >> 20 {
                    connection.pour(&piece);
                    poured.fetch_add(1, Ordering::SeqCst);
                }
                connection.pour(last(framing));
                connection.hold();
            }
        });
        let proxy = Settings::endpoints(&[&origin.endpoint]).start();
        proxy.exchange(|| {
            let mut client = proxy.connect();
            client.send(GET);
            while !client.line().is_empty() {}
            // A client that does not read for a while must not fill the proxy up either.
            settled(&poured);
            assert_eq!(client.swallow(framing), Some(GIB));
            None
        });
        assert!(peak(&proxy) < LITTLE, "{} KiB, {framing:?}", peak(&proxy));
    }
}

/// The time that a request takes, as most of so many do.
fn usual(proxy: &Proxy) -> Duration {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(proxy.get("/").status(), 200);
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn slow_clients_do_not_hold_up_the_others() {
    const SLOW: usize = 2_000;
    let all = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: all, maximum: all }).expect("up to the maximum");
    if all.is_some_and(|files| files < 2 * SLOW as u64 + 200) {
        skip("slow_clients_do_not_hold_up_the_others", &format!("only {all:?} files"));
        return;
    }
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).with("timeouts", "request_header: 1h").start();
    let alone = usual(&proxy);
    let slow: Vec<Client> = (0..SLOW)
        .map(|_| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHo");
            client
        })
        .collect();
    let with = usual(&proxy);
    // Far more than it may be on a machine that has other things to do as well.
    assert!(with < 10 * alone + Duration::from_millis(100), "{with:?} instead of {alone:?}");
    for mut client in slow {
        client.send("st: app.test\r\nConnection: close\r\n\r\n");
        assert_eq!(client.receive("GET").expect("slow is not lost").status, 200);
    }
}
