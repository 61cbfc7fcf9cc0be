//! Root no longer than needed.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use rustix::process::{Signal, geteuid};

use super::load::get;
use super::stage::{Stage, address, ready};
use crate::operations::OK;
use crate::rig::certificates::{Authority, Says};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

/// A user that every system has, by number: one that nobody is.
const NOBODY: u32 = 65_534;

fn is_root(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        skip(&format!("life::privileges::{test}"), "only root can become somebody else");
    }
    root
}

/// What the kernel says of each thread of a process.
fn threads(process: u32, field: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    tasks
        .map(|task| task.expect("it runs").path().join("status"))
        .map(|status| {
            let status = std::fs::read_to_string(status).expect("it runs");
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.expect("the kernel tells").split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// A port below 1024 that is free.
fn low() -> Option<u16> {
    (600..1024).rev().find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

#[test]
fn root_binds_and_is_somebody_else_then() {
    if !is_root("root_binds_and_is_somebody_else_then") {
        return;
    }
    let port = low().expect("a free port");
    let origin = Origin::answering(OK);
    let stage = Stage::new(|_| Settings::to(&origin));
    let yaml = stage.yaml().replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    stage.write_as(&format!("user: \"{NOBODY}\"\ngroup: \"{NOBODY}\"\n{yaml}"));
    chown(stage.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
    let mut process = ready(stage.start(&[]));
    let at = address(&mut process, 0);
    assert_eq!(at.port(), port);
    assert_eq!(get(at).0, 200);
    let four = [NOBODY.to_string().as_str(); 4].join(" ");
    for (field, expected) in [
        ("Uid:", four.as_str()),
        ("Gid:", &four),
        ("CapEff:", "0000000000000000"),
        ("CapPrm:", "0000000000000000"),
    ] {
        let threads = threads(process.id(), field);
        assert!(threads.len() > 2 && threads.iter().all(|one| one == expected), "{threads:?}");
    }
    let groups = threads(process.id(), "Groups:");
    assert!(groups.iter().all(|groups| groups == &NOBODY.to_string()), "{groups:?}");
    assert!(!process.said().contains("this runs as root"), "{}", process.said());
    // Root's successor gets the low port from it, and is nobody in its turn.
    let mut next = ready(stage.start(&["--takeover"]));
    assert_eq!(address(&mut next, 0).port(), port);
    assert!(process.ended().success(), "{}", process.said());
    assert_eq!(get(at).0, 200);
    assert!(threads(next.id(), "Uid:").iter().all(|one| *one == four));
    next.signal(Signal::TERM);
    assert!(next.ended().success());
    assert!(!stage.log().records().is_empty(), "the log is nobody's");
}

#[test]
fn what_takes_root_is_refused_on_reload_and_what_does_not_is_done() {
    if !is_root("what_takes_root_is_refused_on_reload_and_what_does_not_is_done") {
        return;
    }
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin).with("reload", "watch: false"));
    let yaml = format!("user: \"{NOBODY}\"\ngroup: \"{NOBODY}\"\n{}", stage.yaml());
    chown(stage.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
    stage.write_as(&yaml);
    let mut process = ready(stage.start(&[]));
    let at = address(&mut process, 0);
    let other = |port: u16| format!("listeners:\n  - {{ address: \"127.0.0.1:{port}\" }}\n");
    stage.write_as(&yaml.replace("listeners:\n", &other(low().expect("a free port"))));
    process.signal(Signal::HUP);
    process.says("configuration not reloaded", 0);
    until("the reason", || process.said().contains("CAP_NET_BIND_SERVICE").then_some(()));
    assert_eq!(get(at).0, 200);
    stage.write_as(&yaml.replace("listeners:\n", &other(0)));
    process.signal(Signal::HUP);
    process.says("configuration reloaded", 0);
    assert_eq!(get(address(&mut process, 1)).0, 200);
    // Root's file is not to be read by anybody else.
    let secret = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(stage.config(), secret).expect("it is ours");
    chown(stage.config(), Some(0), Some(0)).expect("root may");
    process.signal(Signal::HUP);
    process.says("configuration not reloaded", 1);
    process.signal(Signal::TERM);
    assert!(process.ended().success());
    let mut process = ready(stage.start(&[]));
    process.says(&format!("{} cannot be read any more", stage.config().display()), 0);
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn whoever_is_not_there_cannot_be_become() {
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin));
    let yaml = stage.yaml();
    let mut wrong = vec![("user: no-such-user-here", "no-such-user-here")];
    if is_root("whoever_is_not_there_cannot_be_become") {
        wrong.push(("user: \"4000000000\"", "set `group` as well"));
        wrong.push(("user: root\ngroup: no-such-group-here", "no-such-group-here"));
    } else {
        wrong.push(("user: root", "only root can become"));
    }
    for (setting, told) in wrong {
        stage.write_as(&format!("{setting}\n{yaml}"));
        let mut process = stage.start(&[]);
        assert_eq!(process.ended().code(), Some(2), "{setting}");
        let said = process.said_to_the_end();
        assert!(said.contains(told) && !said.contains("ready"), "{said}");
    }
}

#[test]
fn running_as_root_is_told_of() {
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin));
    let mut process = ready(stage.start(&[]));
    let told = process.said().matches("this runs as root: set `user`").count();
    assert_eq!(told, usize::from(geteuid().is_root()), "{}", process.said());
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn secrets_that_everybody_may_read_are_told_of_or_refused() {
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin).with("loop", "secret: 0123456789abcdef"));
    let rights = |mode| {
        let rights = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(stage.config(), rights).expect("it is ours");
    };
    for (mode, told) in [(0o644, true), (0o600, false)] {
        rights(mode);
        let mut process = ready(stage.start(&[]));
        assert_eq!(process.said().contains("chmod o="), told, "{mode:o}: {}", process.said());
        assert!(!process.said().contains("0123456789abcdef"));
        process.signal(Signal::TERM);
        assert!(process.ended().success());
    }
}

#[test]
fn the_files_of_unix_sockets_are_its_own() {
    if !is_root("the_files_of_unix_sockets_are_its_own") {
        return;
    }
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin).with("reload", "watch: false"));
    chown(stage.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
    let path = stage.path("in.sock");
    let yaml = format!("user: \"{NOBODY}\"\ngroup: \"{NOBODY}\"\n{}", stage.yaml());
    let with = |mode: &str| {
        let more = format!("{{ address: \"unix:{}\", mode: \"{mode}\" }}", path.display());
        yaml.replace("listeners:\n", &format!("listeners:\n  - {more}\n"))
    };
    stage.write_as(&with("0660"));
    let mut process = ready(stage.start(&[]));
    let file = || std::fs::metadata(&path).expect("it is there");
    assert_eq!((file().uid(), file().gid(), file().mode() & 0o777), (NOBODY, NOBODY, 0o660));
    for (nth, (mode, number)) in [("0660", 0o660), ("0666", 0o666)].into_iter().enumerate() {
        stage.write_as(&with(mode));
        process.signal(Signal::HUP);
        process.says("configuration reloaded", nth);
        assert_eq!(file().mode() & 0o777, number);
    }
    stage.write_as(&yaml);
    process.signal(Signal::HUP);
    process.says("configuration reloaded", 2);
    until("its file to be gone", || (!path.exists()).then_some(()));
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn a_key_that_root_alone_can_read_is_told_of() {
    if !is_root("a_key_that_root_alone_can_read_is_told_of") {
        return;
    }
    let origin = Origin::answering(OK);
    let own = Authority::new("root").signs(&Says::names(&["app.test"]));
    let stage = Stage::bare(&Settings::to(&origin).secured(&[&own], ""));
    chown(stage.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
    let yaml = format!("user: \"{NOBODY}\"\ngroup: \"{NOBODY}\"\n{}", stage.yaml());
    stage.write_as(&yaml);
    let mut process = ready(stage.start(&[]));
    until("it to be told of", || {
        process.said().contains("nothing that names it can be reloaded").then_some(())
    });
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}
