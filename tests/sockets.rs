//! The sockets that clients connect to: who may, and who else listens there.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::proxy::{Process, Proxy};
use crate::rig::settings::Settings;
use crate::rig::until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A listener at a Unix socket in the second place: what the first one needs, the rig knows.
fn at(origin: &Origin, path: &Path, mode: &str) -> (tempfile::TempDir, Process) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("whodunit.yaml");
    write(&config, origin, path, mode);
    let mut process = Process::start(&["run", "--config", config.to_str().expect("text")]);
    process.says("ready", 0);
    (folder, process)
}

fn write(config: &Path, origin: &Origin, path: &Path, mode: &str) {
    let text = format!(
        "listeners: [ {{ address: \"unix:{}\", mode: {mode} }} ]\nadmin: {{ address: null }}\n\
         log: {{ path: \"{}.log\" }}\nupstreams: {{ web: {{ endpoints: [ \"{}\" ] }} }}\n",
        path.display(),
        path.display(),
        origin.endpoint
    );
    std::fs::write(config, text).expect("the folder is ours");
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("the socket is there").permissions().mode() & 0o777
}

#[test]
fn a_unix_socket_has_the_mode_that_it_is_to_have() {
    let origin = Origin::answering(OK);
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("proxy.sock");
    let (folder, process) = at(&origin, &path, "\"0660\"");
    assert_eq!(mode(&path), 0o660);
    let mut client = UnixStream::connect(&path).expect("it listens");
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // The socket stays as it is but for that.
    write(&folder.path().join("whodunit.yaml"), &origin, &path, "\"0666\"");
    until("the new mode", || (mode(&path) == 0o666).then_some(()));
    drop(process);
}

#[test]
fn processes_share_a_port_if_they_are_told_to() {
    let origin = Origin::answering(OK);
    let settings = |port: u16, more: &str| {
        Settings::to(&origin).instead(&format!("127.0.0.1:{port}")).listening(more)
    };
    let first = settings(0, "reuse_port: true").start();
    let port = first.address().port();
    let second = settings(port, "reuse_port: true").start();
    let answered = |proxy: &Proxy| !proxy.log.records().is_empty();
    until("each of them to be asked", || {
        let mut client = Client::connect(first.address());
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert_eq!(client.receive("GET").expect("an answer").status, 200);
        (answered(&first) && answered(&second)).then_some(())
    });
}
