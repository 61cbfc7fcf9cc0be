//! The proxy in the storm: a process, and those that take over from it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::endpoint::free_port;
use super::held::Held;
use crate::rig::certificates::{Authority, Says};
use crate::rig::proxy::Process;
use crate::rig::until;

/// The name in the proxy's certificate.
pub(super) const NAME: &str = "app.test";

/// Where it listens, and what it is told.
pub(super) struct Node {
    /// Plain text, HTTP/1.1 and HTTP/2.
    pub(super) plain: SocketAddr,
    /// TLS.
    pub(super) secured: SocketAddr,
    /// What vouches for its certificates.
    pub(super) authority: Authority,
    process: Process,
    /// Those before it, which have connections to end.
    before: Vec<Process>,
    endpoints: Vec<String>,
    resolver: SocketAddr,
    edition: u32,
    folder: TempDir,
}

impl Node {
    /// A proxy in front of these endpoints, ready.
    pub(super) fn start(endpoints: Vec<String>, resolver: SocketAddr) -> Self {
        let ip = Ipv4Addr::new(127, 41, 100, 1);
        let folder = private();
        let authority = Authority::new("storm");
        let plain = SocketAddr::new(ip.into(), free_port(ip));
        let secured = SocketAddr::new(Ipv4Addr::new(127, 41, 100, 2).into(), plain.port());
        let path = folder.path().join("whodunit.yaml");
        let mut node = Self {
            plain,
            secured,
            authority,
            process: Process::start(&["--version"]),
            before: Vec::new(),
            endpoints,
            resolver,
            edition: 0,
            folder,
        };
        node.renew();
        node.write();
        node.process = Process::start(&["run", "--config", path.to_str().expect("it is text")]);
        node.process.says("ready", 0);
        node
    }

    /// Another certificate in the place of the one before.
    pub(super) fn renew(&self) -> Vec<CertificateDer<'static>> {
        let identity = self.authority.signs(&Says::names(&[NAME]));
        let read = |path| std::fs::read_to_string(path).expect("it was just written");
        self.put("edge.key", &read(identity.key_file()));
        self.put("edge.crt", &read(identity.file()));
        identity.chain()
    }

    /// A configuration that differs, put into force by SIGHUP.
    pub(super) fn reload(&mut self) {
        self.edition += 1;
        self.write();
        let done = self.process.said().matches("configuration reloaded").count();
        self.process.signal(Signal::HUP);
        let process = &self.process;
        until("the configuration to be in force", || {
            let said = process.said();
            assert!(!said.contains("not reloaded"), "{said}");
            (said.matches("configuration reloaded").count() > done).then_some(())
        });
    }

    /// A new process takes over.
    pub(super) fn replace(&mut self) {
        let config = self.folder.path().join("whodunit.yaml");
        let config = config.to_str().expect("it is text");
        let mut process = Process::start(&["run", "--config", config, "--takeover"]);
        process.says("ready", 0);
        let before = std::mem::replace(&mut self.process, process);
        self.before.push(before);
    }

    /// Waits until those before it have ended, all in good order.
    pub(super) fn alone(&mut self) {
        for process in &mut self.before {
            let status = process.ended();
            assert!(status.success(), "{status}: {}", process.said_to_the_end());
        }
        self.before.clear();
    }

    /// What it holds once it has nothing to do.
    pub(super) fn held(&self) -> Held {
        Held::at_rest(self.process.id())
    }

    /// The log, of all the processes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log.json")
    }

    /// Ends it.
    pub(super) fn stop(mut self) -> String {
        let began = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.ended();
        assert!(status.success(), "{status}: {}", self.process.said());
        assert!(began.elapsed() < Duration::from_secs(10), "nothing was under way");
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn write(&self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (cert, key) = (path("edge.crt"), path("edge.key"));
        let endpoints: Vec<String> = self.endpoints.iter().map(|e| format!("\"{e}\"")).collect();
        let balance = ["round_robin", "least_requests", "hash"][self.edition as usize % 3];
        let text = format!(
            "node: edge.test
listeners:
  - {{ address: \"{plain}\", h2c: true }}
  - {{ address: \"{secured}\", tls: {{ certificates: [ {{ cert: \"{cert}\", key: \"{key}\" }} ] }} }}
admin: {{ address: null }}
log: {{ path: \"{log}\", which: errors }}
resolver: {{ servers: [ \"{resolver}\" ], timeout: 500ms }}
timeouts: {{ connect: 1s, read: 1500ms, write: 1500ms, idle: 1s, keepalive: 3s }}
shutdown: {{ grace: 8s }}
takeover: {{ path: \"{takeover}\" }}
upstreams:
  app:
    endpoints: [ {endpoints} ]
    balance: {balance}
    retries: {{ attempts: 3, budget: null }}
    health: {{ path: /ok, interval: 250ms, timeout: 500ms, healthy_after: 2, unhealthy_after: 2 }}
    eject: {{ after: 3, for: 1s }}
    max_requests: {max}
",
            plain = self.plain,
            secured = self.secured,
            resolver = self.resolver,
            log = self.log().display(),
            takeover = path("takeover.sock"),
            endpoints = endpoints.join(", "),
            max = 5_000 + self.edition,
        );
        self.put("whodunit.yaml", &text);
    }

    /// Replaces a file, as who means well does.
    fn put(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let fresh = self.folder.path().join(format!("{name}.new"));
        std::fs::write(&fresh, text).expect("the folder is ours");
        let ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&fresh, ours).expect("the file is ours");
        std::fs::rename(&fresh, self.folder.path().join(name)).expect("the folder is ours");
    }
}

/// A folder that nobody else may enter.
fn private() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let ours = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(ours).tempdir().expect("a folder")
}
