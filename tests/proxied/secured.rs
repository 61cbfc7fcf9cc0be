//! What the proxies in front tell of connections that are to be secured.

use std::process::Command;

use super::inward::{LINE, OK, before, block};
use super::porch::Front;
use crate::rig::certificates::{Authority, Says};
use crate::rig::message::whole_response;
use crate::rig::origin::Origin;
use crate::rig::secured::Wants;

/// Before TLS, and for HTTP/1.1 and HTTP/2 behind it.
#[test]
fn a_secured_connection_is_introduced_before_it_is_secured() {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let proxy = before(&origin).secured(&[&own], "").start();
    for http2 in [false, true] {
        let told = proxy.exchange(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--include", "--noproxy", "*", "--haproxy-protocol"]);
            curl.args(["--max-time", "20", if http2 { "--http2" } else { "--http1.1" }]);
            curl.arg("--cacert").arg(root.file());
            let port = proxy.address().port();
            curl.args(["--resolve", &format!("app.test:{port}:127.0.0.1")]);
            let asked = curl.arg(format!("https://app.test:{port}/x")).output();
            let mut said = asked.expect("curl is there").stdout;
            if let Some(rest) = said.strip_prefix(b"HTTP/2 ") {
                said = [b"HTTP/1.1 ", rest].concat();
            }
            let mut response = whole_response(&said, "GET").expect("an answer");
            response.http2 = http2;
            Some(response)
        });
        assert_eq!(told.status(), 200);
        assert_eq!(told.text("protocol"), if http2 { "HTTP/2" } else { "HTTP/1.1" });
        assert_eq!(told.text("client"), told.text("told_by"), "curl tells of itself");
        let seen = origin.requests().pop().expect("it arrived");
        assert_eq!(seen.fields.text("x-forwarded-proto").as_deref(), Some("https"));
    }
    // A handshake without a header, and one whose header is nonsense: nobody could read an answer.
    for bytes in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), block(0x2F, 0x11, &[])]
    {
        let told = proxy.tell(|client| {
            client.send(&bytes);
            client.receive("GET")
        });
        assert!(told.response.is_none());
        assert_eq!(told.text("cause"), "client_proxy_protocol_invalid", "{:#}", told.record);
    }
}

/// The header and what follows come in one piece, of which TLS reads only a part at a time.
#[test]
fn what_comes_with_the_header_is_not_lost() {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let proxy = before(&origin).secured(&[&own], "").start();
    let front = Front::of(proxy.address(), LINE.as_bytes());
    let told = proxy.exchange(|| {
        let wants = Wants::anything().trusting(&root);
        let mut client = wants.connect(front.address, "app.test").expect("TLS");
        client.get("").ok()
    });
    assert_eq!((told.status(), told.text("client")), (200, "203.0.113.9:5000"));
}
