//! What commands write to standard output.

use std::io::{self, Write as _};

/// Writes all of it.
pub(super) fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
