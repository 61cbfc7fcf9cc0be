//! Rows to come.
use super::Cause;
pub(super) static ROWS: &[Cause] = &[];
