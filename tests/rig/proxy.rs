//! The real binary, started for one test and ended with it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::Client;
use super::log::Log;
use super::message::Response;
use super::metrics::Metrics;
use super::promise::{self, Told};
use super::settings::Settings;
use super::until;

/// A running proxy.
pub(crate) struct Proxy {
    /// Where it listens, in the order of the configuration.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where its operators ask.
    pub(crate) admin: SocketAddr,
    /// Its records.
    pub(crate) log: Log,
    pub(super) settings: Settings,
    config: PathBuf,
    process: Process,
    turn: Mutex<()>,
    folder: TempDir,
}

/// A process of the binary and what it says.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    listening: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the binary with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// The same with these in its environment.
    pub(crate) fn start_in(arguments: &[&str], environment: &[(&str, PathBuf)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let said = Arc::default();
        let listening = vec![
            listen(child.stdout.take().expect("it is piped"), Arc::clone(&said)),
            listen(child.stderr.take().expect("it is piped"), Arc::clone(&said)),
        ];
        Self { child, said, listening }
    }

    /// All that it wrote until it ended.
    pub(crate) fn said_to_the_end(&mut self) -> String {
        for listening in self.listening.drain(..) {
            listening.join().expect("listening does not panic");
        }
        self.said()
    }

    /// All that it wrote to standard output and standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("listening does not panic").clone()
    }

    /// Waits until it says a line that begins so, and gives the rest of that line.
    pub(crate) fn says(&mut self, beginning: &str, nth: usize) -> String {
        until(&format!("the process to say `{beginning}`"), || {
            let said = self.said();
            let found = said.lines().filter_map(|line| line.strip_prefix(beginning)).nth(nth);
            assert!(
                found.is_some() || self.child.try_wait().expect("it can be waited for").is_none(),
                "the proxy ended before it said `{beginning}`; it said:\n{said}"
            );
            found.map(str::to_owned)
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it has not been waited for yet");
    }

    /// Waits until it ends.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the process to end", || self.child.try_wait().expect("it can be waited for"))
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

fn listen(from: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let mut from = BufReader::new(from);
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            said.lock()
                .expect("listening does not panic")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// The address in `http://ADDRESS` or `https://ADDRESS`, which may be followed by more.
fn address(said: &str) -> SocketAddr {
    let rest = said.strip_prefix("http://").or_else(|| said.strip_prefix("https://"));
    let address = rest.and_then(|rest| rest.split([' ', '/']).next());
    address.and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("no address: `{said}`"))
}

impl Proxy {
    /// Starts a proxy and waits until it is ready.
    pub(crate) fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("whodunit.yaml");
        let log = folder.path().join("log.json");
        std::fs::write(&config, settings.yaml(&log)).expect("the folder is ours");
        let path = config.to_str().expect("the path is text");
        let mut process = Process::start_in(&["run", "--config", path], &settings.environment);
        let addresses = (0..settings.listeners())
            .map(|nth| address(&process.says("listening on ", nth)))
            .collect();
        let admin = address(&process.says("admin on ", 0));
        process.says("ready", 0);
        let proxy = Self {
            addresses,
            admin,
            log: Log::at(&log),
            settings,
            config,
            process,
            turn: Mutex::new(()),
            folder,
        };
        until("/readyz to say so", || (proxy.ask("/readyz").status == 200).then_some(()));
        proxy
    }

    /// Where the first listener listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// A connection to the first listener.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A question to the admin listener.
    pub(crate) fn ask(&self, path: &str) -> Response {
        let mut client = Client::connect(self.admin);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"));
        client.receive("GET").expect("the admin listener answers")
    }

    /// The counters as they are now.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(&self.ask("/metrics").text())
    }

    /// A GET on a connection of its own, and what came of it.
    pub(crate) fn get(&self, path: &str) -> Told {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
    }

    /// These bytes on a connection of their own, and what came of them.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> Told {
        let bytes = bytes.as_ref();
        let method = bytes.split(|b| *b == b' ').next().unwrap_or_default();
        let method = String::from_utf8_lossy(method).into_owned();
        self.tell(|client| {
            client.send(bytes);
            client.receive(&method)
        })
    }

    /// One exchange on a connection of its own, and what came of it.
    pub(crate) fn tell(&self, dialog: impl FnOnce(&mut Client) -> Option<Response>) -> Told {
        self.exchange(|| dialog(&mut self.connect()))
    }

    /// One exchange, however it is made.
    pub(crate) fn exchange(&self, dialog: impl FnOnce() -> Option<Response>) -> Told {
        self.exchanges(1, || vec![dialog()]).pop().expect("there was one")
    }

    /// So many exchanges, one after the other as the client sees it, and what came of each. When
    /// fewer responses are given than there are exchanges, the last ones belong to them.
    pub(crate) fn exchanges(
        &self,
        count: usize,
        dialog: impl FnOnce() -> Vec<Option<Response>>,
    ) -> Vec<Told> {
        let turn = self.turn.lock();
        let metrics = self.metrics();
        let before = self.log.records().len();
        let responses = dialog();
        let records = self.log.wait(before + count);
        assert_eq!(records.len(), before + count, "one record each: {:#?}", &records[before..]);
        let told = promise::kept(self, responses, &records[before..], &metrics);
        drop(turn);
        told
    }

    /// Replaces the configuration file, as an editor would.
    pub(crate) fn rewrite(&self, settings: &Settings) {
        self.rewrite_as(&settings.yaml(&self.folder.path().join("log.json")));
    }

    /// Replaces the configuration file by this text.
    pub(crate) fn rewrite_as(&self, yaml: &str) {
        let fresh = self.folder.path().join("whodunit.yaml.new");
        std::fs::write(&fresh, yaml).expect("the folder is ours");
        std::fs::rename(&fresh, &self.config).expect("the folder is ours");
    }

    /// The process itself.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// All that it wrote to standard output and standard error so far.
    pub(crate) fn said(&self) -> String {
        self.process.said()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let running = self.process.child.try_wait().is_ok_and(|status| status.is_none());
        if running && !std::thread::panicking() {
            promise::balanced(self);
        }
        if std::thread::panicking() {
            eprintln!("the proxy said:\n{}", self.said());
            eprintln!("its log:\n{}", self.log.text());
        } else if running {
            self.process.signal(Signal::TERM);
            let status = self.process.ended();
            assert!(status.success(), "SIGTERM ended it with {status}: {}", self.said());
        }
    }
}
