//! A new process takes the place of the running one, and no connection is refused meanwhile.
//!
//! ```text
//! successor ──hello──▶ the running process, at `takeover.path`
//!           ◀─sockets─ all that it listens with (SCM_RIGHTS): both hold them from now on
//!   reads its configuration, opens what it needs, begins to accept
//!           ──ready──▶ which stops accepting
//!           ◀─yours───                             and ends when its connections have
//! ```
//! Whatever goes wrong before `ready` is the end of the successor alone.

mod ask;
mod desk;
mod folder;
mod line;
mod spawn;

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

pub(super) use ask::{Predecessor, ask};
pub(super) use desk::{Desk, Handing, Place, Successor};
pub(super) use spawn::Program;

/// The version of what is said. Fields may be added to it; another meaning is another version.
const VERSION: u32 = 1;

/// What is said.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Word {
    /// The successor asks.
    Hello { version: u32, release: String },
    /// The running process does not give its sockets away.
    Refused { reason: String },
    /// Some of its sockets, in the order of the message's descriptors; whether more follow.
    Sockets { sockets: Vec<Described>, more: bool },
    /// The successor accepts connections.
    Ready,
    /// The running process does not any more.
    Yours,
}

/// A socket: the address in the configuration that it was bound for.
#[derive(Debug, Serialize, Deserialize)]
struct Described {
    written: String,
}

/// Who may be at the other end: the user whom this process runs as, or will, and root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trusted(u32);

impl Trusted {
    /// The user with this number, or the one whom the process runs as now.
    pub(super) fn new(user: Option<u32>) -> Self {
        Self(user.unwrap_or_else(|| geteuid().as_raw()))
    }

    fn takes(self, user: u32) -> bool {
        user == self.0 || user == 0
    }
}
