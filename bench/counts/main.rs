//! What the parts that are ours cost, in figures that do not change from one run to the next:
//! `make counts`.
//!
//! Two things are counted, and no time is measured:
//!
//! * **instructions** of each part by itself (`parts.rs`), as callgrind counts them while it runs
//!   the part in a machine of its own: `valgrind` has to be there, and is left out loudly where it
//!   is not;
//! * **allocations**, and the bytes asked for, of each part, and of whole requests that went well
//!   (`request.rs`), through the real sockets of this proxy and of a bare one of Pingora's.
//!
//! The figures are held against those in `bench/counts.json`. A part that is off by more than 5 %
//! fails the run, also when it has become cheaper, so that the committed figures stay true.
//! `make counts BLESS=1` commits to the new ones. Instructions of another target cannot be compared
//! and are not; another compiler is named as a likely reason.
//!
//! `make counts TRACE=1` lists the places that the allocations of a whole request come from.
//!
//! What would make the figures depend on anything but the code is kept out: callgrind's machine has
//! no random addresses and one core, its environment is empty but for a setting that keeps the C
//! library from choosing its copying loops by the processor, clocks and secrets are constants, and
//! a part that hashes with the random seeds of `RandomState` is run over many keys.

mod allocator;
mod callgrind;
mod figures;
mod parts;
mod request;
mod trace;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use figures::{Committed, Figures};

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Whether the environment asks for this.
fn wished(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|wish| wish == "1")
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(callgrind::INSIDE) {
        callgrind::inside();
        return ExitCode::SUCCESS;
    }
    if wished("WHODUNIT_TRACE") {
        say(&request::traced());
        return ExitCode::SUCCESS;
    }
    let now = Committed::here(counted());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/counts.json");
    if wished("WHODUNIT_BLESS") {
        return bless(path, &now);
    }
    match Committed::read(path) {
        Ok(committed) => {
            let comparison = figures::compare(&committed, &now);
            say(&comparison.told);
            if comparison.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            say(&format!("counts: {path}: {error}; `make counts BLESS=1` writes it\n"));
            ExitCode::FAILURE
        }
    }
}

/// The figures of everything, as they are here and now.
fn counted() -> BTreeMap<String, Figures> {
    let parts = parts::all();
    let instructions = callgrind::run(&parts);
    if instructions.is_none() {
        say(callgrind::LEFT_OUT);
    }
    let parts = parts.iter().enumerate().map(|(n, part)| {
        let instructions = instructions.as_ref().map(|counts| counts[n]);
        (part.name.clone(), Figures::new(instructions, part.allocations()))
    });
    let requests = request::both().map(|(name, each)| (name.to_owned(), Figures::new(None, each)));
    parts.chain(requests).collect()
}

fn bless(path: &str, now: &Committed) -> ExitCode {
    if now.parts.values().all(|figures| figures.instructions.is_none()) {
        say("counts: nothing is written without instructions: install valgrind\n");
        return ExitCode::FAILURE;
    }
    match std::fs::write(path, now.text()) {
        Ok(()) => {
            say(&format!("counts: {} figures written to bench/counts.json\n", now.parts.len()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("counts: {path} cannot be written: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
