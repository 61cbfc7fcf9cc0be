//! Two hundred requests a second of many kinds, at their time whether or not those before them were
//! answered.

mod doors;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Dice;
use super::node::{NAME, Node};
use doors::{Door, Doors, Lost};

/// Between two requests.
const PACE: Duration = Duration::from_millis(5);
/// The longest that a client waits: longer than all attempts together take.
const WAIT: Duration = Duration::from_secs(15);

/// A request of the mix.
#[derive(Debug)]
pub(super) struct Kind {
    method: Method,
    path: &'static str,
    /// How long its body is.
    upload: usize,
    /// How long the answer's body is, where it is always the same.
    download: Option<usize>,
    share: usize,
}

const fn kind(
    share: usize,
    method: Method,
    path: &'static str,
    upload: usize,
    download: Option<usize>,
) -> Kind {
    Kind { method, path, upload, download, share }
}

/// The mix.
static MIX: [Kind; 8] = [
    kind(40, Method::GET, "/ok", 0, Some(3)),
    kind(12, Method::GET, "/bytes/65536", 0, Some(65_536)),
    kind(8, Method::GET, "/chunked/20000", 0, Some(20_000)),
    kind(5, Method::GET, "/slow-ok?delay=150", 0, Some(3)),
    kind(5, Method::HEAD, "/ok", 0, Some(0)),
    kind(10, Method::PUT, "/sink", 3_000, None),
    kind(10, Method::POST, "/sink", 500, None),
    kind(10, Method::POST, "/sink", 40_000, None),
];

/// How a request ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Answered whole, as the origin answers.
    Good,
    /// Answered with this status.
    Failed(u16),
    /// The answer began and broke off.
    Broken,
    /// There was no answer.
    Silent,
    /// There was no connection to be had.
    Refused,
    /// Answered whole, with something that no origin sent.
    Wrong,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The id that it bore.
    pub(super) id: String,
    pub(super) kind: &'static Kind,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) end: End,
    /// Whether a connection that was kept was closed before the request was answered, and it was
    /// put once more on a new one (RFC 9112 section 9.3.1).
    pub(super) again: bool,
    /// Whether an answer that failed named its cause.
    pub(super) told: bool,
}

impl Outcome {
    /// Whether the client got what it asked for.
    pub(super) fn is_good(&self) -> bool {
        self.end == End::Good
    }
}

impl Kind {
    /// Whether it may be tried again (RFC 9110 section 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        self.method != Method::POST
    }
}

/// The traffic, as long as it lasts.
pub(super) struct Traffic {
    stop: watch::Sender<bool>,
    pacing: JoinHandle<()>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    runtime: Runtime,
}

impl Traffic {
    pub(super) fn start(node: &Node, seed: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let doors = Arc::new(Doors::of(node));
        let outcomes: Arc<Mutex<Vec<Outcome>>> = Arc::default();
        let (stop, stopped) = watch::channel(false);
        let pacing = runtime.spawn(pace(doors, outcomes.clone(), stopped, Dice(seed)));
        Self { stop, pacing, outcomes, runtime }
    }

    /// Ends it: what came of every request.
    pub(super) fn end(self) -> Vec<Outcome> {
        self.stop.send(true).expect("the pace is kept until now");
        self.runtime.block_on(self.pacing).expect("nobody panics");
        drop(self.runtime);
        std::mem::take(&mut *self.outcomes.lock().expect("nobody panicked"))
    }
}

/// Sends requests until told to stop, and waits for the last.
async fn pace(
    doors: Arc<Doors>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    stopped: watch::Receiver<bool>,
    mut dice: Dice,
) {
    let mut asking = tokio::task::JoinSet::new();
    let mut turns = interval(PACE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nth = 0;
    while !*stopped.borrow() {
        turns.tick().await;
        nth += 1;
        let (kind, door) = (pick(&mut dice), Door::ALL[dice.below(Door::ALL.len())]);
        let kept = kind.is_idempotent() && dice.below(10) < 8;
        let (doors, outcomes) = (doors.clone(), outcomes.clone());
        asking.spawn(async move {
            let outcome = ask(&doors, door, kind, kept, format!("storm-{nth:06}")).await;
            outcomes.lock().expect("nobody panicked").push(outcome);
        });
        while asking.try_join_next().is_some() {}
    }
    while let Some(done) = asking.join_next().await {
        done.expect("nobody panics");
    }
}

fn pick(dice: &mut Dice) -> &'static Kind {
    let mut left = dice.below(MIX.iter().map(|kind| kind.share).sum());
    for kind in &MIX {
        if left < kind.share {
            return kind;
        }
        left -= kind.share;
    }
    unreachable!("it is below the sum")
}

/// Puts a request, once more if that is what a client does.
async fn ask(doors: &Doors, door: Door, kind: &'static Kind, kept: bool, id: String) -> Outcome {
    let began = Instant::now();
    let done =
        |id, end, again, told| Outcome { id, kind, began, ended: Instant::now(), end, again, told };
    let mut lost = match once(doors, door, kind, kept, &id).await {
        Ok((end, told)) => return done(id, end, false, told),
        Err(lost) => lost,
    };
    if lost == Lost::Unsent || (lost == Lost::Kept && kind.is_idempotent()) {
        let id = format!("{id}-again");
        match once(doors, door, kind, false, &id).await {
            Ok((end, told)) => return done(id, end, true, told),
            Err(once_more) => lost = once_more,
        }
    }
    let end = if lost == Lost::Refused { End::Refused } else { End::Silent };
    done(id, end, lost != Lost::Refused, false)
}

async fn once(
    doors: &Doors,
    door: Door,
    kind: &Kind,
    kept: bool,
    id: &str,
) -> Result<(End, bool), Lost> {
    let body = Full::new(Bytes::from(vec![b'u'; kind.upload]));
    let request = Request::builder()
        .method(kind.method.clone())
        .uri(if door.is_http2() {
            format!("{}://{NAME}{}", door.scheme(), kind.path)
        } else {
            kind.path.to_owned()
        })
        .header("x-request-id", id);
    let request = if door.is_http2() { request } else { request.header("host", NAME) };
    let request = request.body(body).expect("a request");
    let asked = timeout(WAIT, doors.send(door, kept, request)).await;
    let (answer, back) = match asked {
        Ok(sent) => sent?,
        Err(_elapsed) => return Err(Lost::Sent),
    };
    let told = answer.headers().contains_key("proxy-status");
    let (status, body) = (answer.status(), answer.into_body());
    let end = match timeout(WAIT, collected(body)).await {
        Ok(Some(body)) if status == StatusCode::OK => {
            doors.back(back);
            if is_right(kind, &body) { End::Good } else { End::Wrong }
        }
        Ok(Some(_)) => {
            doors.back(back);
            End::Failed(status.as_u16())
        }
        Ok(None) | Err(_) if status == StatusCode::OK => End::Broken,
        Ok(None) | Err(_) => End::Failed(status.as_u16()),
    };
    Ok((end, told))
}

async fn collected(body: Incoming) -> Option<Bytes> {
    body.collect().await.ok().map(http_body_util::Collected::to_bytes)
}

fn is_right(kind: &Kind, body: &[u8]) -> bool {
    match kind.download {
        Some(length) => body.len() == length,
        None => String::from_utf8_lossy(body).contains(&format!("\"bytes\":{},", kind.upload)),
    }
}
