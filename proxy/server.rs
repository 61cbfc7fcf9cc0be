//! The running process: sockets, services, signals, and its end.

mod drain;
mod floor;
mod insight;
mod listen;
mod reload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use pingora::server::configuration::ServerConf;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use whodunit_conf::reload::Files;
use whodunit_conf::{Checked, Config, Problems};
use whodunit_filters::attribution::ledger::Use;
use whodunit_filters::attribution::{Ledger, Record, Side};
use whodunit_pingora::{Advice, Attributed, Books, House, Listeners, Live};

use crate::admin::{Admin, AdminSettings};
use crate::gateway::Gateway;
use crate::plan::{self, Plan};
use crate::sink::{Sink, SinkSettings};
use crate::upstream::own;
use crate::upstream::places::Registry;
use crate::{notice, secure};
use floor::Floor;
use insight::Knowledge;

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
    /// What is under way to the upstreams, whichever plan it began under.
    places: Registry,
    pub(crate) checked: ArcSwap<Checked>,
    pub(crate) live: Live,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) sink: Sink,
    /// Held while a configuration is put into force: a signal and a changed file may come together.
    applying: Mutex<()>,
    /// The files that the listeners name, as they were when they were read last.
    files: Mutex<Files>,
}

/// Why the process could not start.
#[derive(Debug)]
pub struct Refusal(pub String);

/// The exit code for a configuration that cannot be used.
pub const MISCONFIGURED: u8 = 2;

/// Runs the proxy until it is told to stop.
///
/// # Errors
/// When it cannot start: a socket that cannot be had, a file that cannot be read.
pub fn run(checked: Checked, source: &Source) -> Result<ExitCode, Refusal> {
    let config = &checked.config;
    raise_the_limit_of_files();
    let sockets = listen::bind(config)?;
    let admin_socket = listen::admin(config)?;
    let log = &config.log;
    let sink = Sink::open(&SinkSettings {
        path: log.path.clone(),
        queue: usize::try_from(log.queue).unwrap_or(usize::MAX),
        max_size: log.rotate.size.map(|size| size.0),
        max_age: log.rotate.age.map(|age| age.0),
        keep: usize::try_from(log.rotate.keep).unwrap_or(usize::MAX),
    })
    .map_err(|error| {
        let path = log.path.as_deref().unwrap_or_else(|| "standard output".as_ref());
        Refusal(format!("`log.path`: {} cannot be written: {error}", path.display()))
    })?;
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
    let books = Books::new(ledger.clone(), Arc::new(Lines(sink.clone())));
    let gateway = Gateway::new(plan.clone(), ledger.clone());
    let house = House::new(&conf, Attributed::with_books(gateway, live.clone(), books));
    let running = Running {
        floor: Floor::new(house, runtime.handle().clone()),
        plan,
        places: Registry::default(),
        live,
        checked: ArcSwap::from_pointee(checked),
        ledger,
        node,
        sink,
        applying: Mutex::default(),
        files: Mutex::default(),
    };
    let checked = running.checked.load_full();
    running.begin(&checked, sockets).map_err(|problems| Refusal(problems.render(false)))?;
    serve(&Arc::new(running), runtime, admin_socket, source)
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

    /// The files that the listeners name, as they were when they were read last.
    fn files(&self) -> Files {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up anew what is in the files of the listeners, or nothing of it.
    fn renew(&self) -> Result<(), Problems> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = self.checked.load_full();
        let files = Files::now(secure::files(&checked.config.listeners));
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        let change = self.floor.prepare(&checked, Vec::new())?;
        change.doubts.render(false).lines().for_each(notice::say);
        self.floor.become_as(change, checked.config.shutdown.grace.0);
        Ok(())
    }

    /// Puts a configuration into force, or nothing of it.
    pub(crate) fn apply(&self, checked: &Arc<Checked>) -> Result<(), Problems> {
        self.begin(checked, Vec::new())
    }

    /// The same with sockets that are bound already, in the order of the listeners.
    fn begin(&self, checked: &Arc<Checked>, bound: Vec<listen::Bound>) -> Result<(), Problems> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let files = Files::now(secure::files(&checked.config.listeners));
        let change = self.floor.prepare(checked, bound)?;
        let plan = Plan::of(checked, own::Listeners::new(change.addresses()), &self.places)?;
        // So that their counters are there from the start, at 0.
        for name in plan.upstreams.keys() {
            drop(self.ledger.upstream(name));
        }
        for listener in change.names() {
            for way in &checked.resolved.routes {
                drop(self.ledger.requests(listener, &way.name));
            }
        }
        change.doubts.render(false).lines().for_each(notice::say);
        let settings = plan::settings(checked, &self.node, Listeners::default());
        self.plan.store(Arc::new(plan));
        self.live.replace(settings);
        self.floor.become_as(change, checked.config.shutdown.grace.0);
        self.checked.store(checked.clone());
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }
}

fn serve(
    running: &Arc<Running>,
    runtime: Runtime,
    admin_socket: Option<std::net::TcpListener>,
    source: &Source,
) -> Result<ExitCode, Refusal> {
    let config = running.checked.load().config.clone();
    let knowledge = Arc::new(Knowledge::new(running.clone()));
    let admin = match admin_socket {
        Some(socket) => {
            let settings =
                AdminSettings { token: config.admin.token.clone(), ..AdminSettings::default() };
            let admin = Admin::start(socket, &settings, knowledge.clone())
                .map_err(|error| Refusal(format!("`admin.address`: {error}")))?;
            notice::say(&format!("admin on http://{}", admin.address()));
            Some(admin)
        }
        None => None,
    };
    let reloading = reload::start(&runtime, running, source);
    let mut told = drain::Told::listen(&runtime)
        .map_err(|error| Refusal(format!("signals cannot be listened to: {error}")))?;
    knowledge.set_ready();
    notice::say("ready");
    runtime.block_on(told.wait());
    knowledge.set_draining();
    let grace = running.checked.load().config.shutdown.grace.0;
    notice::say(&format!("stopping: {} connections have {grace:?} to end", running.open()));
    running.floor.close_all();
    let finished = runtime.block_on(drain::finish(running, &mut told, grace));
    drop(reloading);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    if let Some(admin) = admin {
        admin.stop();
    }
    if !running.sink.flush(std::time::Duration::from_secs(5)) {
        notice::say("the log could not be written to its end");
    }
    notice::say(if finished { "stopped" } else { "stopped; requests were cut off" });
    Ok(ExitCode::SUCCESS)
}

/// Records as lines of the log.
struct Lines(Sink);

impl whodunit_pingora::Sink for Lines {
    fn write(&self, record: &Arc<Record>) {
        self.0.write(record.line());
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
