//! The PROXY protocol: whose connection it is, told to origins and by the proxies in front.

mod inward;
mod outward;
mod porch;
mod secured;
