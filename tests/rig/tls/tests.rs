//! The TLS origin of the rig, met by a client that is a library.

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection};

use super::*;
use crate::rig::certificates::Says;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A client that believes in this authority and asks for `app.test`.
fn client(root: &Authority, own: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.certificate()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("its own ciphers go with its own versions")
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(own.chain(), own.key()).expect("a pair"),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// What a GET brings.
fn get(origin: &Origin, config: ClientConfig) -> Result<String> {
    let name = "app.test".try_into().expect("a name");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("a good configuration");
    let mut socket = TcpStream::connect(&origin.endpoint).expect("it listens");
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")?;
    let mut text = [0; OK.len()];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn serving(tls: &Tls) -> Origin {
    Origin::tls(tls, |mut connection| {
        while connection.request().is_some() {
            connection.send(OK);
        }
    })
}

/// Why a GET by this client fails.
fn failed(tls: &Tls, config: ClientConfig) -> rustls::Error {
    let error = get(&serving(tls), config).expect_err("it fails");
    failure(&error).unwrap_or_else(|| panic!("no failure of TLS: {error}"))
}

#[test]
fn a_good_origin_answers_in_each_version() {
    let root = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        let own = root.beneath("between").signs(&Says::names(&["app.test", "127.0.0.1"]));
        let tls = Tls::new(own).only(version).speaking(&["http/1.1"]);
        let origin = serving(&tls);
        assert_eq!(get(&origin, client(&root, None)).expect("an answer"), OK);
        let seen = tls.handshakes().pop().expect("one");
        assert!(seen.whole, "{seen:?}");
        assert_eq!(seen.version, Some(version.version));
        assert_eq!(seen.name.as_deref(), Some("app.test"));
        assert_eq!(seen.protocol.as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(origin.requests().len(), 1);
    }
}

#[test]
fn each_bad_certificate_is_as_bad_as_it_says() {
    let root = Authority::new("root");
    let says = || Says::names(&["app.test"]);
    let certificate = |identity| match failed(&Tls::new(identity), client(&root, None)) {
        rustls::Error::InvalidCertificate(error) => error,
        other => panic!("{other}"),
    };
    let expired = certificate(root.signs(&says().expired()));
    assert!(matches!(expired, CertificateError::ExpiredContext { .. }), "{expired:?}");
    let early = certificate(root.signs(&says().not_yet_valid()));
    assert!(matches!(early, CertificateError::NotValidYetContext { .. }), "{early:?}");
    let other = certificate(root.signs(&Says::names(&["other.test"])));
    assert!(matches!(other, CertificateError::NotValidForNameContext { .. }), "{other:?}");
    let purpose = certificate(root.signs(&says().of_a_client()));
    assert!(matches!(purpose, CertificateError::InvalidPurposeContext { .. }), "{purpose:?}");
    for unknown in [
        Authority::new("another").signs(&says()),
        root.beneath("between").signs(&says()).alone(),
        Identity::of_its_own(&says()),
    ] {
        assert_eq!(certificate(unknown), CertificateError::UnknownIssuer);
    }
}

#[test]
fn a_revoked_certificate_stands_on_the_list() {
    let root = Authority::new(&format!("root of {}", std::process::id()));
    let (revoked, good) = (Says::names(&["app.test"]), Says::names(&["app.test"]));
    let (revoked, good) = (root.signs(&revoked), root.signs(&good));
    let list = std::fs::read(root.revokes(&[&revoked])).expect("it was written");
    let mut roots = RootCertStore::empty();
    roots.add(root.certificate()).expect("a certificate");
    let (_, list) = x509_parser::pem::parse_x509_pem(&list).expect("PEM");
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::new(default_provider()),
    )
    .with_crls([list.contents.into()])
    .build()
    .expect("there is a root");
    let config = || {
        let mut config = client(&root, None);
        config.dangerous().set_certificate_verifier(Arc::clone(&verifier) as _);
        config
    };
    let error = failed(&Tls::new(revoked), config());
    let wanted = rustls::Error::InvalidCertificate(CertificateError::Revoked);
    assert_eq!(error, wanted);
    assert_eq!(get(&serving(&Tls::new(good)), config()).expect("an answer"), OK);
}

#[test]
fn a_client_without_a_certificate_is_sent_alert_116() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    for version in [&TLS12, &TLS13] {
        let own = root.signs(&Says::names(&["app.test"]));
        let tls = Tls::new(own).only(version).knowing(&clients);
        let wanted = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(failed(&tls, client(&root, None)), wanted);
        until("the handshake to fail", || tls.handshakes().pop()?.failure);
        let known = clients.signs(&Says::names(&["client.test"]).of_a_client());
        let origin = serving(&tls);
        assert_eq!(get(&origin, client(&root, Some(&known))).expect("an answer"), OK);
        let seen = tls.handshakes().pop().expect("one");
        assert_eq!(seen.client, known.chain().first().cloned());
    }
}

#[test]
fn an_alert_refuses_a_name() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&Says::names(&["app.test"]))).refusing(112);
    let wanted = rustls::Error::AlertReceived(AlertDescription::UnrecognisedName);
    assert_eq!(failed(&tls, client(&root, None)), wanted);
    assert_eq!(tls.handshakes()[0].name.as_deref(), Some("app.test"));
}

#[test]
fn a_goodbye_and_a_cut_are_told_apart() {
    let root = Authority::new("root");
    for (act, read_is) in [
        (Conversation::close as fn(Conversation), Ok(0)),
        (Conversation::cut, Err(ErrorKind::UnexpectedEof)),
    ] {
        let tls = Tls::new(root.signs(&Says::names(&["app.test"])));
        let origin = Origin::tls(&tls, move |mut connection| {
            connection.request();
            act(connection);
        });
        let name = "app.test".try_into().expect("a name");
        let config = Arc::new(client(&root, None));
        let mut tls = ClientConnection::new(config, name).expect("a good configuration");
        let mut socket = TcpStream::connect(&origin.endpoint).expect("it listens");
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").expect("taken");
        let read = stream.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, read_is);
    }
}
