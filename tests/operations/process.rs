//! Start and stop.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::{GET, OK};
use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::proxy::Process;
use crate::rig::settings::Settings;
use crate::rig::until;

/// Starts the binary with this configuration and waits until it ends: exit code and words.
fn ending(yaml: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("whodunit.yaml");
    std::fs::write(&config, yaml).expect("the folder is ours");
    let path = config.to_str().expect("the path is text");
    let mut process = Process::start(&["run", "--config", path]);
    let code = process.ended().code();
    (code, process.said_to_the_end())
}

#[test]
fn a_port_in_use_ends_the_process_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    for yaml in [
        format!(
            "listeners: [ {{ address: \"{address}\" }} ]\nadmin: {{ address: \"127.0.0.1:0\" }}\n"
        ),
        format!(
            "listeners: [ {{ address: \"127.0.0.1:0\" }} ]\nadmin: {{ address: \"{address}\" }}\n"
        ),
    ] {
        let (code, said) =
            ending(&format!("{yaml}upstreams: {{ web: {{ endpoints: [ \"127.0.0.1:9\" ] }} }}\n"));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(&address) && said.contains("in use"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_wrong_configuration_ends_the_process_and_lists_every_problem() {
    let (code, said) = ending(
        "listeners: [ { adress: \"127.0.0.1:0\" } ]\ntimeouts: { read: 5 parsecs }\n\
         routes: [ { upstream: nowhere } ]\n",
    );
    assert_eq!(code, Some(2), "{said}");
    for word in ["adress", "address", "5 parsecs", "nowhere", "whodunit.yaml:1", "whodunit.yaml:2"]
    {
        assert!(said.contains(word), "`{word}` is not said: {said}");
    }
}

#[test]
fn no_file_is_needed_before_one_origin() {
    let origin = Origin::answering(OK);
    let url = format!("http://{}", origin.endpoint);
    let mut process = Process::start(&[
        "run",
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let said = process.says("listening on http://", 0);
    process.says("ready", 0);
    let address = said.split(' ').next().and_then(|a| a.parse().ok()).expect("an address");
    let mut client = Client::connect(address);
    client.send(GET);
    assert_eq!(client.receive("GET").expect("an answer").status, 200);
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn a_stop_lets_requests_end_and_takes_no_new_ones() {
    let (arrived, arrivals) = mpsc::channel();
    let (go, going) = mpsc::channel::<()>();
    let (arrived, going) = (std::sync::Mutex::new(arrived), std::sync::Mutex::new(going));
    let origin = Origin::new(move |mut connection| {
        connection.request();
        arrived.lock().expect("nobody panicked").send(()).expect("the test waits");
        going.lock().expect("nobody panicked").recv().expect("the test says when");
        connection.send(OK);
        connection.hold();
    });
    let mut proxy = Settings::to(&origin).with("shutdown", "grace: 20s").start();
    let address = proxy.address();
    let mut client = proxy.connect();
    client.send(GET);
    arrivals.recv().expect("the origin is asked");
    proxy.process().signal(Signal::TERM);
    until("new connections to be refused", || TcpStream::connect(address).is_err().then_some(()));
    go.send(()).expect("the origin waits");
    let answer = client.receive("GET").expect("the request that was under way ends");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let connection = answer.fields.text("connection");
    assert_eq!(connection.as_deref(), Some("close"), "no other request can follow");
    assert!(proxy.process().ended().success(), "{}", proxy.said());
}

#[test]
fn a_stop_does_not_wait_longer_than_its_grace() {
    let (arrived, arrivals) = mpsc::channel();
    let arrived = std::sync::Mutex::new(arrived);
    let origin = Origin::new(move |mut connection| {
        connection.request();
        arrived.lock().expect("nobody panicked").send(()).expect("the test waits");
        connection.hold();
    });
    let mut proxy = Settings::to(&origin).with("shutdown", "grace: 300ms").start();
    let mut client = proxy.connect();
    client.send(GET);
    arrivals.recv().expect("the origin is asked");
    proxy.process().signal(Signal::TERM);
    proxy.process().ended();
    let records = proxy.log.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    for (field, value) in [
        ("cause", "proxy_stopping"),
        ("party", "proxy"),
        ("phase", "wait"),
        ("certainty", "proved"),
        ("sent", "acked"),
    ] {
        assert_eq!(records[0][field], value, "{records:#?}");
    }
}

#[test]
fn an_idle_process_stops_at_once() {
    let origin = Origin::answering(OK);
    let mut proxy = Settings::to(&origin).with("shutdown", "grace: 1h").start();
    let kept = proxy.connect();
    assert_eq!(proxy.get("/").status(), 200);
    proxy.process().signal(Signal::TERM);
    assert!(proxy.process().ended().success());
    drop(kept);
}

/// Ticks of a processor that a process has used so far (`proc_pid_stat(5)`).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, after) = stat.rsplit_once(") ").expect("its name is in brackets");
    let fields: Vec<&str> = after.split(' ').collect();
    [11, 12].iter().map(|n| fields[*n].parse::<u64>().expect("a number")).sum()
}

#[test]
fn a_process_out_of_files_waits_and_serves_who_waited_with_it() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let pid = Pid::from_raw(proxy.id().cast_signed());
    let limit = |limit| prlimit(pid, Resource::Nofile, limit).expect("it is ours");
    assert_eq!(proxy.get("/").status(), 200);
    let few = Rlimit { current: Some(3), maximum: getrlimit(Resource::Nofile).maximum };
    let told = proxy.exchanges(4, || {
        let before = limit(few);
        let began = ticks(proxy.id());
        // The kernel takes them; nobody accepts them.
        let mut waiting: Vec<Client> = (0..3).map(|_| proxy.connect()).collect();
        for client in &mut waiting {
            client.send(GET);
        }
        assert!(!waiting[0].speaks_within(Duration::from_secs(1)), "it has no number for it");
        let used = ticks(proxy.id()) - began;
        assert!(used < 20, "{used} ticks of some hundred went into trying again");
        limit(before);
        waiting.iter_mut().map(|client| client.receive("GET")).collect()
    });
    let (shortage, served) = told.split_first().expect("there are four");
    assert_eq!(shortage.text("cause"), "proxy_files_exhausted", "{shortage:?}");
    assert_eq!(shortage.text("evidence.errno"), "EMFILE", "{shortage:?}");
    assert_eq!(shortage.text("listener"), proxy.address().to_string(), "{shortage:?}");
    assert!(served.iter().all(|told| told.status() == 200), "{told:?}");
}
