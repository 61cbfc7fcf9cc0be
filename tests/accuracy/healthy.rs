//! Traffic that has nothing to do with any fault, and must not notice that there are some.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::asker::{Asker, Question};
use super::ways::Way;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// The milliseconds that each request took.
    pub(super) took: Vec<f64>,
    /// What was wrong, where something was.
    pub(super) wrong: Vec<String>,
}

/// Clients that ask on and on.
pub(super) struct Healthy {
    over: Arc<AtomicBool>,
    asking: Vec<JoinHandle<Health>>,
}

/// What each of them does: the host, the bytes of its request's body, and whether it speaks HTTP/2.
const CLIENTS: [(&str, usize, bool); 4] = [
    ("good.test", 0, false),
    ("good-tls.test", 0, false),
    ("good.test", 20_000, false),
    ("good.test", 0, true),
];

/// What the good origin answers: the length of the request's body, and enough for some segments.
pub(super) fn answer(length: usize) -> Vec<u8> {
    let body = format!("{length:08}").repeat(1000);
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

impl Healthy {
    pub(super) fn start(proxy: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asking = CLIENTS.map(|(host, length, http2)| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || ask(proxy, host, length, http2, &over))
        });
        Self { over, asking: asking.into() }
    }

    /// Ends it: what came of it.
    pub(super) fn end(self) -> Health {
        self.over.store(true, Ordering::SeqCst);
        let mut all = Health::default();
        for asking in self.asking {
            match asking.join() {
                Ok(health) => {
                    all.took.extend(health.took);
                    all.wrong.extend(health.wrong);
                }
                Err(_) => all.wrong.push("no answer; it stands above".to_owned()),
            }
        }
        all
    }
}

/// Asks until it is over; the client with a body makes a connection for each request.
fn ask(proxy: SocketAddr, host: &str, length: usize, http2: bool, over: &AtomicBool) -> Health {
    let mut health = Health::default();
    let way = Way { http2, ..Way::default() };
    let mut client = Asker::connect(proxy, way);
    let body = (length > 0).then_some(length as u64);
    let method = if length > 0 { "POST" } else { "GET" };
    let question = Question { method, host, path: "/".to_owned(), upgrade: false, body };
    let wanted = answer(length);
    while !over.load(Ordering::SeqCst) {
        if length > 0 {
            client = Asker::connect(proxy, way);
        }
        let began = Instant::now();
        match client.put(&question) {
            Some(answer) if answer.status == 200 && wanted.ends_with(&answer.body) => {
                health.took.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            other => {
                health.wrong.push(format!("{host}: {other:?}"));
                client = Asker::connect(proxy, way);
            }
        }
        // A pace, not a wait: some of it at all times, without taking the machine.
        std::thread::sleep(Duration::from_millis(20));
    }
    health
}
