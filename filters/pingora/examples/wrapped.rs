//! Somebody's own little proxy, and what it takes to have its failures attributed: the line with
//! `Attributed::new`.
//!
//! ```text
//! cargo run -p whodunit-pingora --example wrapped -- 127.0.0.1:6188 127.0.0.1:8000
//! curl -i http://127.0.0.1:6188/
//! ```

#![expect(clippy::disallowed_methods, reason = "not our code")]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::prelude::*;
use pingora::server::configuration::ServerConf;
use whodunit_pingora::{Attributed, Settings};

/// Twenty lines of somebody else's: everything goes to one origin, but `/admin` is refused.
pub(crate) struct Theirs {
    /// Where the requests go.
    pub(crate) origin: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        match session.req_header().uri.path() {
            "/admin" => Err(Error::new(HTTPStatus(403))),
            "/bug" => panic!("nobody thought of this"),
            _ => Ok(false),
        }
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin, false, String::new())))
    }
}

/// The service as they would add it to their server.
pub(crate) fn service(
    origin: SocketAddr,
    listen: &str,
) -> pingora::services::listening::Service<impl pingora::apps::ServerApp + use<>> {
    let attributed = Attributed::new(Theirs { origin }, Settings::new("their-node"));
    let mut service =
        whodunit_pingora::service("theirs", &Arc::new(ServerConf::default()), attributed);
    service.add_tcp(listen);
    service
}

#[allow(dead_code, reason = "the test includes this file for the service alone")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, origin] = arguments.as_slice() else {
        return Err(Error::explain(InternalError, "usage: wrapped LISTEN ORIGIN"));
    };
    let origin = origin.parse().or_err(InternalError, "ORIGIN is not an address and a port")?;
    let mut server = Server::new(None)?;
    server.bootstrap();
    server.add_service(service(origin, listen));
    server.run_forever()
}
