//! Where allocations come from: a backtrace of each, for as long as that is wanted.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// What was taken, of all threads.
static TAKEN: Mutex<Vec<(usize, Backtrace)>> = Mutex::new(Vec::new());

/// Where our own code lies.
const OURS: &str = env!("CARGO_MANIFEST_DIR");
/// How many frames of other crates tell what is allocated.
const THEIRS: usize = 6;
/// How many of ours tell where.
const OUR_FRAMES: usize = 2;

/// From now on the allocations of this thread are traced, or no longer.
pub(crate) fn want(wanted: bool) {
    WANTED.set(wanted);
}

/// Takes the trace of an allocation, if it is wanted. What that allocates itself is not traced.
pub(crate) fn note(bytes: usize) {
    if WANTED.get() {
        WANTED.set(false);
        let trace = Backtrace::force_capture();
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).push((bytes, trace));
        WANTED.set(true);
    }
}

/// What was taken since the last time, by the place it came from, the most first; each count is a
/// share, `requests` being how many were traced together.
pub(crate) fn report(requests: u64) -> String {
    let taken = std::mem::take(&mut *TAKEN.lock().unwrap_or_else(PoisonError::into_inner));
    let mut places: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for (bytes, trace) in &taken {
        let (count, sum) = places.entry(place(&trace.to_string())).or_default();
        *count += 1;
        *sum += bytes;
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let mut told = String::new();
    for (place, (count, bytes)) in places {
        let share = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let (count, bytes) = (share(count * 100 / requests), bytes as u64 / requests);
        writeln!(told, "{count} allocations of {bytes} bytes a request:\n{place}").expect("memory");
    }
    told
}

/// The frames that say where an allocation comes from: the innermost ones of other crates, and of
/// ours those that called them.
fn place(trace: &str) -> String {
    let mut told = String::new();
    let (mut theirs, mut ours) = (0, 0);
    let mut function = "";
    for line in trace.lines().map(str::trim) {
        let Some(file) = line.strip_prefix("at ") else {
            function = line.split_once(": ").map_or(line, |(_, name)| name);
            continue;
        };
        let registry = file.split_once("/registry/src/").and_then(|(_, file)| file.split_once('/'));
        let file = if let Some((_, file)) = registry {
            if ours > 0 || theirs == THEIRS {
                continue;
            }
            theirs += 1;
            file
        } else {
            let file = file.trim_start_matches(OURS).trim_start_matches(['.', '/']);
            let known =
                file.split(':').next().is_some_and(|file| Path::new(OURS).join(file).is_file());
            if !known || file.starts_with("bench/") || ours == OUR_FRAMES {
                continue;
            }
            ours += 1;
            file
        };
        writeln!(told, "    {function}  ({file})").expect("memory");
    }
    told
}
