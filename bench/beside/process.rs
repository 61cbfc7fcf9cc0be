//! A program under measurement: pinned to a core, ended when dropped.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the proxies, and that of the load and the origin.
pub(crate) const PROXY: u32 = 0;
pub(crate) const LOAD: u32 = 1;

/// A running program and the processes it started.
pub(crate) struct Process(Child);

/// Memory in KiB, each process's share of what it shares with others counted in part
/// (`Pss` of proc(5)).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// The most since it was last forgotten (`VmHWM`).
    pub(crate) peak: u64,
}

/// The same command on one core; on a machine with one core all share it.
pub(crate) fn pinned(core: u32, program: impl AsRef<Path>) -> Command {
    let core = core.min(last_core());
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program.as_ref()).stdin(Stdio::null());
    command
}

fn last_core() -> u32 {
    u32::try_from(crate::machine::cores().saturating_sub(1)).unwrap_or(0)
}

/// This process leaves the proxies' core alone. Many connections need many descriptors, and children
/// inherit the limit.
pub(crate) fn settle() {
    let mut cores = CpuSet::new();
    cores.set(usize::try_from(LOAD.min(last_core())).unwrap_or(0));
    // Where it is not allowed, this process is merely in the way now and then.
    let _ = sched_setaffinity(None, &cores);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With less, the scenes with many connections say what they miss.
    let _ = setrlimit(Resource::Nofile, limit);
}

impl Process {
    /// Starts it; what it says goes to this file.
    pub(crate) fn start(mut command: Command, said: &Path) -> Result<Self, String> {
        let said = File::create(said).map_err(|error| error.to_string())?;
        let copy = said.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdout(said).stderr(copy).spawn();
        child.map(Self).map_err(|error| format!("it cannot be started: {error}"))
    }

    /// Whether it still runs.
    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    fn ids(&self) -> Vec<u32> {
        let mut ids = vec![self.0.id()];
        let mut next = 0;
        while let Some(id) = ids.get(next) {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            let children = children.unwrap_or_default();
            ids.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            next += 1;
        }
        ids
    }

    /// CPU time used so far, user and system (`schedstat` of each thread).
    pub(crate) fn cpu(&self) -> Duration {
        let mut nanoseconds = 0;
        for id in self.ids() {
            let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { continue };
            for thread in threads.flatten() {
                let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
                let ran = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
                nanoseconds += ran.unwrap_or(0);
            }
        }
        Duration::from_nanos(nanoseconds)
    }

    /// What it holds.
    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for id in self.ids() {
            memory.now += kilobytes(&format!("/proc/{id}/smaps_rollup"), "Pss:");
            memory.peak += kilobytes(&format!("/proc/{id}/status"), "VmHWM:");
        }
        memory
    }

    /// The peak begins anew.
    pub(crate) fn forget_peak(&self) {
        for id in self.ids() {
            // Where that is not allowed, the peak is that since the start.
            let _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
        }
    }
}

fn kilobytes(path: &str, field: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Drop for Process {
    fn drop(&mut self) {
        let ids = self.ids();
        for id in ids.into_iter().rev() {
            if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                let _ = kill_process(id, Signal::KILL);
            }
        }
        let _ = self.0.wait();
    }
}
