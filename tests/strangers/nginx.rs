//! nginx, as the gateway that it often is.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use socket2::Socket;
use tempfile::TempDir;

use super::server::{Server, connected, port};
use super::{Verdict, before, encounters};
use crate::origins;
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::until;

const PASSED: Verdict =
    Verdict { cause: "origin_error", party: "origin", phase: "wait", status: 502 };

/// A running nginx with rules of a test's own.
pub(crate) struct Nginx {
    pub(crate) endpoint: String,
    _server: Server,
    _port: Socket,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one with these rules, which stand inside of `server`.
    pub(crate) fn with(rules: &str) -> Result<Self, String> {
        let program = origins::nginx::program().ok_or("nginx is not installed")?;
        let folder = tempfile::tempdir().expect("a folder");
        let (port, address) = port();
        let config = folder.path().join("nginx.conf");
        let text = configuration(folder.path(), &address.to_string(), rules);
        std::fs::write(&config, text).expect("the folder is ours");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config);
        let mut server = Server::start(&mut command)?;
        server.listens(address);
        Ok(Self { endpoint: address.to_string(), _server: server, _port: port, _folder: folder })
    }
}

fn configuration(folder: &Path, address: &str, rules: &str) -> String {
    let folder = folder.display();
    // Only root may choose who the workers are, and must, as the folder is root's.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let mut paths = String::new();
    for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(paths, "{what}_temp_path {folder}/{what}; ").expect("a string takes it");
    }
    format!(
        "{user} daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid;\n\
         events {{ worker_connections 512; }}\n\
         http {{ {paths} access_log off; server {{ listen {address}; {rules} }} }}\n"
    )
}

/// A GET to an nginx with these rules.
fn get(rules: &str) -> Result<Told, String> {
    let nginx = Nginx::with(rules)?;
    Ok(before(&nginx.endpoint).start().get("/"))
}

encounters! {
    /// The answer's header section is larger than nginx has room for.
    header_too_large_behind_it = PASSED, || {
        let field = "x".repeat(20_000);
        let origin = Origin::answering(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Large: {field}\r\n\r\nok"
        ));
        get(&format!("location / {{ proxy_pass http://{}; }}", origin.endpoint))
    };
    upstream_down = PASSED, || {
        let closed = Refusing::new();
        get(&format!("location / {{ proxy_pass http://{}; }}", closed.endpoint))
    };
    upstream_silent = Verdict { status: 504, ..PASSED }, || {
        let origin = Origin::new(|mut connection| while connection.request().is_some() {});
        get(&format!(
            "location / {{ proxy_read_timeout 1s; proxy_pass http://{}; }}",
            origin.endpoint
        ))
    };
    /// nginx closes without a word.
    no_answer_at_all = Verdict { cause: "origin_closed", ..PASSED }, || get("return 444;");
}

/// It closes connections that were idle for two seconds, and nobody is to blame for that.
#[test]
fn an_idle_timeout_of_two_seconds_hurts_nobody() {
    let name = "strangers::nginx::an_idle_timeout_of_two_seconds_hurts_nobody";
    let nginx = match Nginx::with("keepalive_timeout 2s; return 200 ok;") {
        Ok(nginx) => nginx,
        Err(why) => return crate::rig::skip(name, &why),
    };
    let proxy = before(&nginx.endpoint).start();
    let post = || proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(post().status(), 200);
    let address: SocketAddr = nginx.endpoint.parse().expect("an address");
    until("nginx to close the idle connection", || (!connected(address.port())).then_some(()));
    let told = post();
    assert_eq!(told.status(), 200, "{:#}", told.record);
    assert_eq!(told.value("connection.reused"), false, "{:#}", told.record);
}
