//! Several files under watch at once, of which only counts that one has changed: those that a
//! configuration names.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};

use super::{POLL, Watch, Word, follow, settled, spawn};

/// Files as they were at some time. What they hold is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<u64>)>);

impl Files {
    /// These files as they are now.
    #[must_use]
    pub fn now(mut paths: Vec<PathBuf>) -> Self {
        paths.sort();
        paths.dedup();
        let seen = |path: PathBuf| {
            let print = fs::read(&path).ok().map(|content| {
                let mut hasher = DefaultHasher::new();
                content.hash(&mut hasher);
                hasher.finish()
            });
            (path, print)
        };
        Self(paths.into_iter().map(seen).collect())
    }

    /// The same files as they are at this moment.
    fn again(&self) -> Self {
        Self::now(self.0.iter().map(|(path, _)| path.clone()).collect())
    }
}

/// Calls `changed`, on a thread of its own, whenever one of the `known` files is no longer as it is
/// known; by then it has to be known otherwise. Which files are known may change at any time.
///
/// # Errors
/// When there is no thread to be had.
pub fn watch_files(
    known: impl Fn() -> Files + Send + 'static,
    changed: impl FnMut() + Send + 'static,
) -> io::Result<Watch> {
    let (stop, words) = mpsc::channel();
    let events = stop.clone();
    spawn(stop, move || stand(known, changed, events, &words))
}

fn stand(
    known: impl Fn() -> Files,
    mut changed: impl FnMut(),
    events: Sender<Word>,
    words: &Receiver<Word>,
) {
    let mut watcher = super::watcher(events);
    let mut folders = BTreeSet::new();
    loop {
        let files = known();
        if let Some(watcher) = &mut watcher {
            let paths = files.0.iter().filter_map(|(path, _)| std::path::absolute(path).ok());
            follow(watcher, &mut folders, paths);
        }
        if files.again() != files {
            changed();
        }
        match words.recv_timeout(POLL) {
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_of_any_file_is_told_even_one_before_the_watch_began() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "1").expect("written");
        let known = Files::now(vec![one.clone(), other.clone(), one.clone()]);
        let known = Arc::new(Mutex::new(known));
        fs::write(&one, "2").expect("written");
        let (tell, told) = mpsc::channel();
        let (reader, writer) = (known.clone(), known);
        let watch = watch_files(
            move || reader.lock().expect("no panic").clone(),
            move || {
                let mut known = writer.lock().expect("no panic");
                *known = known.again();
                tell.send(()).expect("somebody listens");
            },
        );
        let _watch = watch.expect("a thread");
        let long = Duration::from_mins(1);
        told.recv_timeout(long).expect("it changed before");
        fs::write(&other, "1").expect("written");
        told.recv_timeout(long).expect("it is there now");
        fs::write(folder.path().join("new"), "3").expect("written");
        fs::rename(folder.path().join("new"), &one).expect("replaced");
        told.recv_timeout(long).expect("it was replaced");
    }
}
