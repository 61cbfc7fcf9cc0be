//! Whom the process runs as, and where its successor asks for its sockets.

use std::path::Path;

use super::{Check, steps};
use crate::schema::address::{Address, SUN_PATH};

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    if config.group.is_some() && config.user.is_none() && check.knows(&steps!["user"]) {
        let says = "`group` has no effect without `user`".to_owned();
        let problem = check.warning(&steps!["group"], says);
        check.push(problem);
    }
    if let Some(path) = &config.takeover.path {
        takeover(check, path);
    }
}

fn takeover(check: &mut Check<'_>, path: &Path) {
    let at = steps!["takeover", "path"];
    // A new socket is made beside the old one, under a name that is a little longer.
    let most = SUN_PATH - ".new".len();
    let says = if !path.is_absolute() || path.file_name().is_none() {
        "`takeover.path` must be an absolute path, such as `/run/whodunit/takeover.sock`".to_owned()
    } else if path.as_os_str().len() > most {
        format!("this socket's path may have {most} bytes at most")
    } else {
        let same = |address: &Address| matches!(address, Address::Unix(own) if own == path);
        let listener = check.config.listeners.iter().position(|one| same(&one.address));
        let Some(index) = listener else { return };
        let first = check.at(&steps!["listeners", index, "address"]);
        let says = format!("`{}` is a listener of clients already", path.display());
        let problem = check.error(&at, says).other(first, "the listener");
        return check.push(problem);
    };
    let problem = check.error(&at, says);
    check.push(problem);
}
