//! `edge.yaml`: what it says of clients, before origins of ours; and before nginx, asked by curl and
//! by h2load over TLS and HTTP/2.

use std::fmt::Write;
use std::sync::Arc;

use super::curl;
use super::local::{Local, Place, Stands};
use crate::everyday::apps;
use crate::rig::certificates::{Authority, Says};
use crate::rig::{skip, until};
use crate::strangers::nginx::Nginx;
use crate::strangers::server;

/// The listeners, as they stand in the file.
const PLAIN: usize = 0;
const SECURED: usize = 1;
/// Of a client that is not in a network of ours.
const ELSEWHERE: [&str; 2] = ["--header", "X-Forwarded-For: 198.51.100.7"];

/// The example, where curl is there to ask it.
fn edge(test: &str) -> Option<Local> {
    if let Err(why) = curl::installed() {
        skip(&format!("examples::edge::{test}"), &why);
        return None;
    }
    Some(Local::start("edge"))
}

/// The cause in the newest record.
fn cause(local: &Local, before: usize) -> String {
    let record = local.proxy.log.wait(before + 1).pop().expect("it was waited for");
    record["cause"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn clients_come_to_https_and_stay_there() {
    let Some(local) = edge("clients_come_to_https_and_stay_there") else { return };
    let sent = local.ask(PLAIN, "example.net/a?b=c", &[]);
    assert_eq!((sent.status, sent.field("location")), (308, Some("https://example.net/a?b=c")));
    let sent = local.ask(SECURED, "www.example.net/a?b=c", &[]);
    assert_eq!((sent.status, sent.field("location")), (308, Some("https://example.net/a?b=c")));
    for ask in ["example.net/", "example.net/shop/", "example.net/admin/"] {
        let told = local.ask(SECURED, ask, &[]);
        assert_eq!(told.field("strict-transport-security"), Some("max-age=31536000"), "{told:?}");
    }
}

#[test]
fn it_lets_in_whom_it_says() {
    let Some(local) = edge("it_lets_in_whom_it_says") else { return };
    let before = local.proxy.log.lines();
    let refused = local.ask(SECURED, "example.net/admin/users", &ELSEWHERE);
    assert_eq!((refused.status, cause(&local, before).as_str()), (403, "denied_by_policy"));
    assert_eq!(local.ask(SECURED, "example.net/admin/users", &[]).status, 200);
    let allowed = ["--header", "X-Forwarded-For: 203.0.113.9"];
    assert_eq!(local.ask(SECURED, "example.net/admin/users", &allowed).status, 200);

    let login = || local.ask(SECURED, "POST example.net/login", &ELSEWHERE);
    for _ in 0..10 {
        assert_eq!(login().status, 200);
    }
    let refused = until("a login too many", || Some(login()).filter(|told| told.status != 200));
    assert_eq!(refused.status, 429, "{refused:?}");
    until("its record", || {
        let records = local.proxy.log.records();
        records.iter().any(|record| record["cause"] == "rate_limited").then_some(())
    });
    assert_eq!(local.ask(SECURED, "POST example.net/login", &[]).status, 200, "for each client");
}

#[test]
fn its_switch_takes_a_part_out_of_service() {
    let Some(local) = edge("its_switch_takes_a_part_out_of_service") else { return };
    let ask = |more: &[&str]| local.ask(SECURED, "example.net/shop/", more);
    assert_eq!(ask(&ELSEWHERE).status, 200);
    let off = local.text.replace("maintenance: { on: false", "maintenance: { on: true");
    assert_ne!(off, local.text);
    let log = local.proxy.log.path().display().to_string();
    local.proxy.rewrite_as(&off.replace(crate::rig::settings::LOG, &log));
    let told =
        until("the switch to be seen", || Some(ask(&ELSEWHERE)).filter(|told| told.status != 200));
    assert_eq!((told.status, told.field("retry-after")), (503, Some("600")), "{told:?}");
    assert_eq!(ask(&[]).status, 200, "those of the house are served");
    assert_eq!(local.ask(SECURED, "example.net/", &ELSEWHERE).status, 200);
}

/// nginx at one of the edge's endpoints: it says of which upstream it is, at length, and over TLS what
/// it was asked for.
fn nginx(place: &Place<'_>) -> Result<Stands, String> {
    let long = "the same again ".repeat(200);
    let mut rules = format!(
        "location = /healthz {{ return 204; }} \
         location / {{ default_type text/plain; return 200 \"{} $request_uri {long}\"; }} ",
        place.upstream
    );
    let Some(name) = place.settings["tls"]["sni"].as_str() else {
        let nginx = Nginx::with(&rules)?;
        return Ok((nginx.endpoint.clone(), Box::new(nginx)));
    };
    let identity = place.authority.signs(&Says::names(&[name]));
    let (port, address) = server::port();
    let (cert, key) = (identity.file(), identity.key_file());
    write!(
        rules,
        "listen {address} ssl; ssl_certificate {}; ssl_certificate_key {};",
        cert.display(),
        key.display()
    )
    .expect("a string takes it");
    let nginx = Nginx::with(&rules)?;
    Ok((address.to_string(), Box::new((nginx, identity, port))))
}

#[test]
fn nginx_behind_it_is_asked_by_curl_and_by_h2load() {
    let test = "examples::edge::nginx_behind_it_is_asked_by_curl_and_by_h2load";
    let authority = Arc::new(Authority::new("root"));
    let started = curl::installed().and_then(|()| Local::before("edge", authority, nginx));
    let mut local = match started {
        Ok(local) => local,
        Err(why) => return skip(test, &why),
    };
    for (protocol, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let told = local.ask(SECURED, "example.net/a", &[protocol]);
        assert_eq!((told.status, told.version.as_str()), (200, version), "{told:?}");
        assert!(told.body.starts_with("web /a the same again"), "{told:?}");
        assert_eq!(told.field("server"), None, "{told:?}");
        let told = local.ask(SECURED, "app.example.org/v1/b?c", &[protocol]);
        assert!(told.body.starts_with("api /b?c the same again"), "{told:?}");
        let gzip = [protocol, "--compressed", "--header", "Accept-Encoding: gzip"];
        let told = local.ask(SECURED, "example.net/a", &gzip);
        assert_eq!(told.field("content-encoding"), Some("gzip"), "{told:?}");
        assert!(told.body.starts_with("web /a the same again"), "{told:?}");
    }
    many(&local, test);

    local.endpoints.clear();
    let before = local.proxy.log.lines();
    let told = local.ask(SECURED, "example.net/a", &["--header", "Accept: text/html"]);
    let cause = cause(&local, before);
    // By the next check of its own it knows that nobody is there.
    let known = [(502, "connect_refused"), (503, "no_healthy_upstream")];
    assert!(known.contains(&(told.status, &cause)), "{cause}: {told:?}");
    assert!(told.body.starts_with(&format!("<p>We are sorry: {cause}, ")), "{told:?}");
}

/// 2000 requests on four connections over TLS, 25 at a time on each.
fn many(local: &Local, test: &str) {
    let mut h2load = std::process::Command::new("h2load");
    h2load.args(["-n", "2000", "-c", "4", "-m", "25", "--connect-to"]);
    h2load.arg(local.proxy.addresses[SECURED].to_string()).arg("https://example.net/many");
    let told = match apps::run(&mut h2load) {
        Ok(told) => told.said,
        Err(why) => return skip(test, &why),
    };
    let all = "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout";
    assert!(told.contains(all), "{told}");
    assert!(told.contains("Application protocol: h2"), "{told}");
    // The record of a request before may have come late.
    let theirs = || {
        let records = local.proxy.log.records();
        records.into_iter().filter(|record| record["path"] == "/many").collect::<Vec<_>>()
    };
    let records =
        until("all of them to be recorded", || Some(theirs()).filter(|r| r.len() == 2000));
    assert!(records.iter().all(|record| record["protocol"] == "HTTP/2"));
}
