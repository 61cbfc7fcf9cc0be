//! Whom an upstream's settings trust, and what they refuse to start with.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{app, asked, serving, trusting};
use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::dns::{Answer, Dns};
use crate::rig::origin::Origin;
use crate::rig::proxy::Process;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;
use crate::rig::until;

#[test]
fn an_address_of_version_six_is_good_for_a_certificate_that_names_it() {
    let root = Authority::new("root");
    for (name, status, cause) in [
        ("::1", 200, ""),
        ("::2", 502, "tls_certificate_wrong_name"),
        ("127.0.0.1", 502, "tls_certificate_wrong_name"),
    ] {
        let tls = Tls::new(root.signs(&Says::names(&[name])));
        let origin = Origin::tls_at("[::1]:0".parse().expect("an address"), &tls, super::serve);
        let told = trusting(&origin, &root, "").once().start().get("/");
        assert_eq!((told.status(), told.text("cause")), (status, cause), "{:#}", told.record);
        assert_eq!(tls.handshakes()[0].name, None, "an address is no name (RFC 6066 section 3)");
    }
}

#[test]
fn a_name_is_asked_for_as_the_endpoint_has_it() {
    let root = Authority::new("root");
    for (written, status) in [("api.test", 200), ("api.test.", 200), ("other.test", 502)] {
        let tls = Tls::new(root.signs(&Says::names(&["api.test"])));
        let origin = serving(&tls);
        let port = origin.endpoint.rsplit_once(':').expect("a port").1;
        let dns = Dns::new();
        let here = Answer::Addresses(vec![[127, 0, 0, 1].into()], 300);
        dns.set("api.test", here.clone());
        dns.set("other.test", here);
        let told = Settings::endpoints(&[&format!("{written}:{port}")])
            .once()
            .having(&format!("tls: {{ ca: \"{}\" }}", root.file().display()))
            .with("resolver", &format!("servers: [ \"{}\" ], timeout: 2s", dns.address))
            .start()
            .get("/");
        assert_eq!(told.status(), status, "{written}: {:#}", told.record);
        let asked = tls.handshakes()[0].name.clone();
        assert_eq!(asked.as_deref(), Some(written.trim_end_matches('.')));
        if status == 502 {
            assert_eq!(told.text("cause"), "tls_certificate_wrong_name");
            assert_eq!(told.text("evidence.sni"), "other.test");
        }
    }
}

#[test]
fn an_authority_that_takes_the_place_of_another_one_is_trusted_without_being_told_to() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let tls = Tls::new(after.signs(&Says::names(&["127.0.0.1"])));
    let origin = serving(&tls);
    let proxy = trusting(&origin, &before, "").once().start();
    assert_eq!(proxy.get("/").text("cause"), "tls_certificate_untrusted");
    std::fs::copy(after.file(), before.file()).expect("the file is ours");
    until("the other authority to be trusted", || (proxy.get("/").status() == 200).then_some(()));
    assert!(proxy.said().contains("have changed: taken up"), "{}", proxy.said());
}

#[test]
fn the_systems_authorities_are_trusted_where_none_is_named() {
    let (root, another) = (Authority::new("root"), Authority::new("another"));
    let tls = Tls::new(root.signs(&app()));
    for (system, status, cause) in [(&root, 200, ""), (&another, 502, "tls_certificate_untrusted")]
    {
        let origin = serving(&tls);
        let settings = Settings::to(&origin).once().having("tls: { sni: app.test }");
        let told = settings.amid("SSL_CERT_FILE", &system.file()).start().get("/");
        assert_eq!((told.status(), told.text("cause")), (status, cause), "{:#}", told.record);
    }
}

/// What a proxy says that trusts this certificate alone, of an origin that shows it.
fn named(own: Identity) -> (u16, String) {
    let file = own.file();
    let origin = serving(&Tls::new(own));
    let key = format!("tls: {{ sni: app.test, ca: \"{}\" }}", file.display());
    let told = Settings::to(&origin).once().having(&key).start().get("/");
    (told.status(), told.text("cause").to_owned())
}

#[test]
fn a_certificate_that_vouches_for_itself_is_good_where_it_is_named() {
    for says in [app(), app().of_an_authority()] {
        assert_eq!(named(Identity::of_its_own(&says)), (200, String::new()));
        let (status, cause) = named(Identity::of_its_own(&says.clone().expired()));
        assert_eq!((status, cause.as_str()), (502, "tls_certificate_expired"));
        let root = Authority::new("root");
        let unnamed = asked(&Tls::new(Identity::of_its_own(&says)), &root, ", sni: app.test");
        assert_eq!(unnamed.text("cause"), "tls_certificate_self_signed", "{:#}", unnamed.record);
    }
    let (status, cause) = named(Identity::of_its_own(&Says::names(&["other.test"])));
    assert_eq!((status, cause.as_str()), (502, "tls_certificate_wrong_name"));
}

const CLOSING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// An origin whose connections carry one request each.
fn hasty(tls: &Tls) -> Origin {
    Origin::tls(tls, |mut connection| {
        if connection.request().is_some() {
            connection.send(CLOSING);
            connection.close();
        }
    })
}

#[test]
fn a_session_is_resumed_but_not_by_who_trusts_others() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (root, another) = (Authority::new("root"), Authority::new("another"));
        let tls = Tls::new(root.signs(&app())).only(version);
        let origin = hasty(&tls);
        let ca = |authority: &Authority| authority.file().display().to_string();
        let to = |name: &str, keys: &str, settings: Settings| {
            let route = format!("match: {{ path: /{name} }}, upstream: {name}");
            let key = format!("tls: {{ sni: app.test{keys} }}");
            settings.upstream(name, &[&origin.endpoint]).once().having(&key).route(&route)
        };
        let settings = to("lax", ", verify: false", Settings::bare());
        let settings = to("good", &format!(", ca: \"{}\"", ca(&root)), settings);
        let settings = to("bad", &format!(", ca: \"{}\"", ca(&another)), settings);
        let proxy = settings.start();
        for path in ["/lax", "/lax", "/good", "/good"] {
            assert_eq!(proxy.get(path).status(), 200, "{path}");
        }
        let resumed: Vec<bool> = tls.handshakes().iter().map(|seen| seen.resumed).collect();
        assert_eq!(resumed, [false, true, false, true], "each upstream has sessions of its own");
        for _ in 0..2 {
            let told = proxy.get("/bad");
            assert_eq!(told.text("cause"), "tls_certificate_untrusted", "{:#}", told.record);
        }
    }
}

#[test]
fn trust_that_is_taken_back_ends_sessions_and_connections() {
    for kept in [false, true] {
        let (root, another) = (Authority::new("root"), Authority::new("another"));
        let tls = Tls::new(root.signs(&app()));
        let origin = if kept { serving(&tls) } else { hasty(&tls) };
        let trusted = |authority| trusting(&origin, authority, ", sni: app.test").once();
        let proxy = trusted(&root).start();
        for _ in 0..2 {
            assert_eq!(proxy.get("/").status(), 200);
        }
        proxy.rewrite(&trusted(&another));
        until("the new configuration to be in force", || {
            let metrics = proxy.metrics();
            let reloads = metrics.sum("whodunit_config_reloads_total", &[("result", "success")]);
            (reloads > 0.5).then_some(())
        });
        let told = proxy.get("/");
        assert_eq!(told.text("cause"), "tls_certificate_untrusted", "{:#}", told.record);
    }
}

/// How the process ends with these keys under `tls`, and what it says.
fn refused(keys: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("whodunit.yaml");
    let settings = Settings::endpoints(&["127.0.0.1:9"]).having(&format!("tls: {{ {keys} }}"));
    std::fs::write(&config, settings.yaml(&folder.path().join("log"))).expect("ours");
    let mut process = Process::start(&["run", "--config", config.to_str().expect("text")]);
    let code = process.ended().code();
    (code, process.said_to_the_end())
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("ours");
        path
    };
    let root = Authority::new("root");
    let (own, other) = (root.signs(&app()), root.signs(&app()));
    let empty = file("empty.pem", "");
    let garbage =
        file("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let broken = file("broken.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    let cut = std::fs::read_to_string(own.key_file()).expect("it is there");
    let cut = file("cut.key", &cut[..60]);
    let missing = folder.path().join("missing.pem");
    let open = file("open.key", &std::fs::read_to_string(own.key_file()).expect("it is there"));
    std::fs::set_permissions(&open, Permissions::from_mode(0o644)).expect("the folder is ours");
    let (cert, key) = (own.file(), own.key_file());
    let pair = |cert: &Path, key: &Path| {
        format!("client_cert: \"{}\", client_key: \"{}\"", cert.display(), key.display())
    };
    let one = |name: &str, path: &Path| format!("{name}: \"{}\"", path.display());
    for (keys, setting, file) in [
        (one("ca", &missing), "ca", &missing),
        (one("ca", &empty), "ca", &empty),
        (one("ca", &garbage), "ca", &garbage),
        (one("ca", &key), "ca", &key),
        (one("crl", &missing), "crl", &missing),
        (one("crl", &empty), "crl", &empty),
        (one("crl", &broken), "crl", &broken),
        (one("crl", &cert), "crl", &cert),
        (pair(&missing, &key), "client_cert", &missing),
        (pair(&garbage, &key), "client_cert", &garbage),
        (pair(&cert, &missing), "client_key", &missing),
        (pair(&cert, &cut), "client_key", &cut),
        (pair(&cert, &cert), "client_key", &cert),
        (pair(&cert, &open), "client_key", &open),
        (pair(&cert, &other.key_file()), "client_key", &other.key_file()),
    ] {
        let (code, said) = refused(&keys);
        assert_eq!(code, Some(2), "{keys}: {said}");
        let file = file.display().to_string();
        let reason = said.lines().next().unwrap_or_default();
        assert!(reason.starts_with("error: ") && reason.contains(&file), "{keys}: {said}");
        // Of a long line only a part is shown; the marks stand below it.
        let lines: Vec<&str> = said.lines().collect();
        let marks = lines.iter().position(|line| line.trim_end().ends_with("^^^"));
        let marks = marks.unwrap_or_else(|| panic!("{keys}: it points nowhere: {said}"));
        let column = lines[marks].chars().take_while(|c| *c != '^').count();
        let before: String = lines[marks - 1].chars().take(column).collect();
        assert!(before.ends_with(&format!("{setting}: ")), "{keys}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
