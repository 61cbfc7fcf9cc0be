//! Floods over TLS, as browsers' ports see them: the connection ends, and nobody else suffers.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use h2::Reason;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::OK;
use super::connections::farewells;
use crate::rig::PATIENCE;
use crate::rig::certificates::{Authority, Says};
use crate::rig::h2client::{Http2, fields, frame, hello};
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::Wants;
use crate::rig::settings::Settings;
use crate::rig::until;

/// Sends these frames over TLS, as far as they are taken, and waits for the end: what came.
fn to_the_end(proxy: &Proxy, frames: &[u8]) -> Vec<u8> {
    let config = Wants::anything().speaking(&["h2"]).config();
    let name = ServerName::try_from("app.test").expect("a name");
    let tls = ClientConnection::new(config, name).expect("a client");
    let socket = TcpStream::connect(proxy.address()).expect("the proxy listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut stream = StreamOwned::new(tls, socket);
    // An end that has left says why in what lies in the buffer.
    let _ = stream.write_all(&[&hello(), frames].concat());
    let StreamOwned { conn, sock, .. } = &mut stream;
    let mut came = Vec::new();
    loop {
        // What could not be written is not tried again, which would fail before anything is read.
        match conn.read_tls(sock) {
            Ok(1..) => {}
            Ok(0) => return came,
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "it does not end");
                return came;
            }
        }
        conn.process_new_packets().expect("it is TLS");
        // It fails where there is no more for now.
        let _ = conn.reader().read_to_end(&mut came);
    }
}

/// Streams that are taken back as soon as they are asked for (CVE-2023-44487).
fn taken_back() -> Vec<u8> {
    let one = |nth: u32| {
        let stream = 2 * nth + 1;
        [frame(1, 5, stream, &fields()), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    (0..200).flat_map(one).collect()
}

/// A header section that never comes to its end (CVE-2024-27316).
fn continued() -> Vec<u8> {
    let more = frame(9, 0, 1, &[0x40, 1, b'x', 1, b'y']);
    [frame(1, 1, 1, &fields()), more.repeat(20_000)].concat()
}

/// What asks for an answer of the connection's own (CVE-2019-9512, CVE-2019-9515), or for nothing.
fn for_nothing() -> impl Iterator<Item = Vec<u8>> {
    let window = 1_u32.to_be_bytes();
    let upload = frame(1, 4, 1, &fields());
    let one = [
        (vec![], frame(6, 0, 0, b"whodunit")),
        (vec![], frame(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])),
        (vec![], frame(8, 0, 0, &window)),
        (vec![], frame(2, 0, 3, &[0, 0, 0, 0, 9])),
        (vec![], frame(0xee, 0, 0, b"")),
        (upload.clone(), frame(0, 0, 1, b"")),
        (upload, frame(0, 8, 1, &[0])),
    ];
    one.into_iter().map(|(before, one)| [before, one.repeat(40_000)].concat())
}

#[test]
fn a_flood_ends_its_connection_and_hurts_nobody_else() {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).secured(&[&own], "").start();
    for flood in [taken_back(), continued()].into_iter().chain(for_nothing()) {
        let told =
            || proxy.log.records().iter().filter(|record| record["party"] == "client").count();
        let before = told();
        let codes = farewells(&to_the_end(&proxy, &flood));
        // The reset that follows, since not all of it was read, may overtake the good-bye.
        let calm = u32::from(Reason::ENHANCE_YOUR_CALM);
        assert!(codes.iter().all(|code| *code == calm), "{codes:?}");
        until("the flood to be recorded", || (told() > before).then_some(()));
        let config = Wants::anything().speaking(&["h2"]).config();
        let client = Http2::secured(proxy.address(), config, "app.test");
        assert_eq!(client.get("/").expect("an answer").status, 200);
        client.leave();
    }
    until("every one of them to be recorded", || {
        let metrics = proxy.metrics();
        let errors: u64 = metrics.causes().values().sum();
        let failed = proxy.log.records().iter().filter(|record| !record["cause"].is_null()).count();
        let open = metrics.sum("whodunit_connections", &[("side", "client")]);
        (errors == failed as u64 && open < 0.5).then_some(())
    });
}
