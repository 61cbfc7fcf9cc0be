//! A look at an endpoint for nobody's request: the same steps as for one, up to the status of an
//! answer.

use std::io;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::pin::pin;
use std::time::Duration;

use http::Method;
use http::uri::Scheme;
use pingora::protocols::Stream as Transport;
use pingora::protocols::l4::socket::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use whodunit_filters::attribution::{Failure, Fault, Key, NextHop, Phase, Side, sniff};

use super::line::{Line, Patience};
use super::reach::{Ready, reach};
use super::tcp;
use crate::{observe, wired};

/// The most of what comes that a status is looked for in.
const ENOUGH: usize = 16 * 1024;
/// The most of it that is shown where it is no answer.
const SHOWN: usize = 64;
/// How all of HTTP/1 begins.
const HTTP1: &[u8] = b"HTTP/1.";
/// The start of a status line, up to the last digit (RFC 9112 section 4).
const STATUS_LINE: usize = "HTTP/1.1 200".len();

/// Where to look, and how.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What connections there are like.
    pub line: &'a Line,
    /// The endpoint.
    pub next_hop: &'a NextHop,
    /// The server name to ask for and to look for in the certificate, or the endpoint's address;
    /// of no account without TLS.
    pub name: &'a str,
    /// The authority to ask for (`Host`).
    pub authority: &'a str,
    /// Who asks (`User-Agent`).
    pub agent: &'a str,
    /// The limits for connecting.
    pub patience: Patience,
    /// The limit for an answer.
    pub read: Duration,
    /// How far to go.
    pub question: Question<'a>,
}

/// How far a look goes.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Until there is a connection, which is not secured.
    Connection,
    /// Until it is secured, where the line is.
    Handshake,
    /// Until a page was asked for and the status of the answer has come.
    Page {
        /// The method. One that changes nothing (RFC 9110 section 9.2.1) is the caller's duty.
        method: &'a Method,
        /// The path, and the query if there is one.
        path: &'a str,
    },
}

/// Connects, and asks if there is something to ask: gives the status of the answer, whatever it is,
/// or `None` where nothing was asked. It takes no longer than its three limits together.
///
/// # Errors
/// What broke, and in which phase, as it would be told of a request.
pub async fn look(look: Look<'_>) -> Result<Option<u16>, Failure> {
    let address = match look.next_hop {
        NextHop::Inet(address) => SocketAddr::Inet(*address),
        NextHop::Unix(path) => SocketAddr::Unix(
            UnixAddr::from_pathname(&**path).expect("an endpoint's path fits its address"),
        ),
    };
    let Question::Page { method, path } = look.question else {
        return knock(&look, &address).await.map(|()| None);
    };
    let ready = reach(look.line, &address, look.name, look.patience, look.read);
    let Ready { transport, wire, scheme, http2 } = ready.await.map_err(|broken| broken.failure)?;
    let asked = async {
        if http2 {
            by_http2(transport, scheme, &look, (method, path)).await
        } else {
            by_http1(transport, &look, (method, path)).await
        }
    };
    let mut failure = match timeout(look.read, asked).await {
        Ok(Ok(status)) => return Ok(Some(status)),
        Ok(Err(failure)) => failure,
        Err(_elapsed) => waiting(Fault::TimedOut),
    };
    wired::note(&wire, &mut failure);
    Err(failure)
}

fn waiting(fault: Fault) -> Failure {
    Failure::new(Side::Origin, Phase::Wait, fault)
}

/// Connects and leaves again.
async fn knock(look: &Look<'_>, address: &SocketAddr) -> Result<(), Failure> {
    if let Question::Connection = look.question {
        return tcp::connect(address, look.patience.connect).await.map(drop);
    }
    let ready = reach(look.line, address, look.name, look.patience, look.read).await;
    ready.map(drop).map_err(|broken| broken.failure)
}

async fn by_http1(
    mut transport: Transport,
    look: &Look<'_>,
    (method, path): (&Method, &str),
) -> Result<u16, Failure> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nConnection: close\r\n\r\n",
        look.authority, look.agent
    );
    let mut came = Vec::with_capacity(1_024);
    let heard = async {
        transport.write_all(request.as_bytes()).await?;
        transport.flush().await?;
        let mut rest = (&mut transport).take(ENOUGH as u64);
        while status(&came) == Some(Status::ToCome) && rest.read_buf(&mut came).await? > 0 {}
        Ok(())
    };
    let heard: io::Result<()> = heard.await;
    match (status(&came), heard) {
        (Some(Status::Final(status)), _) => Ok(status),
        (None, _) => {
            let failure = waiting(Fault::Malformed).with(Key::Rule, "not an HTTP response");
            let shown = came[..came.len().min(SHOWN)].escape_ascii().to_string();
            Err(sniff::note(failure, &shown))
        }
        (Some(Status::ToCome), Ok(())) => Err(waiting(Fault::Closed)),
        (Some(Status::ToCome), Err(error)) => Err(lost(&error)),
    }
}

/// What is known of the status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    ToCome,
    Final(u16),
}

/// The status in what has come so far, interim ones (RFC 9110 section 15.2) left aside; `None` if
/// that is no answer.
fn status(mut came: &[u8]) -> Option<Status> {
    loop {
        let begun = came.len().min(HTTP1.len());
        if came[..begun] != HTTP1[..begun] {
            return None;
        }
        let Some(digits) = came.get(STATUS_LINE - 3..STATUS_LINE) else {
            return Some(Status::ToCome);
        };
        let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        match status {
            101 | 200..=999 => return Some(Status::Final(status)),
            100..200 => {}
            _ => return None,
        }
        let Some(end) = came.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Some(Status::ToCome);
        };
        came = &came[end + 4..];
    }
}

async fn by_http2(
    transport: Transport,
    scheme: Scheme,
    look: &Look<'_>,
    (method, path): (&Method, &str),
) -> Result<u16, Failure> {
    let shaken = h2::client::handshake(transport).await;
    let (requests, connection) = shaken.map_err(|error| ended(&error))?;
    let uri = http::Uri::builder().scheme(scheme).authority(look.authority).path_and_query(path);
    let request = http::Request::builder()
        .method(method)
        .uri(uri.build().expect("a host and a port are an authority, and the path is one"))
        .header(http::header::USER_AGENT, look.agent)
        .body(())
        .expect("all of it is ours");
    let mut answer = pin!(async move {
        let (answer, _) = requests.ready().await?.send_request(request, true)?;
        answer.await.map(|answer| answer.status().as_u16())
    });
    let answered = tokio::select! {
        biased;
        answered = &mut answer => answered,
        // What it left behind is the answer, or what became of it.
        _ = connection => answer.await,
    };
    answered.map_err(|error| ended(&error))
}

/// How a connection of HTTP/2 or a stream on it came to its end.
fn ended(error: &h2::Error) -> Failure {
    let secured = error.get_io().and_then(|error| observe::secured(error, Phase::Wait));
    secured.unwrap_or_else(|| match observe::http2_fault(error) {
        Some(fault) => waiting(fault),
        None => waiting(Fault::Malformed).with(Key::Rule, "not HTTP/2"),
    })
}

/// How a connection broke.
fn lost(error: &io::Error) -> Failure {
    observe::secured(error, Phase::Wait).unwrap_or_else(|| waiting(tcp::broken(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_final_answer() {
        for (came, expected) in [
            ("", Some(Status::ToCome)),
            ("HTT", Some(Status::ToCome)),
            ("HTTP/1.1 20", Some(Status::ToCome)),
            ("HTTP/1.1 204", Some(Status::Final(204))),
            ("HTTP/1.0 503 Busy\r\n", Some(Status::Final(503))),
            ("HTTP/1.1 103 Early\r\nLink: <a>\r\n", Some(Status::ToCome)),
            ("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 404 No", Some(Status::Final(404))),
            ("HTTP/1.1 100 Go\r\n\r\n", Some(Status::ToCome)),
            ("HTTP/1.1 101 Other\r\n", Some(Status::Final(101))),
            ("HTTP/2 200", None),
            ("SSH-2.0", None),
            ("HTTP/1.1 2x4", None),
            ("HTTP/1.1 099", None),
            ("HTTP/1.1 100 Go\r\n\r\nSSH", None),
        ] {
            assert_eq!(status(came.as_bytes()), expected, "{came}");
        }
    }
}
