//! nginx as it is installed, with a configuration of our own in a folder of our own.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::files;
use crate::rig::until;

/// A running nginx: a master and its workers.
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    /// What it serves from there is what [`files::fill`] made.
    pub(super) folder: TempDir,
    master: Option<Child>,
    /// Bound but not listening: it keeps the port ours before nginx has it and afterwards.
    _port: Socket,
}

/// Where the program is; packages put it beside what only root has on its path.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    std::env::split_paths(&path)
        .chain(more.map(PathBuf::from))
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

impl Nginx {
    pub(super) fn start(program: &Path) -> Self {
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_reuse_address(true).expect("an option of every socket");
        port.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = port.local_addr().expect("it is bound").as_socket().expect("it is IPv4");
        let folder = tempfile::tempdir().expect("a folder");
        files::fill(&folder.path().join("files"));
        std::fs::create_dir(folder.path().join("dav")).expect("the folder is ours");
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, configuration(folder.path(), address)).expect("the folder is ours");
        let master = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("it is installed");
        let mut nginx = Self { address, folder, master: Some(master), _port: port };
        until("nginx to listen", || {
            let master = nginx.master.as_mut().expect("it was started");
            let ended = master.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "nginx ended with {ended:?}; its words stand above");
            TcpStream::connect(address).ok()
        });
        nginx
    }

    fn id(&self) -> u32 {
        self.master.as_ref().expect("it runs").id()
    }

    /// The processes that answer requests.
    fn workers(&self) -> Vec<Pid> {
        until("nginx to have workers", || {
            let workers = children(self.id());
            (workers.len() == WORKERS).then_some(workers)
        })
    }

    /// Has it end as its operator would, and waits until the port is closed.
    pub(super) fn stop(&mut self) {
        let mut master = self.master.take().expect("it runs");
        kill_process(Pid::from_child(&master), Signal::TERM).expect("it runs");
        assert!(master.wait().expect("it can be waited for").success());
    }

    /// Kills all of it, at once.
    pub(super) fn kill(&mut self) {
        let Some(mut master) = self.master.take() else { return };
        let workers = children(master.id());
        // The master first: it would start others in their stead.
        master.kill().expect("it has not been waited for yet");
        for worker in workers {
            kill_process(worker, Signal::KILL).ok();
        }
        master.wait().expect("it can be waited for");
    }

    /// Sends its workers a signal.
    pub(super) fn signal(&self, signal: Signal) {
        for worker in self.workers() {
            kill_process(worker, signal).expect("it runs");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The children of a process, by the fourth field of `stat` (proc(5)).
fn children(parent: u32) -> Vec<Pid> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folders
        .filter_map(|folder| folder.file_name().to_str()?.parse::<i32>().ok())
        .filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            fields.split_whitespace().nth(1).is_some_and(|field| field == parent.to_string())
        })
        .filter_map(Pid::from_raw)
        .collect()
}

const WORKERS: usize = 2;

/// What it answers by itself, each with the words for it.
pub(super) const STATUSES: [u16; 38] = [
    200, 201, 202, 203, 204, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409,
    410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 428, 429, 431, 451, 500, 503,
];

fn configuration(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    // Only root may choose who the workers are, and must, as the folder is root's.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let mut rules = String::new();
    for status in STATUSES {
        let said = match status {
            204 | 304 => String::new(),
            301..=308 => "/one.txt".to_owned(),
            _ => format!("'this is {status}\\n'"),
        };
        writeln!(rules, "location = /status/{status} {{ return {status} {said}; }}")
            .expect("a string takes it");
    }
    let mut paths = String::new();
    for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(paths, "{what}_temp_path {folder}/{what};").expect("a string takes it");
    }
    format!(
        r#"{user}
daemon off;
worker_processes {WORKERS};
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  {paths}
  access_log off;
  types {{ text/plain txt; text/html html; application/octet-stream bin; }}
  default_type text/plain;
  # The answer is to be the same whether or not a proxy asks.
  gzip_proxied any;
  gzip_http_version 1.0;
  gzip_types text/plain;
  server {{
    listen unix:{folder}/back.sock;
    root {folder}/files;
  }}
  server {{
    listen {address};
    root {folder}/files;
    client_max_body_size 0;
    location /list/ {{ autoindex on; }}
    location /gzip/ {{ alias {folder}/files/; gzip on; }}
    location /forbidden/ {{ deny all; }}
    location /unbuffered/ {{
      proxy_pass http://unix:{folder}/back.sock:/; proxy_buffering off; ssi on; ssi_types text/plain;
    }}
    location /buffered/ {{ proxy_pass http://unix:{folder}/back.sock:/; }}
    location /slowly/ {{ alias {folder}/files/; limit_rate 64k; }}
    location /silent/ {{ proxy_pass http://unix:{folder}/silent.sock:/; }}
    # A file that goes up twice is the same, whenever it did.
    location /dav/ {{
      root {folder}; dav_methods PUT DELETE MKCOL; create_full_put_path on;
      etag off; add_header Last-Modified "";
    }}
    location = /fields {{
      add_header Set-Cookie "a=1; Path=/";
      add_header Set-Cookie "b=2; HttpOnly";
      add_header set-cookie "c=3";
      add_header X-Odd "tab	within, \"quoted\", (comment)";
      add_header X-Utf8 "grüße";
      add_header x-lower lower;
      add_header X-UPPER UPPER;
      add_header X-Order 1;
      add_header X-Order 2;
      add_header X-Order 1;
      add_header Link "</a>; rel=preload, </b>; rel=next";
      add_header Age 5;
      add_header Server-Timing "db;dur=1";
      add_header Cache-Control "public, max-age=60, s-maxage=5";
      add_header Alt-Svc "h3=\":443\"";
      return 200 "fields\n";
    }}
    location /echo {{
      return 200 "$request_method|$request_uri|$http_host|$http_x_odd|$http_accept|$http_cookie|$http_user_agent|$http_authorization|$http_referer|$http_origin|$content_type|$http_content_length|$http_range|$http_accept_encoding\n";
    }}
    {rules}
  }}
}}
"#
    )
}
