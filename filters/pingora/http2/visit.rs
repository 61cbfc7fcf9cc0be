//! One connection: requests are handed on as they come, and time limits see to its end.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use pingora::apps::HttpServerApp;
use pingora::protocols::Digest;
use pingora::server::ShutdownWatch;
use tokio::time::{sleep_until, timeout};
use whodunit_filters::attribution::cause::client::CLIENT_HEADER_TOO_LARGE;
use whodunit_filters::attribution::cause::proxy::PROXY_OVERLOADED;
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};
use whodunit_filters::head::Rule;

use super::room::{Refused, Room};
use super::turn::{Active, Turn};
use super::wire::Wire;
use super::{STREAMS, turn_away};
use crate::arrival::ClientFacts;
use crate::ingress::{Doorman, Rules};
use crate::tally::Tally;

/// How long a client that is told of the end may take to hear of it.
const GRACE: Duration = Duration::from_millis(500);

/// What the client agreed to speak.
type Speaking = Connection<Wire, Bytes>;
/// A request as the codec delivers it.
type Came = (http::Request<h2::RecvStream>, SendResponse<Bytes>);

/// One connection.
pub(super) struct Visit<'a, A> {
    app: &'a Arc<A>,
    door: &'a Arc<dyn Doorman>,
    shutdown: &'a ShutdownWatch,
    tally: Tally,
    room: Arc<Room>,
    digest: Arc<Digest>,
    active: Arc<Active>,
    /// Requests that came.
    requests: u32,
    /// Since when nothing has been under way.
    since: Instant,
    /// The client was told that no more requests are wanted.
    closing: bool,
}

/// What happens on a connection.
#[expect(clippy::large_enum_variant, reason = "it is taken apart as soon as it is made")]
enum Event {
    Request(Came),
    /// Requests that the codec turned away.
    Refused(Vec<Refused>),
    /// More frames that are for nothing than are borne.
    Flood,
    /// A header section begins or ends.
    Stirred,
    /// The end of the connection.
    Over(Option<h2::Error>),
    /// The last request under way ended.
    Idle,
    /// The time is up that was waited for.
    Late,
    /// The service shuts down.
    Shutdown,
}

impl<'a, A: HttpServerApp + Send + Sync + 'static> Visit<'a, A> {
    pub(super) fn new(
        app: &'a Arc<A>,
        door: &'a Arc<dyn Doorman>,
        shutdown: &'a ShutdownWatch,
        tally: Tally,
        room: Arc<Room>,
        digest: Digest,
    ) -> Self {
        Self {
            app,
            door,
            shutdown,
            tally,
            room,
            digest: Arc::new(digest),
            active: Arc::default(),
            requests: 0,
            since: Instant::now(),
            closing: false,
        }
    }

    pub(super) async fn serve(mut self, mut speaking: Speaking) {
        let mut shutdown = self.shutdown.clone();
        let mut midway = None;
        loop {
            let rules = self.door.rules();
            let until = self.until(&rules, midway);
            let event = tokio::select! {
                biased;
                () = told(&mut shutdown), if !self.closing => Event::Shutdown,
                event = next(&mut speaking, &self.room, midway) => event,
                () = self.active.ended() => Event::Idle,
                () = sleep_until(until.into()) => Event::Late,
            };
            match event {
                Event::Request(came) => self.take(&rules, came, &mut speaking),
                Event::Refused(refused) => self.turned_away(&rules, refused),
                Event::Flood => {
                    self.broken(Rule::Flood);
                    return part(speaking, Reason::ENHANCE_YOUR_CALM).await;
                }
                Event::Stirred => {}
                Event::Over(error) => return self.over(error),
                Event::Idle => {
                    self.since = Instant::now();
                    self.tally.turn(Use::Idle);
                }
                Event::Shutdown => self.close(&mut speaking),
                Event::Late => {
                    if midway.is_some_and(|since: Instant| since.elapsed() >= rules.request_header)
                        && !self.closing
                    {
                        self.unfinished(&rules);
                        self.close(&mut speaking);
                    } else if self.active.none() && !speaking.has_streams() {
                        return part(speaking, Reason::NO_ERROR).await;
                    }
                    // Nobody tells when the last byte of an answer went out: it is asked again.
                    self.since = Instant::now();
                }
            }
            midway = self.room.midway();
        }
    }

    /// How long there is to wait.
    fn until(&self, rules: &Rules, midway: Option<Instant>) -> Instant {
        let patience = match self.requests {
            _ if self.closing => GRACE,
            0 => rules.request_header,
            _ => rules.keepalive,
        };
        match midway {
            Some(since) if !self.closing => since + rules.request_header,
            _ if self.active.none() => self.since + patience,
            // The end of the last request is told.
            _ => Instant::now() + patience.max(GRACE),
        }
    }

    /// Says that no more requests are wanted. Those under way are served to their end.
    fn close(&mut self, speaking: &mut Speaking) {
        speaking.graceful_shutdown();
        self.closing = true;
        self.since = Instant::now();
    }

    /// A request came.
    fn take(&mut self, rules: &Rules, (request, answer): Came, speaking: &mut Speaking) {
        self.requests = self.requests.saturating_add(1);
        self.tally.turn(Use::Active);
        let stream = answer.stream_id().as_u32();
        let turn = Turn {
            app: self.app.clone(),
            door: self.door.clone(),
            shutdown: self.shutdown.clone(),
            room: self.room.clone(),
            digest: self.digest.clone(),
            facts: self.room.accept(stream),
            _active: self.active.begin(),
            rules: *rules,
            stream,
        };
        tokio::spawn(turn.serve(request, answer));
        if rules.requests.is_some_and(|most| self.requests >= most) && !self.closing {
            self.close(speaking);
        }
    }

    /// The codec turned requests away, without anybody's asking.
    fn turned_away(&self, rules: &Rules, refused: Vec<Refused>) {
        for Refused { facts, reset } in refused {
            let failure = match reset.map(Reason::from) {
                None => Failure::denied(&CLIENT_HEADER_TOO_LARGE)
                    .with(Key::Limit, rules.head.section)
                    .with(Key::Setting, "limits.request_header"),
                Some(Reason::REFUSED_STREAM) => Failure::denied(&PROXY_OVERLOADED)
                    .with(Key::Open, u64::from(STREAMS) + 1)
                    .with(Key::MaxCount, u64::from(STREAMS))
                    .with(Key::Setting, "requests at once on one HTTP/2 connection"),
                Some(_) => Rule::Message.broken(),
            };
            self.refuse(failure, &facts);
        }
    }

    /// A header section did not come to its end in time.
    fn unfinished(&self, rules: &Rules) {
        let Some(facts) = self.room.unfinished() else { return };
        let failure = Failure::new(Side::Client, Phase::Request, Fault::TimedOut)
            .with(Key::Part, "header")
            .with(Key::LimitMs, rules.request_header)
            .with(Key::Setting, "timeouts.request_header");
        self.refuse(failure, &facts);
    }

    /// The connection is over. What was under way is told of by itself.
    fn over(&self, error: Option<h2::Error>) {
        let Some(error) = error else { return };
        if error.is_go_away() && !error.is_remote() && !error.is_io() {
            self.broken(broken(&error));
        }
    }

    /// The client breaks this rule, which is the end of the connection. Each request under way tells
    /// of it by itself.
    fn broken(&self, rule: Rule) {
        if self.active.none() {
            let facts = self.room.unfinished();
            let facts = facts.unwrap_or_else(|| Arc::new(ClientFacts::new(self.since)));
            self.refuse(rule.broken(), &facts);
        }
    }

    fn refuse(&self, failure: Failure, client: &ClientFacts) {
        turn_away(self.door, failure, client, &self.digest);
    }
}

/// The rule of the connection that was broken, where the client is told that it is over.
pub(super) fn broken(error: &h2::Error) -> Rule {
    let calm = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
    if calm { Rule::Flood } else { Rule::Frames }
}

/// Waits for what happens next. It is here that the whole connection is driven.
async fn next(speaking: &mut Speaking, room: &Room, midway: Option<Instant>) -> Event {
    poll_fn(|cx| {
        let came = speaking.poll_accept(cx);
        if room.flooded() {
            return Poll::Ready(Event::Flood);
        }
        let refused = room.refused();
        if !refused.is_empty() && came.is_pending() {
            return Poll::Ready(Event::Refused(refused));
        }
        match came {
            Poll::Ready(Some(Ok(came))) => Poll::Ready(Event::Request(came)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Event::Over(Some(error))),
            Poll::Ready(None) => Poll::Ready(Event::Over(None)),
            Poll::Pending if room.midway() != midway => Poll::Ready(Event::Stirred),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Ends a connection at once: a request that has just been sent is known not to have been looked at
/// (RFC 9113 section 6.8).
async fn part(mut speaking: Speaking, why: Reason) {
    speaking.abrupt_shutdown(why);
    // A client that does not listen any more has nothing to be told.
    let _ = timeout(GRACE, poll_fn(|cx| speaking.poll_closed(cx))).await;
}

/// Resolves when the service shuts down.
async fn told(shutdown: &mut ShutdownWatch) {
    if shutdown.wait_for(|closing| *closing).await.is_err() {
        // Nobody is left who could ask for it.
        pending::<()>().await;
    }
}
