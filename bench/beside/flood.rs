//! Whether failures make things worse: a healthy upstream's latency while a thousand connections
//! ask for a dead one, at a pace that leaves the core time to spare, and as fast as they can. Of a
//! core that is full nobody gets more than a share; so that is held against as many good requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load::{Load, Place};
use crate::peers::Started;

/// How often the healthy upstream is asked.
const PACE: Duration = Duration::from_millis(2);
const CONNECTIONS: u32 = 1_000;
/// Failures a second of all connections together, where they keep a pace.
const PACED: u32 = 2_000;

/// Latencies of the healthy upstream in microseconds, and memory in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) quiet: Latency,
    /// While they ask the dead one at a pace.
    pub(crate) paced: Latency,
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
    let paced = at_a_pace(proxy, seconds)?;
    let busy = beside(proxy, "/", seconds)?;
    let memory_before = proxy.memory().now;
    let failing = beside(proxy, "/dead", seconds * 2)?;
    let memory_after = proxy.memory().now;
    let flood =
        Flood { name: proxy.name, quiet, paced, busy, failing, memory_before, memory_after };
    eprintln!("bench: {flood:?}");
    Ok(flood)
}

/// Measures while something else is asked for.
fn beside(proxy: &Started, path: &'static str, seconds: u32) -> Result<Latency, String> {
    let (scheme, host) = ("http", "app.test".to_owned());
    let place = Place { scheme, address: proxy.plain().to_string(), path, host };
    std::thread::scope(|scope| {
        let load = scope.spawn(|| Load::Kept(CONNECTIONS).run(&place, seconds + 2));
        std::thread::sleep(Duration::from_secs(1));
        let latency = probe(proxy, seconds);
        load.join().expect("it does not panic")?;
        latency
    })
}

/// Measures while all connections in turn ask for the dead upstream. What does not keep connections
/// open after a failure is asked over new ones.
fn at_a_pace(proxy: &Started, seconds: u32) -> Result<Latency, String> {
    let over = AtomicBool::new(false);
    let hammer = || -> std::io::Result<()> {
        let connect = || TcpStream::connect(proxy.plain());
        let mut open: Vec<TcpStream> =
            (0..CONNECTIONS).map(|_| connect()).collect::<Result<_, _>>()?;
        let (began, mut asked) = (Instant::now(), 0_u32);
        let mut piece = [0; 8_192];
        while !over.load(Ordering::Relaxed) {
            for stream in &mut open {
                let due = Duration::from_secs(1) / PACED * asked;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                let sent = stream.write_all(b"GET /dead HTTP/1.1\r\nHost: app.test\r\n\r\n");
                if sent.is_err() || stream.read(&mut piece).unwrap_or(0) == 0 {
                    *stream = connect()?;
                }
                asked += 1;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let hammering = scope.spawn(hammer);
        std::thread::sleep(Duration::from_secs(1));
        let latency = probe(proxy, seconds);
        over.store(true, Ordering::Relaxed);
        let hammered = hammering.join().expect("it does not panic");
        hammered.map_err(|error| format!("{}, flood: {error}", proxy.name))?;
        latency
    })
}

fn probe(proxy: &Started, seconds: u32) -> Result<Latency, String> {
    let failed = |error: std::io::Error| format!("{}, flood: {error}", proxy.name);
    let mut stream = TcpStream::connect(proxy.plain()).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(failed)?;
    let (began, mut times, mut piece) = (Instant::now(), Vec::new(), [0; 4_096]);
    while began.elapsed() < Duration::from_secs(seconds.into()) {
        let asked = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").map_err(failed)?;
        let mut got = Vec::new();
        while !got.ends_with(b"hello, world\n") && !got.ends_with(b"0\r\n\r\n") {
            let count = stream.read(&mut piece).map_err(failed)?;
            if count == 0 {
                return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
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
