//! Framing: answers that contradict themselves about where they end. To pass one on would let two
//! readers behind this proxy see two different messages (RFC 9112 section 6.3).

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::attribution::{Failure, Fault, Key, Phase, Side};
use crate::chain::{Filter, ResponseView, RouteView, Verdict};

/// The filter that refuses such answers.
#[derive(Debug)]
pub struct Framing(());

impl Framing {
    pub(crate) const fn new(_: &str) -> Self {
        Self(())
    }
}

/// The rule that a header section breaks, and by what fault.
fn broken(headers: &HeaderMap) -> Option<(Fault, &'static str)> {
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    let codings = headers.get_all(TRANSFER_ENCODING);
    let chunked = codings
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
        .count();
    if codings.iter().count() > 1 || chunked > 1 {
        return Some((Fault::Framing, "Transfer-Encoding repeated"));
    }
    let first = lengths.next()?;
    if codings.iter().next().is_some() {
        return Some((Fault::Framing, "Content-Length with Transfer-Encoding"));
    }
    let mut repeated = false;
    for other in lengths {
        if other != first {
            return Some((Fault::Framing, "Content-Length values differ"));
        }
        repeated = true;
    }
    if repeated {
        return Some((Fault::Framing, "Content-Length repeated"));
    }
    let number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    (!number).then_some((Fault::Malformed, "Content-Length is no number"))
}

impl Filter for Framing {
    fn response(&self, response: &ResponseView<'_>, _: &RouteView<'_>) -> Verdict {
        broken(response.headers)
            .map(|(fault, rule)| {
                Failure::new(Side::Origin, Phase::Wait, fault).with(Key::Rule, rule)
            })
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn contradictions_are_named() {
        let length = ("content-length", "5");
        let chunked = ("transfer-encoding", "chunked");
        for (fields, rule) in [
            (&[][..], None),
            (&[length], None),
            (&[chunked], None),
            (&[("transfer-encoding", "gzip, chunked")], None),
            (&[length, ("content-length", "6")], Some("Content-Length values differ")),
            (&[("content-length", "5, 6")], Some("Content-Length values differ")),
            (&[("content-length", "5, 05")], Some("Content-Length values differ")),
            (&[length, length], Some("Content-Length repeated")),
            (&[("content-length", "5,5")], Some("Content-Length repeated")),
            (&[length, chunked], Some("Content-Length with Transfer-Encoding")),
            (&[chunked, chunked], Some("Transfer-Encoding repeated")),
            (&[("transfer-encoding", "chunked, Chunked")], Some("Transfer-Encoding repeated")),
            (&[("content-length", "five")], Some("Content-Length is no number")),
            (&[("content-length", "-5")], Some("Content-Length is no number")),
            (&[("content-length", "")], Some("Content-Length is no number")),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(broken(&headers).map(|(_, rule)| rule), rule, "{fields:?}");
        }
    }
}
