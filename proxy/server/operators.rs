//! The operators' listener, and its socket once more for whoever takes over.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use whodunit_conf::Config;
use whodunit_conf::schema::address::Address;

use super::Refusal;
use super::insight::Knowledge;
use crate::admin::{Admin, AdminSettings};
use crate::notice;

/// The listener, if there is one.
pub(super) struct Operators {
    admin: Option<Admin>,
    spare: Spare,
}

/// Its socket, as long as connections are accepted.
#[derive(Clone)]
pub(super) struct Spare(Arc<Mutex<Option<(Address, TcpListener)>>>);

impl Operators {
    /// Begins to answer.
    pub(super) fn start(
        config: &Config,
        socket: Option<TcpListener>,
        knowledge: Arc<Knowledge>,
    ) -> Result<Self, Refusal> {
        let refusal = |error: io::Error| Refusal(format!("`admin.address`: {error}"));
        let spare = socket.as_ref().map(TcpListener::try_clone).transpose().map_err(refusal)?;
        let spare = Spare(Arc::new(Mutex::new(config.admin.address.clone().zip(spare))));
        let settings =
            AdminSettings { token: config.admin.token.clone(), ..AdminSettings::default() };
        let start = |socket| Admin::start(socket, &settings, knowledge).map_err(refusal);
        let admin = socket.map(start).transpose()?;
        if let Some(admin) = &admin {
            notice::say(&format!("admin on http://{}", admin.address()));
        }
        Ok(Self { admin, spare })
    }

    /// What is handed over.
    pub(super) fn spare(&self) -> Spare {
        self.spare.clone()
    }

    /// Answers no more.
    pub(super) fn stop(&mut self) {
        self.spare.locked().take();
        self.admin.take().into_iter().for_each(Admin::stop);
    }
}

impl Spare {
    /// Another copy, with the address it was bound for.
    pub(super) fn copy(&self) -> io::Result<Option<(Address, OwnedFd)>> {
        let copy = |(address, socket): &(Address, TcpListener)| {
            Ok((address.clone(), socket.try_clone()?.into()))
        };
        self.locked().as_ref().map(copy).transpose()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<(Address, TcpListener)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
