//! A new process in the place of the one that runs.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};

use super::load::{Load, ask as ask_at, get};
use super::stage::{Stage, address, admin, ask, descriptors, memory, ready};
use crate::operations::{GET, OK};
use crate::rig::client::{Client, Over};
use crate::rig::origin::Origin;
use crate::rig::proxy::Process;
use crate::rig::settings::Settings;
use crate::rig::until;

/// What is said when nothing came of it.
pub(super) const GOES_ON: &str = "this one goes on";

/// One listener before this origin.
pub(super) fn one(origin: &Origin) -> Stage {
    Stage::new(|_| Settings::to(origin))
}

#[test]
fn processes_follow_each_other_and_no_request_fails() {
    let origin = Origin::answering(OK);
    let stage = Stage::new(|folder| {
        let unix = format!("unix:{}", folder.join("app.sock").display());
        Settings::to(&origin).listener("127.0.0.1:0").h2c().listener(&unix)
    });
    let unix = stage.path("app.sock");
    let mut running = ready(stage.start(&[]));
    let (http1, http2) = (address(&mut running, 0), address(&mut running, 1));
    let operators = admin(&mut running);
    assert_eq!(get(http1).0, 200);
    let (files, kib) = (descriptors(running.id()), memory(running.id()));
    let load = Load::default();
    let total = std::thread::scope(|scope| {
        let clients = load.begin(scope, (http1, http2, &unix));
        load.goes_on(50);
        for _ in 0..2 {
            let mut next = ready(stage.start(&["--takeover"]));
            assert_eq!(address(&mut next, 0), http1, "the same socket");
            assert_eq!(ask(operators, "/readyz").status, 200);
            load.goes_on(50);
            assert!(running.ended().success(), "{}", running.said());
            let said = running.said_to_the_end();
            assert!(said.contains(&format!("process {} takes requests", next.id())), "{said}");
            assert!(said.trim_end().ends_with("stopped"), "none was cut off: {said}");
            running = next;
            load.goes_on(50);
        }
        load.end(clients)
    });
    let records = stage.log().wait(total + 1);
    assert_eq!(records.len(), total + 1, "one record each, from whichever process");
    until("descriptors to be given back", || {
        (descriptors(running.id()) <= files + 4).then_some(())
    });
    let now = memory(running.id());
    assert!(now < kib + 16 * 1024, "{now} KiB after two takeovers, and {kib} before them");
    stop(running);
    assert!(!stage.path("takeover.sock").exists(), "nobody answers there");
}

#[test]
fn a_request_under_way_ends_in_the_process_where_it_began() {
    let (arrived, arrivals) = mpsc::channel();
    let (go, going) = mpsc::channel::<()>();
    let (arrived, going) = (std::sync::Mutex::new(arrived), std::sync::Mutex::new(going));
    let origin = Origin::new(move |mut connection| {
        while let Some(asked) = connection.request() {
            if asked.target == "/slow" {
                arrived.lock().expect("nobody panicked").send(()).expect("the test waits");
                going.lock().expect("nobody panicked").recv().expect("the test says when");
            }
            connection.send(OK);
        }
    });
    let stage = one(&origin);
    let mut old = ready(stage.start(&[]));
    let at = address(&mut old, 0);
    let mut slow = Client::connect(at);
    slow.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n");
    arrivals.recv().expect("the origin is asked");
    let mut idle = Client::connect(at);
    idle.send(GET);
    assert_eq!(idle.receive("GET").expect("an answer").status, 200);
    let new = ready(stage.start(&["--takeover"]));
    assert_eq!(idle.over(), Over::Closed, "it was not used for a while");
    assert_eq!(get(at).0, 200);
    go.send(()).expect("the origin waits");
    let answer = slow.receive("GET").expect("the request that was under way ends");
    let connection = answer.fields.text("connection");
    assert_eq!((answer.status, connection.as_deref()), (200, Some("close")));
    assert!(old.ended().success());
    stop(new);
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    let good = stage.yaml();
    let mut old = ready(stage.start(&[]));
    let at = address(&mut old, 0);
    stage.write_as("upstreems: {}\n");
    let mut wrong = stage.start(&["--takeover"]);
    assert_eq!(wrong.ended().code(), Some(2), "{}", wrong.said());
    assert_eq!(get(at).0, 200);
    // It has the sockets by the time it fails.
    let occupied = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address_too = occupied.local_addr().expect("it is bound");
    let listeners = format!("listeners:\n  - {{ address: \"{address_too}\" }}\n");
    stage.write_as(&good.replace("listeners:\n", &listeners));
    let mut late = stage.start(&["--takeover"]);
    assert_eq!(late.ended().code(), Some(2), "{}", late.said());
    let said = late.said_to_the_end();
    assert!(said.contains("takes the place of process") && said.contains("in use"), "{said}");
    until("the old one to say so", || old.said().contains(GOES_ON).then_some(()));
    assert_eq!(get(at).0, 200);
    stage.write_as(&good);
    let mut new = ready(stage.start(&["--takeover"]));
    assert_eq!(address(&mut new, 0), at);
    assert_eq!(get(at).0, 200);
    assert!(old.ended().success());
    stop(new);
}

#[test]
fn addresses_come_and_go_with_a_takeover() {
    let origin = Origin::answering(OK);
    let any = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let free: Vec<TcpListener> = (0..3).map(any).collect();
    let at = |free: TcpListener| free.local_addr().expect("it is bound");
    let ports: Vec<SocketAddr> = free.into_iter().map(at).collect();
    let stage = Stage::new(|folder| {
        let unix = format!("unix:{}", folder.join("app.sock").display());
        Settings::to(&origin)
            .listener(&ports[0].to_string())
            .listener(&ports[1].to_string())
            .listener(&unix)
    });
    let yaml = stage.yaml();
    let mut old = ready(stage.start(&[]));
    let unix = stage.path("app.sock");
    assert!(ask_at(&unix).expect("an answer").contains(" 200 "));
    let mut lines: Vec<&str> = yaml.lines().filter(|line| !line.contains("app.sock")).collect();
    let changed = lines.iter().position(|line| line.contains(&ports[1].to_string()));
    let changed = changed.expect("it is a listener");
    let new_line = lines[changed].replace(&ports[1].to_string(), &ports[2].to_string());
    lines[changed] = &new_line;
    stage.write_as(&format!("{}\n", lines.join("\n")));
    let new = ready(stage.start(&["--takeover"]));
    assert!(old.ended().success());
    assert_eq!((get(ports[0]).0, get(ports[2]).0), (200, 200));
    assert!(TcpStream::connect(ports[1]).is_err(), "nobody listens there");
    assert!(!unix.exists(), "nor there");
    stop(new);
}

#[test]
fn an_address_is_widened_by_a_takeover() {
    let origin = Origin::answering(OK);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let one = free.local_addr().expect("it is bound");
    drop(free);
    let stage = Stage::new(|_| Settings::to(&origin).instead(&one.to_string()));
    let yaml = stage.yaml();
    let mut old = ready(stage.start(&[]));
    stage.write_as(&yaml.replace(&one.to_string(), &format!("0.0.0.0:{}", one.port())));
    let new = ready(stage.start(&["--takeover"]));
    assert!(old.ended().success());
    assert_eq!(get(one).0, 200);
    assert_eq!(get(SocketAddr::from(([127, 0, 0, 3], one.port()))).0, 200);
    stop(new);
}

#[test]
fn a_signal_starts_the_successor() {
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    let good = stage.yaml();
    let mut old = ready(stage.start(&[]));
    let at = address(&mut old, 0);
    stage.write_as("upstreems: {}\n");
    old.signal(Signal::USR2);
    until("the end of the first to be told", || {
        old.said().contains("ended with exit status: 2").then_some(())
    });
    assert_eq!(get(at).0, 200);
    stage.write_as(&good);
    old.signal(Signal::USR2);
    // It speaks where the old one does, and may do so when that one has ended.
    let lines = |said: &str, words: &str| said.lines().filter(|line| *line == words).count();
    until("the successor to be ready", || (lines(&old.said(), "ready") == 2).then_some(()));
    let words = format!("takes the place of process {}", old.id());
    assert_eq!(lines(&old.said(), &words), 1, "{}", old.said());
    assert!(old.ended().success());
    assert_eq!(get(at).0, 200);
    let said = old.said();
    let mut started = said.lines().filter_map(|line| line.split(" was started as process ").nth(1));
    let new = started.next_back().and_then(|rest| rest.split(',').next()).expect("it is told");
    let new = Pid::from_raw(new.parse().expect("a number")).expect("a process");
    kill_process(new, Signal::TERM).expect("it runs");
    until("its end", || (lines(&old.said(), "stopped") == 2).then_some(()));
}

#[test]
fn without_the_setting_nothing_can_be_taken_over() {
    let origin = Origin::answering(OK);
    let stage = Stage::bare(&Settings::to(&origin));
    let mut old = ready(stage.start(&[]));
    let at = address(&mut old, 0);
    let mut new = stage.start(&["--takeover"]);
    assert_eq!(new.ended().code(), Some(2));
    assert!(new.said_to_the_end().contains("`takeover.path`"), "{}", new.said());
    old.signal(Signal::USR2);
    old.says("SIGUSR2: no successor is started", 0);
    assert_eq!(get(at).0, 200);
    stop(old);
}

#[test]
fn with_nobody_to_be_taken_over_a_process_starts_anew() {
    let origin = Origin::answering(OK);
    let stage = one(&origin);
    let mut first = ready(stage.start(&["--takeover"]));
    assert!(first.said().contains("starts anew"), "{}", first.said());
    let at = address(&mut first, 0);
    // Killed, it leaves its socket behind.
    first.signal(Signal::KILL);
    first.ended();
    let mut second = ready(stage.start(&["--takeover"]));
    assert!(second.said().contains("starts anew"), "{}", second.said());
    assert_eq!(get(address(&mut second, 0)).0, 200);
    assert!(TcpStream::connect(at).is_err());
    let mut third = stage.start(&[]);
    assert_eq!(third.ended().code(), Some(2));
    let said = third.said_to_the_end();
    assert!(said.contains(&format!("process {} answers there", second.id())), "{said}");
    stop(second);
}

/// Ends it.
pub(super) fn stop(mut process: Process) {
    process.signal(Signal::TERM);
    assert!(process.ended().success(), "{}", process.said());
}
