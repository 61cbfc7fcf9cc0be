//! `whodunit demo`.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::run;
use crate::rig::client::Client;
use crate::rig::proxy::Process;
use crate::rig::until;

#[test]
fn the_demo_finds_every_cause_and_ends() {
    let began = Instant::now();
    let told = run(&["demo"]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{}", told.out);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let verdicts = told.out.matches("(cause: ").count();
    assert!(verdicts >= 15, "{verdicts} verdicts:\n{}", told.out);
    for cause in [
        "client_request_malformed",
        "client_header_too_large",
        "client_slow",
        "client_aborted",
        "no_route",
        "loop_detected",
        "dns_name_not_found",
        "connect_refused",
        "keepalive_race",
        "origin_closed",
        "origin_reset",
        "origin_slow",
        "response_header_too_large",
        "response_malformed",
        "response_framing_conflict",
        "response_truncated",
        "response_bad_transfer_coding",
        "response_stalled",
        "origin_error",
    ] {
        assert!(told.out.contains(&format!("(cause: {cause})")), "no {cause}:\n{}", told.out);
    }
    for words in
        ["> GET /ok HTTP/1.1", "< HTTP/1.1 200 OK", "< Proxy-Status: edge-1.demo", "What to do:"]
    {
        assert!(told.out.contains(words), "no `{words}`:\n{}", told.out);
    }
    assert!(!told.out.contains("!!"), "{}", told.out);
}

#[test]
fn the_demo_stays_with_addresses_to_try() {
    let mut demo = Process::start(&["demo", "--stay", "--port", "0"]);
    let said = demo.says("  curl -i http://", 0);
    let address = said.split('/').next().and_then(|address| address.parse().ok());
    let address: SocketAddr = address.expect("an address to try");
    let mut client = Client::connect(address);
    client.send("GET /fault/origin-reset HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = client.receive("GET").expect("it answers");
    let status = answer.fields.text("proxy-status").expect("it says why");
    assert!(status.contains("cause=origin_reset"), "{status}");
    demo.signal(Signal::TERM);
    assert!(demo.ended().success(), "{}", demo.said());
    until("the proxy to be gone", || std::net::TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    run(&["demo", "--port", &port]).failed(2, &[&port, "in use"]);
}
