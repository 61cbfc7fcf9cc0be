//! The doors of a house: sockets of one's own, and listeners of Pingora's that speak TLS.

use std::sync::{Arc, Mutex};

use pingora::listeners::ListenerConfig;
use pingora::listeners::tls::TlsSettings;
use pingora::server::configuration::ServerConf;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use whodunit_filters::attribution::Record;
use whodunit_filters::attribution::ledger::Ledger;
use whodunit_pingora::{
    Attributed, Books, Certified, House, Listener, ServerTls, ServerTlsSettings, Settings, Sink,
    Terms,
};

use crate::hooked::Hooked;
use crate::rig;

/// What was recorded.
#[derive(Default)]
struct Kept(Mutex<Vec<Arc<Record>>>);

impl Sink for Kept {
    fn write(&self, record: &Arc<Record>) {
        self.0.lock().expect("no panic").push(record.clone());
    }
}

/// A service before an origin that nobody hears of, and what it records.
fn attributed(origin: std::net::SocketAddr) -> (Attributed<Hooked>, Arc<Kept>, Arc<Ledger>) {
    let (kept, ledger) = (Arc::new(Kept::default()), Arc::new(Ledger::default()));
    let books = Books::new(ledger.clone(), kept.clone());
    let settings = Settings::new("their-node");
    (Attributed::with_books(Hooked::new(origin, |_, _, _| {}), settings, books), kept, ledger)
}

fn identity() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(vec!["app.example".to_owned()]).expect("randomness")
}

async fn by_tls(
    address: std::net::SocketAddr,
    root: &CertificateDer<'static>,
    protocol: &[u8],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let socket = TcpStream::connect(address).await.expect("it listens");
    let name = "app.example".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS")
}

/// The status of a GET over HTTP/2.
async fn get(stream: TlsStream<TcpStream>) -> u16 {
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("a stream to spare");
    let request = http::Request::get("https://app.example/").body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    answer.await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn pingoras_listeners_hand_http2_to_the_ingress_as_well() {
    let (nowhere, _held) = rig::refusing();
    let (attributed, kept, _) = attributed(nowhere);
    let mut service =
        whodunit_pingora::service("theirs", &Arc::new(ServerConf::default()), attributed);
    let rcgen::CertifiedKey { cert, signing_key } = identity();
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, key) = (folder.path().join("own.crt"), folder.path().join("own.key"));
    std::fs::write(&chain, cert.pem()).expect("it is ours");
    std::fs::write(&key, signing_key.serialize_pem()).expect("it is ours");
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let mut tls = TlsSettings::intermediate(&text(&chain), &text(&key)).expect("they fit");
    tls.enable_h2();
    let (address, listener) = rig::port();
    service.add_listener(ListenerConfig::tcp(address.to_string()).tls(tls));
    let _stop = rig::serve(service, address, listener);
    assert_eq!(get(by_tls(address, cert.der(), b"h2").await).await, 502);
    let records = kept.0.lock().expect("no panic");
    // Only the ingress knows when a request began.
    assert!(records[0].times_ms.request.is_some(), "{:?}", records[0]);
    assert_eq!((records[0].protocol, records.len()), ("HTTP/2", 1));
}

#[tokio::test]
async fn a_house_serves_whatever_sockets_it_is_given() {
    let (nowhere, _held) = rig::refusing();
    let (attributed, kept, ledger) = attributed(nowhere);
    let house = House::new(&Arc::new(ServerConf::default()), attributed);
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    let rcgen::CertifiedKey { cert, signing_key } = identity();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).expect("a key");
    let certified = Certified::new(vec![cert.der().clone()], &key).expect("they fit");
    assert_eq!(certified.names(), ["app.example"]);
    let settings =
        ServerTlsSettings { certificates: vec![certified], ..ServerTlsSettings::default() };
    let tls = Some(ServerTls::new(&settings, None).expect("it can be used"));
    let listener = Arc::new(Listener::new("front", &Terms { tls, ..Terms::default() }));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn({
        let (house, listener) = (house.clone(), listener.clone());
        async move { house.serve(socket, listener, stopped).await }
    });
    assert_eq!(get(by_tls(address, cert.der(), b"h2").await).await, 502);
    assert_eq!(kept.0.lock().expect("no panic")[0].listener, "front");
    assert_eq!(ledger.requests("front", "").counted("5xx"), 1);
    // In plain text from now on, for connections that come now.
    listener.change(&Terms::default());
    assert_eq!(rig::exchange(address, PLAIN).await.status(), 502);
    stop.send(true).expect("it is served");
    serving.await.expect("no panic");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    while listener.open() > 0 {
        tokio::task::yield_now().await;
    }
}

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n";
