//! Much at a time: large bodies in little memory, and many clients that do nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{GET, OK};
use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::skip;

const GIB: usize = 1 << 30;

/// The most memory that the process ever had, in KiB (`VmHWM` of proc(5)).
#[cfg(target_os = "linux")]
fn peak(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn a_gibibyte_goes_up_in_little_memory() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        assert_eq!(connection.swallow(), GIB);
        connection.send(OK);
        connection.hold();
    });
    let proxy = Settings::to(&origin).start();
    let told = proxy.tell(|client| {
        client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {GIB}\r\n\r\n"));
        let piece = vec![7; 1 << 20];
        for _ in 0..GIB / piece.len() {
            client.send(&piece);
        }
        client.receive("PUT")
    });
    assert_eq!(told.status(), 200);
    assert!(peak(&proxy) < 100 * 1024, "{} KiB", peak(&proxy));
}

#[cfg(target_os = "linux")]
#[test]
fn a_gibibyte_comes_down_in_little_memory() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.pour(format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n").as_bytes(), 1);
        connection.pour(&vec![7; 1 << 20], GIB >> 20);
        connection.hold();
    });
    // A client that stops reading now and then must not fill the proxy up either.
    let proxy = Settings::endpoints(&[&origin.endpoint]).start();
    proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send(GET);
        while !client.line().is_empty() {}
        assert_eq!(client.swallow(GIB), GIB);
        None
    });
    assert!(peak(&proxy) < 100 * 1024, "{} KiB", peak(&proxy));
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
    let slow: Vec<Client> = (0..SLOW)
        .map(|_| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHo");
            client
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    for mut client in slow {
        client.send("st: app.test\r\nConnection: close\r\n\r\n");
        assert_eq!(client.receive("GET").expect("slow is not lost").status, 200);
    }
}
