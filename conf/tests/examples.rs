//! The examples are right, and `full.yaml` is the code's defaults, all of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whodunit_conf::schema::health::{Eject, Health};
use whodunit_conf::schema::listener::{HttpsRedirect, ListenerTls, Upgrade};
use whodunit_conf::schema::route::answer::Notice;
use whodunit_conf::schema::route::{
    Instead, Maintenance, Match, RequestEdits, Respond, ResponseEdits, Rewrite, Route,
};
use whodunit_conf::schema::spread::{Balance, Hash, Queue, Retries};
use whodunit_conf::schema::upstream::{Tls, Upstream};
use whodunit_conf::sections::Compression;
use whodunit_conf::sections::rate::Several;
use whodunit_conf::{Checked, Config, parse, schema};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn example(name: &str) -> (String, Checked) {
    let file = folder().join(name);
    let text = fs::read_to_string(file).expect("the example is there");
    let checked =
        parse(&text, name).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    (text, checked)
}

#[test]
fn every_example_is_right_and_without_a_warning() {
    let files = fs::read_dir(folder()).expect("the examples are there");
    let names = files.map(|file| file.expect("it can be read").file_name());
    for name in names.map(|name| name.into_string().expect("it is text")) {
        let (_, checked) = example(&name);
        assert!(checked.warnings.is_empty(), "{}", checked.warnings.render(false));
        let last = checked.resolved.routes.last().expect(&name);
        assert_eq!(last.matches, Match::default(), "{name} leaves requests without a route");
    }
}

#[test]
fn the_least_example_has_ten_lines_at_most() {
    let (text, _) = example("minimal.yaml");
    assert!(text.lines().count() <= 10);
}

#[test]
fn the_full_example_is_the_defaults() {
    let (_, checked) = example("full.yaml");
    let mut written = checked.config.clone();
    let upstreams = std::mem::take(&mut written.upstreams);
    let routes = std::mem::take(&mut written.routes);
    let secured = written.listeners.pop().and_then(|listener| listener.tls).expect("the last one");
    let redirect = written.listeners.pop().and_then(|listener| listener.redirect);
    assert_eq!(redirect, Some(Upgrade::To(HttpsRedirect::default())));
    assert_eq!(written, Config::default());
    let least = r#"{ "certificates": [], "client_auth": { "ca": "/etc/whodunit/clients.pem" } }"#;
    let least = serde_json::from_str(least).expect("what has no default");
    assert_eq!(ListenerTls { certificates: Vec::new(), ..secured }, least);

    let Upstream { tls, hop, balance, retries, ref endpoints, .. } = upstreams["web"].clone();
    let least = example("minimal.yaml").1.config.upstreams;
    let room = |upstream: &Upstream| (upstream.max_connections, upstream.max_requests);
    assert_eq!(room(&upstreams["web"]), room(least.values().next().expect("it has one")));
    assert_eq!((tls, hop), (Some(Tls::default()), false));
    let Upstream { hash, slow_start, queue, .. } = upstreams["web"].clone();
    assert_eq!((hash, slow_start, queue), (Hash::default(), None, Some(Queue::default())));
    assert_eq!((balance, retries), (Balance::default(), Retries::default()));
    assert!(endpoints.iter().all(|endpoint| endpoint.weight == 1));
    let Upstream { health, eject, .. } = upstreams["web"].clone();
    assert_eq!((health, eject), (Some(Health::default()), Some(Eject::default())));
    let Route { name, matches, rewrite, request_headers, response_headers, .. } = routes[0].clone();
    let Route { maintenance, rate, concurrency, compression, .. } = routes[0].clone();
    assert_eq!((name, matches, rewrite), (None, Match::default(), Rewrite::default()));
    assert_eq!(request_headers, RequestEdits::default());
    assert_eq!(response_headers, ResponseEdits::default());
    assert_eq!(maintenance, Maintenance::Notice(Notice { on: false, ..Notice::default() }));
    assert_eq!(routes[1].redirect.as_ref().map(|redirect| redirect.status), Some(302));
    assert_eq!(routes[2].respond, Some(Respond::default()));
    assert_eq!((concurrency, compression), (None, Some(Instead(Some(Compression::default())))));
    assert_eq!(rate.0, serde_json::from_str::<Several>(r#"{"requests":100}"#).expect("a rate").0);
    // What a route and an upstream may override is shown at the value it has without.
    let way = checked.resolved.routes.last().expect("there are routes");
    let plain = Config::default().filters;
    let shown = |debug: &str| {
        debug
            .split("value: ")
            .skip(1)
            .map(|rest| rest.split(", place").next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&format!("{:?}", way.timeouts)),
        shown(&format!("{:?}", plain.timeouts.in_force()))
    );
    assert_eq!(
        shown(&format!("{:?}", way.access)),
        shown(&format!("{:?}", plain.access.in_force()))
    );
    assert_eq!(
        shown(&format!("{:?}", way.limits)),
        shown(&format!("{:?}", plain.limits.in_force()))
    );
}

#[test]
fn the_full_example_shows_every_setting() {
    let (text, _) = example("full.yaml");
    let mut missing = BTreeSet::new();
    let tree = keys(&text);
    every(&schema(), &schema(), &tree, "", &mut missing);
    assert!(missing.is_empty(), "not in full.yaml: {missing:?}");
}

/// The example as it is written, which the settings no longer show: keys by indentation.
fn keys(text: &str) -> BTreeSet<String> {
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let inner = line.trim_start_matches([' ', '-']);
        let depth = line.len() - inner.len();
        let Some((key, _)) = inner.split_once(':') else { continue };
        if !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()) {
            continue;
        }
        open.retain(|(above, _)| *above < depth);
        open.push((depth, key.to_owned()));
        let path: Vec<_> = open.iter().map(|(_, key)| key.as_str()).collect();
        found.insert(path.join("."));
    }
    found
}

fn every(
    rule: &Value,
    root: &Value,
    tree: &BTreeSet<String>,
    path: &str,
    missing: &mut BTreeSet<String>,
) {
    // A word, an empty list or `null` stands for the whole of it.
    if ["diagnosis.statuses", "error_pages", "compression"].contains(&path) {
        return;
    }
    if let Some(name) = rule["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        every(&root["$defs"][name], root, tree, path, missing);
    }
    for branch in ["anyOf", "oneOf"].iter().filter_map(|several| rule[several].as_array()).flatten()
    {
        every(branch, root, tree, path, missing);
    }
    if rule["items"].is_object() {
        every(&rule["items"], root, tree, path, missing);
    }
    // The form of what is in a map that is empty by default stands in a comment.
    let below = format!("{path}.");
    let shown = tree.iter().any(|key| key.starts_with(&below));
    if rule["additionalProperties"].is_object() && shown {
        every(&rule["additionalProperties"], root, tree, &format!("{path}.web"), missing);
    }
    for (name, inner) in rule["properties"].as_object().into_iter().flatten() {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if !tree.contains(&at) {
            missing.insert(at.clone());
        }
        every(inner, root, tree, &at, missing);
    }
}
