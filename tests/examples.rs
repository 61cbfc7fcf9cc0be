//! The examples do what they say: each is loaded and run, with addresses and certificates of a
//! test's own in the place of its own, and what is asked for arrives where the file says.

mod curl;
mod edge;
mod grpc;
mod load;
mod local;
mod origins;
mod sidecar;
mod tiers;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::rig::skip;
use local::Local;

/// What to ask of each example, at each of its listeners, and the route that takes it. Every route
/// is to be taken once.
const ASKS: &[(&str, &[(&str, &str)])] = &[
    (
        "edge",
        &[
            ("www.example.net/a?b", "www"),
            ("example.net/login", "site"),
            ("POST example.net/login", "login"),
            ("example.net/admin/", "admin"),
            ("example.net/shop/basket", "shop"),
            ("app.example.org/v1/users?x=1", "api"),
            ("app.example.org/v1/uploads/1", "uploads"),
            ("app.example.org/", "rest"),
        ],
    ),
    (
        "full",
        &[
            ("example.net/", "web"),
            ("example.net/old", "redirect"),
            ("example.net/ping", "respond"),
        ],
    ),
    (
        "grpc",
        &[
            ("POST grpc.example.net/grpc.health.v1.Health/Check", "health"),
            ("POST grpc.example.net/test.Sum/Total", "grpc"),
        ],
    ),
    ("loadtest", &[("127.0.0.1/", "service")]),
    ("minimal", &[("app.test/a?b", "web")]),
    (
        "sidecar",
        &[
            ("localhost/", "app"),
            ("localhost/events", "streams"),
            ("localhost/chat/1", "streams"),
            ("localhost/eventsome", "app"),
        ],
    ),
    ("tier-inner", &[("inner.internal/legacy/a", "legacy"), ("inner.internal/", "app")]),
    ("tier-outer", &[("example.net/", "inner"), ("www.example.net/legacy/", "inner")]),
];

#[test]
fn every_example_runs_and_sends_requests_where_it_says() {
    if let Err(why) = curl::installed() {
        let test = "examples::every_example_runs_and_sends_requests_where_it_says";
        return skip(test, &why);
    }
    for (name, asks) in ASKS {
        runs(&Local::start(name), name, asks);
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

fn runs(local: &Local, name: &str, asks: &[(&str, &str)]) {
    let ways = &local.checked.resolved.routes;
    let mut taken = BTreeSet::new();
    for (nth, listener) in local.checked.config.listeners.iter().enumerate() {
        for (ask, route) in asks {
            let before = local.proxy.log.lines();
            let answer = local.ask(nth, ask, &[]);
            let record = local.proxy.log.wait(before + 1).pop().expect("it was waited for");
            let what = format!("{name}: {ask} at listener {nth}: {answer:?}\n{record:#}");
            if listener.redirect.is_some() {
                assert_eq!((answer.status, &record["upstream"]), (308, &Value::Null), "{what}");
                continue;
            }
            assert_eq!(record["route"], *route, "{what}");
            // An upstream answers with its name; a route may answer by itself.
            if let Value::String(upstream) = &record["upstream"] {
                assert_eq!((answer.status, &answer.body), (200, upstream), "{what}");
            } else {
                let way = ways.iter().find(|way| way.name == *route).expect("it was taken");
                let (sends, says) = (&way.route.redirect, &way.route.respond);
                let status = sends.as_ref().map(|redirect| redirect.status);
                let status = status.or(says.as_ref().map(|respond| respond.status));
                assert_eq!(Some(answer.status), status, "{what}");
            }
            taken.insert((*route).to_owned());
        }
    }
    let routes: BTreeSet<String> = ways.iter().map(|way| way.name.clone()).collect();
    assert_eq!(taken, routes, "{name}: each route is to be taken");
}
