//! What systemd is told, and the sockets that it opens.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::load::{ask as ask_at, get};
use super::stage::{Stage, address, ready};
use crate::operations::OK;
use crate::rig::origin::Origin;
use crate::rig::proxy::{BINARY, Process};
use crate::rig::settings::Settings;
use crate::rig::{PATIENCE, skip};

/// Where systemd would listen.
struct Manager(UnixDatagram, PathBuf);

impl Manager {
    fn at(path: PathBuf) -> Self {
        let socket = UnixDatagram::bind(&path).expect("a free path");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self(socket, path)
    }

    fn environment(&self) -> (&'static str, PathBuf) {
        ("NOTIFY_SOCKET", self.1.clone())
    }

    /// Waits until all of this is said at once; signs of life may come before.
    fn hears(&self, words: &[&str]) -> String {
        loop {
            let mut said = [0; 1024];
            let length = self.0.recv(&mut said).unwrap_or_else(|_| panic!("{words:?} is not said"));
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            if words.iter().all(|word| said.lines().any(|line| line.starts_with(word))) {
                return said;
            }
            assert!(said == "WATCHDOG=1\n" || said == "WATCHDOG=1", "{said:?} before {words:?}");
        }
    }
}

#[test]
fn each_turn_of_its_life_is_told() {
    let origin = Origin::answering(OK);
    let stage = Stage::new(|_| Settings::to(&origin).with("reload", "watch: false"));
    let manager = Manager::at(stage.path("notify.sock"));
    let watched = ("WATCHDOG_USEC", PathBuf::from("100000"));
    let environment = [manager.environment(), watched];
    let mut old = ready(stage.start_in(&[], &environment));
    let main = |process: &Process| format!("MAINPID={}", process.id());
    manager.hears(&[&main(&old), "READY=1", "STATUS="]);
    for _ in 0..3 {
        manager.hears(&["WATCHDOG=1"]);
    }
    old.signal(Signal::HUP);
    let said = manager.hears(&["RELOADING=1", "MONOTONIC_USEC="]);
    let now = said.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    let now: u128 = now.and_then(|now| now.parse().ok()).expect("a number");
    assert!(now > 0);
    manager.hears(&["READY=1"]);
    let mut new = ready(stage.start_in(&["--takeover"], &environment));
    // The one whom it believes tells of the other.
    manager.hears(&[&main(&new)]);
    manager.hears(&[&main(&new), "READY=1"]);
    assert!(old.ended().success());
    new.signal(Signal::TERM);
    manager.hears(&["STOPPING=1", "STATUS="]);
    assert!(new.ended().success());
}

/// Starts the binary as systemd does: with these sockets from descriptor 3 on.
fn activate(config: &Path, sockets: [OwnedFd; 2], pid: &str) -> Process {
    let script = format!(
        "exec 3<&0 4>&1 0</dev/null 1>&2; LISTEN_PID={pid} LISTEN_FDS=2 LISTEN_FDNAMES=tcp:unix \
         exec \"$0\" run --config \"$1\""
    );
    let [first, second] = sockets;
    Process::run(
        Command::new("sh")
            .args(["-c", &script])
            .arg(BINARY)
            .arg(config)
            .stdin(Stdio::from(first))
            .stdout(Stdio::from(second)),
    )
}

/// Two sockets, and a configuration that names them.
fn two(origin: &Origin) -> (Stage, [OwnedFd; 2], String, PathBuf) {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = tcp.local_addr().expect("it is bound").to_string();
    let stage = Stage::bare(&Settings::to(origin));
    let path = stage.path("app.sock");
    let unix = UnixListener::bind(&path).expect("the folder is ours");
    let listener = "  - { address: \"127.0.0.1:0\" }\n";
    let listeners =
        format!("  - {{ address: \"{at}\" }}\n  - {{ address: \"unix:{}\" }}\n", path.display());
    stage.write_as(&stage.yaml().replace(listener, &listeners));
    (stage, [tcp.into(), unix.into()], at, path)
}

#[test]
fn sockets_that_systemd_opened_are_served() {
    let origin = Origin::answering(OK);
    let (stage, sockets, at, path) = two(&origin);
    let mut process = ready(activate(&stage.config(), sockets, "$$"));
    assert_eq!(address(&mut process, 0).to_string(), at);
    assert_eq!(get(at.parse().expect("an address")).0, 200);
    assert!(ask_at(&path).expect("an answer").starts_with("HTTP/1.1 200 "));
    process.signal(Signal::TERM);
    assert!(process.ended().success());
    assert!(path.exists(), "it belongs to whoever made it");
}

#[test]
fn a_socket_that_no_listener_is_for_is_refused() {
    let origin = Origin::answering(OK);
    let (stage, sockets, _, path) = two(&origin);
    let yaml = stage.yaml();
    let without: Vec<&str> = yaml.lines().filter(|line| !line.contains("app.sock")).collect();
    stage.write_as(&without.join("\n"));
    let mut process = activate(&stage.config(), sockets, "$$");
    assert_eq!(process.ended().code(), Some(2));
    let said = process.said_to_the_end();
    assert!(said.contains(&format!("`unix:{}`", path.display())), "{said}");
    assert!(said.contains("ListenStream="), "{said}");
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let origin = Origin::answering(OK);
    for whose in ["1", ""] {
        let (stage, sockets, at, _) = two(&origin);
        let mut process = activate(&stage.config(), sockets, whose);
        // It binds by itself, and cannot.
        assert_eq!(process.ended().code(), Some(2), "{whose:?}");
        let said = process.said_to_the_end();
        assert!(said.contains(&at) && said.contains("in use"), "{said}");
    }
}

#[test]
fn the_units_are_right() {
    let test = "life::systemd::the_units_are_right";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let there = tempfile::tempdir().expect("a folder");
    // The binary is not where a package puts it.
    for unit in ["whodunit.service", "whodunit.socket"] {
        let words = std::fs::read_to_string(folder.join(unit)).expect("the unit is there");
        let words = words.replace("/usr/bin/whodunit", BINARY);
        std::fs::write(there.path().join(unit), words).expect("the folder is ours");
    }
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(["whodunit.service", "whodunit.socket"].map(|unit| there.path().join(unit)))
        .output();
    let Ok(verified) = verified else { return skip(test, "there is no systemd-analyze here") };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.trim().is_empty(), "{said}");
}
