//! A client for the lab's tests: it hears every byte, and how a connection ends.

use std::time::Duration;

use super::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

mod faulty;
mod sound;

/// Long enough for loopback to show that nothing comes; on a slow machine a test passes wrongly,
/// and never fails wrongly.
const SILENCE: Duration = Duration::from_millis(100);

/// Longer than anything takes that does come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Fin,
    Reset,
    Open,
}

async fn lab() -> Lab {
    start(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("loopback can be bound")
}

/// Reads until the peer ends; or, if it is not to end, until it falls silent after `least` bytes.
async fn listen(
    stream: &mut (impl AsyncRead + Unpin),
    least: usize,
    end: Ending,
) -> (Vec<u8>, Ending) {
    let mut heard = Vec::new();
    loop {
        let enough = end == Ending::Open && heard.len() >= least;
        let patience = if enough { SILENCE } else { PATIENCE };
        match timeout(patience, stream.read_buf(&mut heard)).await {
            Err(_) => return (heard, Ending::Open),
            Ok(Ok(0)) => return (heard, Ending::Fin),
            Ok(Err(_)) => return (heard, Ending::Reset),
            Ok(Ok(_)) => {}
        }
    }
}

/// Sends a request and reads until the answer ends so.
async fn tell(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
    ending: &str,
) -> String {
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut heard = Vec::new();
    while !heard.ends_with(ending.as_bytes()) {
        match timeout(PATIENCE, stream.read_buf(&mut heard)).await {
            Ok(Ok(1..)) => {}
            end => panic!("{request:?}: {end:?} after {:?}", String::from_utf8_lossy(&heard)),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// Sends a request over a connection of its own, and reads to the end of the connection.
async fn ask(address: SocketAddr, request: &str) -> (String, Ending) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let (heard, ending) = listen(&mut stream, 0, Ending::Fin).await;
    (String::from_utf8_lossy(&heard).into_owned(), ending)
}

/// A fault begins its answer so and ends so.
async fn holds(address: SocketAddr, request: &str, begins: &str, ends: Ending) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // A port that resets at once may be faster than the request.
    let _ = stream.write_all(request.as_bytes()).await;
    let (heard, ending) = listen(&mut stream, begins.len(), ends).await;
    assert!(
        heard.starts_with(begins.as_bytes()),
        "{request:?}: {:?}",
        String::from_utf8_lossy(&heard)
    );
    assert_eq!(heard.is_empty(), begins.is_empty(), "{request:?}");
    assert_eq!(ending, ends, "{request:?}");
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n")
}

/// As `get`, and the connection closes after it, so that the end of the answer is certain.
fn last(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
}

/// The body of a whole answer, transfer coding removed.
fn body(answer: &[u8]) -> Vec<u8> {
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let (head, mut rest) = answer.split_at(at);
    if !String::from_utf8_lossy(head).contains("chunked") {
        return rest.to_vec();
    }
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").expect("a size line");
        let size = std::str::from_utf8(&rest[..end]).expect("a size in ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

async fn fetch(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(last(path).as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads to the end");
    answer
}
