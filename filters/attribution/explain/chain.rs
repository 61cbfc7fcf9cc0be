//! A `Proxy-Status` field as a whole: which of the hops saw the failure, and which only passed on
//! what they got.

use serde::Serialize;

use super::account::Account;
use super::tidy;
use crate::attribution::header::{self, Member};

/// The hops, the one next to the origin first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Chain {
    pub(super) hops: Vec<Hop>,
    /// Older members that were left unread.
    pub(super) dropped: usize,
}

/// One hop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Hop {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) received_status: Option<i64>,
    /// Whether the hop does not vouch for what the hops before it say.
    pub(super) doubts: bool,
    #[serde(flatten)]
    pub(super) account: Account,
}

/// A hop's part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// The first that tells of the failure.
    Observer,
    /// Nearer to the origin than the observer, and saw no failure.
    Nearer,
    /// Nearer to the client: it passed on what it got.
    Cleared,
    /// Nearer to the client, and made an answer of its own.
    Follower,
    /// There is no failure, and it passed the answer on.
    Sound,
}

impl Chain {
    /// Reads a field's value; `None` when it is no valid one, or empty.
    pub(super) fn read(field: &str) -> Option<Self> {
        let received = header::read(field).ok().filter(|received| !received.members.is_empty())?;
        let members = &received.members;
        let observer = members
            .iter()
            .position(|member| member.text("error").is_some())
            .or_else(|| members.iter().position(tells));
        let hops = members.iter().enumerate().map(|(n, member)| {
            let role = match observer {
                None => Role::Sound,
                Some(observer) if n == observer => Role::Observer,
                Some(observer) if n < observer => Role::Nearer,
                Some(_) if member.text("error").is_some() => Role::Follower,
                Some(_) => Role::Cleared,
            };
            let inner =
                observer.map(|observer| &members[observer]).filter(|_| role != Role::Observer);
            Hop {
                name: tidy(&member.name),
                role,
                received_status: member.integer("received-status"),
                doubts: role == Role::Cleared && member.text("cause") == Some("origin_error"),
                account: Account::of_member(member, inner),
            }
        });
        Some(Self { hops: hops.collect(), dropped: received.dropped })
    }

    /// Whether any of it is more than a name.
    pub(super) fn speaks(&self) -> bool {
        self.hops.iter().any(|hop| {
            let account = &hop.account;
            hop.received_status.is_some()
                || account.error.is_some()
                || account.cause.is_some()
                || account.details.is_some()
                || account.reference.is_some()
        })
    }

    /// Whether it tells of a failure.
    pub(super) fn unwell(&self) -> bool {
        self.hops.iter().any(|hop| hop.role == Role::Observer)
    }
}

/// Whether a member without an error tells of a failure behind it.
fn tells(member: &Member) -> bool {
    member.text("cause").is_some()
        || member.integer("received-status").is_some_and(|status| status >= 500)
}
