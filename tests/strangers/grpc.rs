//! gRPC's own server and client (`grpcio`), with its health and reflection services: calls of all four
//! kinds go through as they are, and a failure is told in gRPC's own words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::server::Server;
use crate::rig::certificates::{Authority, Says};
use crate::rig::net::Refusing;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::skip;

const SERVER: &str = include_str!("grpc/server.py");
const CLIENT: &str = include_str!("grpc/client.py");

/// A command of Python with gRPC at hand; why there is none, otherwise.
fn python(script: &str, arguments: &[&str]) -> Result<Command, String> {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/python");
    let command = |script: &str| {
        let mut command = Command::new("python3");
        command.args(["-u", "-c", script]).env("PYTHONPATH", tools);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let probe = command("import grpc, grpc_health.v1, grpc_reflection.v1alpha").output();
    if !probe.map_err(|error| format!("python3: {error}"))?.status.success() {
        return Err("grpcio is not installed; `.ci/setup test` installs it".to_owned());
    }
    let mut command = command(script);
    command.args(arguments);
    Ok(command)
}

/// A server, and where it listens.
pub(crate) fn server(arguments: &[&str]) -> Result<(Server, String), String> {
    let mut server = Server::start(&mut python(SERVER, arguments)?)?;
    let endpoint = format!("127.0.0.1:{}", server.says("listening on "));
    Ok((server, endpoint))
}

/// Where a client calls: an address, and over TLS the authority to trust and the name to ask for.
pub(crate) struct Channel {
    pub(crate) address: SocketAddr,
    pub(crate) secured: Option<(PathBuf, &'static str)>,
}

impl Channel {
    /// In plain text, at a proxy's first listener.
    fn to(proxy: &Proxy) -> Self {
        Self { address: proxy.address(), secured: None }
    }

    fn calling(&self, call: &str) -> Result<Server, String> {
        let mut arguments = vec![self.address.to_string(), call.to_owned()];
        if let Some((ca, name)) = &self.secured {
            arguments.extend([ca.display().to_string(), (*name).to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Server::start(&mut python(CLIENT, &arguments)?)
    }
}

/// A call that goes on.
fn calling(proxy: &Proxy, call: &str) -> Result<Server, String> {
    Channel::to(proxy).calling(call)
}

/// All that a client says of a call, each line with how often it is said.
fn said(channel: &Channel, call: &str) -> Result<BTreeMap<String, usize>, String> {
    let mut client = channel.calling(call)?;
    client.says("over");
    let mut lines = BTreeMap::new();
    for line in client.said().lines().filter(|line| *line != "over") {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    Ok(lines)
}

/// The one thing that a client says.
pub(crate) fn told(channel: &Channel, call: &str) -> Result<String, String> {
    let lines = said(channel, call)?;
    assert_eq!(lines.values().sum::<usize>(), 1, "{lines:?}");
    Ok(lines.into_keys().next().expect("there is one"))
}

/// Runs an encounter, or says why not.
fn meet(name: &str, encounter: impl FnOnce() -> Result<(), String>) {
    if let Err(why) = encounter() {
        skip(&format!("strangers::grpc::{name}"), &why);
    }
}

/// A call of each kind goes through this proxy as it is.
pub(crate) fn passes(proxy: &Proxy, channel: &Channel) -> Result<(), String> {
    let before = proxy.log.lines();
    assert_eq!(told(channel, "check")?, "answer SERVING");
    assert_eq!(told(channel, "unknown")?, "failed NOT_FOUND ", "its own status passes");
    assert_eq!(told(channel, "total")?, "answer 300000 300000", "30 messages up, and trailers");
    let both_ways = said(channel, "reflect")?;
    assert_eq!(both_ways["answer file_descriptor_response"], 20);
    assert_eq!(both_ways["answer list_services_response"], 1);
    for record in &proxy.log.wait(before + 4)[before..] {
        assert!(record["cause"].is_null(), "{record:#}");
        assert_eq!((&record["status"], &record["protocol"]), (&200.into(), &"HTTP/2".into()));
    }
    Ok(())
}

#[test]
fn calls_of_each_kind_pass_in_plain_text() {
    meet("calls_of_each_kind_pass_in_plain_text", || {
        let (_server, endpoint) = server(&[])?;
        let proxy = Settings::endpoints(&[&endpoint]).having("protocol: h2c").h2c().start();
        passes(&proxy, &Channel::to(&proxy))
    });
}

#[test]
fn calls_of_each_kind_pass_over_tls() {
    meet("calls_of_each_kind_pass_over_tls", || {
        let root = Authority::new("root");
        let own = root.signs(&Says::names(&["app.test"]));
        let (key, chain) = (own.key_file(), own.file());
        let path = |path: &std::path::Path| path.display().to_string();
        let (_server, endpoint) = server(&[&path(&key), &path(&chain)])?;
        let tls = format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display());
        for protocol in ["h2", "auto"] {
            let settings = Settings::endpoints(&[&endpoint]).having(&tls).h2c();
            let proxy = settings.having(&format!("protocol: {protocol}")).start();
            passes(&proxy, &Channel::to(&proxy))?;
        }
        Ok(())
    });
}

#[test]
fn messages_of_a_stream_pass_one_by_one_until_the_server_dies() {
    meet("messages_of_a_stream_pass_one_by_one_until_the_server_dies", || {
        let (mut server, endpoint) = server(&[])?;
        let proxy = Settings::endpoints(&[&endpoint]).having("protocol: h2c").h2c().start();
        let mut client = calling(&proxy, "watch")?;
        client.says("answer SERVING");
        server.tell("app NOT_SERVING");
        client.says("answer NOT_SERVING");
        server.kill();
        let failed = client.says("failed ");
        assert!(failed.starts_with("UNAVAILABLE "), "{failed}");
        assert!(failed.contains("(response_truncated, ref "), "{failed}");
        let record = proxy.log.wait(1).remove(0);
        assert_eq!(
            (&record["cause"], &record["party"]),
            (&"response_truncated".into(), &"origin".into())
        );
        assert_eq!(record["next_hop"], endpoint.as_str());
        assert_eq!(record["generated"], false);
        Ok(())
    });
}

#[test]
fn failures_have_the_status_that_tells_a_client_what_to_do() {
    meet("failures_have_the_status_that_tells_a_client_what_to_do", || {
        let closed = Refusing::new();
        let proxy = Settings::endpoints(&[&closed.endpoint]).having("protocol: h2c").h2c().start();
        let failed = told(&Channel::to(&proxy), "check")?;
        assert!(failed.starts_with("failed UNAVAILABLE "), "{failed}");
        assert!(failed.contains("(connect_refused, ref "), "{failed}");

        let (mut server, endpoint) = server(&[])?;
        let settings = |more: &str| {
            Settings::endpoints(&[&endpoint]).having("protocol: h2c").having(more).h2c()
        };
        let proxy = settings("timeouts: { read: 300ms }").start();
        let mut client = calling(&proxy, "watch")?;
        let failed = client.says("failed ");
        assert!(failed.starts_with("DEADLINE_EXCEEDED "), "{failed}");
        assert!(failed.contains("(response_stalled, ref "), "{failed}");

        let proxy = settings("max_requests: 1").start();
        let mut client = calling(&proxy, "watch")?;
        client.says("answer SERVING");
        let failed = told(&Channel::to(&proxy), "check")?;
        assert!(failed.starts_with("failed UNAVAILABLE "), "{failed}");
        assert!(failed.contains("(upstream_limit_reached, ref "), "{failed}");

        let proxy = settings("limits: { request_body: 100KB }").start();
        let failed = told(&Channel::to(&proxy), "total")?;
        assert!(failed.starts_with("failed RESOURCE_EXHAUSTED "), "{failed}");
        server.tell("app SERVING");
        Ok(())
    });
}
