//! What a process holds: memory and file descriptors.

use std::time::Duration;

use crate::rig::until;

/// How long a process is looked at: longer than it keeps idle connections to endpoints.
const REST: Duration = Duration::from_millis(1_300);
/// How much more memory is no growth: pools of the allocator, tables that have found their size.
const SLACK: u64 = 24 << 20;
/// How many more files are none: connections that the checks of health have open at the moment.
const MORE: usize = 6;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    files: usize,
    /// Resident, in bytes.
    memory: u64,
}

impl Held {
    /// What a process holds once the most files that it has open within a while no longer become
    /// fewer.
    pub(super) fn at_rest(id: u32) -> Self {
        let mut before = usize::MAX;
        until("the process to be at rest", || {
            let began = std::time::Instant::now();
            let mut most = 0;
            while began.elapsed() < REST {
                most = most.max(Self::now(id).files);
                std::thread::sleep(Duration::from_millis(20));
            }
            let fewer = most < std::mem::replace(&mut before, most);
            (!fewer).then(|| Self { files: most, ..Self::now(id) })
        })
    }

    /// Whether it has not grown since.
    pub(super) fn is_like(&self, before: &Self) -> bool {
        self.files <= before.files + MORE && self.memory <= before.memory + SLACK
    }

    fn now(id: u32) -> Self {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).expect("it runs").count();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.trim().strip_suffix(" kB"));
        let kib: u64 = kib.and_then(|kib| kib.parse().ok()).expect("proc_pid_status(5)");
        Self { files, memory: kib << 10 }
    }
}
