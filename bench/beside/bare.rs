//! A bare Pingora: what forwarding takes with nothing of ours around it, in the same build.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::apps::HttpServerOptions;
use pingora::prelude::*;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;

struct Bare {
    origin: SocketAddr,
    dead: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        let dead = session.req_header().uri.path().starts_with("/dead");
        let address = if dead { self.dead } else { self.origin };
        #[expect(clippy::disallowed_methods, reason = "from an address, never from a name")]
        let peer = HttpPeer::new(address, false, String::new());
        Ok(Box::new(peer))
    }
}

/// Runs it until it is killed.
pub(crate) fn serve([plain, h2c, tls, edge, origin, dead]: [&str; 6]) -> ! {
    let address = |text: &str| text.parse().expect("an address");
    let conf = ServerConf { upstream_keepalive_pool_size: 2_048, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    let usual = HttpServerOptions::default;
    for (listen, options) in [(plain, usual()), (h2c, options), (tls, usual())] {
        let bare = Bare { origin: address(origin), dead: address(dead) };
        let mut proxy = http_proxy(&server.configuration, bare);
        proxy.server_options = Some(options);
        let mut service = Service::new("bare".to_owned(), proxy);
        if listen == tls {
            let (cert, key) = (format!("{edge}.crt"), format!("{edge}.key"));
            service.add_tls(listen, &cert, &key).expect("a certificate");
        } else {
            service.add_tcp(listen);
        }
        server.add_service(service);
    }
    log::set_boxed_logger(Box::new(Stderr)).expect("there is none yet");
    log::set_max_level(log::LevelFilter::Error);
    server.run_forever()
}

/// What every server has: a log of its failures.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Error
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{} {}", record.target(), record.args());
        }
    }

    fn flush(&self) {}
}
