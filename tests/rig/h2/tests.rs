//! The HTTP/2 origin of the rig, met by a client that is a library.

use std::time::Duration;

use super::*;
use crate::rig::certificates::{Authority, Says};
use crate::rig::client::wait_for;
use crate::rig::frames::{Frame, Framed};
use crate::rig::origin;

/// What a client gets: the status and the body, or the code that the stream ended with.
type Got = Result<(u16, Vec<u8>), (Option<u16>, Option<Reason>)>;

async fn ask(
    io: impl AsyncRead + AsyncWrite + Unpin + 'static,
    upload: usize,
) -> Result<Got, h2::Error> {
    let (mut sender, connection) = h2::client::handshake(io).await?;
    let exchange = async {
        let request = http::Request::post("https://app.test/a?b").body(()).expect("good");
        let (answer, mut body) = sender.send_request(request, upload == 0)?;
        if upload > 0 {
            body.send_data(vec![b'u'; upload].into(), true)?;
        }
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err((None, error.reason()))),
        };
        let status = answer.status().as_u16();
        let (mut stream, mut whole) = (answer.into_body(), Vec::new());
        while let Some(piece) = stream.data().await {
            match piece {
                Ok(piece) => whole.extend_from_slice(&piece),
                Err(error) => return Ok(Err((Some(status), error.reason()))),
            }
        }
        Ok(Ok((status, whole)))
    };
    // Its end is seen by the exchange.
    tokio::select! {
        biased;
        got = exchange => got,
        Err(error) = connection => Ok(Err((None, error.reason()))),
    }
}

fn got(endpoint: &str, upload: usize) -> Got {
    let socket = std::net::TcpStream::connect(endpoint).expect("it listens");
    socket.set_nonblocking(true).expect("a socket can be told so");
    wait_for(async {
        let socket = tokio::net::TcpStream::from_std(socket).expect("a runtime is here");
        ask(socket, upload).await.expect("HTTP/2 is spoken")
    })
}

#[test]
fn an_origin_of_http2_does_as_it_is_told() {
    let long = |_: &Request, _| Act::BreakOff(Answer::part(200, "half", 8), Reason::CANCEL);
    for (act, got_it) in [
        (Act::Answer(Answer::new(200, "ok")), Ok((200, b"ok".to_vec()))),
        (Act::Reset(Reason::REFUSED_STREAM), Err((None, Some(Reason::REFUSED_STREAM)))),
        (Act::Goaway(Reason::ENHANCE_YOUR_CALM), Err((None, Some(Reason::ENHANCE_YOUR_CALM)))),
        (Act::Early(Answer::new(413, "no")), Ok((413, b"no".to_vec()))),
        (Act::Leave, Err((None, None))),
    ] {
        let origin = Origin::plain(move |_, _| act.clone());
        assert_eq!(got(&origin.endpoint, 0), got_it);
        assert_eq!((origin.requests()[0].target.as_str(), origin.connections()), ("/a?b", 1));
        assert_eq!(origin.requests()[0].fields.text("host").as_deref(), Some("app.test"));
    }
    assert_eq!(got(&Origin::plain(long).endpoint, 0), Err((Some(200), Some(Reason::CANCEL))));
    let cut = |_: &Request, _| Act::Cut(Answer::part(200, "half", 8));
    assert_eq!(got(&Origin::plain(cut).endpoint, 0), Err((Some(200), None)));
}

#[test]
fn an_early_answer_leaves_the_rest_of_an_upload() {
    let origin = Origin::plain(|_, nth| match nth {
        0 => Act::Early(Answer::new(413, "too much")),
        _ => Act::Answer(Answer::new(200, "ok")),
    });
    let megabyte = 1 << 20;
    assert_eq!(got(&origin.endpoint, megabyte), Ok((413, b"too much".to_vec())));
    assert_eq!(got(&origin.endpoint, megabyte), Ok((200, b"ok".to_vec())));
    assert_eq!(origin.requests()[1].body.len(), megabyte);
}

#[test]
fn silence_lasts() {
    for act in [Act::Silence, Act::Stall, Act::Pause(Answer::part(200, "half", 8))] {
        let origin = Origin::plain(move |_, _| act.clone());
        let address: SocketAddr = origin.endpoint.parse().expect("an address");
        let socket = std::net::TcpStream::connect(address).expect("it listens");
        socket.set_nonblocking(true).expect("a socket can be told so");
        wait_for(async {
            let socket = tokio::net::TcpStream::from_std(socket).expect("a runtime is here");
            let waited = tokio::time::timeout(Duration::from_millis(100), ask(socket, 1 << 20));
            assert!(waited.await.is_err(), "it came to an end");
        });
        assert_eq!(origin.requests().len(), 1);
    }
}

#[test]
fn http2_goes_over_tls() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&Says::names(&["app.test"])));
    let tls = tls.speaking(&["h2"]);
    let origin = Origin::tls(&tls, |_, _| Act::Answer(Answer::new(200, "ok")));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.certificate()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("its own ciphers go with its own versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let got = wait_for(async {
        let socket = tokio::net::TcpStream::connect(&origin.endpoint).await.expect("it listens");
        let name = "app.test".try_into().expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        ask(connector.connect(name, socket).await.expect("TLS"), 0).await.expect("HTTP/2")
    });
    assert_eq!(got, Ok((200, b"ok".to_vec())));
    assert_eq!(tls.handshakes()[0].protocol.as_deref(), Some(&b"h2"[..]));
}

#[test]
fn a_goodbye_may_come_before_the_request_is_looked_at() {
    let origin = origin::Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        framed.request();
        framed.send(&Frame::goaway(0, u32::from(Reason::NO_ERROR)));
        framed.connection().hold();
    });
    assert_eq!(got(&origin.endpoint, 0), Err((None, Some(Reason::NO_ERROR))));
}

#[test]
fn an_answer_can_be_made_of_frames() {
    let origin = origin::Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        let Some(stream) = framed.request() else { return };
        framed.send(&Frame::status(stream, 200, false));
        framed.send(&Frame::data(stream, b"half", false));
        framed.send(&Frame::reset(stream, u32::from(Reason::INTERNAL_ERROR)));
        framed.connection().hold();
    });
    assert_eq!(got(&origin.endpoint, 0), Err((Some(200), Some(Reason::INTERNAL_ERROR))));
}
