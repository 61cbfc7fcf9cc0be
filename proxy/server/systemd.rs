//! What systemd is told (`sd_notify(3)`), and the sockets it has opened (`sd_listen_fds(3)`).
//! Without it, nothing here does anything.

use std::env;
use std::process;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState::{
    MainPid, MonotonicUsec, Ready, Reloading, Status, Stopping, Watchdog,
};
use sd_notify::{NotifyState, watchdog_enabled};
use tokio::runtime::Runtime;

use super::Refusal;
use super::inherited::{Heirloom, Inherited};
use crate::notice;

/// The most sockets that are taken.
const SOCKETS: usize = 4096;

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        notice::say(&format!("systemd cannot be told: {error}"));
    }
}

/// Requests are taken.
pub(super) fn ready() {
    notify(&[MainPid(process::id()), Ready, Status("takes requests")]);
}

/// A configuration is read again, until [`reloaded`].
pub(super) fn reloading() {
    // systemd takes the first for a mistake without the second (`Type=notify-reload`).
    if let Ok(MonotonicUsec(now)) = NotifyState::monotonic_usec_now() {
        notify(&[Reloading, MonotonicUsec(now), Status("reads its configuration again")]);
    }
}

/// It was read.
pub(super) fn reloaded() {
    notify(&[Ready, Status("takes requests")]);
}

/// The process ends.
pub(super) fn stopping(connections: i64) {
    let status = format!("stops; {connections} connections are open");
    notify(&[Stopping, Status(&status)]);
}

/// Another process takes the place of this one.
pub(super) fn follow(process: u32) {
    if process != 0 {
        notify(&[MainPid(process)]);
    }
}

/// Shows signs of life from the threads that serve requests, if that is wanted (`WatchdogSec=`).
pub(super) fn watch(runtime: &Runtime) {
    let Some(within) = watchdog_enabled().filter(|within| !within.is_zero()) else { return };
    let mut turns = runtime.block_on(async { tokio::time::interval(half(within)) });
    runtime.spawn(async move {
        loop {
            turns.tick().await;
            notify(&[Watchdog]);
        }
    });
}

fn half(within: Duration) -> Duration {
    (within / 2).max(Duration::from_millis(1))
}

/// Adds the sockets that this process was started with. Call it before there are other threads: it
/// takes what says so out of the environment, so that no child believes it is meant.
pub(super) fn inherit(inherited: &Inherited) -> Result<(), Refusal> {
    // The crate takes a missing number for ours.
    let meant = env::var("LISTEN_PID").is_ok_and(|pid| pid == process::id().to_string());
    let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<usize>().ok());
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let (true, Some(count)) = (meant, count) else { return Ok(()) };
    if count > SOCKETS {
        return Err(Refusal(format!("`LISTEN_FDS` says {count} sockets; {SOCKETS} are the most")));
    }
    let mut given = ListenFd::from_env();
    let names: Vec<&str> = names.split(':').collect();
    for index in 0..count {
        let name = names.get(index).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("number {index}"), |name| format!("`{name}`"));
        let refusal = |error: std::io::Error| {
            Refusal(format!(
                "the socket {name} that this process was started with cannot be used: {error}; \
                 only `ListenStream=` of an address or a path will do"
            ))
        };
        let unix = given.take_unix_listener(index).ok().flatten().map(Into::into);
        let socket = match unix {
            Some(socket) => Some(socket),
            None => given.take_tcp_listener(index).map_err(refusal)?.map(Into::into),
        };
        let Some(socket) = socket else { continue };
        let listener = Heirloom::of(socket).map_err(refusal)?;
        inherited.add(None, listener).map_err(refusal)?;
    }
    Ok(())
}

/// Refuses to run beside sockets that no listener is for: whoever opened them expects an answer
/// there.
pub(super) fn all_used(inherited: &Inherited) -> Result<(), Refusal> {
    let left = inherited.left();
    if left.is_empty() {
        return Ok(());
    }
    let left: Vec<String> = left.iter().map(|address| format!("`{address}`")).collect();
    let (them, plural) = (left.join(", "), if left.len() == 1 { "" } else { "s" });
    Err(Refusal(format!(
        "this process was started with the socket{plural} {them}, which no listener is for: add \
         `- address: …` with just that to `listeners`, or take `ListenStream=` out of the unit"
    )))
}
