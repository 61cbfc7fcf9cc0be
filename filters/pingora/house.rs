//! The door for whoever has connections: sockets of one's own, or listeners of Pingora's.
//!
//! ```text
//! socket ▶ accepted: `Plain` ▶ welcomed: TLS, `Caller` ▶ ingress ▶ HttpProxy
//!            │ told to stop: no more are accepted, those that are there end in good order
//!            ▼
//!          each in a task of its own, with the name and the terms of its listener
//! ```
//!
//! Pingora's own listeners stay as they were when the service began; those of a [`House`] come, go
//! and change while it serves, all with the same connections to origins.

mod caller;
mod entrance;
mod guests;
mod hello;
mod introduction;
mod listener;
mod opening;
mod plain;
mod redirect;
mod shake;
mod sockets;
mod straits;
mod subject;
mod tls;
mod way;
mod welcome;

use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ServerApp};
use pingora::protocols::Stream;
use pingora::proxy::{HttpProxy, ProcessCustomSession, ProxyHttp, ProxyServiceBuilder};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use tokio::time::sleep;

use self::caller::Caller;
pub(crate) use self::entrance::Entrance;
use self::introduction::Introduction;
pub use self::listener::{Listener, Terms};
use self::plain::Plain;
pub use self::redirect::Redirect;
pub use self::sockets::Sockets;
use self::straits::Straits;
pub use self::tls::{Certified, ClientAuth, Flaw, ServerTls, ServerTlsSettings};
use crate::attributed::Attributed;
use crate::connect::Connector;
use crate::ingress::{Doorman, Ingress};
use crate::tally::Tally;

/// The application that Pingora makes of an attributed service.
type App<P> = HttpProxy<Attributed<P>, Connector>;

/// An attributed service with the one pool of connections to origins that all its listeners share,
/// behind the ingress. It is also the application of a [`Service`] of Pingora's.
pub struct House<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    ingress: Arc<Ingress<App<P>>>,
}

impl<P> House<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    /// Opens the house of this service.
    pub fn new(conf: &Arc<ServerConf>, attributed: Attributed<P>) -> Self {
        let door: Arc<dyn Doorman> = Arc::new(attributed.door());
        Self { ingress: Arc::new(Ingress::new(Arc::new(app(conf, attributed)), door)) }
    }

    /// Accepts connections until `stop` says so (or nobody is left who could), each for a task of
    /// its own on the runtime that this is called on. Those that are there by then are told to end:
    /// idle ones at once, the others with the answers that are under way.
    ///
    /// Where the system lets no more connections be opened, that is recorded, and none is accepted
    /// for a moment.
    pub async fn serve(
        &self,
        sockets: impl Into<Sockets>,
        listener: Arc<Listener>,
        mut stop: ShutdownWatch,
    ) {
        let sockets = sockets.into();
        let mut straits = Straits::new(self.ingress.door().clone(), listener.clone());
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stopped| *stopped) => break,
                accepted = sockets.accept() => accepted,
            };
            match accepted {
                Ok(plain) => self.admit(plain, &listener, stop.clone()),
                Err(error) => {
                    if let Some(pause) = straits.met(&error) {
                        tokio::select! {
                            _ = stop.wait_for(|stopped| *stopped) => break,
                            () = sleep(pause) => {}
                        }
                    }
                }
            }
        }
        for plain in sockets.rest() {
            self.admit(plain, &listener, stop.clone());
        }
    }

    fn admit(&self, mut plain: Plain, listener: &Arc<Listener>, stop: ShutdownWatch) {
        let (ingress, mut terms) = (self.ingress.clone(), listener.in_force());
        let mut tally = Tally::new(ingress.door().clone());
        listener.guests().admit(|stay| async move {
            let _stay = stay;
            if terms.proxy_protocol {
                let introduction = Introduction { ingress: &ingress, terms: &terms };
                match Box::pin(introduction.hear(plain, &stop)).await {
                    Some(heard) => (plain, terms) = heard,
                    None => return,
                }
            }
            // Between here and the first request a connection says who calls. What that takes is
            // kept no longer.
            let caller = match &terms.tls {
                Some(tls) => {
                    Box::pin(welcome::secure(&ingress, plain, tls, &terms, &mut tally)).await
                }
                None => Some(Caller::plain(plain, terms.digest.clone())),
            };
            drop(terms);
            if let Some(caller) = caller {
                ingress.serve(Box::new(caller), &stop, tally).await;
            }
        });
    }
}

/// The same house by another handle.
impl<P> Clone for House<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    fn clone(&self) -> Self {
        Self { ingress: self.ingress.clone() }
    }
}

/// The proxy that Pingora makes. One with a connector of its own it makes only inside of a service.
#[expect(unsafe_code, reason = "a service does not give away what it is made for")]
fn app<P>(conf: &Arc<ServerConf>, attributed: Attributed<P>) -> App<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    let unused: ProcessCustomSession<Attributed<P>, Connector> =
        Arc::new(|_, _, _| Box::pin(std::future::ready(None)));
    let mut options = HttpServerOptions::default();
    // The ingress refuses CONNECT in HTTP/1, and the request's hooks do in HTTP/2: Pingora's own
    // refusal is bare.
    options.allow_connect_method_proxying = true;
    let service = ProxyServiceBuilder::new(conf, attributed)
        .custom(Connector::default(), unused)
        .server_options(options)
        .build();
    let service = std::mem::ManuallyDrop::new(service);
    let app = service.app_logic().expect("a new service");
    // SAFETY: `app` is valid and initialised, and nobody uses it again where it was read from: the
    // service that holds it is forgotten.
    unsafe { std::ptr::read(app) }
}

#[async_trait]
impl<P> ServerApp for House<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let (ingress, shutdown) = (self.ingress.clone(), shutdown.clone());
        let tally = Tally::new(ingress.door().clone());
        // In a task of its own: Pingora's keeps 13 KiB for what it might have done with the
        // connection, as long as that is open.
        tokio::spawn(async move { ingress.serve(stream, &shutdown, tally).await });
        None
    }

    async fn cleanup(&self) {
        self.ingress.app().http_cleanup().await;
    }
}

/// Hosts a service behind the ingress, which sees to the limits on header sections and to what
/// Pingora would refuse before any hook, and before a connector that keeps evidence. Listeners are
/// added to it as to any service of Pingora's.
pub fn service<P>(
    name: impl AsRef<str>,
    conf: &Arc<ServerConf>,
    attributed: Attributed<P>,
) -> Service<House<P>>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync + 'static,
{
    Service::new(name.as_ref().to_owned(), House::new(conf, attributed))
}
