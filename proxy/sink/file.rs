//! The file that lines are appended to, or standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::SinkSettings;

/// An output and what is known of it.
pub(super) struct Output {
    file: File,
    rotation: Option<Rotation>,
    /// Whether the last write broke off within a line.
    torn: bool,
}

struct Rotation {
    path: PathBuf,
    max_size: Option<u64>,
    max_age: Option<Duration>,
    keep: usize,
    size: u64,
    since: SystemTime,
}

impl Output {
    pub(super) fn open(settings: &SinkSettings) -> io::Result<Self> {
        let Some(path) = &settings.path else {
            // A copy of the descriptor, for the library's own standard output flushes each line.
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Ok(Self { file, rotation: None, torn: false });
        };
        let (file, size, since) = append(path)?;
        let rotation = Rotation {
            path: path.clone(),
            max_size: settings.max_size,
            max_age: settings.max_age,
            keep: settings.keep,
            size,
            since,
        };
        Ok(Self { file, rotation: Some(rotation), torn: false })
    }

    #[cfg(test)]
    pub(super) const fn over(file: File) -> Self {
        Self { file, rotation: None, torn: false }
    }

    /// Whether a line is within the limit after those that wait to be written. An empty file takes
    /// a line of any length.
    pub(super) fn has_room_for(&self, waiting: usize, line: usize) -> bool {
        self.rotation.as_ref().is_none_or(|rotation| {
            let before = rotation.size + waiting as u64;
            before == 0 || rotation.max_size.is_none_or(|max| before + line as u64 <= max)
        })
    }

    pub(super) fn is_too_old(&self) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| {
            rotation.size > 0
                && rotation
                    .max_age
                    .is_some_and(|max| rotation.since.elapsed().is_ok_and(|age| age >= max))
        })
    }

    /// Moves the file aside, the older ones one further, and begins a new one. Where that fails,
    /// the old one goes on.
    pub(super) fn rotate(&mut self) {
        let Some(rotation) = &self.rotation else { return };
        let path = |number: usize| {
            let mut path = rotation.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        // A missing one is no obstacle to the others.
        for number in (1..rotation.keep).rev() {
            let _ = fs::rename(path(number), path(number + 1));
        }
        let _ = if rotation.keep == 0 {
            fs::remove_file(&rotation.path)
        } else {
            fs::rename(&rotation.path, path(1))
        };
        self.reopen();
    }

    /// Opens the file by its name once more; keeps the one that is open if that fails.
    pub(super) fn reopen(&mut self) {
        if let Some(rotation) = &mut self.rotation
            && let Ok((file, size, since)) = append(&rotation.path)
        {
            self.file = file;
            (rotation.size, rotation.since) = (size, since);
            self.torn = false;
        }
    }

    /// Writes whole lines. On failure says how many bytes of them were written.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        if self.torn {
            self.file.write_all(b"\n").map_err(|error| (0, error))?;
            self.torn = false;
        }
        let mut written = 0;
        let outcome = loop {
            match self.file.write(&bytes[written..]) {
                Ok(0) if written == bytes.len() => break Ok(()),
                Ok(0) => break Err((written, io::ErrorKind::WriteZero.into())),
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err((written, error)),
            }
            if written == bytes.len() {
                break Ok(());
            }
        };
        self.torn = written > 0 && bytes[written - 1] != b'\n';
        if let Some(rotation) = &mut self.rotation {
            rotation.size += written as u64;
        }
        outcome
    }
}

/// The file, its size, and since when it has been filled.
fn append(path: &Path) -> io::Result<(File, u64, SystemTime)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let metadata = file.metadata()?;
    // Not every file system knows when a file was made.
    let since = if metadata.len() == 0 {
        SystemTime::now()
    } else {
        metadata.created().unwrap_or_else(|_| SystemTime::now())
    };
    Ok((file, metadata.len(), since))
}
