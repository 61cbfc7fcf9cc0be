//! The PROXY protocol: whose connection it is, told to origins and by the proxies in front.

mod outward;
mod porch;
