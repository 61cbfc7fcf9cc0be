//! What a connection costs that does nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::peers::Started;

const CONNECTIONS: u64 = 5_000;

/// Bytes of memory for each of many client connections that have carried a request and wait for
/// the next one.
pub(crate) fn memory(proxy: &Started) -> Result<u64, String> {
    let failed = |error: std::io::Error| format!("{}, idle: {error}", proxy.name);
    // What the first few cost all of them need.
    let warm = (0..100).map(|_| visit(proxy)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    drop(warm);
    let before = proxy.memory().now;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(visit(proxy).map_err(failed)?);
    }
    // Two looks that agree: it has come to rest.
    let mut last = 0;
    loop {
        let now = proxy.memory().now;
        if now == last {
            break;
        }
        last = now;
        std::thread::sleep(Duration::from_millis(200));
    }
    eprintln!("bench: idle {}: {} KiB for {CONNECTIONS}", proxy.name, last.saturating_sub(before));
    Ok(last.saturating_sub(before) * 1_024 / CONNECTIONS)
}

fn visit(proxy: &Started) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy.plain())?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")?;
    let mut got = Vec::new();
    let mut piece = [0; 1_024];
    while !got.ends_with(b"hello, world\n") && !got.ends_with(b"0\r\n\r\n") {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&piece[..count]);
    }
    Ok(stream)
}
