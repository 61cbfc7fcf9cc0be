//! A directory of Unix sockets that goes away with its owner.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory that only this user can enter.
#[derive(Debug)]
pub(super) struct Sockets(PathBuf);

impl Sockets {
    pub(super) fn new() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let mut number = 0_u32;
        loop {
            let path = parent.join(format!("whodunit-lab-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                created => return created.map(|()| Self(path)),
            }
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(name)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // Nobody can be told when this fails, and a temporary directory is swept anyway.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
