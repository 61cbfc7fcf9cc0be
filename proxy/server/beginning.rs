//! How the process begins: with sockets of its own or with those of others, in the place of another
//! process or in nobody's, and as whom.

use std::io;
use std::os::fd::OwnedFd;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use whodunit_conf::Config;
use whodunit_conf::schema::address::Address;

use super::inherited::Inherited;
use super::privileges::{Identity, warn_of_root, warn_of_unreadable};
use super::takeover::{Desk, Handing, Place, Predecessor, Program, Successor, Trusted, ask};
use super::{Refusal, Source, systemd};
use crate::{notice, secure};

/// A process that does not take requests yet.
#[derive(Debug)]
pub(super) struct Beginning {
    /// The sockets that it need not bind.
    pub(super) inherited: Inherited,
    identity: Option<Identity>,
    predecessor: Option<Predecessor>,
    desk: Option<Desk>,
}

impl Beginning {
    /// Finds out whom to run as, and gathers the sockets that are open already. `takeover`: those of
    /// the process that runs as well, whose place is to be taken.
    pub(super) fn of(config: &Config, takeover: bool) -> Result<Self, Refusal> {
        let identity = Identity::of(config)?;
        let trusted = Trusted::new(identity.as_ref().map(Identity::user));
        let inherited = Inherited::default();
        systemd::inherit(&inherited)?;
        let path = config.takeover.path.as_deref();
        let predecessor = match path {
            Some(path) if takeover => ask(path, trusted, &inherited)?,
            None if takeover => {
                return Err(Refusal(
                    "`--takeover` needs `takeover.path` in the configuration: the socket at which \
                     the running process, with the same setting, hands its own over"
                        .to_owned(),
                ));
            }
            _ => None,
        };
        match (&predecessor, path) {
            (Some(predecessor), _) => {
                notice::say(&format!("takes the place of process {}", predecessor.process));
            }
            (None, Some(path)) if takeover => {
                let path = path.display();
                notice::say(&format!("nobody answers at {path} to be taken over: starts anew"));
            }
            (None, Some(path)) => {
                if let Some(process) = Desk::taken(path) {
                    return Err(Refusal(format!(
                        "`takeover.path`: process {process} answers there: `--takeover` takes its \
                         place; or choose another path"
                    )));
                }
            }
            (None, None) => {}
        }
        Ok(Self { inherited, identity, predecessor, desk: None })
    }

    /// Once all is bound and read that root alone may: is root no more.
    pub(super) fn settle(&mut self, config: &Config, source: &Source) -> Result<(), Refusal> {
        if self.predecessor.is_none() {
            systemd::all_used(&self.inherited)?;
        }
        match &self.identity {
            Some(identity) => {
                for listener in &config.listeners {
                    if let Address::Unix(path) = &listener.address {
                        identity.own(path.as_ref())?;
                    }
                }
                identity.assume()?;
                if let Source::File(path, _) = source {
                    warn_of_unreadable(path, "nor will a change be");
                }
                for file in secure::files(config) {
                    warn_of_unreadable(&file, "nothing that names it can be reloaded");
                }
            }
            None => warn_of_root(),
        }
        if let Some(path) = &config.takeover.path {
            self.desk = Some(Desk::make(path, Trusted::new(None))?);
        }
        Ok(())
    }

    /// Starts a successor whenever SIGUSR2 asks for one.
    pub(super) fn heed(&self, runtime: &Runtime, program: Option<Program>) {
        let program = program.filter(|_| self.desk.is_some());
        let signals = {
            // Until there is a handler the signal's default action ends the process.
            let _within = runtime.enter();
            signal(SignalKind::user_defined2())
        };
        runtime.spawn(async move {
            let Ok(mut signals) = signals else { return };
            while signals.recv().await.is_some() {
                match &program {
                    Some(program) => program.start(),
                    None => notice::say(
                        "SIGUSR2: no successor is started: it would ask for the sockets at \
                         `takeover.path`, which is not set",
                    ),
                }
            }
        });
    }

    /// This process accepts connections: from now on it is the one that does. `offer` is what it
    /// hands over one day, and `ready` hears of whoever takes over. Gives the place at which that
    /// is asked for.
    pub(super) fn take_over(
        self,
        offer: impl Fn() -> io::Result<Vec<(Address, OwnedFd)>> + Send + 'static,
        handing: Handing,
        ready: mpsc::Sender<Successor>,
    ) -> Result<Option<Place>, Refusal> {
        if let Some(predecessor) = &self.predecessor {
            predecessor.succeed()?;
        }
        for address in self.inherited.close() {
            notice::say(&format!("{address} is not listened on any more"));
        }
        systemd::ready();
        let Some(desk) = self.desk else { return Ok(None) };
        match desk.open(Box::new(offer), handing, ready) {
            Ok(place) => Ok(Some(place)),
            Err(error) => {
                notice::say(&format!("`takeover.path`: nobody can take over: {error}"));
                Ok(None)
            }
        }
    }
}
