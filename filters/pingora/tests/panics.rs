//! A panic in any hook, and outside of hooks.

use std::net::SocketAddr;

use crate::hooked::Hooked;
use crate::rig::{Answer, Does, GOOD, Proxy, origin, refusing};

/// Panics in the hook that the request's path names.
fn theirs(origin: SocketAddr) -> Hooked {
    Hooked::new(origin, |hook, session, _| {
        let asked = session.req_header().uri.path().trim_start_matches('/');
        assert!(asked != hook, "in {hook}");
    })
}

/// The service, and another request that it must still be good for.
async fn panics_in(hook: &str, origin: SocketAddr) -> (Proxy, Answer) {
    let proxy = Proxy::start(theirs(origin));
    let answer = proxy.get(&format!("/{hook}")).await;
    (proxy, answer)
}

#[tokio::test]
async fn before_the_answer_a_panic_is_a_500_of_ours() {
    let origin = origin(Does::Says(GOOD)).await;
    for hook in [
        "early_request_filter",
        "allow_spawning_subrequest",
        "request_filter",
        "request_cache_filter",
        "proxy_upstream_filter",
        "upstream_peer",
        "connected_to_upstream",
        "upstream_request_filter",
        "request_body_filter",
        "upstream_response_filter",
        "response_filter",
        "upstream_response_body_filter",
        "module",
    ] {
        let (proxy, answer) = panics_in(hook, origin).await;
        if answer.status() == 200 {
            // The header was on its way when the body came.
            assert_eq!(hook, "upstream_response_body_filter");
        } else {
            proxy.agreed(&answer, 500, "proxy_bug").await;
        }
        assert_eq!(proxy.record().await.cause, Some("proxy_bug"), "{hook}");
        assert_eq!(proxy.get("/").await.status(), 200, "after {hook}");
        assert_eq!(proxy.recorded().len(), 1, "{hook}");
    }
}

#[tokio::test]
async fn after_the_header_a_panic_ends_the_answer_and_is_recorded() {
    let origin = origin(Does::Says(GOOD)).await;
    let (proxy, answer) = panics_in("response_body_filter", origin).await;
    assert!(!answer.0.ends_with("hello"), "{answer:?}");
    assert_eq!(proxy.record().await.cause, Some("proxy_bug"));
    assert_eq!(proxy.counted(), [("proxy_bug", 1)]);
}

#[tokio::test]
async fn a_panic_over_a_failure_leaves_the_verdict_on_the_failure() {
    let (refused, _held) = refusing();
    let closing = origin(Does::Closes).await;
    for (hook, origin, cause) in [
        ("fail_to_connect", refused, "connect_refused"),
        ("fail_to_proxy", refused, "connect_refused"),
        ("error_while_proxy", closing, "origin_closed"),
    ] {
        let (proxy, answer) = panics_in(hook, origin).await;
        proxy.agreed(&answer, 502, cause).await;
    }
}

#[tokio::test]
async fn when_all_is_done_a_panic_harms_nobody() {
    let origin = origin(Does::Says(GOOD)).await;
    for hook in ["logging", "persist_connection_context", "request_summary"] {
        let proxy = Proxy::start(theirs(origin));
        let request = format!(
            "GET /{hook} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answers = proxy.send(&request).await;
        assert_eq!(answers.0.matches("HTTP/1.1 200 OK").count(), 2, "{hook}: {answers:?}");
        assert!(proxy.recorded().is_empty() && proxy.counted().is_empty(), "{hook}");
    }
}

/// Without the ingress nobody answers for a panic outside of hooks; it is recorded all the same.
#[tokio::test]
async fn without_an_ingress_a_panic_elsewhere_is_recorded_once() {
    let origin = origin(Does::Says(GOOD)).await;
    let proxy = Proxy::h2c(theirs(origin));
    let answer = proxy.get("/module").await;
    assert_eq!(answer.0, "");
    assert_eq!(proxy.record().await.cause, Some("proxy_bug"));
    assert_eq!(proxy.counted(), [("proxy_bug", 1)]);
    assert_eq!(proxy.get("/").await.status(), 200);
}
