//! The examples do what they say: each is loaded and run, with addresses and certificates of a
//! test's own in the place of its own, and what is asked for arrives where the file says.

mod local;
mod origins;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use whodunit_conf::Checked;

use crate::rig::log::Log;
use crate::rig::proxy::Process;
use crate::rig::skip;
use local::Local;

/// What to ask of each example, at each of its listeners, and the route that takes it. Every route
/// is to be taken once.
const ASKS: &[(&str, &[(&str, &str)])] = &[
    ("chain", &[("app.test/legacy/a", "legacy"), ("app.test/", "next")]),
    (
        "edge",
        &[
            ("app.example.net/api/users?x=1", "api"),
            ("app.example.net/api/uploads/1", "uploads"),
            ("one.example.net/", "tenants"),
            ("app.example.net/", "tenants"),
            ("other.test/", "rest"),
        ],
    ),
    ("full", &[("app.test/", "web"), ("app.test/old", "redirect"), ("app.test/ping", "respond")]),
    ("minimal", &[("app.test/a?b", "web")]),
    ("sidecar", &[("localhost/", "app")]),
];

#[test]
fn every_example_runs_and_sends_requests_where_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip(
            "examples::every_example_runs_and_sends_requests_where_it_says",
            "curl is not installed; `.ci/setup test` installs it",
        );
    }
    for (name, asks) in ASKS {
        let file = folder().join(format!("{name}.yaml"));
        let (checked, text) = whodunit_conf::load(&file)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        runs(name, &checked, &text, asks);
    }
}

#[test]
fn every_example_is_asked_for_something() {
    let files = std::fs::read_dir(folder()).expect("the examples are there");
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let there: BTreeSet<String> = files.flatten().filter_map(|file| stem(&file.path())).collect();
    let asked: BTreeSet<String> = ASKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(asked, there, "each example has its line in ASKS");
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples")
}

fn runs(name: &str, checked: &Checked, text: &str, asks: &[(&str, &str)]) {
    let hosts: Vec<&str> = asks.iter().filter_map(|(ask, _)| ask.split('/').next()).collect();
    let local = Local::of(checked, text, &hosts);
    let path = local.config.to_str().expect("the path is text");
    let mut process = Process::start_in(&["run", "--config", path], &local.environment());
    let listeners: Vec<String> = (0..checked.config.listeners.len())
        .map(|nth| process.says("listening on ", nth))
        .map(|said| said.split(" (").next().unwrap_or_default().to_owned())
        .collect();
    process.says("ready", 0);
    let log = Log::at(&local.log);
    let mut taken = BTreeSet::new();
    for (listener, written) in listeners.iter().zip(&checked.config.listeners) {
        for (ask, route) in asks {
            let before = log.lines();
            let (status, body) = local.curl(listener, ask);
            let record = log.wait(before + 1).pop().expect("it was waited for");
            let what = format!("{name}: {ask} at {listener}: {status} {body}\n{record:#}");
            if written.redirect.is_some() {
                assert_eq!((status, &record["upstream"]), (308, &Value::Null), "{what}");
                continue;
            }
            assert_eq!(record["route"], *route, "{what}");
            // An upstream answers with its name; a route may answer by itself.
            match &record["upstream"] {
                Value::String(upstream) => assert_eq!((status, &body), (200, upstream), "{what}"),
                _ => assert!(status < 400, "{what}"),
            }
            taken.insert((*route).to_owned());
        }
    }
    let routes: BTreeSet<String> =
        checked.resolved.routes.iter().map(|way| way.name.clone()).collect();
    assert_eq!(taken, routes, "{name}: each route is to be taken");
    process.signal(Signal::TERM);
    assert!(process.ended().success(), "{name}: {}", process.said());
}
