//! Listeners that come, go and change while requests run.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use super::{OK, own};
use crate::life::stage::descriptors;
use crate::rig::PATIENCE;
use crate::rig::client::Client;
use crate::rig::h2client::Http2;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::Wants;
use crate::rig::settings::Settings;
use crate::rig::until;

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

fn quiet(settings: Settings) -> Settings {
    settings.with("reload", "watch: false")
}

/// Has this taken up.
fn become_as(proxy: &mut Proxy, settings: &Settings) {
    let taken = |proxy: &Proxy| {
        proxy.metrics().sum("whodunit_config_reloads_total", &[("result", "success")])
    };
    let before = taken(proxy);
    proxy.rewrite(settings);
    proxy.process().signal(Signal::HUP);
    until("the change to be taken up", || (taken(proxy) > before).then_some(()));
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn no_request_is_lost_while_listeners_come_and_go() {
    const EACH: usize = 1_500;
    let origin = Origin::answering(OK);
    let settings = || quiet(Settings::to(&origin)).with("log", "which: errors");
    let mut proxy = settings().start();
    let (first, second) = (proxy.address(), free());
    let (without, with) = (settings(), settings().listener(&second.to_string()));
    let (done, open) = (AtomicUsize::new(0), Mutex::new(false));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(first);
                    for turn in 0..EACH {
                        if turn % 50 == 0 {
                            client = Client::connect(first);
                        }
                        client.send(GET);
                        let answer = client.receive("GET").expect("no request is lost");
                        assert_eq!(answer.status, 200);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        // Uses the second one while it is there.
        let passing = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                let open = open.lock().expect("no panic");
                if *open {
                    let mut client = Client::connect(second);
                    client.send(GET);
                    assert_eq!(client.receive("GET").expect("no request is lost").status, 200);
                    asked += 1;
                }
                drop(open);
                std::thread::yield_now();
            }
            asked
        });
        let mut turns = 0;
        while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            become_as(&mut proxy, &with);
            *open.lock().expect("no panic") = true;
            until("it to listen", || listens(second).then_some(()));
            *open.lock().expect("no panic") = false;
            become_as(&mut proxy, &without);
            until("it to be gone", || (!listens(second)).then_some(()));
            turns += 1;
        }
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("no request is lost");
        }
        passing.join().expect("no request is lost");
        assert!(turns >= 2, "listeners came and went {turns} times while requests ran");
    });
    assert_eq!(done.load(Ordering::Relaxed), 3 * EACH);
    assert!(proxy.log.records().is_empty(), "{:?}", proxy.log.records());
}

#[test]
fn a_listener_that_goes_lets_its_requests_end() {
    let (asked, arrivals) = mpsc::channel();
    let (answer, answers) = mpsc::channel::<()>();
    let answers = Mutex::new(answers);
    let origin = Origin::new(move |mut connection| {
        while connection.request().is_some() {
            asked.send(()).expect("the test waits");
            answers.lock().expect("no panic").recv().expect("the test goes on");
            connection.send(OK);
        }
    });
    let settings = || quiet(Settings::to(&origin));
    let second = free();
    let with = settings().listener(&second.to_string()).h2c();
    let mut proxy = with.start();
    let mut idle = Client::connect(second);
    let mut busy = Client::connect(second);
    let other = Http2::connect(second);
    let mut stays = proxy.connect();
    busy.send(GET);
    arrivals.recv().expect("it is asked");
    let mut stream = other.open(crate::rig::h2client::get("/"), true);
    arrivals.recv().expect("it is asked");
    stays.send(GET);
    arrivals.recv().expect("it is asked");
    become_as(&mut proxy, &settings());
    until("it to be gone", || (!listens(second)).then_some(()));
    idle.over();
    for _ in 0..3 {
        answer.send(()).expect("the origin waits");
    }
    let last = busy.receive("GET").expect("its answer comes");
    assert_eq!(last.fields.text("connection").as_deref(), Some("close"));
    busy.over();
    assert_eq!(stream.receive().expect("its answer comes").status, 200);
    until("a goodbye", || other.told_to_go().then_some(()));
    // The other listener's connections know nothing of it.
    let answer = stays.receive("GET").expect("its answer comes");
    assert_eq!(answer.status, 200);
    assert_ne!(answer.fields.text("connection").as_deref(), Some("close"));
}

#[test]
fn a_listener_that_goes_does_not_wait_for_ever() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.hold();
    });
    let settings = || quiet(Settings::to(&origin)).with("shutdown", "grace: 100ms");
    let second = free();
    let mut proxy = settings().listener(&second.to_string()).start();
    let mut busy = Client::connect(second);
    busy.send(GET);
    until("it to be asked", || (origin.connections() == 1).then_some(()));
    become_as(&mut proxy, &settings());
    assert!(busy.receive("GET").is_none(), "it was cut off");
    until("that to be said", || proxy.said().contains("cut off").then_some(()));
}

#[test]
fn an_address_that_cannot_be_had_changes_nothing() {
    let (old, new) = (Origin::answering(OK), Origin::answering(OK));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|at| (at, taken)).expect("bound");
    let (before, after) = (quiet(Settings::to(&old)), quiet(Settings::to(&new)));
    let mut proxy = before.start();
    proxy.rewrite(&after.listener(&free().to_string()).listener(&taken.0.to_string()));
    proxy.process().signal(Signal::HUP);
    until("the refusal", || {
        let said = proxy.said();
        (said.contains("another process listens there") && said.contains("whodunit.yaml:5"))
            .then_some(())
    });
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!((old.connections(), new.connections()), (1, 0));
}

#[test]
fn a_changed_listener_serves_new_connections_by_its_new_terms() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let settings = || quiet(Settings::to(&origin));
    let mut proxy = settings().start();
    let mut plain = proxy.connect();
    let ask = |client: &mut Client| {
        client.send(GET);
        client.receive("GET").expect("an answer").status
    };
    assert_eq!(ask(&mut plain), 200);
    become_as(&mut proxy, &settings().secured(&[&own], ""));
    assert_eq!(ask(&mut plain), 200);
    let wants = Wants::anything().trusting(&root);
    let mut secured = wants.connect(proxy.address(), "app.test").expect("TLS");
    assert_eq!(secured.get("").expect("an answer").status, 200);
    become_as(&mut proxy, &settings().h2c());
    assert_eq!(Http2::connect(proxy.address()).get("/").expect("an answer").status, 200);
    assert_eq!(secured.get("").expect("an answer").status, 200);
    // A certificate that cannot be used changes nothing.
    proxy.rewrite(&settings().secured(&[&own], ""));
    own.spoil("nonsense");
    proxy.process().signal(Signal::HUP);
    until("the refusal", || proxy.said().contains("holds no private key").then_some(()));
    assert_eq!(ask(&mut proxy.connect()), 200);
}

#[test]
fn a_unix_socket_serves_comes_and_goes() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("in.sock");
    let origin = Origin::answering(OK);
    let settings = || quiet(Settings::to(&origin));
    let mut proxy = settings().start();
    let with = settings().listener(&format!("unix:{}", path.display()));
    for _ in 0..2 {
        become_as(&mut proxy, &with);
        let told = proxy.exchanges(1, || {
            let mut client = UnixStream::connect(&path).expect("it listens");
            let ask = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
            client.write_all(ask.as_bytes()).expect("it takes them");
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            Vec::new()
        });
        assert_eq!(told[0].text("listener"), format!("unix:{}", path.display()));
        become_as(&mut proxy, &settings());
        until("it to be gone", || UnixStream::connect(&path).is_err().then_some(()));
    }
}

/// An address may be widened to all of the machine's and narrowed again; and while one stands in for
/// the other, connections are taken.
#[test]
fn an_address_is_widened_and_narrowed_and_nobody_is_refused() {
    use std::io::{ErrorKind, Read, Write};
    let origin = Origin::answering(OK);
    let port = free().port();
    let at = |host: &str| quiet(Settings::to(&origin)).instead(&format!("{host}:{port}"));
    let mut proxy = at("127.0.0.1").start();
    let one = SocketAddr::from(([127, 0, 0, 1], port));
    let other = SocketAddr::from(([127, 0, 0, 2], port));
    let over = AtomicBool::new(false);
    let before = std::sync::OnceLock::new();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // One that came just as the other socket was closed may be lost to the kernel, if only
                // as it hears that it is there.
                let mut client = match TcpStream::connect(one) {
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => continue,
                    client => client.expect("nobody is refused"),
                };
                if client.write_all(GET.as_bytes()).is_ok() {
                    let _ = client.read(&mut [0; 64]);
                }
            }
        });
        for turn in 0..25 {
            become_as(&mut proxy, &at("0.0.0.0"));
            assert!(listens(other));
            become_as(&mut proxy, &at("127.0.0.1"));
            until("the others to be gone", || (!listens(other)).then_some(()));
            if turn == 4 {
                before.set(descriptors(proxy.id())).expect("once");
            }
        }
        over.store(true, Ordering::Relaxed);
        asking.join().expect("nobody is refused");
    });
    let mut client = Client::connect(one);
    client.send(GET);
    assert_eq!(client.receive("GET").expect("an answer").status, 200);
    drop(client);
    let before = *before.get().expect("it was counted");
    until("no descriptor to be kept", || (descriptors(proxy.id()) <= before).then_some(()));
    // Nobody gets in beside it who does not ask for just that.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("it can be set");
    let all = SocketAddr::from(([0, 0, 0, 0], port));
    assert!(socket.bind(&all.into()).and_then(|()| socket.listen(1)).is_err());
}

#[test]
fn who_agreed_on_http2_is_not_told_of_overload_in_http1() {
    use std::io::{Read, Write};
    let (_, own) = own();
    let origin = Origin::answering(OK);
    let settings = || quiet(Settings::to(&origin)).secured(&[&own], "");
    let mut proxy = settings().start();
    let config = Wants::anything().speaking(&["h2"]).config();
    let first = Http2::secured(proxy.address(), config.clone(), "app.test");
    assert_eq!(first.get("/").expect("an answer").status, 200);
    let name = rustls::pki_types::ServerName::try_from("app.test").expect("a name");
    let mut tls = rustls::ClientConnection::new(config, name).expect("a client");
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).expect("a vector takes it");
    let mut socket = TcpStream::connect(proxy.address()).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let (half, rest) = hello.split_at(hello.len() / 2);
    socket.write_all(half).expect("it takes them");
    let open = |proxy: &Proxy| {
        proxy.metrics().sum("whodunit_connections", &[("side", "client")]).round().to_string()
    };
    until("it to be counted", || (open(&proxy) == "2").then_some(()));
    // It was let in, and now there is one too many.
    become_as(&mut proxy, &settings().with("limits", "connections: 1"));
    let told = proxy.exchange(|| {
        socket.write_all(rest).expect("it takes them");
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        let mut came = Vec::new();
        // It ends, with or without a word.
        let _ = stream.read_to_end(&mut came);
        assert!(!came.windows(5).any(|five| five == b"HTTP/"), "{}", came.escape_ascii());
        None
    });
    assert_eq!(told.text("cause"), "proxy_overloaded", "{:#}", told.record);
    assert_eq!(told.text("evidence.setting"), "limits.connections");
}
