//! Choosing among endpoints, and waiting for a place at them.

mod hash;
mod least;
mod queue;
mod weights;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use rustix::process::Signal;
use serde_json::Value;

use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

/// An answer that says who gave it.
fn saying(word: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len())
}

/// Origins that say who they are.
fn origins(words: &[&str]) -> Vec<Origin> {
    words.iter().map(|word| Origin::answering(saying(word))).collect()
}

fn before(origins: &[Origin]) -> Settings {
    let endpoints: Vec<&str> = origins.iter().map(|origin| origin.endpoint.as_str()).collect();
    origins.iter().fold(Settings::endpoints(&endpoints), Settings::knowing)
}

/// How often each word was answered.
fn counted(words: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn word(proxy: &Proxy, fields: &str) -> String {
    let told = proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"));
    assert_eq!(told.status(), 200, "{:#}", told.record);
    told.answer().text()
}

/// What the operators are told of the only upstream.
fn shown(proxy: &Proxy) -> Value {
    let answer = proxy.ask("/api/v1/upstreams").text();
    let all: Value = serde_json::from_str(&answer).expect("JSON");
    all["upstreams"][0].clone()
}

/// Takes another configuration up; `times` is how often that has been done by then.
fn reload(proxy: &mut Proxy, settings: &Settings, times: usize) {
    proxy.rewrite(settings);
    proxy.process().signal(Signal::HUP);
    until("the change", || {
        (proxy.said().matches("configuration reloaded").count() == times).then_some(())
    });
}

/// An origin that answers at once, but for requests to `/hold`: these wait until they are let go.
struct Holding {
    origin: Origin,
    asked: Receiver<()>,
    gate: Arc<(Mutex<usize>, Condvar)>,
}

impl Holding {
    fn new(word: &'static str) -> Self {
        let (asked, gate) = (channel(), Arc::<(Mutex<usize>, Condvar)>::default());
        let (tell, open): (Mutex<Sender<()>>, _) = (Mutex::new(asked.0), gate.clone());
        let origin = Origin::new(move |mut connection| {
            while let Some(request) = connection.request() {
                if request.target == "/hold" {
                    // The test may have seen enough.
                    let _ = tell.lock().expect("nobody panicked").send(());
                    let (count, opened) = &*open;
                    let free = count.lock().expect("nobody panicked");
                    let mut free =
                        opened.wait_while(free, |free| *free == 0).expect("nobody panicked");
                    *free -= 1;
                }
                connection.send(saying(word));
            }
        });
        Self { origin, asked: asked.1, gate }
    }

    /// Asks, and waits until the origin is at it.
    fn hold(&self, proxy: &Proxy) -> Client {
        let client = ask(proxy, "/hold");
        self.asked.recv().expect("the origin is asked");
        client
    }

    /// Lets so many requests go.
    fn let_go(&self, count: usize) {
        *self.gate.0.lock().expect("nobody panicked") += count;
        self.gate.1.notify_all();
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.let_go(1_000);
    }
}

fn ask(proxy: &Proxy, path: &str) -> Client {
    let mut client = proxy.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    client
}
