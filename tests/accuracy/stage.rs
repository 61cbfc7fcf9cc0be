//! One proxy before everything that a round needs, and how a cell is played on it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use serde_json::Value;
use tokio::runtime::Runtime;
use whodunit::lab::{self, Fault, Lab, Needs, Place};

use super::asker::{Asker, Question};
use super::cells::{Cell, How, Said};
use super::healthy::{self, Health, Healthy};
use super::tail::Tail;
use super::ways::{LARGE, Way};
use crate::rig::certificates::{Authority, Says};
use crate::rig::message::Response;
use crate::rig::net::Full;
use crate::rig::origin::Origin;
use crate::rig::promise::members;
use crate::rig::proxy::Proxy;
use crate::rig::relay::Relay;
use crate::rig::settings::{NODE, Settings};
use crate::rig::tls::Tls;

/// What a round is played on.
pub(super) struct Stage {
    // The order in which they end: those that ask, the proxy, those that it asks.
    healthy: Healthy,
    tail: Tail,
    proxy: Proxy,
    /// The hosts by which cells are asked for.
    hosts: HashMap<String, String>,
    _relays: Vec<Relay>,
    _origins: [Origin; 2],
    _silent: Full,
    _authority: Authority,
    lab: Lab,
    _runtime: Runtime,
}

/// Longer than the lab's own pauses of a second, where it ends by itself; and a connection gets a
/// SYN through at once or never.
const LIMITS: &str = "connect: 900ms, tls: 1500ms, read: 2500ms, write: 1500ms";

impl Stage {
    /// Builds all that these cells need.
    pub(super) fn set(cells: &[Cell]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let lab = runtime.block_on(lab::start((Ipv4Addr::LOCALHOST, 0).into())).expect("a lab");
        let authority = Authority::new("accuracy");
        let tls = Tls::new(authority.signs(&Says::names(&["app.test"])));
        let origins = [
            Origin::serving(|request| healthy::answer(request.body.len())),
            Origin::tls(&tls, |mut connection| {
                while let Some(request) = connection.request() {
                    connection.send(healthy::answer(request.body.len()));
                }
            }),
        ];
        let mut silent = Full::new();
        silent.fill();
        let verified = format!("tls: {{ sni: app.test, ca: \"{}\" }}", authority.file().display());
        let mut settings = Settings::bare()
            .h2c()
            .with("timeouts", LIMITS)
            .upstream("good", &[&origins[0].endpoint])
            .route("match: { host: good.test }, upstream: good")
            .upstream("good-tls", &[&origins[1].endpoint])
            .having(&verified)
            .route("match: { host: good-tls.test }, upstream: good-tls");
        let (mut relays, mut hosts) = (Vec::new(), HashMap::new());
        for (nth, cell) in cells.iter().enumerate() {
            let How::Lab(fault, way) = &cell.how else { continue };
            let (upstream, host) = (format!("u{nth}"), format!("u{nth}.test"));
            let mut endpoint = |to| {
                let over = way.tls && !fault.needs.contains(&Needs::Tls);
                let relay = Relay::new(runtime.handle(), to, over.then_some(&tls));
                relays.push(relay);
                relays.last().expect("just now").endpoint.clone()
            };
            let endpoint = match lab.place(fault.name).expect("the lab has all it lists") {
                Place::Url(_) => endpoint(lab.address()),
                // A port of its own is nobody else's, and what happens when it is connected to
                // does not go through a relay.
                Place::Port(address) if !way.tls || fault.needs.contains(&Needs::Tls) => {
                    address.to_string()
                }
                Place::Port(address) => endpoint(*address),
                Place::Socket(path) => format!("unix:{}", path.display()),
            };
            let endpoints = [silent.endpoint.as_str(), &endpoint];
            let attempts = usize::from(way.second) + 1;
            settings = settings
                .upstream(&upstream, &endpoints[2 - attempts..])
                .having(&format!("retries: {{ attempts: {attempts} }}"))
                .route(&format!("match: {{ host: {host} }}, upstream: {upstream}"));
            settings = needed(settings, fault);
            if fault.needs.contains(&Needs::Tls) {
                settings = settings.having("tls: { verify: false, sni: app.test }");
            } else if way.tls {
                settings = settings.having(&verified);
            }
            hosts.insert(cell.to_string(), host);
        }
        let proxy = settings.start();
        let healthy = Healthy::start(proxy.address());
        let tail = Tail::of(proxy.log.path().to_owned());
        Self {
            healthy,
            tail,
            proxy,
            hosts,
            _relays: relays,
            _origins: origins,
            _silent: silent,
            _authority: authority,
            lab,
            _runtime: runtime,
        }
    }

    /// Makes a fault: what is said of it.
    pub(super) fn meet(&self, cell: &Cell) -> Said {
        let said = catch_unwind(AssertUnwindSafe(|| match &cell.how {
            How::Lab(fault, way) => self.ask(cell, fault, *way),
            How::Alone(case) => heard((case.provoke)().text("cause")),
            How::Apart(test) => apart(test, cell.cause),
        }));
        said.unwrap_or_else(|_| Said::Broken("a promise was broken; it stands above".to_owned()))
    }

    /// Ends the round: how the healthy traffic fared.
    pub(super) fn strike(self) -> Health {
        let health = self.healthy.end();
        drop(self.tail);
        health
    }

    fn ask(&self, cell: &Cell, fault: &Fault, way: Way) -> Said {
        let host = &self.hosts[&cell.to_string()];
        let mut records = 0..;
        loop {
            let client = Asker::connect(self.proxy.address(), way);
            let answer = client.ask(|asker| {
                if way.reused {
                    self.warm(asker, host, fault, records.next().expect("there are numbers"));
                }
                asker.put(&self.question(host, fault, way))
            });
            // Of an upload that was not wanted whole there is no record before the client leaves.
            let nth = records.next().expect("there are numbers");
            let Some(record) = self.tail.record(host, nth) else {
                return Said::Broken("there is no record".to_owned());
            };
            // Which connection is taken the proxy decides, and it may take a new one.
            let met = !way.reused || record["connection"]["reused"] == true;
            if met || nth > 9 {
                return judged(&record, answer.as_ref(), way);
            }
        }
    }

    /// Has a connection to the origin made and kept: by the record of this number it is.
    fn warm(&self, asker: &mut Asker, host: &str, fault: &Fault, nth: usize) {
        let itself = fault.needs.contains(&Needs::Reuse);
        let path = if itself { self.path(fault) } else { "/ok".to_owned() };
        let first = Question { method: "GET", host, path, upgrade: false, body: None };
        let answer = asker.put(&first).expect("the first is answered");
        assert_eq!(answer.status, 200, "the first is answered well: {answer:?}");
        self.tail.record(host, nth).expect("the first has a record");
        if itself {
            std::thread::sleep(crate::lab::RESTED);
        }
    }

    fn path(&self, fault: &Fault) -> String {
        match self.lab.place(fault.name) {
            Some(Place::Url(_)) => format!("/fault/{}", fault.name),
            _ => "/".to_owned(),
        }
    }

    fn question<'a>(&self, host: &'a str, fault: &Fault, way: Way) -> Question<'a> {
        let needed = fault.needs.iter().find_map(|need| match need {
            Needs::Body(bytes) => Some(*bytes),
            Needs::Post => Some(2),
            _ => None,
        });
        let body =
            if way.large { needed.filter(|bytes| *bytes > LARGE).or(Some(LARGE)) } else { needed };
        let method = if body.is_some() { "POST" } else { "GET" };
        let upgrade = fault.needs.contains(&Needs::Upgrade);
        Question { method, host, path: self.path(fault), upgrade, body }
    }
}

/// The settings without which a fault does not show.
fn needed(mut settings: Settings, fault: &Fault) -> Settings {
    for need in fault.needs {
        settings = match need {
            Needs::Setting("timeouts.response") => settings.having("timeouts: { response: 1s }"),
            Needs::Setting("limits.response_body") => {
                settings.having("limits: { response_body: 64KiB }")
            }
            Needs::Setting(other) => panic!("{}: who would set `{other}`?", fault.name),
            _ => settings,
        };
    }
    settings
}

/// What a record says, unless something is wrong with it whatever it says.
fn judged(record: &Value, answer: Option<&Response>, way: Way) -> Said {
    let broken = |what: &str| Said::Broken(format!("{what}: {record}"));
    let attempts = record["attempts"].as_array().map_or(0, Vec::len);
    if attempts != usize::from(way.second) + 1 {
        return broken("it was not met at this attempt");
    }
    if record["protocol"] != (if way.http2 { "HTTP/2" } else { "HTTP/1.1" }) {
        return broken("the client spoke something else");
    }
    if way.reused && record["connection"]["reused"] != true {
        return broken("the connection was not one that is reused");
    }
    if let Some(answer) = answer {
        if record["status"] != answer.status {
            return broken("another status than the client's");
        }
        let ours = members(&answer.fields).into_iter().rfind(|member| member.node == NODE);
        if record["generated"] == true && ours.is_none() {
            return broken("an answer of our own without a verdict");
        }
        if let Some(ours) = ours {
            for (name, field) in [("cause", "cause"), ("party", "party"), ("ref", "id")] {
                if ours.param(name) != record[field].as_str() {
                    return broken("the header says something else");
                }
            }
        }
    }
    heard(record["cause"].as_str().unwrap_or_default())
}

fn heard(cause: &str) -> Said {
    if cause.is_empty() { Said::Nothing } else { Said::Cause(cause.to_owned()) }
}

/// Runs another test of this program, which makes and judges a fault in a network of its own.
fn apart(test: &str, cause: &'static str) -> Said {
    let program = std::env::current_exe().expect("this program has a path");
    let ran = Command::new(program).args(["--exact", test, "--nocapture"]).output();
    let ran = ran.expect("it runs already");
    let said =
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if let Some(skipped) = said.lines().find(|line| line.starts_with("SKIPPED")) {
        return Said::Skipped(skipped.to_owned());
    }
    let passed = ran.status.success() && said.contains("1 passed");
    if passed { Said::Cause(cause.to_owned()) } else { Said::Broken(said) }
}
