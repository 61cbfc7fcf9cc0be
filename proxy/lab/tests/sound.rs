//! Sound behaviour over real sockets, and what the lab remembers of it.

use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::Message;

use super::*;

#[tokio::test]
async fn sound_bodies_arrive_whole_however_they_are_delimited() {
    let lab = lab().await;
    let mut whole = Vec::new();
    while whole.len() < 300_000 {
        whole.extend_from_slice(pattern(whole.len() as u64, 300_000 - whole.len() as u64));
    }
    for path in ["/bytes/300000", "/chunked/300000", "/until-close/300000", "/http10/300000"] {
        assert!(body(&fetch(lab.address(), path).await) == whole, "{path}");
    }
    let part =
        "GET /range/300000 HTTP/1.1\r\nRange: bytes=99999-100008\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
    stream.write_all(part.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    assert!(String::from_utf8_lossy(&answer).contains("Content-Range: bytes 99999-100008/300000"));
    assert_eq!(body(&answer), whole[99_999..=100_008]);
    let old = "GET /chunked/10 HTTP/1.0\r\n\r\n";
    let (answer, ending) = ask(lab.address(), old).await;
    assert!(!answer.contains("chunked"), "{answer}");
    assert_eq!(ending, Ending::Fin);
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let lab = lab().await;
    let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
    for (request, answer) in [
        (get("/ok"), "Content-Length: 3\r\n\r\nok\n"),
        ("HEAD /bytes/10 HTTP/1.1\r\n\r\n".into(), "Content-Length: 10\r\n\r\n"),
        (get("/no-content"), "HTTP/1.1 204 No Content\r\nETag: \"lab\"\r\n\r\n"),
        (get("/status/418"), "418\n"),
        (get("/trailers"), "0\r\nX-Checksum: 22\r\n\r\n"),
        (get("/103"), "ok\n"),
        (get("/nowhere"), "/ lists them all\n"),
        ("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".into(), "5\r\nhello\r\n0\r\n\r\n"),
        (
            "POST /sink HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n".into(),
            "{\"bytes\":5,\"sha1\":\"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d\",\"method\":\"POST\"}\n",
        ),
        ("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(), "Connection: keep-alive\r\n\r\nok\n"),
    ] {
        tell(&mut stream, &request, answer).await;
    }
    stream.write_all(last("/ok").as_bytes()).await.expect("writes");
    assert_eq!(listen(&mut stream, 0, Ending::Fin).await.1, Ending::Fin);
    assert_eq!(lab.connections(), 1);
}

#[tokio::test]
async fn a_body_is_waited_for_with_100_continue() {
    let lab = lab().await;
    let request = "POST /continue HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
    let heard = tell(&mut stream, request, "\r\n\r\n").await;
    assert_eq!(heard, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(tell(&mut stream, "ab", "}\n").await.contains("{\"bytes\":2,"));
    let refused = request.replace("/continue", "/continue-refused");
    let (heard, ending) = ask(lab.address(), &refused).await;
    assert!(heard.starts_with("HTTP/1.1 417"), "{heard}");
    assert_eq!(ending, Ending::Fin);
}

#[tokio::test]
async fn upgrades_echo() {
    let lab = lab().await;
    let url = format!("ws://{}/ws", lab.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a WebSocket");
    for size in [5, 300, 70_000] {
        let message = Message::Text("x".repeat(size).into());
        socket.send(message.clone()).await.expect("sends");
        assert_eq!(socket.next().await.expect("an echo").expect("a message"), message);
    }
    socket.close(None).await.expect("closes");
    let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
    let upgrade = "GET /upgrade HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n";
    assert!(tell(&mut stream, upgrade, "\r\n\r\n").await.contains("101 Switching"));
    tell(&mut stream, "\0any bytes", "\0any bytes").await;
    assert!(ask(lab.address(), &last("/ws")).await.0.starts_with("HTTP/1.1 426"));
}

#[tokio::test]
async fn requests_are_remembered_as_they_came() {
    let lab = lab().await;
    let head = "POST /fault/origin-closed?x=1 HTTP/1.1\r\nhOsT:  lab \r\nContent-Length: 5\r\n\r\n";
    let whole = format!("{head}hello");
    assert_eq!(ask(lab.address(), &whole).await, (String::new(), Ending::Fin));
    let cut = "PUT /sink HTTP/1.1\r\nContent-Length: 50\r\n\r\nhello";
    let mut stream = TcpStream::connect(lab.address()).await.expect("connects");
    stream.write_all(cut.as_bytes()).await.expect("writes");
    stream.shutdown().await.expect("half-closes");
    assert_eq!(listen(&mut stream, 0, Ending::Fin).await.0, b"");
    let hello = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
    let seen = lab.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].line, "POST /fault/origin-closed?x=1 HTTP/1.1");
    assert_eq!(seen[0].head, head.as_bytes());
    assert_eq!((seen[0].body, seen[0].sha1.as_str(), seen[0].complete), (5, hello, true));
    assert_eq!((seen[1].connection, seen[1].body, seen[1].complete), (2, 5, false));
}

#[tokio::test]
async fn the_front_door_lists_everything() {
    let lab = lab().await;
    let page = String::from_utf8(body(&fetch(lab.address(), "/").await)).expect("text");
    let json = "GET / HTTP/1.1\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let (json, _) = ask(lab.address(), json).await;
    let json: serde_json::Value =
        serde_json::from_slice(&body(json.as_bytes())).expect("the listing is JSON");
    for (fault, listed) in table().iter().zip(json["faults"].as_array().expect("a list")) {
        assert_eq!(listed["name"], fault.name);
        let place = lab.place(fault.name).expect("a place").to_string();
        assert_eq!(listed["place"], place);
        assert!(page.contains(&place) && page.contains(fault.title), "{}", fault.name);
    }
    let html = "GET / HTTP/1.1\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    assert!(ask(lab.address(), html).await.0.contains("<a href=\"http://127.0.0.1:"));
    let (elsewhere, _) = ask(lab.address(), &last("/fault/connect-refused")).await;
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_lab_goes_on() {
    let lab = lab().await;
    for bad in
        ["\x16\x03\x01\0\x05hello", "GET\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        let (answer, ending) = ask(lab.address(), bad).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{bad:?}: {answer:?}");
        assert_eq!(ending, Ending::Fin);
    }
    let path = lab.socket().expect("a Unix socket");
    let mut stream = UnixStream::connect(&path).await.expect("connects");
    tell(&mut stream, &get("/ok"), "ok\n").await;
    let (address, port) = (lab.address(), lab.port("accept-silent").expect("a port"));
    lab.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(TcpStream::connect(port).await.is_err());
    assert!(!path.exists());
}
