//! A changed configuration is put into force whole or not at all: on SIGHUP, and when the file
//! changes.

use std::path::Path;
use std::sync::{Arc, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use whodunit_conf::Config;
use whodunit_conf::reload::{self, Watch};

use super::{Running, Source, systemd};
use crate::notice;

/// How often it is looked whether a successor has made up its mind.
const OFTEN: Duration = Duration::from_millis(20);

/// Watches for changes as long as this is held.
pub(super) struct Reloading(#[expect(dead_code, reason = "held for its end")] Vec<Watch>);

/// Begins to watch.
pub(super) fn start(runtime: &Runtime, running: &Arc<Running>, source: &Source) -> Reloading {
    let file = match source {
        Source::File(path, _) => Some(path.clone()),
        Source::Flags => None,
    };
    let hung_up = running.clone();
    let path = file.clone();
    // Until there is a handler the signal's default action ends the process.
    let signals = {
        let _within = runtime.enter();
        signal(SignalKind::hangup())
    };
    runtime.spawn(async move {
        let Ok(mut signals) = signals else { return };
        while signals.recv().await.is_some() {
            let (running, path) = (hung_up.clone(), path.clone());
            // Reading files and resolver settings takes its time.
            let done = tokio::task::spawn_blocking(move || told_to(&running, path.as_deref()));
            let _ = done.await;
        }
    });
    let Source::File(path, text) = source else { return Reloading(Vec::new()) };
    if !running.checked.load().config.reload.watch {
        return Reloading(Vec::new());
    }
    let (files, known) = (running.clone(), running.clone());
    let files = reload::watch_files(move || known.files(), move || renew(&files));
    let (running, watched) = (running.clone(), path.clone());
    let configuration = reload::watch(path, text, move |text| match text {
        Ok(text) => take_up(&running, &watched, &text),
        Err(error) => refuse(&running, &format!("{} cannot be read: {error}", watched.display())),
    });
    let unwatched = |error: &std::io::Error, what: &str| {
        notice::say(&format!("{what} not watched: {error}; SIGHUP reloads it"));
    };
    let configuration =
        configuration.inspect_err(|error| unwatched(error, &format!("{} is", path.display())));
    let files = files.inspect_err(|error| unwatched(error, "the files that it names are"));
    Reloading(configuration.into_iter().chain(files).collect())
}

/// A file that the configuration names has changed.
fn renew(running: &Running) {
    let Some(_turn) = turn(running) else { return };
    match running.renew() {
        Ok(()) => {
            running.ledger.reload(true);
            notice::say("files that the configuration names have changed: taken up");
        }
        Err(problems) => {
            running.ledger.reload(false);
            notice::say(
                "files that the configuration names have changed: not taken up, those before stay:",
            );
            for line in problems.render(false).lines() {
                notice::say(line);
            }
        }
    }
}

/// SIGHUP: the log is opened anew and the configuration is read again.
fn told_to(running: &Running, file: Option<&Path>) {
    systemd::reloading();
    running.sink.reopen();
    match file.map(|path| (path, reload::read(path))) {
        None => notice::say("nothing to reload: the configuration is the command line"),
        Some((path, Ok(text))) => take_up(running, path, &text),
        Some((path, Err(error))) => {
            refuse(running, &format!("{} cannot be read: {error}", path.display()));
        }
    }
    systemd::reloaded();
}

fn take_up(running: &Running, path: &Path, text: &str) {
    let Some(_turn) = turn(running) else {
        return notice::say("configuration not reloaded: this process is about to end");
    };
    let checked = match whodunit_conf::parse(text, &path.display().to_string()) {
        Ok(checked) => Arc::new(checked),
        Err(problems) => return refuse(running, &problems.render(false)),
    };
    for line in checked.warnings.render(false).lines() {
        notice::say(line);
    }
    let kept = needs_restart(&running.checked.load().config, &checked.config);
    match running.apply(&checked) {
        Ok(()) => {
            running.ledger.reload(true);
            notice::say("configuration reloaded");
            for setting in kept {
                notice::say(&format!("`{setting}` changed: that takes a restart"));
            }
        }
        Err(problems) => refuse(running, &problems.render(false)),
    }
}

/// Waits until no successor is about to take over. `None`: one has, or the process ends anyway.
fn turn(running: &Running) -> Option<MutexGuard<'_, ()>> {
    while !running.floor.is_closed() {
        match running.handing.try_lock() {
            Ok(turn) => return Some(turn).filter(|_| !running.floor.is_closed()),
            Err(TryLockError::Poisoned(turn)) => return Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(OFTEN),
        }
    }
    None
}

fn refuse(running: &Running, reason: &str) {
    running.ledger.reload(false);
    notice::say("configuration not reloaded, the one in force stays:");
    for line in reason.lines() {
        notice::say(line);
    }
}

/// The settings that are read once, when the process starts.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let log = |config: &Config| (config.log.path.clone(), config.log.rotate, config.log.queue);
    let mut changed = Vec::new();
    for (setting, differs) in [
        ("node", old.node != new.node),
        ("admin", old.admin != new.admin),
        ("threads", old.threads != new.threads),
        ("log.path, log.rotate, log.queue", log(old) != log(new)),
        ("reload", old.reload != new.reload),
        ("user, group", (&old.user, &old.group) != (&new.user, &new.group)),
        ("takeover", old.takeover != new.takeover),
    ] {
        if differs {
            changed.push(setting);
        }
    }
    changed
}
