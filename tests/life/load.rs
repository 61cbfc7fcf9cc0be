//! Clients that ask without a pause, each in a way of its own, and take note of what fails.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use crate::operations::GET;
use crate::rig::PATIENCE;
use crate::rig::client::Client;
use crate::rig::until;

/// Clients under way.
#[derive(Default)]
pub(crate) struct Load {
    finished: AtomicBool,
    failures: Mutex<Vec<String>>,
    answered: [AtomicUsize; 4],
}

/// How each of them asks.
const WAYS: [&str; 4] = ["one connection", "a connection each", "HTTP/2", "a Unix socket"];

impl Load {
    /// Begins to ask at these addresses: for HTTP/1, for HTTP/2, and at a Unix socket.
    pub(crate) fn begin<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        (http1, http2, unix): (SocketAddr, SocketAddr, &'s Path),
    ) -> Vec<ScopedJoinHandle<'s, ()>> {
        vec![
            scope.spawn(move || self.on_one_connection(http1)),
            scope.spawn(move || self.on_a_connection_each(http1)),
            scope.spawn(move || wait_for_long(self.by_http2(http2))),
            scope.spawn(move || self.at(unix)),
        ]
    }

    /// Waits until each of them has had so many more answers.
    pub(crate) fn goes_on(&self, more: usize) {
        let now = || self.answered.each_ref().map(|count| count.load(Ordering::Relaxed));
        let before = now();
        until("each client to have more answers", || {
            self.is_sound();
            now().iter().zip(before).all(|(now, before)| *now >= before + more).then_some(())
        });
    }

    /// Ends it: how many answers there were.
    pub(crate) fn end(&self, clients: Vec<ScopedJoinHandle<'_, ()>>) -> usize {
        self.finished.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("clients do not panic");
        }
        self.is_sound();
        self.answered.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn is_sound(&self) {
        let failures = self.failures.lock().expect("nobody panicked");
        assert!(failures.is_empty(), "{failures:#?}");
    }

    fn goes(&self) -> bool {
        !self.finished.load(Ordering::Relaxed)
            && self.failures.lock().expect("nobody panicked").is_empty()
    }

    fn note(&self, way: usize, came: Result<(), String>) {
        match came {
            Ok(()) => drop(self.answered[way].fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                let failure = format!("{}: {error}", WAYS[way]);
                self.failures.lock().expect("nobody panicked").push(failure);
            }
        }
    }

    fn on_one_connection(&self, address: SocketAddr) {
        let mut client = Client::connect(address);
        while self.goes() {
            client.send(GET);
            let answer = client.receive("GET");
            let last = answer.as_ref().is_some_and(|answer| {
                answer.fields.text("connection").is_some_and(|it| it == "close")
            });
            let came = answer.filter(|answer| answer.status == 200).map(drop);
            self.note(0, came.ok_or_else(|| "no good answer".to_owned()));
            if last {
                client = Client::connect(address);
            }
        }
    }

    fn on_a_connection_each(&self, address: SocketAddr) {
        while self.goes() {
            let mut client = Client::connect(address);
            client.send(GET);
            let came = client.receive("GET").filter(|answer| answer.status == 200).map(drop);
            self.note(1, came.ok_or_else(|| "no good answer".to_owned()));
        }
    }

    async fn by_http2(&self, address: SocketAddr) {
        while self.goes() {
            let socket = tokio::net::TcpStream::connect(address).await.expect("it listens");
            let (mut requests, connection) =
                h2::client::handshake(socket).await.expect("a handshake");
            let connection = tokio::spawn(connection);
            // A connection that takes no more requests has failed none.
            while let Some(mut free) = ready(&mut requests).await.filter(|_| self.goes()) {
                let came = async {
                    let (answer, _) = free.send_request(crate::rig::h2client::get("/"), true)?;
                    let (parts, mut body) = answer.await?.into_parts();
                    while let Some(piece) = body.data().await {
                        body.flow_control().release_capacity(piece?.len())?;
                    }
                    Ok::<_, h2::Error>(parts.status)
                };
                let came = match came.await {
                    Ok(status) if status == 200 => Ok(()),
                    Ok(status) => Err(status.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                self.note(2, came);
            }
            drop(requests);
            let _ = connection.await;
        }
    }

    fn at(&self, path: &Path) {
        while self.goes() {
            let came = ask(path).map_err(|error| error.to_string()).and_then(|answer| {
                let good = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok");
                if good { Ok(()) } else { Err(format!("{answer:?}")) }
            });
            self.note(3, came);
        }
    }
}

async fn ready(
    requests: &mut h2::client::SendRequest<bytes::Bytes>,
) -> Option<h2::client::SendRequest<bytes::Bytes>> {
    requests.clone().ready().await.ok()
}

/// Whole answers have this much time each; the whole of them does not.
fn wait_for_long(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future);
}

/// One request on a connection of its own: the answer, byte by byte.
pub(crate) fn ask(path: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A GET on a connection of its own: the status and what stands below it.
pub(crate) fn get(address: SocketAddr) -> (u16, String) {
    let mut client = Client::connect(address);
    client.send(GET);
    let answer = client.receive("GET").expect("an answer");
    (answer.status, answer.text())
}
