//! nginx and us, before the same origins.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use socket2::Socket;
use tempfile::TempDir;

use super::origin::{PROBE, Stage};
use super::row::Row;
use super::seen::{self, Facts, Heard};
use crate::origins;
use crate::rig::client::Client;
use crate::rig::message::whole_response;
use crate::rig::origin::Origin;
use crate::rig::promise::members;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::strangers::server::{Server, port};

/// Both of them, running.
pub(super) struct Pair {
    /// Of nginx.
    pub(super) version: String,
    stage: Stage,
    nginx: SocketAddr,
    us: Proxy,
    _server: Server,
    _ports: [Socket; 2],
    _origin: Origin,
    _folder: TempDir,
}

impl Pair {
    /// Starts them; `None` where there is no nginx.
    pub(super) fn start() -> Option<Self> {
        let program = origins::nginx::program()?;
        let told = Command::new(&program).arg("-v").output().expect("it is installed");
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        let version = told.trim().rsplit('/').next().unwrap_or_default().to_owned();
        let stage = Stage::default();
        let origin = stage.origin();
        let folder = tempfile::tempdir().expect("a folder");
        serve_files(&folder.path().join("files"));
        let ((one, nginx), (other, files)) = (port(), port());
        let text = configuration(folder.path(), [nginx, files], &origin.endpoint);
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, text).expect("the folder is ours");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config);
        let mut server = Server::start(&mut command).expect("it is installed");
        server.listens(nginx);
        let us = Settings::endpoints(&[&origin.endpoint])
            .upstream("files", &[&files.to_string()])
            .route("match: { path: /files/ }, upstream: files")
            .route("upstream: web")
            .start();
        Some(Self {
            version,
            stage,
            nginx,
            us,
            _server: server,
            _ports: [one, other],
            _origin: origin,
            _folder: folder,
        })
    }

    /// What comes of a row through nginx. Its own pages name its version; those of the files
    /// behind it do not.
    pub(super) fn by_nginx(&self, row: &Row) -> Facts {
        self.by(row, self.nginx, |heard| {
            heard.answers.iter().any(|answer| answer.text().contains("<center>nginx/"))
        })
    }

    /// What comes of a row through us. An answer of our own says so.
    pub(super) fn by_us(&self, row: &Row) -> Facts {
        self.by(row, self.us.address(), |heard| {
            heard.answers.iter().any(|answer| {
                members(&answer.fields).iter().any(|member| member.param("error").is_some())
            })
        })
    }

    fn by(&self, row: &Row, address: SocketAddr, own: impl Fn(&Heard) -> bool) -> Facts {
        self.stage.set(&row.reply);
        let mut heard = dialog(row, address);
        let got = self.stage.got();
        heard.own = own(&heard);
        seen::facts(&heard, &got)
    }
}

/// Sends what a row says, and hears what comes.
fn dialog(row: &Row, address: SocketAddr) -> Heard {
    let first = &row.sends[0];
    let method = String::from_utf8_lossy(first.split(|b| *b == b' ').next().unwrap_or_default());
    let mut client = Client::connect(address);
    client.send(first);
    for piece in &row.sends[1..] {
        // An invitation, or an answer that needs no more.
        assert!(client.speaks_within(crate::rig::PATIENCE), "{}: nothing is said", row.name);
        client.send(piece);
    }
    let method = method.into_owned();
    let mut answers = Vec::new();
    if row.raw {
        while client.fill() {}
        let raw = client.buffered();
        answers.extend(whole_response(&raw, &method));
        let head = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
        return Heard { method, answers, kept: false, own: false, rest: raw[head..].to_vec() };
    }
    while answers.len() < row.answers && client.begins(b"HTTP/1.") {
        answers.extend(client.receive(&method));
    }
    client.send(format!("GET {PROBE} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    let kept = client.begins(b"HTTP/1.")
        && client.receive("GET").is_some_and(|answer| answer.status == 200);
    Heard { method, answers, kept, own: false, rest: client.buffered() }
}

fn serve_files(folder: &Path) {
    std::fs::create_dir_all(folder).expect("it is ours");
    let lines = "a line of a file, 28 bytes.\n".repeat(200);
    let file = folder.join("lines.txt");
    std::fs::write(&file, lines).expect("it is ours");
    // A file of a known day, so that its tag is known, too.
    let day = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let file = std::fs::File::options().write(true).open(file).expect("it is ours");
    file.set_modified(day).expect("it is ours");
}

/// nginx as people set it up who have read its manual: keep-alive to the origin, uploads and
/// answers as they come, room for large fields; `Host`, `Date`, `Server` and `Location` as they
/// are.
fn configuration(folder: &Path, [front, files]: [SocketAddr; 2], origin: &str) -> String {
    let folder = folder.display();
    // Only root may choose who the workers are, and must, as the folder is root's.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let mut paths = String::new();
    for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(paths, "{what}_temp_path {folder}/{what}; ").expect("a string takes it");
    }
    format!(
        r#"{user}
daemon off;
worker_processes 1;
error_log stderr crit;
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
  {paths}
  access_log off;
  types {{ text/plain txt; }}
  client_max_body_size 0;
  large_client_header_buffers 8 32k;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_buffer_size 64k;
  proxy_buffers 8 64k;
  proxy_redirect off;
  proxy_pass_header Date;
  proxy_pass_header Server;
  upstream origin {{ server {origin}; keepalive 16; }}
  upstream files {{ server {files}; keepalive 16; }}
  server {{
    listen {front};
    location / {{ proxy_pass http://origin; }}
    location /files/ {{ proxy_pass http://files; }}
  }}
  server {{ listen {files}; root {folder}; server_tokens off; }}
}}
"#
    )
}
