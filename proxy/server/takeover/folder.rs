//! The folder in which the socket stands: whoever can write there could pass for this proxy, and
//! whoever can enter could ask for its sockets.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Trusted;
use crate::server::Refusal;

/// Others than the owner have some right.
const OTHERS: u32 = 0o077;

/// Refuses a folder that is not private.
pub(super) fn check(socket: &Path, owner: Trusted) -> Result<(), Refusal> {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let shown = folder.display();
    let user = owner.0;
    let refuse = |why: String| Err(Refusal(format!("`takeover.path`: {why}")));
    let found = match folder.symlink_metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(format!(
                "there is no folder {shown}: make it with `install -d -m 0700 -o {user} {shown}`, \
                 or by `RuntimeDirectory=` and `RuntimeDirectoryMode=0700` of a systemd unit"
            ));
        }
        Err(error) => return refuse(format!("{shown} cannot be looked at: {error}")),
    };
    if !found.is_dir() {
        return refuse(format!("{shown} is not a folder (nor may it be a link to one)"));
    }
    if found.uid() != user {
        let owner = found.uid();
        return refuse(format!(
            "{shown} belongs to user {owner}, and this process runs as user {user}: \
             `chown {user} {shown}`, or choose another folder"
        ));
    }
    if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o7777;
        return refuse(format!(
            "others may enter {shown} (mode {mode:04o}) and could ask for the sockets: \
             `chmod 0700 {shown}`"
        ));
    }
    Ok(())
}
