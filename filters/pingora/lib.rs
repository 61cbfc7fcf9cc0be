//! Names who broke the request, for any service built on Pingora.
//!
//! Wrap a [`ProxyHttp`](pingora::proxy::ProxyHttp) in [`Attributed`], host it with [`service`],
//! and every 5xx of it, made or passed on, says who failed, in which phase, why, how sure that is,
//! and what to do: in `Proxy-Status` (RFC 9209), in its body, in one record, in one counter.
//! Limits on what clients and origins may send, and forwarding loops, are seen to as well.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use pingora::prelude::*;
//! # use whodunit_pingora::{Attributed, Settings};
//! # struct Theirs;
//! # #[async_trait::async_trait]
//! # impl ProxyHttp for Theirs {
//! #     type CTX = ();
//! #     fn new_ctx(&self) {}
//! #     async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
//! #         Ok(Box::new(HttpPeer::new(("127.0.0.1", 8000), false, String::new())))
//! #     }
//! # }
//! let mut server = Server::new(None)?;
//! server.bootstrap();
//! let attributed = Attributed::new(Theirs, Settings::new("edge-1.example.net"));
//! let mut service = whodunit_pingora::service("edge", &server.configuration, attributed);
//! service.add_tcp("127.0.0.1:6188");
//! server.add_service(service);
//! # Ok::<(), Box<Error>>(())
//! ```
//!
//! A service gives up none of its hooks. It may say more than it must: a refusal names its cause
//! by [`deny`], and [`Noted::note`] takes the route, the upstream and what else only it knows.
//!
//! # How a request passes
//!
//! ```text
//! bytes ▶ Ingress: head under limits and timers ──refused──▶ answer, record
//!            │
//!            ▶ your hooks, each with its facts noted ──▶ origin
//!                    │ error                               │ answer
//!                    ▼                                     ▼
//!              observe: error → fact            5xx: our member appended
//!                    └───────────▶ Diagnosis ◀─────────────┘
//!                                     ▼
//!                        answer · record · counter
//! ```

#![expect(clippy::unnecessary_box_returns, reason = "Pingora's hooks take and give `Box<Error>`")]

mod arrival;
mod attributed;
mod circumstances;
mod connections;
mod context;
mod counters;
mod door;
mod edit;
mod gate;
mod guard;
mod ingress;
mod lane;
mod linger;
mod listeners;
mod note;
mod observe;
mod outcome;
mod own;
mod reading;
mod reply;
mod service;
mod settings;
mod steps;
mod tally;
mod tls;
mod view;

pub use attributed::Attributed;
pub use context::Context;
pub use ingress::Ingress;
pub use listeners::Listeners;
pub use note::{Note, Noted, deny, deny_for, fail_at};
pub use observe::connection_lost;
pub use service::service;
pub use settings::{Books, Live, LogSink, Settings, Sink, Which};
