//! Whole requests that go well, from socket to socket: through this proxy as it is by default, and
//! through as little of a proxy as Pingora can be made to be.
//!
//! The proxy has one thread, and only what that thread allocates is counted; client and origin have
//! threads of their own. Connections are kept on both sides. Whether an answer is there before the
//! proxy has begun to wait for it makes a difference of some timers: here it never is, because
//! either end sends only when the proxy has nothing left to do.

mod ends;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora::Result;
use pingora::apps::ServerApp;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use whodunit::gateway::Gateway;
use whodunit::plan::{Plan, settings};
use whodunit::upstream::lasting::Registry;
use whodunit::upstream::own;
use whodunit_filters::attribution::Ledger;
use whodunit_pingora::{Attributed, Books, Listeners, Live, LogSink};

use crate::allocator::Tally;
use crate::parts::NODE;
use crate::trace;
use ends::{Client, Origin};

/// Requests before the first that is counted: pools, buffers and tables have found their sizes.
const WARM: u64 = 500;
/// Requests that are counted.
const COUNTED: u64 = 1_000;
/// Requests that are traced.
const TRACED: u64 = 50;

/// What one request allocates: in a bare proxy of Pingora's, and in ours.
pub(crate) fn both() -> [(&'static str, Tally); 2] {
    let bare = Stage::new(bare).counted();
    let ours = Stage::new(ours).counted();
    [("request_of_pingora", bare), ("request", ours)]
}

/// The places where one request allocates, in both.
pub(crate) fn traced() -> String {
    let bare = Stage::new(bare).traced();
    let ours = Stage::new(ours).traced();
    format!("== a bare proxy of Pingora's ==\n\n{bare}\n== ours ==\n\n{ours}")
}

/// A proxy at work between a client and an origin.
struct Stage {
    runtime: Runtime,
    client: Client,
    origin: Origin,
    /// Gone, it tells the proxy to stop.
    _stop: watch::Sender<bool>,
}

impl Stage {
    /// A proxy that `make` makes, for this origin, of a listener at this address.
    fn new<A: ServerApp + Send + Sync + 'static>(
        make: impl FnOnce(SocketAddr, SocketAddr) -> Service<A>,
    ) -> Self {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let handle = runtime.handle().clone();
        let origin = Origin::start(move || settle(&handle));
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        socket.set_nonblocking(true).expect("a socket of a runtime");
        let mut service = make(origin.address, address);
        service.add_tcp(&address.to_string());
        let mut fds = Fds::new();
        fds.add(address.to_string(), socket.into_raw_fd());
        let fds = Arc::new(parking_lot::Mutex::new(fds));
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(async move { service.start_service(Some(fds), stopped, 1).await });
        let mut stage = Self { runtime, client: Client::connect(address), origin, _stop: stop };
        stage.ask(WARM);
        stage
    }

    fn ask(&mut self, times: u64) {
        for _ in 0..times {
            settle(self.runtime.handle());
            self.client.ask();
        }
        settle(self.runtime.handle());
    }

    fn counted(mut self) -> Tally {
        let before = self.on_the_thread(Tally::of_thread);
        self.ask(COUNTED);
        let all = self.on_the_thread(Tally::of_thread) - before;
        assert_eq!(self.origin.connections(), 1, "the connection to the origin was not kept");
        all.each(COUNTED)
    }

    fn traced(mut self) -> String {
        self.on_the_thread(|| trace::want(true));
        self.ask(TRACED);
        self.on_the_thread(|| trace::want(false));
        trace::report(TRACED)
    }

    /// Does something on the proxy's thread.
    fn on_the_thread<R: Send + 'static>(&self, act: impl FnOnce() -> R + Send + 'static) -> R {
        self.runtime.block_on(self.runtime.spawn(async { act() })).expect("it does not panic")
    }
}

/// Waits until the proxy has done what there was to do: on its one thread, this comes after that.
fn settle(proxy: &Handle) {
    for _ in 0..2 {
        proxy.block_on(proxy.spawn(async {})).expect("nothing happens");
    }
}

/// As `whodunit run` sets it up.
fn conf() -> Arc<ServerConf> {
    Arc::new(ServerConf {
        threads: 1,
        max_retries: 64,
        upstream_keepalive_pool_size: 128,
        ..ServerConf::default()
    })
}

/// This proxy, with every setting at its default.
fn ours(
    origin: SocketAddr,
    address: SocketAddr,
) -> Service<impl ServerApp + Send + Sync + 'static> {
    let flags = whodunit_conf::Flags {
        upstreams: vec![format!("http://{origin}")],
        listen: Some(address.to_string()),
        admin: None,
    };
    let checked = flags.check().unwrap_or_else(|wrong| panic!("{wrong}"));
    let own = own::Listeners::new(vec![address]);
    let plan = Plan::of(&checked, own, &Registry::default()).unwrap_or_else(|why| panic!("{why}"));
    let listeners = Listeners::new(vec![(address, address.to_string().into())]);
    let live = Live::new(settings(&checked, NODE, listeners));
    let ledger = Arc::new(Ledger::default());
    let gateway = Gateway::new(Arc::new(ArcSwap::from_pointee(plan)), ledger.clone());
    let books = Books::new(ledger, Arc::new(LogSink));
    whodunit_pingora::service("counts", &conf(), Attributed::with_books(gateway, live, books))
}

/// Everything goes to one origin, and nothing is looked at.
struct Bare(SocketAddr);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        #[expect(clippy::disallowed_methods, reason = "from an address, never from a name")]
        let peer = HttpPeer::new(self.0, false, String::new());
        Ok(Box::new(peer))
    }
}

fn bare(origin: SocketAddr, _: SocketAddr) -> Service<impl ServerApp + Send + Sync + 'static> {
    http_proxy_service(&conf(), Bare(origin))
}
