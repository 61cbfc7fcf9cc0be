//! Where log lines go: a bounded queue and one thread that writes. A request never waits for a
//! disk; what does not fit is dropped and counted.

mod file;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use file::Output;

/// How much is gathered before it is written, while more lines are waiting.
const BATCH: usize = 64 * 1024;
/// While many lines come they are gathered for so long, so that the writer is not woken for each.
const GATHER: Duration = Duration::from_millis(5);
/// How often an idle writer looks whether its file is to be reopened or rotated.
const IDLE: Duration = Duration::from_millis(250);

/// Where and how lines are written.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// The file to append to. Default: none, lines go to standard output.
    pub path: Option<PathBuf>,
    /// How many lines may wait. Default: 8,192.
    pub queue: usize,
    /// The file is rotated before it would grow beyond this many bytes. Default: 100 MiB.
    pub max_size: Option<u64>,
    /// It is rotated when it is this old. Default: never.
    pub max_age: Option<Duration>,
    /// How many rotated files are kept: `path.1` is the latest. Default: 5.
    pub keep: usize,
}

impl Default for SinkSettings {
    fn default() -> Self {
        Self { path: None, queue: 8_192, max_size: Some(100 << 20), max_age: None, keep: 5 }
    }
}

/// The way into the log; a clone is another way into the same.
#[derive(Clone)]
pub struct Sink {
    queue: SyncSender<Order>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    dropped: AtomicU64,
    /// Nobody reads what is written: nothing more will be.
    closed: AtomicBool,
    reopen: AtomicBool,
}

enum Order {
    Line(String),
    /// Everything before this is to be written; then say so.
    Flush(SyncSender<()>),
}

impl Sink {
    /// Opens the output and starts the writer. The writer ends when the last clone is dropped.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn open(settings: &SinkSettings) -> io::Result<Self> {
        Self::start(Output::open(settings)?, settings.queue)
    }

    fn start(output: Output, queue: usize) -> io::Result<Self> {
        let (sender, orders) = sync_channel(queue.max(1));
        let shared = Arc::new(Shared::default());
        let writer = Writer { output, batch: Vec::with_capacity(BATCH), shared: shared.clone() };
        thread::Builder::new().name("log".into()).spawn(move || writer.run(&orders))?;
        Ok(Self { queue: sender, shared })
    }

    /// Queues one line, with or without its line feed. Never waits.
    pub fn write(&self, line: String) {
        if self.shared.closed.load(Ordering::Relaxed)
            || self.queue.try_send(Order::Line(line)).is_err()
        {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were lost so far: the queue was full, the disk was full, or nobody reads.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Opens the file again by its name before the next line, for a rotation by somebody else.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
    }

    /// Waits until everything queued so far is written, at most so long; says whether it is.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let (done, finished) = sync_channel(1);
        let mut order = Order::Flush(done);
        loop {
            match self.queue.try_send(order) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    order = back;
                    thread::sleep(Duration::from_millis(1));
                }
                Err(_) => return false,
            }
        }
        finished.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

struct Writer {
    output: Output,
    batch: Vec<u8>,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut written = None;
        loop {
            let order = match orders.recv_timeout(IDLE) {
                Ok(order) => order,
                Err(RecvTimeoutError::Timeout) => {
                    self.look_after_file();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let since = written.map_or(GATHER, |at: Instant| at.elapsed());
            if since < GATHER {
                thread::sleep(GATHER.saturating_sub(since));
            }
            let mut next = Some(order);
            while let Some(order) = next {
                self.obey(order);
                next = if self.batch.len() < BATCH { orders.try_recv().ok() } else { None };
            }
            self.write_batch();
            written = Some(Instant::now());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Line(line) => {
                self.look_after_file();
                if !self.output.has_room_for(self.batch.len(), line.len() + 1) {
                    self.write_batch();
                    self.output.rotate();
                }
                self.batch.extend_from_slice(line.as_bytes());
                if !line.ends_with('\n') {
                    self.batch.push(b'\n');
                }
            }
            Order::Flush(done) => {
                self.write_batch();
                // Whoever asked may have stopped waiting.
                let _ = done.try_send(());
            }
        }
    }

    fn look_after_file(&mut self) {
        if self.shared.reopen.load(Ordering::Relaxed)
            && self.shared.reopen.swap(false, Ordering::AcqRel)
        {
            self.write_batch();
            self.output.reopen();
        } else if self.output.is_too_old() {
            self.write_batch();
            self.output.rotate();
        }
    }

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let lost = if self.shared.closed.load(Ordering::Relaxed) {
            lines(&self.batch)
        } else {
            match self.output.write(&self.batch) {
                Ok(()) => 0,
                Err((written, error)) => {
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        self.shared.closed.store(true, Ordering::Relaxed);
                    }
                    lines(&self.batch[written..])
                }
            }
        };
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        self.batch.clear();
    }
}

/// How many lines end in these bytes.
fn lines(bytes: &[u8]) -> u64 {
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count() as u64
}

#[cfg(test)]
mod tests;
