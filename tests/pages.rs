//! Pages of the deployment's own, in place of ours.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::rig::h2client::{Http2, request};
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::{Process, Proxy};
use crate::rig::settings::Settings;
use crate::rig::until;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const SORRY: &str = "<body class=\"{party}\"><style>p { color: red }</style><h1>Sorry, {host}</h1>\
    <p title=\"{status} {reason}\">{says} {remedy}</p><small>{cause} {ref} {time}</small></body>";

/// A page in a file of its own.
fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the folder is ours");
    path
}

fn get(proxy: &Proxy, host: &str, accept: &str) -> Told {
    proxy.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n"))
}

/// `error_pages` of one page for these statuses, in the form of a section.
fn page(statuses: &str, file: &Path) -> String {
    format!("statuses: [ {statuses} ], file: \"{}\"", file.display())
}

#[test]
fn browsers_get_the_page_and_programs_what_they_always_get() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint])
        .once()
        .h2c()
        .listed("error_pages", &page("5xx", &file(&folder, "sorry.html", SORRY)))
        .start();
    let connection = Http2::connect(proxy.address());
    let by_http2 = proxy.exchange(|| {
        let request = request("GET", "/").header("accept", BROWSER).body(());
        connection.ask(request.expect("a good request"))
    });
    for told in [get(&proxy, "app.test", BROWSER), by_http2] {
        let body = told.answer().text();
        assert_eq!(
            told.answer().fields.text("content-type").as_deref(),
            Some("text/html; charset=utf-8")
        );
        assert!(
            body.starts_with("<body class=\"the origin\"><style>p { color: red }</style>"),
            "{body}"
        );
        for part in
            ["Sorry, app.test", "title=\"502 Bad Gateway\"", "connect_refused", told.text("id")]
        {
            assert!(body.contains(part), "{part} in {body}");
        }
        assert!(body.contains(&closed.endpoint), "{body}");
        assert_eq!(body.matches('{').count(), 1, "that of the style sheet: {body}");
    }
    for (accept, kind) in
        [("application/json", "application/json"), ("*/*", "text/plain; charset=utf-8")]
    {
        let told = get(&proxy, "app.test", accept);
        assert_eq!(told.answer().fields.text("content-type").as_deref(), Some(kind));
        assert!(!told.answer().text().contains("Sorry"));
    }
    // The rest is a page of ours.
    let told =
        proxy.send(format!("TRACE / HTTP/1.1\r\nHost: app.test\r\nAccept: {BROWSER}\r\n\r\n"));
    assert!(!told.answer().text().contains("Sorry"), "405 is no 5xx");
}

#[test]
fn a_page_is_for_its_host_and_what_never_reached_a_route_has_one_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = Refusing::new();
    let entry = |host: &str, name: &str, statuses: &str| {
        let file = file(&folder, name, &format!("{name} {{ref}} {{cause}}"));
        format!("host: \"{host}\", {}", page(statuses, &file))
    };
    let proxy = Settings::endpoints(&[&closed.endpoint])
        .once()
        .listed("error_pages", &entry("app.test", "one", "502"))
        .listed("error_pages", &entry("*.test", "wild", "4xx, 502"))
        .start();
    for (host, name) in
        [("app.test", "one"), ("App.Test:80", "one"), ("b.test", "wild"), ("other", "<!")]
    {
        let told = get(&proxy, host, BROWSER);
        assert!(told.answer().text().starts_with(name), "{host}: {}", told.answer().text());
    }
    // Refused before anybody looked for a route.
    let told =
        proxy.send(format!("GET /a b HTTP/1.1\r\nHost: b.test\r\nAccept: {BROWSER}\r\n\r\n"));
    assert_eq!(told.status(), 400);
}

#[test]
fn strangers_learn_no_names_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint])
        .once()
        .discreet()
        .listed("error_pages", &page("502", &file(&folder, "sorry.html", SORRY)))
        .start();
    let told = get(&proxy, "app.test", BROWSER);
    let body = told.answer().text();
    assert!(body.contains("Sorry, app.test") && body.contains("connect_refused"), "{body}");
    assert!(!body.contains(&closed.endpoint), "{body}");
}

#[test]
fn what_the_origin_says_itself_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = Origin::answering(
        "HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<p>me",
    );
    let proxy = Settings::to(&origin)
        .listed("error_pages", &page("5xx", &file(&folder, "sorry.html", SORRY)))
        .start();
    assert_eq!(get(&proxy, "app.test", BROWSER).answer().text(), "<p>me");
}

#[test]
fn a_page_without_cause_and_reference_is_given_them_and_check_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = Refusing::new();
    let bare = file(&folder, "bare.html", "<html><body>Sorry.</body></html>");
    let settings = Settings::endpoints(&[&closed.endpoint])
        .once()
        .with("reload", "watch: false")
        .listed("error_pages", &page("502", &bare));
    let yaml = folder.path().join("whodunit.yaml");
    std::fs::write(&yaml, settings.yaml(&folder.path().join("log"))).expect("the folder is ours");
    let check = || {
        let path = yaml.to_str().expect("the path is text");
        let mut process = Process::start(&["check", "--config", path]);
        (process.ended().code(), process.said_to_the_end())
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning") && said.contains("lacks `{cause}` and `{ref}`"), "{said}");
    let mut proxy = settings.clone().start();
    let told = get(&proxy, "app.test", BROWSER);
    let id = told.text("id").to_owned();
    let foot =
        format!("<html><body>Sorry.<p>Cause: connect_refused. Ref: {id}</p>\n</body></html>");
    assert_eq!(told.answer().text(), foot);
    // What is changed is read again with the configuration; what is gone changes nothing.
    std::fs::write(&bare, "changed {ref} {cause}").expect("the folder is ours");
    proxy.process().signal(Signal::HUP);
    until("the change", || {
        get(&proxy, "app.test", BROWSER).answer().text().starts_with("changed").then_some(())
    });
    std::fs::remove_file(&bare).expect("it is there");
    proxy.process().signal(Signal::HUP);
    until("the refusal", || proxy.said().contains("cannot be read").then_some(()));
    assert!(get(&proxy, "app.test", BROWSER).answer().text().starts_with("changed"));
    let (code, said) = check();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error_pages") && said.contains("whodunit.yaml:"), "{said}");
}

#[test]
fn what_is_no_page_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let big = file(&folder, "big.html", &"x".repeat((1 << 20) + 1));
    let odd = folder.path().join("odd.html");
    std::fs::write(&odd, b"\xff{ref}{cause}").expect("the folder is ours");
    let settings = Settings::endpoints(&["127.0.0.1:9"])
        .listed("error_pages", &page("502", &big))
        .listed("error_pages", &page("502", &odd));
    let yaml = folder.path().join("whodunit.yaml");
    std::fs::write(&yaml, settings.yaml(&folder.path().join("log"))).expect("the folder is ours");
    let path = yaml.to_str().expect("the path is text");
    let mut process = Process::start(&["check", "--json", "--config", path]);
    assert_eq!(process.ended().code(), Some(2));
    let said: serde_json::Value =
        serde_json::from_str(&process.said_to_the_end()).expect("one object");
    let problems = said["problems"].as_array().expect("a list");
    for (at, says) in [(0, "larger than 1 MiB"), (1, "not UTF-8")] {
        assert_eq!(problems[at]["setting"], format!("error_pages[{at}].file"), "{said:#}");
        assert!(problems[at]["message"].as_str().expect("text").contains(says), "{said:#}");
    }
}
