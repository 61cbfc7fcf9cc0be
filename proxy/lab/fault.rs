//! The table of faults: one row, one way to fail.

use std::sync::LazyLock;

use super::script::Step;

mod broken;
mod connection;
mod framing;
mod header;
mod status;
mod tls;

/// One way to fail, and what a proxy in front of it should say.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Unique; `/fault/NAME` on the lab's main port, for those that a path can choose.
    pub name: &'static str,
    /// What the origin does, in one sentence.
    pub title: &'static str,
    /// The catalogue's id of the expected cause.
    pub cause: &'static str,
    /// Causes that are as right: where the kernel decides which event is seen first, or where the
    /// proxy's settings decide how the answer is read.
    pub also: &'static [&'static str],
    /// What it takes, beyond asking, for the cause to show.
    pub needs: &'static [Needs],
    pub(super) act: Act,
}

/// What it takes for a fault to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A request with a body of this many bytes or more.
    Body(u64),
    /// A method that is not idempotent, as another attempt would succeed.
    Post,
    /// A connection to the origin that carried a request before. Asking twice is enough: the first
    /// request on a connection is answered well.
    Reuse,
    /// A first request, which is answered well; the fault shows from the second on, for
    /// [`super::FULL_FOR`].
    Before,
    /// A request that asks for an upgrade (`Upgrade: websocket`).
    Upgrade,
    /// An upstream that is spoken to by TLS.
    Tls,
    /// A setting of the proxy that is not at its default.
    Setting(&'static str),
}

/// How a fault is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `/fault/NAME` on the main port.
    Path,
    /// Any request to a port of its own.
    Port,
    /// Any request to a Unix socket of its own.
    Socket,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Plays a script for a request to `/fault/NAME`.
    Answer(&'static [Step]),
    /// Plays a script on each connection to its port, before anything is read.
    Greet(&'static [Step]),
    /// A port that is bound but does not listen.
    Deaf,
    /// A port that listens but never accepts.
    Idle,
    /// The same, with its queue filled.
    Full,
    /// The same, after one request has been answered.
    Fills,
    /// A Unix socket that nobody listens on.
    Orphan,
}

impl Fault {
    const fn new(name: &'static str, title: &'static str, cause: &'static str, act: Act) -> Self {
        Self { name, title, cause, also: &[], needs: &[], act }
    }

    /// A fault that a path chooses.
    const fn path(
        name: &'static str,
        title: &'static str,
        cause: &'static str,
        script: &'static [Step],
    ) -> Self {
        Self::new(name, title, cause, Act::Answer(script))
    }

    /// A fault with a port of its own.
    const fn port(
        name: &'static str,
        title: &'static str,
        cause: &'static str,
        script: &'static [Step],
    ) -> Self {
        Self::new(name, title, cause, Act::Greet(script))
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    const fn needs(self, needs: &'static [Needs]) -> Self {
        Self { needs, ..self }
    }

    /// How it is reached.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self.act {
            Act::Answer(_) => Reach::Path,
            Act::Greet(_) | Act::Deaf | Act::Idle | Act::Full | Act::Fills => Reach::Port,
            Act::Orphan => Reach::Socket,
        }
    }
}

static TABLE: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    [connection::ROWS, tls::ROWS, header::ROWS, broken::ROWS, framing::ROWS, status::ROWS].concat()
});

/// Every fault, in the order in which a request meets them.
#[must_use]
pub fn table() -> &'static [Fault] {
    &TABLE
}

/// The fault of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Fault> {
    TABLE.iter().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn is_word(text: &str, also: char) -> bool {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == also)
    }

    #[test]
    fn names_are_unique_and_fit_a_path() {
        let mut names = HashSet::new();
        for fault in table() {
            assert!(names.insert(fault.name), "{} twice", fault.name);
            assert!(is_word(fault.name, '-'), "{}", fault.name);
            for cause in std::iter::once(&fault.cause).chain(fault.also) {
                assert!(is_word(cause, '_'), "{}: {cause}", fault.name);
            }
            assert!(fault.title.ends_with('.'), "{}", fault.name);
        }
    }
}
