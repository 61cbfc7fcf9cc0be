//! Clients that nobody here wrote: curl, and h2load with many streams.

use std::process::Command;

use super::apps::{Output, run};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::settings::Settings;
use crate::rig::skip;

/// More than curl sends without asking (`Expect: 100-continue`).
const LARGE: usize = 3 << 20;

/// An origin that sends back what it gets, invites bodies, and else has a large file.
fn echo() -> Origin {
    Origin::new(|mut connection: Conversation| {
        while let Some(request) = connection.head() {
            if request.fields.text("expect").is_some() {
                connection.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            if ["content-length", "transfer-encoding"]
                .iter()
                .any(|name| request.fields.text(name).is_some())
            {
                let length = connection.swallow();
                connection.send(format!(
                    "HTTP/1.1 200 OK\r\nX-Came: {length}\r\nContent-Length: 0\r\n\r\n"
                ));
                continue;
            }
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
            if request.method != "HEAD" {
                connection.pour(&file());
            }
        }
    })
}

fn file() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(LARGE).collect()
}

fn curl(arguments: &[&str]) -> Result<Output, String> {
    let quiet = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "20"];
    run(Command::new("curl").args(quiet).args(arguments))
}

#[test]
fn curl_gets_and_sends_large_files_by_every_protocol() {
    let test = "everyday::clients::curl_gets_and_sends_large_files_by_every_protocol";
    if let Err(why) = curl(&["--version"]) {
        return skip(test, &why);
    }
    let origin = echo();
    let proxy = Settings::to(&origin).h2c().start();
    let url = format!("http://{}/file", proxy.address());
    let folder = tempfile::tempdir().expect("a folder");
    let upload = folder.path().join("upload");
    std::fs::write(&upload, file()).expect("the folder is ours");
    let upload = upload.to_str().expect("it is text");
    for (protocol, version) in [
        ("--http1.0", "1.1"),
        ("--http1.1", "1.1"),
        ("--http2", "1.1"),
        ("--http2-prior-knowledge", "2"),
    ] {
        let got = curl(&[protocol, &url]).expect("it ran a moment ago");
        assert!(got.good, "{protocol}: {}", got.complained);
        assert!(got.bytes == file(), "{protocol}: {} bytes came", got.bytes.len());
        let tell = "%{http_code} %{http_version} %header{x-came} %{num_connects}";
        let put = ["-w", tell, "-T", upload, url.as_str()];
        // Twice, so that the second one goes on the connection of the first. Over HTTP/2 curl
        // 7.88 cannot do that, with whatever server.
        let times = if version == "2" { 1 } else { 2 };
        let puts = std::iter::repeat_n(put, times).flatten();
        let all: Vec<&str> = std::iter::once(protocol).chain(puts).collect();
        let sent = curl(&all).expect("it ran a moment ago");
        let once = |connects: u8| format!("200 {version} {LARGE} {connects}");
        let again =
            if times == 1 { String::new() } else { once(u8::from(protocol == "--http1.0")) };
        assert_eq!(sent.said, once(1) + &again, "{protocol}: {sent:?}");
        let head = curl(&[protocol, "--head", "-w", "%{http_code}", "-o", "/dev/null", &url]);
        assert_eq!(head.expect("it ran a moment ago").said, "200", "{protocol}");
    }
}

#[test]
fn curl_shows_who_broke_it() {
    let test = "everyday::clients::curl_shows_who_broke_it";
    if let Err(why) = curl(&["--version"]) {
        return skip(test, &why);
    }
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.reset();
    });
    let proxy = Settings::to(&origin).once().h2c().start();
    let url = format!("http://{}/", proxy.address());
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let told = curl(&[protocol, "-w", "%{http_code} %header{proxy-status}", &url]);
        let told = told.expect("it ran a moment ago").said;
        assert!(told.contains("502 edge.test;error=connection_terminated"), "{told}");
        assert!(told.contains("party=origin"), "{told}");
    }
}

#[test]
fn a_hundred_streams_at_a_time_lose_none() {
    let test = "everyday::clients::a_hundred_streams_at_a_time_lose_none";
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n");
    let proxy = Settings::to(&origin).h2c().start();
    let url = format!("http://{}/", proxy.address());
    let load = |more: &[&str]| run(Command::new("h2load").args(more).arg(&url));
    let told = match load(&["-n", "3000", "-c", "3", "-m", "100"]) {
        Ok(told) => told.said,
        Err(why) => return skip(test, &why),
    };
    let all = "3000 total, 3000 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout";
    assert!(told.contains(all), "{told}");
    assert!(told.contains("status codes: 3000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{told}");
    let records = proxy.log.wait(3000);
    assert!(records.iter().all(|record| record["protocol"] == "HTTP/2"));
    assert!(records.iter().all(|record| record["cause"].is_null()));
}
