//! The successor's side.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::line::Line;
use super::{Trusted, VERSION, Word, folder};
use crate::server::Refusal;
use crate::server::inherited::{Heirloom, Inherited};

/// How long the running process may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most sockets that are taken.
const SOCKETS: usize = 4096;

/// The process whose place is taken.
#[derive(Debug)]
pub(in crate::server) struct Predecessor {
    line: Line,
    /// Its number.
    pub(in crate::server) process: u32,
}

/// Asks the process that runs for its sockets, and adds them to the others. `None`: nobody is there
/// to be asked.
pub(in crate::server) fn ask(
    path: &Path,
    trusted: Trusted,
    inherited: &Inherited,
) -> Result<Option<Predecessor>, Refusal> {
    folder::check(path, trusted)?;
    let line = match Line::connect(path) {
        Ok(line) => line,
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused]
                .contains(&error.kind()) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(&error)),
    };
    let (process, user) = line.peer().map_err(|error| failed(&error))?;
    if !trusted.takes(user) {
        return Err(Refusal(format!(
            "the process {process} that answers at `takeover.path` runs as user {user}, who is not \
             to be trusted with that: stop it, or choose another path"
        )));
    }
    receive(&line, inherited).map_err(|error| match error {
        Trouble::Refused(reason) => Refusal(format!(
            "process {process}, which runs, does not hand its sockets over: {reason}"
        )),
        Trouble::Broken(error) => failed(&error),
    })?;
    Ok(Some(Predecessor { line, process }))
}

enum Trouble {
    Refused(String),
    Broken(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

fn receive(line: &Line, inherited: &Inherited) -> Result<(), Trouble> {
    line.within(PATIENCE)?;
    line.say(&Word::Hello { version: VERSION, release: env!("CARGO_PKG_VERSION").to_owned() })?;
    let mut count = 0;
    loop {
        let (word, descriptors) = line.receive()?;
        let (sockets, more) = match word {
            Word::Sockets { sockets, more } => (sockets, more),
            Word::Refused { reason } => return Err(Trouble::Refused(reason)),
            other => return Err(unexpected(&other).into()),
        };
        count += sockets.len();
        if sockets.len() != descriptors.len() || count > SOCKETS {
            let says = "there are not as many sockets as it says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, says).into());
        }
        for (described, descriptor) in sockets.into_iter().zip(descriptors) {
            inherited.add(described.written.parse().ok(), Heirloom::of(descriptor)?)?;
        }
        if !more {
            return Ok(());
        }
    }
}

impl Predecessor {
    /// Says that this process accepts connections, and waits until the other does not.
    ///
    /// # Errors
    /// When the other one goes on, or is gone.
    pub(in crate::server) fn succeed(&self) -> Result<(), Refusal> {
        let told = self.line.say(&Word::Ready).and_then(|()| self.line.receive());
        let process = self.process;
        match told {
            Ok((Word::Yours, _)) => Ok(()),
            Ok((Word::Refused { reason }, _)) => {
                Err(Refusal(format!("process {process} goes on by itself: {reason}")))
            }
            Ok((other, _)) => Err(failed(&unexpected(&other))),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn unexpected(word: &Word) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it said {word:?} out of turn"))
}

fn failed(error: &io::Error) -> Refusal {
    let why = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "it did not answer; another takeover may be under way".to_owned()
        }
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => "it went away meanwhile".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not ask it; start as the user it runs as, or as root".to_owned()
        }
        _ => error.to_string(),
    };
    Refusal(format!("the process that answers at `takeover.path` cannot be followed: {why}"))
}
