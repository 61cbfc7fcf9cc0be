//! Notices that a file has changed: written in place, replaced by another one as editors do, or
//! swapped by way of a symbolic link, as mounted `ConfigMap`s are.
//!
//! What counts is the text: events only say when to look, and since not every file system reports
//! them, the file is also read every few seconds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

mod files;

pub use files::{Files, watch_files};

/// How long a file must have been left alone before it is read.
const SETTLED: Duration = Duration::from_millis(100);
/// How long a file that is written without a pause goes unread at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a file is read without an event.
const POLL: Duration = Duration::from_secs(5);
/// The most that is read of a file: one byte more than [`crate::parse`] takes.
const BYTES: u64 = (4 << 20) + 1;
/// How many symbolic links are followed (Linux: `MAXSYMLINKS`).
const LINKS: usize = 40;

/// A file under watch. Dropping it ends the watch; a call under way is waited for, unless it is the
/// one that drops it.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

enum Word {
    Look,
    Stop,
}

/// Reads a configuration, at most a little more than [`crate::parse`] accepts.
///
/// # Errors
/// As of the file system; `InvalidData` when it is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Calls `changed` with each new text of a file, on a thread of its own, never twice with the same
/// one. `current` is the text the caller has already: a change since then is told at once. When
/// the file can no longer be read it is called once with the reason.
///
/// # Errors
/// When the file cannot be looked at or is not a regular one (a pipe cannot be read twice), or when
/// there is no thread to be had.
pub fn watch(
    path: &Path,
    current: &str,
    changed: impl FnMut(io::Result<String>) + Send + 'static,
) -> io::Result<Watch> {
    stand(path, current, POLL, changed)
}

fn stand(
    path: &Path,
    current: &str,
    poll: Duration,
    changed: impl FnMut(io::Result<String>) + Send + 'static,
) -> io::Result<Watch> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "not a regular file"));
    }
    let path = std::path::absolute(path)?;
    let (stop, words) = mpsc::channel();
    let events = stop.clone();
    let current = Ok(current.to_owned());
    spawn(stop, move || Sentry { path, current, changed, events, poll }.stand(&words))
}

fn spawn(stop: Sender<Word>, stand: impl FnOnce() + Send + 'static) -> io::Result<Watch> {
    let thread = thread::Builder::new().name("reload".to_owned()).spawn(stand)?;
    Ok(Watch { stop, thread: Some(thread) })
}

/// Says when to look, where the system can tell.
fn watcher(events: Sender<Word>) -> Option<RecommendedWatcher> {
    let look = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            drop(events.send(Word::Look));
        }
    };
    notify::recommended_watcher(look).ok()
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It fails only where the thread has ended already.
        drop(self.stop.send(Word::Stop));
        let Some(thread) = self.thread.take() else { return };
        if thread.thread().id() != thread::current().id() {
            drop(thread.join());
        }
    }
}

struct Sentry<F> {
    path: PathBuf,
    current: Result<String, io::ErrorKind>,
    changed: F,
    events: Sender<Word>,
    poll: Duration,
}

impl<F: FnMut(io::Result<String>)> Sentry<F> {
    fn stand(mut self, words: &Receiver<Word>) {
        let mut watcher = watcher(self.events.clone());
        let mut folders = BTreeSet::new();
        loop {
            if let Some(watcher) = &mut watcher {
                follow(watcher, &mut folders, [&self.path]);
            }
            self.look();
            match words.recv_timeout(self.poll) {
                Ok(Word::Look) => {
                    if !settled(words) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) {
        let read = read(&self.path);
        let seen = match &read {
            Ok(text) => Ok(text.clone()),
            Err(error) => Err(error.kind()),
        };
        if seen != self.current {
            self.current = seen;
            (self.changed)(read);
        }
    }
}

/// Waits until no event has come for a while. False: the watch is over.
fn settled(words: &Receiver<Word>) -> bool {
    let latest = Instant::now() + PATIENCE;
    while Instant::now() < latest {
        match words.recv_timeout(SETTLED) {
            Ok(Word::Look) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Watches the folders in which something must change for one of the paths to lead to another text.
fn follow(
    watcher: &mut RecommendedWatcher,
    known: &mut BTreeSet<PathBuf>,
    paths: impl IntoIterator<Item = impl AsRef<Path>>,
) {
    let mut folders = BTreeSet::new();
    for path in paths {
        trace(path.as_ref(), &mut folders, &mut 0);
    }
    for gone in known.difference(&folders) {
        drop(watcher.unwatch(gone));
    }
    // A folder that cannot be watched is tried again at the next look; until then there is the
    // regular reading.
    known.retain(|folder| folders.contains(folder));
    for folder in folders {
        if !known.contains(&folder) && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
            known.insert(folder);
        }
    }
}

/// The folders that hold the file and each symbolic link on the way to it.
fn trace(path: &Path, folders: &mut BTreeSet<PathBuf>, links: &mut usize) {
    let mut real = PathBuf::new();
    let mut rest = path.components();
    while let Some(component) = rest.next() {
        match component {
            Component::ParentDir => {
                real.pop();
                continue;
            }
            Component::CurDir => continue,
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {}
        }
        let folder = real.clone();
        real.push(component);
        if let Ok(target) = fs::read_link(&real) {
            folders.insert(folder.clone());
            *links += 1;
            if *links <= LINKS {
                trace(&folder.join(target).join(rest.as_path()), folders, links);
            }
            return;
        }
    }
    folders.extend(real.parent().map(Path::to_owned));
}

#[cfg(test)]
mod tests;
