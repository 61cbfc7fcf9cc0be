//! Faults over real sockets.

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn every_path_fault_begins_and_ends_as_its_row_says() {
    let lab = lab().await;
    for (path, begins, ends) in [
        ("origin-closed", "", Ending::Fin),
        ("origin-closed-later?delay=10", "", Ending::Fin),
        ("origin-reset", "", Ending::Reset),
        ("origin-reset-later?delay=10", "", Ending::Reset),
        ("upload-reset", "", Ending::Reset),
        ("origin-slow", "", Ending::Open),
        ("header-stalled", "HTTP/1.1 200 OK\r\nContent-Ty", Ending::Open),
        ("header-truncated", "HTTP/1.1 200 OK\r\nContent-Ty", Ending::Fin),
        ("header-dribble?delay=600000", "HTTP/1.1 200 OK\r\n", Ending::Open),
        ("status-line-malformed", "HTTP/1.1 OK\r\n", Ending::Fin),
        ("version-unknown", "HTTP/7.3", Ending::Fin),
        ("garbage", "!!!", Ending::Fin),
        ("binary", "\0\x01\x02", Ending::Fin),
        ("ssh", "SSH-2.0", Ending::Fin),
        ("http09", "<html>", Ending::Fin),
        ("http2-frames", "\0\0\0\x04", Ending::Fin),
        ("tls-record", "\x16\x03\x03", Ending::Fin),
        ("switch-unasked", "HTTP/1.1 101", Ending::Open),
        ("upgrade-refused", "HTTP/1.1 200", Ending::Fin),
        ("two-lengths", "HTTP/1.1 200", Ending::Fin),
        ("chunk-size-malformed", "HTTP/1.1 200", Ending::Fin),
        ("truncated", "HTTP/1.1 200", Ending::Fin),
        ("truncated-reset", "HTTP/1.1 200", Ending::Reset),
        ("truncated-chunked", "HTTP/1.1 200", Ending::Fin),
        ("truncated-chunked-reset", "HTTP/1.1 200", Ending::Reset),
        ("stalled", "HTTP/1.1 200", Ending::Open),
        ("stalled-chunked", "HTTP/1.1 200", Ending::Open),
        ("dribble?delay=600000", "HTTP/1.1 200", Ending::Open),
        ("body-too-large", "HTTP/1.1 200", Ending::Fin),
        ("error-500", "HTTP/1.1 500", Ending::Open),
        ("error-503", "HTTP/1.1 503", Ending::Open),
        ("proxy-status", "HTTP/1.1 503", Ending::Open),
        ("early-answer", "HTTP/1.1 413", Ending::Fin),
    ] {
        holds(lab.address(), &get(&format!("/fault/{path}")), begins, ends).await;
    }
}

#[tokio::test]
async fn well_formed_errors_have_the_length_they_announce() {
    let lab = lab().await;
    let rows = table().iter().filter(|f| f.cause == "origin_error");
    for fault in rows.filter(|f| f.name != "error-503") {
        let Some(Place::Url(url)) = lab.place(fault.name) else {
            panic!("{} has a URL", fault.name)
        };
        let path = url.strip_prefix(&lab.url("")).expect("on the main port");
        let answer = fetch(lab.address(), path).await;
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut fields);
        let length = head.parse(&answer).expect("an answer").unwrap();
        let field = head.headers.iter().find(|f| f.name == "Content-Length").expect("a length");
        let announced: usize = String::from_utf8_lossy(field.value).parse().expect("a number");
        assert_eq!(answer.len() - length, announced, "{}", fault.name);
    }
    for (path, length) in [("truncated", 40), ("body-too-large", 1 << 20)] {
        let answer = fetch(lab.address(), &format!("/fault/{path}")).await;
        assert_eq!(body(&answer).len(), length, "{path}");
    }
    assert_eq!(body(&fetch(lab.address(), "/fault/error-503").await), b"back shortly\n");
}

#[tokio::test]
async fn large_headers_are_as_large_as_they_say() {
    let lab = lab().await;
    let head =
        |answer: &[u8]| answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(answer.len());
    let sections = [
        ("header-too-large", 80_000..82_000, 202),
        ("header-too-many", 3_000..4_000, 302),
        ("header-line-too-large", 40_960..42_000, 3),
        ("header-too-large?bytes=4000", 4_000..4_100, 12),
        ("header-endless", 4_194_304..4_200_000, 10_488),
    ];
    for (path, size, lines) in sections {
        let answer = fetch(lab.address(), &format!("/fault/{path}")).await;
        let length = head(&answer);
        assert!(size.contains(&length), "{path}: {length}");
        let ends = answer[..length].windows(2).filter(|w| *w == b"\r\n").count();
        assert!(ends + 1 >= lines && ends <= lines, "{path}: {ends}");
    }
}

#[tokio::test]
async fn a_fault_of_reused_connections_spares_the_first_request() {
    let lab = lab().await;
    for (name, ending) in [("reused-closed", Ending::Fin), ("keepalive-race", Ending::Reset)] {
        let request = get(&format!("/fault/{name}"));
        let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
        tell(&mut stream, &request, "ok\n").await;
        stream.write_all(request.as_bytes()).await.expect("writes");
        assert_eq!(listen(&mut stream, 0, ending).await, (Vec::new(), ending), "{name}");
        let mut another = TcpStream::connect(lab.address()).await.expect("connects");
        tell(&mut another, &request, "ok\n").await;
    }
}

#[tokio::test]
async fn faults_of_the_connection_have_their_own_ports() {
    let lab = lab().await;
    let port = |name| lab.port(name).unwrap_or_else(|| panic!("{name} has a port"));
    for (name, begins, ending) in [
        ("accept-close", "", Ending::Fin),
        ("accept-reset", "", Ending::Reset),
        ("accept-silent", "", Ending::Open),
        ("never-accepts", "", Ending::Open),
        ("ssh-banner", "SSH-2.0-", Ending::Open),
        ("expects-tls-alert", "\x15\x03\x01\0\x02\x02\n", Ending::Fin),
        ("expects-tls-text", "HTTP/1.0 400", Ending::Fin),
        ("tls-silent", "", Ending::Open),
        ("tls-reset", "", Ending::Reset),
        ("tls-malformed", "\x16\x03\x03", Ending::Fin),
    ] {
        holds(port(name), &get(&format!("/{name}")), begins, ending).await;
    }
    let page = fetch(port("expects-tls-page"), "/").await;
    assert!(String::from_utf8_lossy(&page).contains("Content-Length: 118\r\n"));
    assert_eq!(body(&page).len(), 118);
    let refused = TcpStream::connect(port("connect-refused")).await;
    assert_eq!(refused.expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
    let path = lab.orphan("connect-refused-unix").expect("a socket");
    let refused = UnixStream::connect(path).await;
    assert_eq!(refused.expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_full_queue_drops_connections() {
    let lab = lab().await;
    let full = lab.port("connect-timeout").expect("a port");
    assert!(timeout(SILENCE, TcpStream::connect(full)).await.is_err());
    let fills = lab.port("connect-queue-full").expect("a port");
    assert!(fetch(fills, "/").await.ends_with(b"ok\n"));
    assert!(timeout(SILENCE, TcpStream::connect(fills)).await.is_err());
}
