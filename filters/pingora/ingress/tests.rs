use std::time::Duration;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};
use whodunit_filters::attribution::cause::client;
use whodunit_filters::attribution::{Fault, Key};
use whodunit_filters::head::Rule;

use super::rig::{RULES, connect, connect_by_tcp, gist};
use super::{Left, Rules};

const PIPELINE: &[u8] = b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\
    \r\n\r\nPUT /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n\
    GET /3 HTTP/1.1\r\nHost: x\r\n\r\n\
    GET /4 HTTP/1.1\r\nHost : x\r\n\r\nGET /5 HTTP/1.1\r\nHost: x\r\n\r\n";
const PIPELINED: [&str; 7] =
    ["200", "POST /1 hello", "200", "PUT /2 abcde", "200", "GET /3 ", "400"];

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order_and_each_is_inspected() {
    let connection = connect(RULES);
    let (door, echo) = (connection.door.clone(), connection.echo.clone());
    let received = connection.exchange(&[PIPELINE], false).await;
    assert_eq!(gist(&received), PIPELINED);
    let refused = door.refused.lock().expect("no panic");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0.evidence.text(Key::Rule), Some(Rule::SpaceBeforeColon.as_str()));
    let clients = echo.clients.lock().expect("no panic");
    assert_eq!(clients.len(), 3);
    let first = &clients[0];
    assert_eq!((first.body(), first.complete(), first.answered()), (5, true, Some(200)));
    assert_eq!(first.received(), 53);
    assert_eq!(clients[1].body(), 28);
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_head_meets_the_total_deadline() {
    let mut connection = connect(RULES);
    let start = Instant::now();
    sleep(Duration::from_secs(5)).await;
    for byte in b"GET / HT" {
        connection.send([*byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    connection.send(b"TP").await;
    assert_eq!(gist(&connection.rest().await), ["408"]);
    let took = start.elapsed();
    assert!((15..18).contains(&took.as_secs()), "{took:?}");
    let (failure, answerable) = connection.failures().remove(0);
    assert!(answerable);
    assert_eq!(failure.fault, Fault::TimedOut);
    assert_eq!(failure.evidence.number(Key::BytesSoFar), Some(10));
    assert_eq!(failure.evidence.number(Key::LimitMs), Some(10_000));
    assert_eq!(failure.evidence.text(Key::Setting), Some("timeouts.request_header"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_without_a_word() {
    for sent in [&b""[..], b"\r\n\r\n\r"] {
        let mut connection = connect(RULES);
        let start = Instant::now();
        connection.send(sent).await;
        assert_eq!(connection.rest().await, "");
        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(connection.failures().is_empty());
    }
    let mut connection = connect(RULES);
    connection.client.shutdown().await.expect("shut");
    assert_eq!(connection.rest().await, "");
    assert!(connection.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_without_a_word() {
    let mut connection = connect(RULES);
    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    connection.until("]\r\n").await;
    let start = Instant::now();
    sleep(Duration::from_mins(1)).await;
    connection.send(b"\r\n").await;
    assert_eq!(connection.rest().await, "");
    assert_eq!(start.elapsed().as_secs(), 75);
    assert!(connection.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_the_middle_of_a_head_is_noted_and_not_answered() {
    let mut connection = connect(RULES);
    connection.send(b"GET / HTTP/1.1\r\nHo").await;
    connection.client.shutdown().await.expect("shut");
    assert_eq!(connection.rest().await, "");
    let (failure, answerable) = connection.failures().remove(0);
    assert!(!answerable);
    assert_eq!(failure.fault, Fault::Closed);
    assert_eq!(failure.evidence.text(Key::Part), Some("header"));
    assert_eq!(failure.evidence.number(Key::BytesSoFar), Some(18));
}

#[tokio::test(start_paused = true)]
async fn oversized_heads_are_refused_as_soon_as_they_are() {
    let long = vec![b'a'; 1 << 20];
    for (start, cause) in [
        (&b"GET /"[..], &client::CLIENT_URI_TOO_LONG),
        (b"GET / HTTP/1.1\r\nHost: ", &client::CLIENT_HEADER_TOO_LARGE),
    ] {
        let connection = connect(RULES);
        let door = connection.door.clone();
        let received = connection.exchange(&[start, &long], true).await;
        assert_eq!(gist(&received), [cause.standard.code().expect("a status").to_string()]);
        let refused = door.refused.lock().expect("no panic");
        assert_eq!(refused[0].0.fault, Fault::Denied(cause));
        assert!(refused[0].0.evidence.number(Key::Size).expect("known") < 8192);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_last_answer_is_read_for_a_while() {
    for (sent, gist_of_answer) in [
        (&b"GET / HTTP/1.1\n"[..], &["400"][..]),
        (
            b"PUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n",
            &["200", "PUT /early "],
        ),
    ] {
        let mut connection = connect(RULES);
        connection.send(sent).await;
        assert_eq!(gist(&connection.rest().await), gist_of_answer);
        connection.send(vec![b'x'; 30_000]).await;
        let start = Instant::now();
        (&mut connection.served).await.expect("no panic");
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn shutting_down_closes_idle_connections_and_lets_requests_finish() {
    let mut idle = connect(RULES);
    idle.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.until("]\r\n").await;
    let mut busy = connect(RULES);
    busy.send(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n").await;
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    idle.shutdown.send(true).expect("watched");
    busy.shutdown.send(true).expect("watched");
    assert_eq!(idle.rest().await, "");
    assert_eq!(start.elapsed().as_secs(), 0);
    busy.send(b"\r\nabc").await;
    let received = busy.rest().await;
    assert_eq!(gist(&received), ["200", "POST /b abc"]);
    assert!(received.contains("\r\nConnection: close\r\n"), "{received}");
    idle.served.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_just_used_is_not_closed_under_the_next_request() {
    for (gap, told) in [(400, 600), (999, 600)] {
        let mut connection = connect(RULES);
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        connection.until("]\r\n").await;
        sleep(Duration::from_millis(gap.min(told))).await;
        connection.shutdown.send(true).expect("watched");
        sleep(Duration::from_millis(gap.saturating_sub(told))).await;
        connection.send(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let received = connection.rest().await;
        assert_eq!(gist(&received), ["200", "GET /next "]);
        assert!(received.contains("\r\nConnection: close\r\n"), "{received}");
    }
    let mut left = connect(RULES);
    left.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    left.until("]\r\n").await;
    let start = Instant::now();
    left.shutdown.send(true).expect("watched");
    assert_eq!(left.rest().await, "");
    assert_eq!(start.elapsed().as_millis(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_so_many_requests_and_no_more() {
    let mut connection = connect(Rules { requests: Some(2), ..RULES });
    connection.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let received = connection.rest().await;
    assert_eq!(gist(&received), ["200", "GET /1 ", "200", "GET /2 "]);
    assert_eq!(received.matches("Connection: close").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_at_once() {
    let mut connection = connect(RULES);
    connection.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /next").await;
    sleep(Duration::from_secs(3)).await;
    let clients = connection.echo.clients.lock().expect("no panic").clone();
    assert_eq!(clients[0].left(), None);
    connection.client.shutdown().await.expect("shut");
    connection.rest().await;
    assert_eq!(clients[0].left().expect("left").0, Left::Closed);
    assert!(clients[0].complete());
}

#[tokio::test(start_paused = true)]
async fn broken_chunks_are_noted_with_their_place() {
    let mut connection = connect(RULES);
    connection
        .send(b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n")
        .await;
    assert_eq!(gist(&connection.rest().await), [] as [&str; 0]);
    let clients = connection.echo.clients.lock().expect("no panic").clone();
    assert_eq!(clients[0].broken(), Some((Rule::ChunkEnd, 6)));
    assert_eq!((clients[0].complete(), clients[0].left()), (false, None));
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_passed_as_it_is() {
    let mut connection = connect(RULES);
    connection.send(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nUpgrade: y\r\n\r\nearly ").await;
    connection.until("\r\n\r\n").await;
    connection.send(b"GET / HTTP/1.1 \n\n").await;
    connection.client.shutdown().await.expect("shut");
    let received = connection.rest().await;
    assert!(received.starts_with("[GET /upgrade early GET / HTTP/1.1 \n\n]"), "{received:?}");
    assert!(connection.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up() {
    let mut connection = connect(RULES);
    let start = Instant::now();
    connection.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    (&mut connection.served).await.expect("no panic");
    assert_eq!(start.elapsed().as_secs(), 30);
    let clients = connection.echo.clients.lock().expect("no panic").clone();
    assert_eq!(clients[0].left().expect("left").0, Left::Stalled);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_answered() {
    let mut connection = connect(RULES);
    connection.send(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(gist(&connection.rest().await), ["500"]);
    let (failure, answerable) = connection.failures().remove(0);
    assert!(answerable);
    assert_eq!(failure.fault, Fault::Panic);
}

#[tokio::test]
async fn a_reset_is_told_from_a_close() {
    let mut connection = connect_by_tcp(RULES).await;
    connection.send(b"GET / HT").await;
    connection.client.set_zero_linger().expect("a socket");
    drop(connection.client);
    connection.served.await.expect("no panic");
    let (failure, answerable) = connection.door.refused.lock().expect("no panic").remove(0);
    assert_eq!((failure.fault, answerable), (Fault::Reset, false));

    let mut connection = connect_by_tcp(RULES).await;
    connection
        .send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    connection.until("]\r\n").await;
    connection.client.set_zero_linger().expect("a socket");
    drop(connection.client);
    connection.served.await.expect("no panic");
    let clients = connection.echo.clients.lock().expect("no panic");
    assert_eq!(clients[1].left().expect("left").0, Left::Reset);
    assert_eq!((clients[0].left(), clients[0].answered()), (None, Some(200)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn pieces_are_answered_as_the_whole(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..30),
    ) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(PIPELINE.len())).collect();
        ends.extend([0, PIPELINE.len()]);
        ends.sort_unstable();
        let pieces: Vec<&[u8]> = ends.windows(2).map(|w| &PIPELINE[w[0]..w[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let received = runtime.block_on(async { connect(RULES).exchange(&pieces, false).await });
        prop_assert_eq!(gist(&received), PIPELINED);
    }
}
