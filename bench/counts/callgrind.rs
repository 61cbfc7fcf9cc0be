//! Instructions, by callgrind: this program runs itself under valgrind, where only what is done in
//! [`counted_part`] is counted. After each part callgrind writes a file of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::parts::{self, Part};

/// The argument by which the program knows that it runs under valgrind.
pub(crate) const INSIDE: &str = "inside-callgrind";

/// What is said where there is no valgrind.
pub(crate) const LEFT_OUT: &str = "
************************************************************************
SKIPPED: instructions were NOT counted: there is no valgrind here, and
`.ci/setup test` could not install it. Allocations are still compared.
************************************************************************

";

/// How often each part is counted. The figure is the least: now and then the allocator tidies up in
/// the course of a part, as it comes.
const TIMES: usize = 9;

/// The function whose work is counted, as callgrind knows it.
const COUNTED: &str = concat!(module_path!(), "::counted_part");

/// The instructions of each of these parts; `None` where there is no valgrind.
pub(crate) fn run(parts: &[Part]) -> Option<Vec<u64>> {
    let valgrind = valgrind()?;
    let folder = tempfile::tempdir().expect("a folder for what callgrind writes");
    let out = folder.path().join("out");
    let program = std::env::current_exe().expect("a program knows where it lies");
    // By a name of the same length wherever it lies: the allocator's blocks fall into the same places.
    let name = Path::new(".").join(program.file_name().expect("it is a file"));
    let ran = Command::new(valgrind)
        .current_dir(program.parent().expect("a file lies in a folder"))
        .env_clear()
        .env("GLIBC_TUNABLES", PLAIN)
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args([format!("--toggle-collect={COUNTED}"), format!("--dump-after={COUNTED}")])
        .arg(name)
        .arg(INSIDE)
        .stdin(Stdio::null())
        .output()
        .expect("valgrind can be started");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "callgrind failed ({}):\n{said}", ran.status);
    let least = |n| (1..=TIMES).map(|time| total(&out, n * TIMES + time)).min();
    let each = parts.iter().enumerate().filter_map(|(n, part)| Some(least(n)? / part.rounds));
    Some(each.collect())
}

/// Keeps glibc from choosing its copying and searching loops by what the processor can do.
const PLAIN: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,\
    -Prefer_No_VZEROUPPER,-AVX_Fast_Unaligned_Load";

/// Runs every part, where callgrind counts.
pub(crate) fn inside() {
    for part in parts::all() {
        (part.run)();
        for _ in 0..TIMES {
            counted_part(&part);
        }
    }
}

/// Known to callgrind by its name.
#[inline(never)]
fn counted_part(part: &Part) {
    (part.run)();
}

fn valgrind() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("valgrind")).find(|file| file.is_file())
}

/// The sum in the file that callgrind wrote at this point.
fn total(out: &Path, n: usize) -> u64 {
    let file = format!("{}.{n}", out.display());
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("callgrind did not count part {n}: {error}"));
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).expect("callgrind writes a sum")
}
