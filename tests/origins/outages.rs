//! An nginx that is stopped, killed, paused and replaced, as an operator with `curl -i` sees it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::nginx;
use crate::rig::message::{self, Response};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

/// `curl -i` for this path, if there is a curl.
fn curl(proxy: &Proxy, path: &str) -> std::io::Result<Child> {
    Command::new("curl")
        .args(["--silent", "--include", "--noproxy", "*", "--max-time", "20"])
        .arg(format!("http://{}{path}", proxy.address()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// What curl has written at its end, as a response.
fn printed(child: Child) -> Option<Response> {
    let output = child.wait_with_output().expect("it can be waited for");
    message::whole_response(&output.stdout, "GET")
}

/// An nginx behind a proxy, and what is done about it.
fn outage(test: &str, act: impl FnOnce(&mut nginx::Nginx, &Proxy)) {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip(test, "curl is not installed; `.ci/setup test` installs it where it can");
    }
    let Some(mut nginx) = super::nginx(test) else { return };
    let proxy = Settings::endpoints(&[&nginx.address.to_string()])
        .with("timeouts", "read: 600ms")
        .once()
        .start();
    act(&mut nginx, &proxy);
}

/// The same with a connection kept from an answer that was good.
fn outage_after_an_answer(test: &str, act: impl FnOnce(&mut nginx::Nginx, &Proxy)) {
    outage(test, |nginx, proxy| {
        assert_eq!(ask(proxy, "/one.txt").status(), 200);
        act(nginx, proxy);
    });
}

fn ask(proxy: &Proxy, path: &str) -> Told {
    proxy.exchange(|| printed(curl(proxy, path).expect("it was there a moment ago")))
}

/// Checks that curl printed who failed, and why, in the header and in the body.
fn blames(told: &Told, status: u16, cause: &str, party: &str) {
    let answer = told.answer();
    assert_eq!(answer.status, status, "{answer:?}");
    let member = told.member.as_ref().expect("an error carries a verdict");
    assert_eq!(member.param("cause"), Some(cause), "{member:?}");
    assert_eq!(member.param("party"), Some(party), "{member:?}");
    let body = answer.text();
    for word in [cause, party, told.text("says"), told.text("remedy"), told.text("id")] {
        assert!(!word.is_empty() && body.contains(word), "`{word}` is not in the body: {body}");
    }
}

#[test]
fn a_stopped_nginx_refuses() {
    outage_after_an_answer("a_stopped_nginx_refuses", |nginx, proxy| {
        nginx.stop();
        blames(&ask(proxy, "/one.txt"), 502, "connect_refused", "origin");
    });
}

#[test]
fn a_killed_nginx_breaks_its_answer_off() {
    outage_after_an_answer("a_killed_nginx_breaks_its_answer_off", |nginx, proxy| {
        let told = proxy.exchange(|| {
            let mut child = curl(proxy, "/slowly/large.txt").expect("it was there a moment ago");
            let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
            let mut head = String::new();
            while out.read_line(&mut head).is_ok_and(|length| length > 2) {}
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            out.read_exact(&mut [0; 100]).expect("the answer has begun");
            nginx.kill();
            out.read_to_end(&mut Vec::new()).expect("curl comes to its end");
            let status = child.wait().expect("it can be waited for");
            assert!([Some(18), Some(56)].contains(&status.code()), "curl takes it for whole");
            None
        });
        assert_eq!(told.text("cause"), "response_truncated", "{:#}", told.record);
        assert_eq!(told.text("party"), "origin", "{:#}", told.record);
        blames(&ask(proxy, "/one.txt"), 502, "connect_refused", "origin");
    });
}

#[test]
fn a_killed_nginx_leaves_its_request() {
    outage("a_killed_nginx_leaves_its_request", |nginx, proxy| {
        // nginx waits for somebody who never answers.
        let path = nginx.folder.path().join("silent.sock");
        let silent = std::os::unix::net::UnixListener::bind(path).expect("a free path");
        let told = proxy.exchange(|| {
            let child = curl(proxy, "/silent/").expect("it was there a moment ago");
            let asked = silent.accept().expect("nginx asks");
            nginx.kill();
            drop(asked);
            printed(child)
        });
        assert!(["origin_closed", "origin_reset"].contains(&told.text("cause")), "{told:?}");
        blames(&told, 502, told.text("cause"), "origin");
    });
}

#[test]
fn a_paused_nginx_is_slow() {
    outage_after_an_answer("a_paused_nginx_is_slow", |nginx, proxy| {
        nginx.signal(Signal::STOP);
        let told = ask(proxy, "/one.txt");
        nginx.signal(Signal::CONT);
        blames(&told, 504, "origin_slow", "origin");
        until("nginx to go on", || (ask(proxy, "/one.txt").status() == 200).then_some(()));
    });
}

#[test]
fn what_answers_in_nginxs_place_makes_no_sense() {
    outage_after_an_answer("what_answers_in_nginxs_place_makes_no_sense", |nginx, proxy| {
        nginx.stop();
        let _garbage = Origin::at(nginx.address, |mut connection| {
            if connection.request().is_some() {
                connection.send("%PDF-1.7 is what you get from me\r\n\r\n");
                connection.close();
            }
        });
        blames(&ask(proxy, "/one.txt"), 502, "response_malformed", "origin");
    });
}
