//! A port in front of another one that passes everything on, byte by byte, FIN by FIN and RST by
//! RST: it gives an origin another address, or TLS.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::tls::Tls;

/// A listening relay. It stops when dropped, and its connections with it.
pub(crate) struct Relay {
    /// As an endpoint in a configuration.
    pub(crate) endpoint: String,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// A relay to this address, over TLS where `tls` says so.
    pub(crate) fn new(runtime: &Handle, to: SocketAddr, tls: Option<&Tls>) -> Self {
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let endpoint = listener.local_addr().expect("it is bound").to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let acceptor = tls.map(|tls| TlsAcceptor::from(tls.config()));
        let accepting = runtime.spawn(accept(listener, to, acceptor, Arc::clone(&connections)));
        Self { endpoint, connections, accepting }
    }

    /// How many connections were made to it so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    connections: Arc<AtomicUsize>,
) {
    // They end with it.
    let mut tasks = tokio::task::JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        while tasks.try_join_next().is_some() {}
        let acceptor = acceptor.clone();
        tasks.spawn(async move {
            near.set_nodelay(true).expect("Nagle can be turned off");
            let socket = near.as_fd().try_clone_to_owned().expect("there are numbers left");
            let Ok(far) = TcpStream::connect(to).await else { return reset(&socket) };
            far.set_nodelay(true).expect("Nagle can be turned off");
            match acceptor {
                None => pass(near, &socket, far).await,
                Some(acceptor) => {
                    if let Ok(near) = acceptor.accept(near).await {
                        pass(near, &socket, far).await;
                    }
                }
            }
        });
    }
}

/// Has the socket closed by a RST, once the last that holds it lets go.
fn reset(socket: &impl AsFd) {
    // It may be gone already, and needs no RST then.
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).ok();
}

async fn pass(near: impl AsyncRead + AsyncWrite, near_socket: &OwnedFd, far: TcpStream) {
    let far_socket = far.as_fd().try_clone_to_owned().expect("there are numbers left");
    let (mut near_read, mut near_write) = split(near);
    let (mut far_read, mut far_write) = far.into_split();
    let up = copy(&mut near_read, &mut far_write);
    let down = copy(&mut far_read, &mut near_write);
    // Whichever breaks takes the other with it; both may end one after the other.
    if tokio::try_join!(up, down).is_err() {
        reset(near_socket);
        reset(&far_socket);
    }
}

/// Copies until the end, and ends as that did.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = match from.read(&mut piece).await {
            // A FIN without the goodbye of TLS is one all the same.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        if length == 0 {
            // The other end may have left on its own.
            to.shutdown().await.ok();
            return Ok(());
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::client::{Client, Over};
    use crate::rig::origin::{Conversation, Origin};

    #[test]
    fn a_relay_ends_as_what_is_behind_it_does() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        for (act, over) in [
            (Conversation::close as fn(Conversation), Over::Closed),
            (Conversation::reset, Over::Reset),
        ] {
            let origin = Origin::new(move |mut connection| {
                connection.request();
                connection.send("HTTP/1.1 204 No Content\r\n\r\n");
                connection.request();
                act(connection);
            });
            let to = origin.endpoint.parse().expect("an address");
            let relay = Relay::new(runtime.handle(), to, None);
            let mut client = Client::connect(relay.endpoint.parse().expect("an address"));
            client.send("GET / HTTP/1.1\r\n\r\n");
            assert_eq!(client.receive("GET").expect("an answer").status, 204);
            client.send("GET / HTTP/1.1\r\n\r\n");
            assert_eq!(client.over(), over);
            assert_eq!(relay.connections(), 1);
        }
    }
}
