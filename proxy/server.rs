//! The running process: sockets, services, signals, and its end.

mod beginning;
mod drain;
mod floor;
mod inherited;
mod insight;
mod listen;
mod operators;
mod overlap;
mod privileges;
mod reload;
mod serve;
mod systemd;
mod takeover;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use pingora::server::configuration::ServerConf;
use rustix::process::{Resource, getrlimit, setrlimit};
use whodunit_conf::reload::Files;
use whodunit_conf::{Checked, Config, Problems};
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::{Ledger, Record, Side};
use whodunit_pingora::{Advice, Attributed, Books, House, Listeners, Live};

use crate::gateway::Gateway;
use crate::plan::{self, Plan};
use crate::sink::{Sink, SinkSettings};
use crate::upstream::health::Rounds;
use crate::upstream::lasting::Registry;
use crate::upstream::own;
use crate::{notice, secure};
use beginning::Beginning;
use floor::{Change, Floor};

/// Where the configuration came from, so that it can be read again.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, and its text when it was read.
    File(PathBuf, String),
    /// The command line.
    Flags,
}

/// What runs, and can be replaced while it does.
pub(crate) struct Running {
    pub(crate) node: String,
    floor: Floor,
    pub(crate) plan: Arc<ArcSwap<Plan>>,
    /// What is known of the upstreams, whichever plan it was learned under.
    lasting: Registry,
    /// The checks of the plan in force.
    rounds: Rounds,
    pub(crate) checked: ArcSwap<Checked>,
    pub(crate) live: Live,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) sink: Sink,
    /// Held while a configuration is put into force: a signal and a changed file may come together.
    applying: Mutex<()>,
    handing: takeover::Handing,
    /// The files that the configuration names, as they were when they were read last.
    files: Mutex<Files>,
}

/// All that a configuration takes, at hand.
struct Prepared {
    change: Change,
    plan: Plan,
    files: Files,
}

/// Why the process could not start.
#[derive(Debug)]
pub struct Refusal(pub String);

/// The exit code for a configuration that cannot be used.
pub const MISCONFIGURED: u8 = 2;

/// Runs the proxy until it is told to stop. With `takeover` it takes the place of the process that
/// runs with the same `takeover.path`, if there is one.
///
/// # Errors
/// When it cannot start: a socket that cannot be had, a file that cannot be read.
pub fn run(checked: Checked, source: &Source, takeover: bool) -> Result<ExitCode, Refusal> {
    let config = &checked.config;
    let program = takeover::Program::of_this();
    raise_the_limit_of_files();
    let mut beginning = Beginning::of(config, takeover)?;
    let sockets = listen::bind(config, &beginning.inherited)?;
    let admin_socket = listen::admin(config, &beginning.inherited)?;
    let node = config.node.as_ref().map_or_else(host_name, |node| node.as_str().to_owned());
    let threads = threads(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("proxy")
        .enable_all()
        .build()
        .map_err(|error| Refusal(format!("no threads to work with: {error}")))?;
    let conf = Arc::new(ServerConf {
        threads,
        // The gateway counts attempts by itself; this only has to be no smaller.
        max_retries: 64,
        ..ServerConf::default()
    });
    let plan = Arc::new(ArcSwap::from_pointee(Plan::default()));
    let live = Live::new(plan::settings(&checked, &node, Listeners::default()));
    let ledger = Arc::new(Ledger::default());
    let lines = Arc::new(Lines::default());
    let books = Books::new(ledger.clone(), lines.clone());
    let gateway = Gateway::new(plan.clone(), ledger.clone());
    let house = House::new(&conf, Attributed::with_books(gateway, live.clone(), books));
    let floor = Floor::new(house, runtime.handle().clone());
    let lasting = Registry::new(ledger.clone());
    // With the rights that the process was started with: keys may be root's alone.
    let prepared = prepare(&floor, &lasting, &checked, sockets)
        .map_err(|problems| Refusal(problems.render(false)))?;
    beginning.settle(config, source)?;
    // With those that it has from now on, as it is opened again later.
    let sink = log(config)?;
    lines.0.set(sink.clone()).map_err(|_| ()).expect("it is set once");
    let rounds = Rounds::new(ledger.clone());
    rounds.run_on(runtime.handle());
    let running = Running {
        floor,
        plan,
        lasting,
        rounds,
        live,
        checked: ArcSwap::from_pointee(checked),
        ledger,
        node,
        sink,
        applying: Mutex::default(),
        handing: takeover::Handing::default(),
        files: Mutex::default(),
    };
    running.put(&running.checked.load_full(), prepared);
    serve::serve(&Arc::new(running), runtime, (beginning, program), admin_socket, source)
}

fn log(config: &Config) -> Result<Sink, Refusal> {
    let log = &config.log;
    Sink::open(&SinkSettings {
        path: log.path.clone(),
        queue: usize::try_from(log.queue).unwrap_or(usize::MAX),
        max_size: log.rotate.size.map(|size| size.0),
        max_age: log.rotate.age.map(|age| age.0),
        keep: usize::try_from(log.rotate.keep).unwrap_or(usize::MAX),
    })
    .map_err(|error| {
        let path = log.path.as_deref().unwrap_or_else(|| "standard output".as_ref());
        Refusal(format!("`log.path`: {} cannot be written: {error}", path.display()))
    })
}

/// Gets at hand all that a configuration takes. `bound` are sockets that are there already, in the
/// order of the listeners.
fn prepare(
    floor: &Floor,
    lasting: &Registry,
    checked: &Checked,
    bound: Vec<listen::Bound>,
) -> Result<Prepared, Problems> {
    let files = Files::now(secure::files(&checked.config));
    let change = floor.prepare(checked, bound)?;
    let plan = Plan::of(checked, own::Listeners::new(change.addresses()), lasting)?;
    Ok(Prepared { change, plan, files })
}

fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.threads.map_or_else(cores, |threads| usize::try_from(threads).unwrap_or(1))
}

impl Running {
    /// Client connections that are open.
    pub(crate) fn open(&self) -> i64 {
        let connected = |state| self.ledger.connected(Side::Client, state);
        connected(Use::Active) + connected(Use::Idle)
    }

    /// The files that the configuration names, as they were when they were read last.
    fn files(&self) -> Files {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up anew what is in the files that the configuration names, or nothing of it.
    fn renew(&self) -> Result<(), Problems> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = self.checked.load_full();
        let files = Files::now(secure::files(&checked.config));
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        let prepared = prepare(&self.floor, &self.lasting, &checked, Vec::new())?;
        self.put(&checked, prepared);
        Ok(())
    }

    /// Puts a configuration into force, or nothing of it.
    pub(crate) fn apply(&self, checked: &Arc<Checked>) -> Result<(), Problems> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = prepare(&self.floor, &self.lasting, checked, Vec::new())?;
        self.put(checked, prepared);
        Ok(())
    }

    fn put(&self, checked: &Arc<Checked>, prepared: Prepared) {
        let Prepared { change, plan, files } = prepared;
        for (name, pool) in &plan.upstreams {
            // So that their counters are there from the start, at 0.
            drop(self.ledger.upstream(name));
            pool.settle();
        }
        for listener in change.names() {
            for way in &checked.resolved.routes {
                drop(self.ledger.requests(listener, &way.name));
            }
        }
        change.doubts.render(false).lines().for_each(notice::say);
        let mut settings = plan::settings(checked, &self.node, Listeners::default());
        settings.pages = plan.pages.clone();
        self.rounds.follow(plan.upstreams.values());
        self.plan.store(Arc::new(plan));
        self.live.replace(settings);
        self.floor.become_as(change, checked.config.shutdown.grace.0);
        self.checked.store(checked.clone());
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }
}

/// Records as lines of the log, which is opened before the first request comes.
#[derive(Default)]
struct Lines(OnceLock<Sink>);

impl whodunit_pingora::Sink for Lines {
    fn write(&self, record: &Arc<Record>) {
        if let Some(sink) = self.0.get() {
            sink.write(record.line());
        }
    }

    fn advise(&self, advice: &Advice) {
        notice::say(&advice.to_string());
    }
}

/// Each connection takes a file descriptor. The soft limit is usually 1,024 and there for programs
/// that use `select`; up to the hard limit a process may raise it by itself.
fn raise_the_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        notice::say(&format!("the limit of open files stays as it is: {error}"));
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
