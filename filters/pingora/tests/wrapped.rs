//! The example, somebody else's twenty-line proxy: what its clients get.

use std::sync::Mutex;

use async_trait::async_trait;
use pingora::Result;
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use whodunit_filters::attribution::Key;
use whodunit_filters::chain;
use whodunit_filters::units::Span;
use whodunit_pingora::Settings;

use crate::rig::{Does, GOOD, Proxy, exchange, origin, port, refusing, serve};

#[path = "../examples/wrapped.rs"]
mod example;

use example::Theirs;

async fn theirs(does: Does) -> Proxy {
    Proxy::start(Theirs { origin: origin(does).await })
}

#[tokio::test]
async fn a_good_answer_is_untouched() {
    let proxy = theirs(Does::Says(
        "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 00:00:00 GMT\r\nX-Origin: y\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 5\r\n\r\nhello",
    ))
    .await;
    let answer = proxy.get("/x?y=1").await;
    assert_eq!(
        answer.0,
        "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 00:00:00 GMT\r\nX-Origin: y\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    );
    assert!(proxy.recorded().is_empty() && proxy.counted().is_empty());
}

#[tokio::test]
async fn an_error_of_the_origin_is_passed_on_with_a_member() {
    let proxy = theirs(Does::Says("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")).await;
    let answer = proxy.get("/").await;
    let record = proxy.agreed(&answer, 503, "origin_error").await;
    assert!(answer.told().contains("received-status=503"), "{answer:?}");
    assert!(!answer.told().contains("error="), "{answer:?}");
    assert_eq!(answer.body(), "busy");
    assert!(!record.generated);
}

#[tokio::test]
async fn a_refused_connection() {
    let (origin, _held) = refusing();
    let proxy = Proxy::start(Theirs { origin });
    let answer = proxy.get("/").await;
    let record = proxy.agreed(&answer, 502, "connect_refused").await;
    let told = answer.told();
    assert!(told.starts_with("their-node;error=connection_refused;"), "{told}");
    assert!(told.contains(&format!("next-hop=\"{origin}\"")), "{told}");
    assert!(answer.body().contains(&record.id), "{answer:?}");
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test]
async fn an_origin_that_fails_in_other_ways() {
    for (does, status, cause) in [
        (Does::Closes, 502, "origin_closed"),
        (Does::Resets, 502, "origin_reset"),
        (Does::Says("SSH-2.0-OpenSSH_9.6\r\n"), 502, "response_malformed"),
        (
            Does::Says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            502,
            "response_framing_conflict",
        ),
        (Does::Says("HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n"), 502, "response_malformed"),
    ] {
        let proxy = theirs(does).await;
        let answer = proxy.get("/").await;
        proxy.agreed(&answer, status, cause).await;
    }
}

#[tokio::test]
async fn an_origin_that_is_slow() {
    let mut filters = chain::Settings::default();
    filters.timeouts.read = Span(std::time::Duration::from_millis(50));
    let theirs = Theirs { origin: origin(Does::Waits).await };
    let settings = Settings::with_filters("their-node", &filters);
    let proxy = Proxy::start_with(theirs, settings, ServerConf::default());
    let answer = proxy.get("/").await;
    let record = proxy.agreed(&answer, 504, "origin_slow").await;
    assert!(record.line().contains("\"setting\":\"timeouts.read\""), "{}", record.line());
}

/// Somebody who sets the limit in the peer, as Pingora's own examples do.
struct Impatient(std::net::SocketAddr);

#[async_trait]
impl ProxyHttp for Impatient {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        #[expect(clippy::disallowed_methods, reason = "from an address, never from a name")]
        let mut peer = HttpPeer::new(self.0, false, String::new());
        peer.options.read_timeout = Some(std::time::Duration::from_millis(50));
        Ok(Box::new(peer))
    }
}

#[tokio::test]
async fn a_limit_that_the_service_set_is_the_one_that_is_named() {
    let theirs = Impatient(origin(Does::Waits).await);
    let proxy = Proxy::start_with(theirs, Settings::new("their-node"), ServerConf::default());
    let answer = proxy.get("/").await;
    let record = proxy.agreed(&answer, 504, "origin_slow").await;
    assert_eq!(record.evidence.text(Key::Setting), Some("the peer's `read_timeout`"));
    assert_eq!(record.evidence.number(Key::LimitMs), Some(50));
}

#[tokio::test]
async fn an_answer_cut_off_cannot_be_told_of_in_its_header() {
    let proxy = theirs(Does::Says("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")).await;
    let answer = proxy.get("/").await;
    assert_eq!((answer.status(), answer.body()), (200, "hello"));
    assert_eq!(answer.field("proxy-status").next(), None);
    let record = proxy.record().await;
    assert_eq!((record.status, record.cause), (200, Some("response_truncated")));
    assert_eq!(proxy.counted(), [("response_truncated", 1)]);
}

#[tokio::test]
async fn their_own_refusal_keeps_its_status() {
    let proxy = theirs(Does::Says(GOOD)).await;
    let answer = proxy.get("/admin").await;
    proxy.agreed(&answer, 403, "denied_by_policy").await;
    assert!(answer.told().contains("error=http_request_denied"), "{answer:?}");
}

#[tokio::test]
async fn their_bug_is_answered_and_the_process_lives_on() {
    let proxy = theirs(Does::Says(GOOD)).await;
    let answer = proxy.get("/bug").await;
    let record = proxy.agreed(&answer, 500, "proxy_bug").await;
    let at = record.evidence.text(Key::At).expect("where it panicked");
    assert!(at.contains("nobody thought of this"), "{at}");
    assert!(!answer.told().contains("nobody thought"), "{answer:?}");
    assert_eq!(proxy.get("/").await.status(), 200);
    assert_eq!(proxy.recorded().len(), 1);
}

/// The example as it is, with its own settings: its records go to the `log` crate.
#[tokio::test]
async fn the_service_of_the_example_logs_its_records() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "whodunit"
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                LINES.lock().expect("no panic").push(record.args().to_string());
            }
        }
        fn flush(&self) {}
    }
    log::set_logger(&Logger).expect("the only logger");
    log::set_max_level(log::LevelFilter::Info);
    let (origin, _held) = refusing();
    let (address, listener) = port();
    let service = example::service(origin, &address.to_string());
    let _stop = serve(service, address, listener);
    let request =
        "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: an-id-of-its-own\r\nConnection: close\r\n\r\n";
    let answer = exchange(address, request).await;
    assert_eq!(answer.status(), 502, "{answer:?}");
    assert!(answer.told().contains("cause=connect_refused"));
    // The connection was closed after the record was written.
    let lines = LINES.lock().expect("no panic");
    let ours: Vec<_> = lines.iter().filter(|line| line.contains("an-id-of-its-own")).collect();
    assert_eq!(ours.len(), 1, "{lines:?}");
    assert!(ours[0].contains("\"cause\":\"connect_refused\""), "{ours:?}");
}
