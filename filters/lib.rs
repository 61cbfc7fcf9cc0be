//! Who broke the request: evidence, judgement and words for HTTP gateways, without I/O.

pub mod attribution;
pub mod chunked;
pub mod head;
pub mod units;
