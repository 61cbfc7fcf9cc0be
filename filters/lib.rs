//! Who broke the request: evidence, judgement and words for HTTP gateways, without I/O.

pub mod attribution;
pub mod units;
