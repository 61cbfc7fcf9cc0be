//! The life of the process: how it begins, takes over, is taken over, and ends.

mod load;
mod privileges;
pub(crate) mod stage;
mod stop;
mod strangers;
mod systemd;
mod takeover;
