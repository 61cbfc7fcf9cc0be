//! The running process's side: a thread that waits for successors.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::Socket;
use tokio::sync::mpsc;
use whodunit_conf::schema::address::Address;

use super::line::{DESCRIPTORS, Line, listen};
use super::{Described, Trusted, VERSION, Word, folder};
use crate::notice;
use crate::server::{Refusal, systemd};

/// How long a successor may take over a word.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to become ready.
const READY: Duration = Duration::from_mins(1);
/// How long to wait when connections cannot be accepted: descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// What there is to hand over: each socket with the address that it was bound for.
type Offer = Box<dyn Fn() -> io::Result<Vec<(Address, OwnedFd)>> + Send>;

/// Held while a successor is to take over: meanwhile no configuration is taken up, which could bind
/// what the other one is about to.
pub(in crate::server) type Handing = Arc<Mutex<()>>;

/// A successor that is ready. Accepting ends, then it is answered.
#[derive(Debug)]
pub(in crate::server) struct Successor {
    /// Its process.
    pub(in crate::server) process: u32,
    let_go: SyncSender<()>,
    /// Says, or is closed, once the successor was answered.
    answered: Receiver<()>,
}

/// The socket at which successors ask, bound beside its place until it is put there.
#[derive(Debug)]
pub(in crate::server) struct Desk {
    socket: Socket,
    path: PathBuf,
    trusted: Trusted,
}

/// A desk that stands in its place.
#[derive(Debug)]
pub(in crate::server) struct Place {
    path: PathBuf,
    /// The file's device and number.
    file: (u64, u64),
}

impl Desk {
    /// Makes the socket. It is in nobody's way yet.
    pub(in crate::server) fn make(path: &Path, trusted: Trusted) -> Result<Self, Refusal> {
        folder::check(path, trusted)?;
        let beside = beside(path);
        let refusal = |error: io::Error| {
            Refusal(format!("`takeover.path`: {} cannot be made: {error}", beside.display()))
        };
        // What is there was left behind: others have no business in this folder.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refusal(error)),
            _ => {}
        }
        let socket = listen(&beside).map_err(refusal)?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).map_err(refusal)?;
        Ok(Self { socket, path: path.to_owned(), trusted })
    }

    /// Whether somebody answers there already.
    pub(in crate::server) fn taken(path: &Path) -> Option<u32> {
        Line::connect(path).and_then(|line| line.peer()).ok().map(|(process, _)| process)
    }

    /// Puts the socket in its place, instead of the one that may be there, and waits for
    /// successors on a thread of its own. Each that is ready is told of through `ready`.
    pub(in crate::server) fn open(
        self,
        offer: Offer,
        handing: Handing,
        ready: mpsc::Sender<Successor>,
    ) -> io::Result<Place> {
        let beside = beside(&self.path);
        let file = fs::symlink_metadata(&beside)?;
        fs::rename(&beside, &self.path)?;
        let place = Place { path: self.path.clone(), file: (file.dev(), file.ino()) };
        thread::Builder::new()
            .name("takeover".into())
            .spawn(move || self.wait(&offer, &handing, &ready))?;
        Ok(place)
    }

    fn wait(&self, offer: &Offer, handing: &Handing, ready: &mpsc::Sender<Successor>) {
        loop {
            let Ok(line) = Line::accept(&self.socket) else {
                thread::sleep(PAUSE);
                continue;
            };
            let process = line.peer().map_or(0, |(process, _)| process);
            match self.serve(&line, offer, handing, ready) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    let why = match error.kind() {
                        io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::ConnectionReset => "it ended before".to_owned(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                            "it took too long".to_owned()
                        }
                        _ => error.to_string(),
                    };
                    notice::say(&format!(
                        "process {process} did not take over: {why}; this one goes on"
                    ));
                }
            }
        }
    }

    /// Serves one that asks. Whether it has taken over.
    fn serve(
        &self,
        line: &Line,
        offer: &Offer,
        handing: &Handing,
        ready: &mpsc::Sender<Successor>,
    ) -> io::Result<bool> {
        line.within(PATIENCE)?;
        let (process, user) = line.peer()?;
        let refuse = |reason: String| {
            notice::say(&format!("process {process} may not take over: {reason}"));
            line.say(&Word::Refused { reason })
        };
        match line.receive() {
            // What it said is read first: an end that leaves something unread takes its own last
            // word back.
            Ok(_) if !self.trusted.takes(user) => {
                refuse(format!("it runs as user {user}"))?;
                return Ok(false);
            }
            Ok((Word::Hello { version: VERSION, .. }, _)) => {}
            Ok((Word::Hello { version, release }, _)) => {
                let ours = env!("CARGO_PKG_VERSION");
                refuse(format!(
                    "release {ours} hands over by version {VERSION}, and {release} asks by version \
                     {version}: stop one and start the other"
                ))?;
                return Ok(false);
            }
            Ok((other, _)) => {
                let says = format!("it said {other:?} out of turn");
                return Err(io::Error::new(io::ErrorKind::InvalidData, says));
            }
            // Somebody looked whether anybody is here.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        if ready.is_closed() {
            refuse("this process was told to stop".to_owned())?;
            return Ok(false);
        }
        let _held = handing.lock().unwrap_or_else(PoisonError::into_inner);
        hand_over(line, &offer()?)?;
        notice::say(&format!("process {process} is to take over, once it is ready"));
        line.within(READY)?;
        match line.receive()? {
            (Word::Ready, _) => {}
            (other, _) => {
                let says = format!("it said {other:?} out of turn");
                return Err(io::Error::new(io::ErrorKind::InvalidData, says));
            }
        }
        let (let_go, gone) = sync_channel(1);
        // Dropped at the end, whatever that is.
        let (_done, answered) = sync_channel(1);
        let successor = Successor { process, let_go, answered };
        if ready.blocking_send(successor).is_err() || gone.recv().is_err() {
            refuse("this process was told to stop".to_owned())?;
            return Ok(false);
        }
        // Only the process that it has started itself may tell systemd of another one.
        systemd::follow(process);
        if line.say(&Word::Yours).is_err() {
            notice::say(&format!("process {process} ended just when it had taken over"));
        }
        Ok(true)
    }
}

impl Successor {
    /// Nothing is accepted here any more. Waits until the successor was told: it takes an end of
    /// this process before that for a failure.
    pub(in crate::server) fn let_go(self) {
        // It fails only where the thread that waits is gone.
        let _ = self.let_go.try_send(());
        let _ = self.answered.recv_timeout(PATIENCE);
    }
}

impl Place {
    /// Removes the socket's file, unless somebody else's is there by now.
    pub(in crate::server) fn clear(&self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn hand_over(line: &Line, sockets: &[(Address, OwnedFd)]) -> io::Result<()> {
    let mut parts = sockets.chunks(DESCRIPTORS).peekable();
    if parts.peek().is_none() {
        return line.say(&Word::Sockets { sockets: Vec::new(), more: false });
    }
    while let Some(part) = parts.next() {
        let described = |(written, _): &(Address, _)| Described { written: written.to_string() };
        let descriptors: Vec<BorrowedFd<'_>> = part.iter().map(|(_, fd)| fd.as_fd()).collect();
        let sockets = part.iter().map(described).collect();
        line.send(&Word::Sockets { sockets, more: parts.peek().is_some() }, &descriptors)?;
    }
    Ok(())
}

/// Where a socket is made before it is put in its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
