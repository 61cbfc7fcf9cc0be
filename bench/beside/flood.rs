//! Whether failures make things worse: a healthy upstream's latency while a thousand connections
//! ask for a dead one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::load::{Load, Place};
use crate::peers::Started;

/// How often the healthy upstream is asked.
const PACE: Duration = Duration::from_millis(2);
const CONNECTIONS: u32 = 1_000;

/// Latencies of the healthy upstream in microseconds, and memory in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) quiet: Latency,
    /// While as many connections ask the healthy upstream, too.
    pub(crate) busy: Latency,
    /// While they ask the dead one.
    pub(crate) failing: Latency,
    pub(crate) memory_before: u64,
    pub(crate) memory_after: u64,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

pub(crate) fn measure(proxy: &Started, seconds: u32) -> Result<Flood, String> {
    let quiet = probe(proxy, seconds)?;
    let busy = beside(proxy, "/", seconds)?;
    let memory_before = proxy.memory().now;
    let failing = beside(proxy, "/dead", seconds * 2)?;
    let memory_after = proxy.memory().now;
    let flood = Flood { name: proxy.name, quiet, busy, failing, memory_before, memory_after };
    eprintln!("bench: {flood:?}");
    Ok(flood)
}

/// Measures while something else is asked for.
fn beside(proxy: &Started, path: &'static str, seconds: u32) -> Result<Latency, String> {
    let place = Place { address: proxy.plain().to_string(), path, host: "app.test".to_owned() };
    std::thread::scope(|scope| {
        let load = scope.spawn(|| Load::Kept(CONNECTIONS).run(&place, seconds + 2));
        std::thread::sleep(Duration::from_secs(1));
        let latency = probe(proxy, seconds);
        load.join().expect("it does not panic")?;
        latency
    })
}

fn probe(proxy: &Started, seconds: u32) -> Result<Latency, String> {
    let lost = |error: std::io::Error| format!("{}, flood: {error}", proxy.name);
    let mut stream = TcpStream::connect(proxy.plain()).map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(lost)?;
    let (began, mut times, mut piece) = (Instant::now(), Vec::new(), [0; 4_096]);
    while began.elapsed() < Duration::from_secs(seconds.into()) {
        let asked = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").map_err(lost)?;
        let mut got = Vec::new();
        while !got.ends_with(b"hello, world\n") && !got.ends_with(b"0\r\n\r\n") {
            let count = stream.read(&mut piece).map_err(lost)?;
            if count == 0 {
                return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            got.extend_from_slice(&piece[..count]);
        }
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        std::thread::sleep(PACE);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0.0);
    Ok(Latency { p50: at(50), p99: at(99) })
}
