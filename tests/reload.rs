//! A changed configuration, taken up while requests run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

fn saying(word: &'static str) -> Origin {
    Origin::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len()))
}

/// The settings before, and what they become.
fn change(old: &Origin, new: &Origin) -> (Settings, Settings) {
    let both = |settings: Settings| settings.knowing(old).knowing(new);
    (both(Settings::endpoints(&[&old.endpoint])), both(Settings::endpoints(&[&new.endpoint])))
}

fn answers(proxy: &Proxy, word: &str) {
    until(&format!("an answer of `{word}`"), || {
        (proxy.get("/").answer().text() == word).then_some(())
    });
}

fn reloads(proxy: &Proxy, result: &str) -> f64 {
    proxy.metrics().sum("whodunit_config_reloads_total", &[("result", result)])
}

#[test]
fn a_signal_takes_the_file_up() {
    let (old, new) = (saying("old"), saying("new"));
    let (before, after) = change(&old, &new);
    let mut proxy = before.with("reload", "watch: false").start();
    answers(&proxy, "old");
    proxy.rewrite(&after.with("reload", "watch: false"));
    proxy.process().signal(Signal::HUP);
    answers(&proxy, "new");
    assert!(reloads(&proxy, "success") >= 1.0);
}

#[test]
fn a_changed_file_is_taken_up_by_itself() {
    let (old, new) = (saying("old"), saying("new"));
    let (before, after) = change(&old, &new);
    let proxy = before.start();
    answers(&proxy, "old");
    proxy.rewrite(&after);
    answers(&proxy, "new");
}

#[test]
fn a_bad_file_changes_nothing_and_is_reported() {
    let (old, new) = (saying("old"), saying("new"));
    let (before, after) = change(&old, &new);
    let mut proxy = before.with("reload", "watch: false").start();
    proxy.rewrite_as("routes: [ { upstream: nowhere } ]\nupstreems: {}\n");
    proxy.process().signal(Signal::HUP);
    until("the refusal to be counted", || (reloads(&proxy, "failure") >= 1.0).then_some(()));
    answers(&proxy, "old");
    until("the refusal to be said", || proxy.said().contains("upstreems").then_some(()));
    proxy.rewrite(&after.with("reload", "watch: false"));
    proxy.process().signal(Signal::HUP);
    answers(&proxy, "new");
}

#[test]
fn no_request_is_lost_while_the_configuration_changes() {
    const CLIENTS: usize = 4;
    const EACH: usize = 2_500;
    let (old, new) = (saying("old"), saying("new"));
    let (before, after) = change(&old, &new);
    let plain = |s: Settings| s.with("reload", "watch: false").with("log", "which: errors");
    let (before, after) = (plain(before), plain(after));
    let mut proxy = before.clone().start();
    let done = AtomicUsize::new(0);
    let finished = AtomicBool::new(false);
    let address = proxy.address();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address);
                    for turn in 0..EACH {
                        // Connections that begin during a change, and ones that live through it.
                        if turn % 50 == 0 {
                            client = Client::connect(address);
                        }
                        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
                        let answer = client.receive("GET").expect("no request is lost");
                        assert_eq!(answer.status, 200);
                        assert!(["old", "new"].contains(&answer.text().as_str()));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let mut turn = 0;
        while !finished.load(Ordering::Relaxed) {
            proxy.rewrite(if turn % 2 == 0 { &after } else { &before });
            proxy.process().signal(Signal::HUP);
            turn += 1;
            let applied = f64::from(turn);
            until("the change to be taken up", || {
                (reloads(&proxy, "success") >= applied).then_some(())
            });
            finished.store(
                clients.iter().all(std::thread::ScopedJoinHandle::is_finished),
                Ordering::Relaxed,
            );
        }
        for client in clients {
            client.join().expect("no request is lost");
        }
        assert!(turn >= 5, "the configuration changed {turn} times while requests ran");
    });
    assert_eq!(done.load(Ordering::Relaxed), CLIENTS * EACH);
    assert!(proxy.log.records().is_empty(), "{:?}", proxy.log.records());
}
