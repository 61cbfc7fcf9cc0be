//! The lab's sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::house::House;
use super::script::Step;
use super::wire::{After, Wire};

/// How long a port whose accept queue fills keeps it full.
pub const FULL_FOR: Duration = Duration::from_secs(30);

/// A connection that sends no request by then is not the one to be answered.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// What connects to a port to fill its queue.
type Crowd = TcpStream;

/// A port of its own, on the same address as the main one.
pub(super) fn bind(ip: IpAddr) -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::for_address((ip, 0).into()), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(ip, 0).into())?;
    let address = socket.local_addr()?.as_socket().expect("an IP socket has an IP address");
    Ok((socket, address))
}

/// Makes a bound socket listen. With a backlog of 0 Linux queues one connection, and drops every
/// SYN after it.
pub(super) fn listen(socket: Socket, backlog: i32) -> io::Result<TcpListener> {
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// Fills the queue of a port that listens with a backlog of 0.
pub(super) async fn crowd(address: SocketAddr) -> io::Result<Crowd> {
    TcpStream::connect(address).await
}

/// Accepts for ever; each connection is served in a task of its own.
macro_rules! accept {
    ($listener:expr, $house:expr, |$stream:ident, $inner:ident| $serve:expr) => {{
        let mut tasks: JoinSet<io::Result<()>> = JoinSet::new();
        loop {
            let Ok(permit) = Arc::clone(&$house.room).acquire_owned().await else { return };
            let Ok(($stream, _)) = $listener.accept().await else {
                // Out of file descriptors, most likely: others must close theirs first.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            while tasks.try_join_next().is_some() {}
            let $inner = Arc::clone(&$house);
            tasks.spawn(async move {
                let served = $serve.await;
                drop(permit);
                served
            });
        }
    }};
}

/// The main door.
pub(super) async fn front(listener: TcpListener, house: Arc<House>) {
    accept!(listener, house, |stream, house| async move {
        stream.set_nodelay(true)?;
        house.serve(stream).await
    });
}

/// The same as a Unix socket.
pub(super) async fn side(listener: UnixListener, house: Arc<House>) {
    accept!(listener, house, |stream, house| house.serve(stream));
}

/// A port that does one thing.
pub(super) async fn greet(listener: TcpListener, house: Arc<House>, script: &'static [Step]) {
    accept!(listener, house, |stream, house| async move {
        stream.set_nodelay(true)?;
        house.greet(stream, script).await
    });
}

/// A port that answers one request and is full from then on, for [`FULL_FOR`].
pub(super) async fn fill(listener: TcpListener, address: SocketAddr, house: Arc<House>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if let Ok(Some(crowd)) = answer_once(stream, address, &house).await {
            sleep(FULL_FOR).await;
            drop(crowd);
        }
    }
}

/// Answers a request once the queue is full; `None` when there is none, as on the connections that
/// are left in the queue when it is emptied.
async fn answer_once(
    stream: TcpStream,
    address: SocketAddr,
    house: &House,
) -> io::Result<Option<Crowd>> {
    let mut wire = Wire::new(stream);
    let received = house.receive(&mut wire, house.number());
    let Some((_, mut body)) = timeout(FIRST_REQUEST, received).await?? else { return Ok(None) };
    body.read(&mut wire, u64::MAX).await?;
    let crowd = crowd(address).await?;
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n").await?;
    wire.end(After::Close).await?;
    Ok(Some(crowd))
}
