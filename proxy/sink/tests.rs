use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn settings(folder: &Path) -> SinkSettings {
    SinkSettings { path: Some(folder.join("access.log")), ..SinkSettings::default() }
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// A sink into a pipe that holds 64 KiB and then blocks.
fn piped(queue: usize) -> (Sink, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    let output = Output::over(File::from(OwnedFd::from(writer)));
    (Sink::start(output, queue).expect("a thread"), reader)
}

#[test]
fn lines_arrive_whole_and_in_order_from_many_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::open(&settings(folder.path())).expect("open");
    thread::scope(|scope| {
        for thread in 0..4 {
            let sink = sink.clone();
            scope.spawn(move || (0..500).for_each(|line| sink.write(format!("{thread} {line}"))));
        }
    });
    assert!(sink.flush(LONG));
    assert_eq!(sink.dropped(), 0);
    let text = read(folder.path(), "access.log");
    assert_eq!(text.lines().count(), 2_000);
    for thread in ["0 ", "1 ", "2 ", "3 "] {
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(thread)).collect();
        assert!(lines.iter().enumerate().all(|(i, line)| line.parse() == Ok(i)), "{thread}");
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let (sink, mut reader) = piped(4);
    let line = "x".repeat(8 * 1024);
    let mut written = 0;
    let mut write = |count| {
        written += count;
        (0..count).for_each(|_| sink.write(line.clone()));
    };
    write(1);
    while sink.flush(Duration::from_millis(50)) {
        write(1);
    }
    write(200);
    let dropped = sink.dropped();
    assert!(dropped > 150, "{dropped}");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        text.lines().count() as u64
    });
    assert!(sink.flush(LONG));
    assert_eq!(sink.dropped(), dropped, "what was queued is not lost");
    drop(sink);
    assert_eq!(reading.join().expect("no panic") + dropped, written);
}

#[test]
fn a_closed_pipe_ends_the_writing_and_is_counted() {
    let (sink, reader) = piped(100);
    drop(reader);
    sink.write("lost".into());
    assert!(sink.flush(LONG));
    sink.write("lost too".into());
    assert_eq!(sink.dropped(), 2);
    assert!(sink.shared.closed.load(Ordering::Relaxed), "it is not tried again");
}

#[test]
fn a_full_disk_is_counted_and_survived() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let sink = Sink::start(Output::over(full), 100).expect("a thread");
    for _ in 0..3 {
        sink.write("lost".into());
        assert!(sink.flush(LONG));
    }
    assert_eq!(sink.dropped(), 3);
}

#[test]
fn a_file_is_rotated_by_size_and_few_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = SinkSettings { max_size: Some(20), keep: 2, ..settings(folder.path()) };
    let sink = Sink::open(&limits).expect("open");
    for line in ["one 56789", "two 56789", "three 789", "four 6789", "five 6789", "six 56789", "7"]
    {
        sink.write(line.into());
    }
    assert!(sink.flush(LONG));
    assert_eq!(read(folder.path(), "access.log"), "7\n");
    assert_eq!(read(folder.path(), "access.log.1"), "five 6789\nsix 56789\n");
    assert_eq!(read(folder.path(), "access.log.2"), "three 789\nfour 6789\n");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
}

#[test]
fn a_file_is_rotated_by_age() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = SinkSettings { max_age: Some(Duration::ZERO), ..settings(folder.path()) };
    let sink = Sink::open(&limits).expect("open");
    for line in ["one", "two"] {
        sink.write(line.into());
        assert!(sink.flush(LONG));
    }
    sink.write("three".into());
    assert!(sink.flush(LONG));
    assert_eq!(read(folder.path(), "access.log.2"), "one\n");
}

#[test]
fn somebody_else_may_move_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::open(&settings(folder.path())).expect("open");
    sink.write("before\n".into());
    assert!(sink.flush(LONG));
    fs::rename(folder.path().join("access.log"), folder.path().join("moved")).expect("moved");
    sink.reopen();
    sink.write("after".into());
    assert!(sink.flush(LONG));
    assert_eq!(read(folder.path(), "moved"), "before\n");
    assert_eq!(read(folder.path(), "access.log"), "after\n");
}

#[test]
fn a_folder_that_is_not_there_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Sink::open(&settings(&folder.path().join("missing"))).is_err());
}
