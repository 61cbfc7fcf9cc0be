//! The admin listener's connections.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::AdminSettings;

/// The largest header section; as much as any browser sends.
const MAX_HEADER: usize = 16 * 1024;
/// The longest a connection lives, so that a client that does not read cannot keep its place.
const MAX_LIFE: Duration = Duration::from_mins(5);
/// How long requests in progress may take when the listener stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait when accepting fails: most likely file descriptors have run out.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: AdminSettings,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = tokio::net::TcpListener::from_std(listener)
        .expect("a non-blocking listener within a runtime");
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        if let Ok(place) = places.clone().try_acquire_owned() {
            let (router, stopped) = (router.clone(), stopped.clone());
            let header_timeout = settings.header_timeout;
            connections.spawn(async move {
                connection(stream, router, header_timeout, stopped).await;
                drop(place);
            });
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Whatever is left then is dropped with the set.
    let _ = timeout(GRACE, all).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    header_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(MAX_HEADER)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let mut stopping = false;
    let mut end = pin!(sleep(MAX_LIFE));
    loop {
        tokio::select! {
            // What a client does to its own connection concerns nobody else.
            _ = connection.as_mut() => return,
            () = end.as_mut() => return,
            _ = stopped.wait_for(|stopped| *stopped), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
