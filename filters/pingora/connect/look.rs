//! A look at an endpoint for nobody's request: the same steps as for one, up to the first bytes of
//! an answer.

use std::io;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::pin::pin;
use std::time::Duration;

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

/// The most of what comes that is looked at.
const ENOUGH: usize = 64;
/// How all of HTTP/1 begins.
const HTTP1: &[u8] = b"HTTP/1.";

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
}

/// Connects and asks `HEAD /`, which changes nothing (RFC 9110 section 9.2.1). Any answer will do.
/// It takes no longer than its three limits together.
///
/// # Errors
/// What broke, and in which phase, as it would be told of a request.
pub async fn look(look: Look<'_>) -> Result<(), Failure> {
    let address = match look.next_hop {
        NextHop::Inet(address) => SocketAddr::Inet(*address),
        NextHop::Unix(path) => SocketAddr::Unix(
            UnixAddr::from_pathname(&**path).expect("an endpoint's path fits its address"),
        ),
    };
    let ready = reach(look.line, &address, look.name, look.patience, look.read);
    let Ready { transport, wire, scheme, http2 } = ready.await.map_err(|broken| broken.failure)?;
    let asked = async {
        if http2 {
            by_http2(transport, scheme, &look).await
        } else {
            by_http1(transport, &look).await
        }
    };
    let mut failure = match timeout(look.read, asked).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure,
        Err(_elapsed) => waiting(Fault::TimedOut),
    };
    wired::note(&wire, &mut failure);
    Err(failure)
}

fn waiting(fault: Fault) -> Failure {
    Failure::new(Side::Origin, Phase::Wait, fault)
}

async fn by_http1(mut transport: Transport, look: &Look<'_>) -> Result<(), Failure> {
    let request = format!(
        "HEAD / HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nConnection: close\r\n\r\n",
        look.authority, look.agent
    );
    let mut came = Vec::with_capacity(ENOUGH);
    let heard = async {
        transport.write_all(request.as_bytes()).await?;
        transport.flush().await?;
        let mut rest = (&mut transport).take(ENOUGH as u64);
        while came.len() < HTTP1.len() && rest.read_buf(&mut came).await? > 0 {}
        Ok(())
    };
    let heard: io::Result<()> = heard.await;
    match heard {
        _ if came.starts_with(HTTP1) => Ok(()),
        _ if !came.is_empty() => {
            let failure = waiting(Fault::Malformed).with(Key::Rule, "not an HTTP response");
            Err(sniff::note(failure, &came.escape_ascii().to_string()))
        }
        Ok(()) => Err(waiting(Fault::Closed)),
        Err(error) => Err(lost(&error)),
    }
}

async fn by_http2(transport: Transport, scheme: Scheme, look: &Look<'_>) -> Result<(), Failure> {
    let shaken = h2::client::handshake(transport).await;
    let (requests, connection) = shaken.map_err(|error| ended(&error))?;
    let uri = http::Uri::builder().scheme(scheme).authority(look.authority).path_and_query("/");
    let request = http::Request::head(uri.build().expect("a host and a port are an authority"))
        .header(http::header::USER_AGENT, look.agent)
        .body(())
        .expect("all of it is ours");
    let mut answer = pin!(async move {
        let (answer, _) = requests.ready().await?.send_request(request, true)?;
        answer.await.map(drop)
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
