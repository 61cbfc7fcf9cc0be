//! The way to the origin: names to addresses, the choice of an endpoint, the connection.

pub mod balance;
pub mod budget;
pub mod check;
pub mod dial;
pub mod eject;
pub mod health;
pub mod lasting;
pub mod own;
pub mod places;
pub mod pool;
pub mod resolve;
pub mod roster;
pub mod rotation;
pub mod tls;
