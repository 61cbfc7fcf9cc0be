//! A look at an endpoint after a request there failed: does its name still lead there, does it
//! accept a connection, does it answer? What is found stands beside later verdicts. Nobody waits
//! for it, and there are few at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::Status;
use whodunit_filters::attribution::ledger::Finding;
use whodunit_filters::attribution::{Cause, Ledger, NextHop, Party, Phase};
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_pingora::connect::Protocol;

use super::pool::Pool;

/// How many looks are under way at a time, at all endpoints together.
const AT_A_TIME: usize = 4;
/// The longest that one step of a look takes, where the limits in force are longer.
const STEP: Duration = Duration::from_secs(5);

/// Looks at endpoints.
pub struct Checks {
    ledger: Arc<Ledger>,
    room: Arc<Semaphore>,
}

/// One look.
struct Look {
    pool: Arc<Pool>,
    /// The endpoint's place in the upstream.
    endpoint: usize,
    next_hop: NextHop,
    connect: Duration,
    read: Duration,
}

impl Checks {
    /// Looks whose findings are noted in this ledger.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, room: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Has a look at an endpoint in the background, unless it is too soon after the last one or
    /// too many are under way. Must be called on a runtime.
    pub fn look(
        &self,
        pool: &Arc<Pool>,
        endpoint: usize,
        next_hop: &NextHop,
        timeouts: &TimeoutsInForce,
    ) {
        let Ok(room) = self.room.clone().try_acquire_owned() else { return };
        let neighbour = self.ledger.neighbour(next_hop, Some(&pool.upstream.name));
        if !neighbour.begin_check(Instant::now()) {
            return;
        }
        let look = Look {
            pool: pool.clone(),
            endpoint,
            next_hop: next_hop.clone(),
            connect: timeouts.connect.value.0.min(STEP),
            read: timeouts.read.value.0.min(STEP),
        };
        tokio::spawn(async move {
            let finding = look.take().await;
            let now = Instant::now();
            match finding {
                Finding::Answers
                | Finding::Accepts
                | Finding::Silent
                | Finding::Closes
                | Finding::NotHttp => neighbour.accepted(now),
                Finding::TimedOut => neighbour.unanswered(now),
                Finding::Refuses | Finding::Unreachable | Finding::Nameless | Finding::Moved => {}
            }
            neighbour.checked(now, finding);
            drop(room);
        });
    }
}

/// Whether a look may tell more of such a failure.
#[must_use]
pub fn worth_a_look(cause: Cause) -> bool {
    matches!(cause.party, Party::Origin | Party::Network)
        && cause.phase >= Phase::Connect
        && cause.standard != Status::Pass
}

impl Look {
    async fn take(&self) -> Finding {
        if let Some(astray) = self.resolve().await {
            return astray;
        }
        let connected = timeout(self.connect, async {
            match &self.next_hop {
                NextHop::Inet(address) => TcpStream::connect(address).await.map(Way::Tcp),
                NextHop::Unix(path) => UnixStream::connect(&**path).await.map(Way::Unix),
            }
        });
        let line = &self.pool.upstream.line;
        match connected.await {
            Err(_) => Finding::TimedOut,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Finding::Refuses,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Finding::TimedOut,
            Ok(Err(_)) => Finding::Unreachable,
            // What it says is for those to hear who secure the connection, or speak HTTP/2.
            Ok(Ok(_)) if line.tls.is_some() || line.protocol == Protocol::H2c => Finding::Accepts,
            Ok(Ok(Way::Tcp(stream))) => self.ask(stream).await,
            Ok(Ok(Way::Unix(stream))) => self.ask(stream).await,
        }
    }

    /// Whether the endpoint's name leads elsewhere.
    async fn resolve(&self) -> Option<Finding> {
        let (Target::Name(name, _), NextHop::Inet(address)) =
            (&self.pool.upstream.endpoints.get(self.endpoint)?.0, &self.next_hop)
        else {
            return None;
        };
        match self.pool.resolve(name).await {
            Err(_) => Some(Finding::Nameless),
            Ok(answer) if answer.addresses.contains(&address.ip()) => None,
            Ok(_) => Some(Finding::Moved),
        }
    }

    /// HEAD changes nothing (RFC 9110 section 9.2.1), and any answer will do.
    async fn ask(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Finding {
        const HTTP: &[u8] = b"HTTP/1.";
        let host = match &self.pool.upstream.endpoints[self.endpoint].0 {
            Target::Ip(address) => address.to_string(),
            Target::Name(name, port) => format!("{}:{port}", name.trim_end_matches('.')),
            Target::Unix(_) => "localhost".to_owned(),
        };
        let request = format!(
            "HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: whodunit-check\r\nConnection: close\r\n\r\n"
        );
        let mut came = Vec::with_capacity(HTTP.len());
        let heard = timeout(self.read, async {
            stream.write_all(request.as_bytes()).await?;
            (&mut stream).take(HTTP.len() as u64).read_to_end(&mut came).await
        });
        match heard.await {
            _ if came == HTTP => Finding::Answers,
            _ if !came.is_empty() => Finding::NotHttp,
            Err(_) => Finding::Silent,
            Ok(_) => Finding::Closes,
        }
    }
}

enum Way {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[cfg(test)]
mod tests {
    use whodunit_filters::attribution::cause;

    use super::*;

    #[test]
    fn only_what_may_lie_with_the_endpoint_is_worth_a_look() {
        for (id, worth) in [
            ("connect_refused", true),
            ("connect_timeout", true),
            ("origin_slow", true),
            ("origin_error", false),
            ("keepalive_race", false),
            ("dns_timeout", false),
            ("client_aborted", false),
            ("proxy_files_exhausted", false),
        ] {
            assert_eq!(worth_a_look(cause::find(id).expect("a row")), worth, "{id}");
        }
    }
}
