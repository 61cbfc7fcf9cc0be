//! The proxy's log as it grows, by the host that was asked for.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::rig::PATIENCE;

/// Reads the log in a thread of its own, until it is dropped.
pub(super) struct Tail {
    book: Arc<Book>,
    reading: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Book {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    records: HashMap<String, Vec<Value>>,
    over: bool,
}

impl Tail {
    pub(super) fn of(path: PathBuf) -> Self {
        let book = Arc::<Book>::default();
        let reading = std::thread::spawn({
            let book = Arc::clone(&book);
            move || book.read(&path)
        });
        Self { book, reading: Some(reading) }
    }

    /// Waits for the record of the request for this host with this number, the first being 0. Not
    /// by client: a port is soon another client's.
    pub(super) fn record(&self, host: &str, nth: usize) -> Option<Value> {
        let state = self.book.state.lock().expect("nobody panicked");
        let here = |state: &State| Some(state.records.get(host)?.get(nth)?.clone());
        let waited =
            self.book.more.wait_timeout_while(state, PATIENCE, |state| here(state).is_none());
        here(&waited.expect("nobody panicked").0)
    }
}

impl Book {
    fn read(&self, path: &PathBuf) {
        let (mut at, mut rest) = (0, String::new());
        while !self.state.lock().expect("nobody panicked").over {
            let mut more = String::new();
            if let Ok(mut file) = std::fs::File::open(path) {
                file.seek(SeekFrom::Start(at)).expect("a file has places");
                // Half a character at its end comes again with the rest of it.
                if file.read_to_string(&mut more).is_err() {
                    more.clear();
                }
            }
            at += more.len() as u64;
            rest.push_str(&more);
            if more.is_empty() {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let whole = rest.rfind('\n').map_or(0, |end| end + 1);
            let mut state = self.state.lock().expect("nobody panicked");
            for line in rest[..whole].lines() {
                let record: Value = serde_json::from_str(line).expect("a record is JSON");
                let host = record["host"].as_str().unwrap_or_default().to_owned();
                state.records.entry(host).or_default().push(record);
            }
            drop(state);
            rest.drain(..whole);
            self.more.notify_all();
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // Whoever panicked has been heard; the thread has to end all the same.
        self.book.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).over = true;
        drop(self.reading.take().expect("dropped once").join());
    }
}
