//! Whom the process runs as. Started as root it binds its sockets and reads its files, and then is
//! root no more.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getresgid, getresuid, setgroups, setresgid, setresuid,
    setuid,
};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use whodunit_conf::Config;
use whodunit_conf::schema::process::Account;

use super::Refusal;
use crate::notice;

/// Whom to become.
#[derive(Debug)]
pub(super) struct Identity {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    shown: String,
}

impl Identity {
    /// The user and group of a configuration, as the system knows them. `None`: the process stays
    /// what it is.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, Refusal> {
        let Some(account) = &config.user else { return Ok(None) };
        let (user, own) = user(account)?;
        let group = config.group.as_ref().map(group).transpose()?;
        let (group, groups) = match (group, own) {
            // Other groups of the user's would be more rights than were asked for.
            (Some(group), _) => (group, vec![group]),
            (None, Some(own)) => {
                let groups = std::ffi::CString::new(own.name.as_str())
                    .ok()
                    .and_then(|name| getgrouplist(&name, own.gid).ok());
                (own.gid, groups.unwrap_or_else(|| vec![own.gid]))
            }
            (None, None) => {
                return Err(Refusal(format!(
                    "`user`: number {account} belongs to nobody here, so its group is not known: \
                     set `group` as well"
                )));
            }
        };
        let started = Uid::effective();
        if !started.is_root() && started != user {
            return Err(Refusal(format!(
                "`user`: only root can become {account}, and this process was started as user \
                 {started}: start it as root, or leave `user` out"
            )));
        }
        let now = Gid::effective();
        if let (false, Some(account)) = (started.is_root() || now == group, &config.group) {
            return Err(Refusal(format!(
                "`group`: only root can change to {account}, and this process was started with \
                 group {now}: start it as root, or leave `group` out"
            )));
        }
        Ok(Some(Self { user, group, groups, shown: account.to_string() }))
    }

    /// The user's number.
    pub(super) fn user(&self) -> u32 {
        self.user.as_raw()
    }

    /// Gives it the file of a Unix socket that root has made: it is to set who may connect, and to
    /// remove it. A file that took the socket's place meanwhile is left alone.
    pub(super) fn own(&self, socket: &Path) -> Result<(), Refusal> {
        if !Uid::effective().is_root() {
            return Ok(());
        }
        let give = || -> io::Result<()> {
            let file = fs::open(socket, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
            if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) != FileType::Socket {
                return Err(io::Error::other("it is no socket any more"));
            }
            let (user, group) = (self.user.as_raw(), self.group.as_raw());
            let (user, group) = (fs::Uid::from_raw(user), fs::Gid::from_raw(group));
            Ok(fs::chownat(&file, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?)
        };
        give().map_err(|error| {
            let (socket, shown) = (socket.display(), &self.shown);
            Refusal(format!("`user`: {socket} cannot be given to {shown}: {error}"))
        })
    }

    /// Becomes it with all threads, for good.
    pub(super) fn assume(&self) -> Result<(), Refusal> {
        if !Uid::effective().is_root() {
            return Ok(());
        }
        let refusal = |step: &str, error: nix::Error| {
            Refusal(format!("`user`: this process cannot become {}: {step}: {error}", self.shown))
        };
        let (user, group) = (self.user, self.group);
        setgroups(&self.groups).map_err(|error| refusal("setgroups", error))?;
        setresgid(group, group, group).map_err(|error| refusal("setresgid", error))?;
        setresuid(user, user, user).map_err(|error| refusal("setresuid", error))?;
        let users = getresuid().map_err(|error| refusal("getresuid", error))?;
        let groups = getresgid().map_err(|error| refusal("getresgid", error))?;
        let changed = [users.real, users.effective, users.saved] == [user; 3]
            && [groups.real, groups.effective, groups.saved] == [group; 3];
        let root = Uid::from_raw(0);
        if !changed || user != root && setuid(root).is_ok() {
            return Err(Refusal(format!("`user`: it could become root again as {}", self.shown)));
        }
        notice::say(&format!("runs as user {} from now on", self.shown));
        Ok(())
    }
}

/// A process that answers strangers and may do everything is told of.
pub(super) fn warn_of_root() {
    if Uid::effective().is_root() {
        notice::say(
            "this runs as root: set `user` to become somebody else once the sockets are bound",
        );
    }
}

/// What was read as root has to be read again later.
pub(super) fn warn_of_unreadable(file: &Path, follows: &str) {
    if let Err(error) = File::open(file) {
        let file = file.display();
        notice::say(&format!("{file} cannot be read any more ({error}): {follows}"));
    }
}

fn user(account: &Account) -> Result<(Uid, Option<User>), Refusal> {
    let found = match account {
        Account::Name(name) => User::from_name(name),
        Account::Id(id) => User::from_uid(Uid::from_raw(*id)),
    };
    match (found, account) {
        (Ok(Some(user)), _) => Ok((user.uid, Some(user))),
        (Ok(None), Account::Id(id)) => Ok((Uid::from_raw(*id), None)),
        (Ok(None), Account::Name(name)) => {
            Err(Refusal(format!("`user`: there is no user `{name}` here")))
        }
        (Err(error), _) => Err(Refusal(format!("`user`: {account} cannot be looked up: {error}"))),
    }
}

fn group(account: &Account) -> Result<Gid, Refusal> {
    let found = match account {
        Account::Name(name) => Group::from_name(name),
        Account::Id(id) => return Ok(Gid::from_raw(*id)),
    };
    match found {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(Refusal(format!("`group`: there is no group `{account}` here"))),
        Err(error) => Err(Refusal(format!("`group`: {account} cannot be looked up: {error}"))),
    }
}
