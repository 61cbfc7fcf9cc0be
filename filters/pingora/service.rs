//! An attributed service, ready to be added to a server.

use std::sync::Arc;

use pingora::apps::HttpServerOptions;
use pingora::proxy::{HttpProxy, ProcessCustomSession, ProxyHttp, ProxyServiceBuilder};
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;

use crate::attributed::Attributed;
use crate::connect::Connector;
use crate::ingress::{Doorman, Ingress};

/// Hosts a service behind the ingress, which sees to the limits on header sections and to what
/// Pingora would refuse before any hook, and before a connector that keeps evidence. Listeners are
/// added to it as to any service of Pingora's.
pub fn service<P>(
    name: impl AsRef<str>,
    conf: &Arc<ServerConf>,
    attributed: Attributed<P>,
) -> Service<HttpProxy<Attributed<P>, Connector>>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    let door: Arc<dyn Doorman> = Arc::new(attributed.door());
    let connector = Connector::default();
    let ingress: ProcessCustomSession<Attributed<P>, Connector> =
        Arc::new(move |app, stream, shutdown| {
            let ingress = Ingress::new(app, door.clone());
            let shutdown = shutdown.clone();
            // In a task of its own: Pingora's keeps 13 KiB for what it might have done with the
            // connection, as long as that is open.
            tokio::spawn(async move { ingress.serve(stream, &shutdown).await });
            Box::pin(std::future::ready(None))
        });
    let mut options = HttpServerOptions::default();
    // All connections that are not HTTP/2 go to the ingress.
    options.force_custom = true;
    // The ingress refuses CONNECT in HTTP/1, and the request's hooks do in HTTP/2: Pingora's own
    // refusal is bare.
    options.allow_connect_method_proxying = true;
    ProxyServiceBuilder::new(conf, attributed)
        .name(name)
        .custom(connector, ingress)
        .server_options(options)
        .build()
}
