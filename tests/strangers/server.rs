//! A process of somebody else's, for as long as a test lasts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use crate::rig::{PATIENCE, until};

/// A running server. It is told to end when dropped, and killed if it does not.
pub(crate) struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Starts it; what it has to say is listened to. Why it cannot be started, otherwise.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let program = Path::new(command.get_program()).display().to_string();
        let spawned =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{program}: {error}"))?;
        let said = Arc::<Mutex<String>>::default();
        listen(child.stdout.take().expect("it is piped"), &said);
        listen(child.stderr.take().expect("it is piped"), &said);
        Ok(Self { child, said })
    }

    /// All that it said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("listening does not panic").clone()
    }

    /// Waits until it says this, and gives the rest of that line.
    pub(crate) fn says(&mut self, words: &str) -> String {
        until(&format!("the server to say `{words}`"), || {
            let said = self.said();
            let ended = self.child.try_wait().expect("it can be waited for");
            let found = said.lines().find_map(|line| line.split_once(words));
            assert!(found.is_some() || ended.is_none(), "it ended with {ended:?}: {said}");
            found.map(|(_, rest)| rest.to_owned())
        })
    }

    /// Types this line to it.
    pub(super) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        input.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it can be waited for");
    }

    /// Waits until somebody listens there.
    pub(crate) fn listens(&mut self, address: SocketAddr) {
        until("the server to listen", || {
            let ended = self.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "it ended with {ended:?}: {}", self.said());
            std::net::TcpStream::connect(address).ok()
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // So that it ends its own children; what does not listen is killed.
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE / 4 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn listen(from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let mut from = BufReader::new(from);
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            said.lock().expect("listening does not panic").push_str(&text);
            line.clear();
        }
    });
}

/// A port that is ours to give to a server which must be told one: bound, and listened on by nobody
/// until it does.
pub(crate) fn port() -> (Socket, SocketAddr) {
    let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    port.set_reuse_address(true).expect("an option of every socket");
    port.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = port.local_addr().expect("it is bound").as_socket().expect("it is IPv4");
    (port, address)
}

/// The port at the end of `words`, as in `ACCEPT 127.0.0.1:40123`.
pub(crate) fn at(words: &str) -> String {
    let digits: String = words
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    assert!(!digits.is_empty(), "there is no port in `{words}`");
    format!("127.0.0.1:{digits}")
}

/// Whether anybody is connected to this port, by `/proc/net/tcp` (proc(5)): the third field is the
/// other end's address, and a state of 1 is ESTABLISHED.
pub(crate) fn connected(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|other| other.ends_with(&port)) && fields.next() == Some("01")
    })
}
