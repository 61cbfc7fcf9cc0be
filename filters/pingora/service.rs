//! An attributed service, ready to be added to a server.

use std::sync::Arc;

use pingora::proxy::{HttpProxy, ProxyHttp, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;

use crate::attributed::Attributed;
use crate::ingress::Ingress;

/// Hosts a service behind the ingress, which sees to the limits on header sections and to what
/// Pingora would refuse before any hook. Listeners are added to it as to any service of Pingora's.
pub fn service<P>(
    name: impl Into<String>,
    conf: &Arc<ServerConf>,
    attributed: Attributed<P>,
) -> Service<Ingress<HttpProxy<Attributed<P>>>>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    let door = Arc::new(attributed.door());
    Ingress::service(name, http_proxy(conf, attributed), door)
}
