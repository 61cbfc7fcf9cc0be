//! Pingora's own errors, from real connections where they can be had, and what is read out of them.

#![expect(clippy::disallowed_methods, reason = "peers made from addresses")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use pingora::connectors::TransportConnector;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::ALPN;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pingora::{BError, OrErr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use whodunit_filters::attribution::Value;

use super::*;

const SHORT: Duration = Duration::from_millis(50);

const CONNECTING: Moment =
    Moment { connecting: true, request_sent: false, answered: false, responding: false };
const WAITING: Moment = Moment { connecting: false, request_sent: true, ..CONNECTING };
const RECEIVING: Moment = Moment { answered: true, ..WAITING };

fn peer(address: SocketAddr, tls: bool) -> HttpPeer {
    HttpPeer::new(address, tls, "origin.example".to_owned())
}

/// The failure of a connection that must not come about.
async fn connect(peer: &HttpPeer) -> Failure {
    let connector = TransportConnector::new(None);
    let error = connector.new_stream(peer).await.expect_err("no connection").into_up();
    failure(&error, CONNECTING)
}

fn is(failure: &Failure, phase: Phase, fault: Fault) {
    assert_eq!((failure.side, failure.phase, failure.fault), (Side::Origin, phase, fault));
}

fn text(failure: &Failure, key: Key) -> Option<&str> {
    failure.evidence.text(key)
}

#[tokio::test]
async fn nobody_listens() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let failure = connect(&peer(socket.local_addr().expect("bound"), false)).await;
    is(&failure, Phase::Connect, Fault::Refused);
    assert_eq!(text(&failure, Key::Errno), Some("ECONNREFUSED"));
}

#[tokio::test]
async fn no_such_socket() {
    let path = std::env::temp_dir().join("whodunit-no-such-socket");
    let path = Path::new(&path).to_str().expect("text");
    let peer = HttpPeer::new_uds(path, false, String::new()).expect("a path");
    let failure = connect(&peer).await;
    is(&failure, Phase::Connect, Fault::Refused);
    assert_eq!(text(&failure, Key::Errno), Some("ENOENT"));
}

/// The same limit runs out while TCP connects, while TLS does, and over both.
#[tokio::test]
async fn which_handshake_took_too_long() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = silent.local_addr().map(|address| (address, silent)).expect("bound");
    let mut tls = peer(silent.0, true);
    tls.options.connection_timeout = Some(SHORT);
    is(&connect(&tls).await, Phase::Tls, Fault::TimedOut);

    let mut both = peer(silent.0, true);
    both.options.total_connection_timeout = Some(SHORT);
    is(&connect(&both).await, Phase::Connect, Fault::TimedOut);

    // A queue with room for one.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let full = socket.listen(0).expect("it listens");
    let address = full.local_addr().expect("bound");
    let _first = TcpStream::connect(address).await.expect("room for one");
    let mut tcp = peer(address, true);
    tcp.options.connection_timeout = Some(SHORT);
    is(&connect(&tcp).await, Phase::Connect, Fault::TimedOut);
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls() {
    let address = says(b"HTTP/1.1 400 Bad Request\r\n\r\n", End::Close).await;
    is(&connect(&peer(address, true)).await, Phase::Tls, Fault::TlsNotTls);
    let address = says(b"", End::Close).await;
    is(&connect(&peer(address, true)).await, Phase::Tls, Fault::Closed);
    let address = says(b"", End::Reset).await;
    is(&connect(&peer(address, true)).await, Phase::Tls, Fault::Reset);
    // A fatal alert: handshake_failure.
    let address = says(&[21, 3, 3, 0, 2, 2, 40], End::Close).await;
    is(&connect(&peer(address, true)).await, Phase::Tls, Fault::TlsAlert(40));
}

#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Wait,
}

/// An origin that reads a little, says this, and ends so.
async fn says(bytes: &'static [u8], end: End) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(bytes).await.expect("the other end reads");
        match end {
            End::Close => {}
            End::Reset => stream.set_zero_linger().expect("a good socket"),
            End::Wait => std::future::pending().await,
        }
    });
    address
}

/// What becomes of a request to such an origin: the errors of reading the header, or the body.
async fn ask(bytes: &'static [u8], end: End) -> Failure {
    let (error, moment) = error(bytes, end).await;
    failure(&error.into_up(), moment)
}

async fn error(bytes: &'static [u8], end: End) -> (BError, Moment) {
    let peer = peer(says(bytes, end).await, false);
    let connector = Connector::new(None);
    let (mut session, _) = connector.get_http_session(&peer).await.expect("a connection");
    session.set_read_timeout(Some(SHORT));
    let request = RequestHeader::build("GET", b"/", None).expect("a good request");
    session.write_request_header(Box::new(request)).await.expect("written");
    session.finish_request_body().await.expect("written");
    if let Err(error) = session.read_response_header().await {
        return (error, WAITING);
    }
    loop {
        match session.read_response_body().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a good answer"),
            Err(error) => return (error, RECEIVING),
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come() {
    for (bytes, received) in [(&b""[..], 0), (b"HTTP/1.1 200 OK\r\nA: b\r\n", 23_u64)] {
        let closed = ask(bytes, End::Close).await;
        is(&closed, Phase::Wait, Fault::Closed);
        assert_eq!(closed.evidence.find(Key::Received), Some(&Value::Number(received)));
    }
    let reset = ask(b"HTTP", End::Reset).await;
    is(&reset, Phase::Wait, Fault::Reset);
    assert_eq!(text(&reset, Key::Errno), Some("ECONNRESET"));
    assert_eq!(reset.evidence.find(Key::Received), Some(&Value::Number(4)));
    is(&ask(b"HTTP", End::Wait).await, Phase::Wait, Fault::TimedOut);
}

#[tokio::test]
async fn a_header_section_that_is_none() {
    for (bytes, rule) in [
        (&b"SSH-2.0-x\r\n"[..], "the first line does not begin with an HTTP version"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "the first line does not begin with an HTTP version"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "the status is no number of three digits"),
        (
            b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            "a header field's name holds a byte that it must not",
        ),
        (
            b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
            "a header field's value holds a byte that it must not",
        ),
        (
            b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
            "a header field's value holds a byte that it must not",
        ),
        (b"HTTP/1.1 200 OK\rA: b\r\n\r\n", "the status is no number of three digits"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\rC: d\r\n", "a line does not end as it must"),
    ] {
        let failure = ask(bytes, End::Close).await;
        is(&failure, Phase::Wait, Fault::Malformed);
        assert_eq!(text(&failure, Key::Rule), Some(rule), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn a_header_section_that_is_too_large() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(257));
    let failure = ask(many.leak().as_bytes(), End::Close).await;
    is(&failure, Phase::Wait, Fault::HeaderTooLarge);
    assert_eq!(text(&failure, Key::Setting), Some("limits.response_headers"));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(1 << 21));
    let failure = ask(large.leak().as_bytes(), End::Wait).await;
    is(&failure, Phase::Wait, Fault::HeaderTooLarge);
    assert_eq!(text(&failure, Key::Setting), Some("limits.response_header"));
}

#[tokio::test]
async fn lengths_that_contradict_each_other() {
    for lengths in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: one\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
    ] {
        let failure = ask(lengths, End::Close).await;
        is(&failure, Phase::Wait, Fault::Framing);
    }
}

/// The origin's bytes stand in the error's text, and must not pass for Pingora's words.
#[tokio::test]
async fn an_origin_cannot_put_words_into_pingoras_mouth() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nB d: Content-Length\r\n\r\n"[..],
        b"Response header larger than 1048575\r\n\r\n",
        b"too many headers\r\n\r\n",
        b"received fatal alert: UnknownCA\r\n\r\n",
        b"connecting to server , total-connection timeout \r\n\r\n",
        b"while reading response headers, bytes already read: 7\r\n\r\n",
    ] {
        is(&ask(bytes, End::Close).await, Phase::Wait, Fault::Malformed);
    }
}

#[tokio::test]
async fn a_body_that_does_not_end() {
    let head = "HTTP/1.1 200 OK\r\n";
    for (body, end, fault) in [
        ("Content-Length: 9\r\n\r\nhello", End::Close, Fault::Truncated),
        ("Content-Length: 9\r\n\r\nhello", End::Reset, Fault::Truncated),
        ("Content-Length: 9\r\n\r\nhello", End::Wait, Fault::Stalled),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", End::Close, Fault::Truncated),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", End::Close, Fault::TransferCoding),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", End::Close, Fault::TransferCoding),
    ] {
        let answer = format!("{head}{body}").leak().as_bytes();
        is(&ask(answer, end).await, Phase::Receive, fault);
    }
}

/// Pingora and services wrap errors; what counts is where the failure was first noticed.
#[tokio::test]
async fn however_deep_an_error_is_wrapped() {
    let (error, moment) = error(b"HTTP", End::Close).await;
    let wrapped =
        error.into_up().more_context("Peer: bytes already read: 7").more_context("theirs");
    let found = failure(&wrapped, moment);
    is(&found, Phase::Wait, Fault::Closed);
    assert_eq!(found.evidence.find(Key::Received), Some(&Value::Number(4)));

    let denied = crate::note::deny_for(&whodunit_filters::attribution::cause::proxy::RATE_LIMITED);
    let wrapped: BError = Err::<(), _>(denied.more_context("theirs"))
        .or_err(ErrorType::InternalError, "theirs as well")
        .expect_err("an error");
    assert!(denial(&wrapped).is_some());
}

/// HTTP/2, with an origin that does this to the stream or the connection.
async fn ask_h2(end: fn(h2::server::SendResponse<bytes::Bytes>)) -> Failure {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let (_, respond) = connection.accept().await.expect("a stream").expect("a good one");
        end(respond);
        while connection.accept().await.is_some() {}
    });
    let mut peer = peer(address, false);
    peer.options.alpn = ALPN::H2;
    let (error, moment) = h2_error(&peer).await;
    failure(&error.into_up(), moment)
}

async fn h2_error(peer: &HttpPeer) -> (BError, Moment) {
    let connector = Connector::new(None);
    let mut session = match connector.get_http_session(peer).await {
        Ok((session, _)) => session,
        Err(error) => return (error, CONNECTING),
    };
    assert!(matches!(session, HttpSession::H2(_)));
    let mut request = RequestHeader::build("GET", b"/", None).expect("a good request");
    request.insert_header("Host", "origin.example").expect("a good name");
    session.write_request_header(Box::new(request)).await.expect("written");
    session.finish_request_body().await.expect("written");
    match session.read_response_header().await {
        Err(error) => (error, WAITING),
        Ok(()) => loop {
            match session.read_response_body().await {
                Ok(piece) => assert!(piece.is_some(), "a good answer"),
                Err(error) => return (error, RECEIVING),
            }
        },
    }
}

#[tokio::test]
async fn a_stream_that_the_origin_resets() {
    let reset = ask_h2(|mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    is(&reset, Phase::Wait, Fault::StreamReset(7));
    let reset = ask_h2(|mut respond| {
        let mut body = respond.send_response(http::Response::new(()), false).expect("a stream");
        body.send_reset(h2::Reason::INTERNAL_ERROR);
    })
    .await;
    // The reset may be there before the header is looked at.
    assert_eq!((reset.side, reset.fault), (Side::Origin, Fault::StreamReset(2)));
}

#[tokio::test]
async fn an_origin_that_does_not_speak_http2() {
    let mut peer = peer(says(b"HTTP/1.1 400 Bad Request\r\n\r\n", End::Wait).await, false);
    peer.options.alpn = ALPN::H2;
    let (error, moment) = h2_error(&peer).await;
    let found = failure(&error.into_up(), moment);
    assert_eq!((found.side, found.fault), (Side::Origin, Fault::Malformed));
}
