//! Who may not take over, and whom a process does not ask for it.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use socket2::{Domain, SockAddr, Socket, Type};

use super::load::get;
use super::stage::{Stage, address, ready};
use super::takeover::{GOES_ON, one, stop};
use crate::operations::OK;
use crate::rig::origin::Origin;
use crate::rig::{PATIENCE, skip, until};

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    for mode in [0o755, 0o710, 0o701] {
        stage.open_to(mode);
        for arguments in [&[][..], &["--takeover"]] {
            let mut process = stage.start(arguments);
            assert_eq!(process.ended().code(), Some(2), "{mode:o}");
            let said = process.said_to_the_end();
            assert!(said.contains("`takeover.path`") && said.contains("chmod 0700"), "{said}");
        }
    }
    stage.open_to(0o700);
    let there = stage.yaml().replace("takeover.sock", "nowhere/takeover.sock");
    stage.write_as(&there);
    let mut process = stage.start(&[]);
    assert_eq!(process.ended().code(), Some(2));
    assert!(process.said_to_the_end().contains("install -d -m 0700"), "{}", process.said());
}

/// Says this to a running process as a successor would.
fn talk(stage: &Stage, hello: &str) -> Socket {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).expect("a socket");
    let path = SockAddr::unix(stage.path("takeover.sock")).expect("it is short");
    socket.connect(&path).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    socket.send(hello.as_bytes()).expect("it listens");
    socket
}

/// What it says.
fn heard(mut socket: &Socket) -> String {
    let mut answer = vec![0; 4096];
    let length = socket.read(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

const HELLO: &str = r#"{"say":"hello","version":1,"release":"9.9.9"}"#;

#[test]
fn whoever_does_not_know_the_words_is_turned_away() {
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    let mut old = ready(stage.start(&[]));
    let at = address(&mut old, 0);
    let later = r#"{"say":"hello","version":2,"release":"9.9.9","more":[1]}"#;
    let answer = heard(&talk(&stage, later));
    assert!(answer.contains("refused") && answer.contains("9.9.9"), "{answer}");
    for (turn, words) in ["{", r#"{"say":"ready"}"#, &"x".repeat(70_000)].iter().enumerate() {
        let socket = talk(&stage, words);
        until(&format!("{:.20} to be told of: {}", words, old.said()), || {
            (old.said().matches(GOES_ON).count() > turn).then_some(())
        });
        drop(socket);
    }
    // It ends with the sockets in its hands.
    let socket = talk(&stage, HELLO);
    let answer = heard(&socket);
    assert!(answer.contains("sockets") && answer.contains("127.0.0.1:0"), "{answer}");
    drop(socket);
    until("it to be told of", || (old.said().matches(GOES_ON).count() > 3).then_some(()));
    assert_eq!(get(at).0, 200);
    let new = ready(stage.start(&["--takeover"]));
    assert!(old.ended().success());
    stop(new);
}

#[test]
fn another_user_is_turned_away() {
    let test = "life::strangers::another_user_is_turned_away";
    if !rustix::process::geteuid().is_root() {
        return skip(test, "only root can be another user");
    }
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    let old = ready(stage.start(&[]));
    // As if somebody had opened it to all afterwards.
    stage.open_to(0o777);
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(stage.path("takeover.sock"), all).expect("it is ours");
    let answer = std::thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_uid(nobody).expect("root may");
            heard(&talk(&stage, HELLO))
        });
        stranger.join().expect("it is answered")
    });
    assert!(answer.contains("refused") && answer.contains("65534"), "{answer}");
    stage.open_to(0o700);
    stop(old);
}
