#![doc = include_str!("README.md")]
//!
//! ## Where to look
//!
//! [`Attributed`] and [`service()`] are the door; a [`House`] is, for sockets of one's own. [`Settings`], [`Live`], [`Books`] and [`Sink`] are
//! what a deployment decides, and [`Advice`] is what it may be told; [`deny`], [`deny_for`],
//! [`fail_at`], [`Noted`], [`Answer`] and [`Dress`] are what a service may say. A [`connect::Line`] has connections to
//! origins made by a connector that keeps evidence. Causes are named in
//! [`whodunit_filters::attribution::cause`].

#![expect(clippy::unnecessary_box_returns, reason = "Pingora's hooks take and give `Box<Error>`")]

mod advice;
mod alarm;
mod answer;
mod arrival;
mod attributed;
mod audience;
mod circumstances;
mod clients;
pub mod connect;
mod connections;
mod context;
mod counters;
mod cutoff;
mod door;
mod edit;
mod frames;
mod gate;
mod given;
mod guard;
mod hop;
mod house;
mod http2;
mod ingress;
mod lane;
mod linger;
mod listeners;
mod note;
mod observe;
mod outcome;
mod own;
mod passing;
mod reading;
mod reply;
mod settings;
mod shortage;
mod stall;
mod steps;
mod tally;
mod target;
mod tls;
mod view;
mod wired;
mod witnesses;

pub use advice::Advice;
pub use answer::{Answer, Change, Dress};
pub use attributed::Attributed;
pub use audience::Audience;
pub use context::Context;
pub use house::{
    Certified, ClientAuth, Flaw, House, Listener, Redirect, ServerTls, ServerTlsSettings, Sockets,
    Terms, service,
};
pub use listeners::Listeners;
pub use note::{Inquiry, Known, Note, Noted, deny, deny_for, fail_at};
pub use observe::{connection_lost, fell_silent, not_looked_at, not_reached};
pub use settings::{Books, Live, LogSink, Settings, Sink, Which};
pub use view::ends;
