//! What the demo is played on: an origin that fails, and a real proxy before it.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::play::{self, Outcome};
use super::scene::Scene;
use crate::lab::{self, Lab};

/// All that has to be there. It goes away when it is dropped, the proxy included.
pub(super) struct Stage {
    /// Where the proxy listens.
    pub(super) proxy: SocketAddr,
    /// Where its operators ask.
    pub(super) admin: String,
    pub(super) lab: Lab,
    /// Another one, for whatever leaves its connection fit for another request: nobody else is to
    /// meet with such a connection, and a race with its end, by chance.
    _keeping: Lab,
    child: Child,
    folder: TempDir,
    _tasks: JoinSet<()>,
}

/// The longest that the proxy may take to start.
const START: Duration = Duration::from_secs(20);
const LOG: &str = "log.json";
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

impl Stage {
    /// Sets it up, with the proxy on this port (0: any free one).
    pub(super) async fn set(port: u16) -> Result<Self, String> {
        let failed = |error: io::Error| format!("the demo cannot be set up: {error}");
        let lab = lab::start(ANY.into()).await.map_err(failed)?;
        let keeping = lab::start(ANY.into()).await.map_err(failed)?;
        let mut tasks = JoinSet::new();
        let proxy = Arc::new(OnceLock::new());
        let relay = relay(&mut tasks, proxy.clone()).await.map_err(failed)?;
        let names = names(&mut tasks).await.map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let door = |name| lab.port(name).expect("the lab has a port for it").to_string();
        let upstreams = [
            ("lab", "/fault/", lab.address().to_string()),
            ("keeping", "/ok", keeping.address().to_string()),
            ("keeping", "/fault/keepalive-race", String::new()),
            ("keeping", "/fault/error-", String::new()),
            ("keeping", "/fault/proxy-status", String::new()),
            ("silent", "/silent", door("accept-silent")),
            ("loop", "/loop", relay.to_string()),
            ("misnamed", "/misnamed", "no-such-name.test:80".to_owned()),
            ("stopped", "/stopped", door("connect-refused")),
            ("crowded", "/crowded", door("connect-queue-full")),
        ];
        let log = folder.path().join(LOG);
        let config = folder.path().join("whodunit.yaml");
        let yaml = configuration(port, &log.display().to_string(), names, &upstreams);
        std::fs::write(&config, yaml).map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(["run".as_ref(), "--config".as_ref(), config.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (address, admin) = timeout(START, ready(&mut child, &mut tasks))
            .await
            .map_err(|_| "the proxy does not start".to_owned())??;
        // The relay was told of nothing before, so this is the first.
        let _ = proxy.set(address);
        Ok(Self { proxy: address, admin, lab, _keeping: keeping, child, folder, _tasks: tasks })
    }

    /// Begins to play a scene.
    pub(super) fn begin(&self, scene: &'static Scene) -> JoinHandle<io::Result<Outcome>> {
        let (proxy, log) = (self.proxy, self.folder.path().join(LOG));
        tokio::spawn(async move { play::play(scene, proxy, &log).await })
    }

    /// Waits until the proxy ends by itself.
    pub(super) async fn proxy_ends(mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it all.
    pub(super) async fn clear(mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.child.kill().await;
        self.lab.shutdown().await;
    }
}

/// The proxy's configuration: short limits, so that nobody has to wait.
fn configuration(
    port: u16,
    log: &str,
    names: SocketAddr,
    upstreams: &[(&str, &str, String)],
) -> String {
    let mut yaml = format!(
        "node: edge-1.demo\n\
         listeners: [ {{ address: \"127.0.0.1:{port}\" }} ]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\n\
         timeouts: {{ connect: 1s, request_header: 1500ms, read: 1500ms }}\n\
         resolver: {{ servers: [ \"{names}\" ], timeout: 1s, attempts: 1 }}\n\
         log: {{ path: {log:?}, which: all }}\n\
         reload: {{ watch: false }}\n\
         diagnosis: {{ checks: false }}\n\
         routes:\n"
    );
    for (name, path, _) in upstreams {
        let route = path.trim_matches(['/', '-']).replace('/', "-");
        writeln!(yaml, "  - {{ name: {route}, match: {{ path: {path} }}, upstream: {name} }}")
            .expect("a String takes all");
    }
    yaml += "upstreams:\n";
    for (name, _, address) in upstreams.iter().filter(|(.., address)| !address.is_empty()) {
        writeln!(yaml, "  {name}: {{ endpoints: [ \"{address}\" ] }}").expect("a String takes all");
    }
    yaml
}

/// Waits until the proxy is ready: where it listens, and where its admin listener is.
async fn ready(child: &mut Child, tasks: &mut JoinSet<()>) -> Result<(SocketAddr, String), String> {
    let said = child.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(said).lines();
    let (mut address, mut admin) = (None, String::new());
    let mut others = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.strip_prefix("whodunit: ").unwrap_or(&line);
        if let Some(rest) = line.strip_prefix("listening on http://") {
            address = rest.split(' ').next().and_then(|address| address.parse().ok());
        } else if let Some(rest) = line.strip_prefix("admin on ") {
            rest.clone_into(&mut admin);
        } else if line == "ready" {
            // Somebody has to go on reading, or the proxy would have to wait.
            tasks.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return address
                .map(|a| (a, admin))
                .ok_or_else(|| "the proxy has no address".to_owned());
        } else {
            others.push(line.to_owned());
        }
    }
    Err(format!("the proxy could not start: {}", others.join("; ")))
}

/// A port that leads to the proxy by a detour, so that the proxy does not know it for its own.
async fn relay(
    tasks: &mut JoinSet<()>,
    proxy: Arc<OnceLock<SocketAddr>>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(ANY).await?;
    let address = listener.local_addr()?;
    tasks.spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let Some(proxy) = proxy.get().copied() else { continue };
            tokio::spawn(async move {
                if let Ok(mut to) = TcpStream::connect(proxy).await {
                    // Both ends see for themselves how it ends.
                    let _ = copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    Ok(address)
}

/// A name server that knows no name (RFC 1035 section 4.1.1: RCODE 3).
async fn names(tasks: &mut JoinSet<()>) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind(ANY).await?;
    let address = socket.local_addr()?;
    tasks.spawn(async move {
        let mut message = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut message).await {
            let Some(end) = question(&message[..length]) else { continue };
            // An answer (QR, AA) to the one question, without the additional records it came with.
            message[2] = 0x84 | message[2] & 1;
            message[3] = 0x80 | 3;
            message[6..12].fill(0);
            let _ = socket.send_to(&message[..end], from).await;
        }
    });
    Ok(address)
}

/// Where the question of a message ends.
fn question(message: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        match usize::from(*message.get(at)?) {
            0 => break,
            length => at += 1 + length,
        }
    }
    let end = at + 5;
    (end <= message.len()).then_some(end)
}
