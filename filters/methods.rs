//! Methods that end here: `TRACE` and `CONNECT` are refused, and `OPTIONS` counts its hops.

use http::header::MAX_FORWARDS;
use http::{HeaderValue, Method};

use crate::attribution::cause::client;
use crate::attribution::{Failure, Key};
use crate::chain::{Edit, Filter, RequestView, RouteView, Verdict};

/// The value of `Allow` in the answer to a refused method (RFC 9110 section 10.2.1).
pub const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The filter that refuses `TRACE` and `CONNECT`. All other methods pass, the unknown ones too.
#[derive(Debug)]
pub struct Methods(());

impl Methods {
    pub(crate) const fn new(_: &str) -> Self {
        Self(())
    }
}

/// How many more times an `OPTIONS` request may be forwarded (RFC 9110 section 7.6.2). At 0 the
/// gateway answers it itself. `None` for other methods, and where the field is absent, repeated or
/// no number; a number too large to hold is the largest that can be held.
#[must_use]
pub fn max_forwards(request: &RequestView<'_>) -> Option<u32> {
    if request.method != Method::OPTIONS {
        return None;
    }
    let mut lines = request.headers.get_all(MAX_FORWARDS).iter();
    let digits = lines.next()?.as_bytes();
    if lines.next().is_some() || digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

impl Filter for Methods {
    fn request(&self, request: &RequestView<'_>, _: &RouteView<'_>) -> Verdict {
        let refused = match *request.method {
            Method::TRACE => "TRACE",
            Method::CONNECT => "CONNECT",
            _ => return Verdict::Pass,
        };
        Failure::denied(&client::CLIENT_METHOD_REFUSED).with(Key::Method, refused).into()
    }

    fn forward(&self, request: &RequestView<'_>, _: &RouteView<'_>, edit: &mut dyn Edit) {
        if let Some(left) = max_forwards(request).and_then(|left| left.checked_sub(1)) {
            edit.set(MAX_FORWARDS, HeaderValue::from(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Fault;
    use crate::fixture::Scene;

    #[test]
    fn trace_and_connect_are_refused_and_no_other() {
        let methods = Methods::new("edge");
        for (method, refused) in [
            ("GET", false),
            ("OPTIONS", false),
            ("PROPFIND", false),
            ("BREW", false),
            ("trace", false),
            ("TRACE", true),
            ("CONNECT", true),
        ] {
            let mut scene = Scene::with(&[]);
            scene.method = method.parse().expect("a method");
            let failure = methods.request(&scene.request(), &scene.route()).denied();
            assert_eq!(failure.is_some(), refused, "{method}");
            if let Some(failure) = failure {
                assert!(
                    matches!(failure.fault, Fault::Denied(c) if c.id == "client_method_refused")
                );
                assert_eq!(failure.evidence.text(Key::Method), Some(method));
                assert!(!ALLOW.contains(method));
            }
        }
    }

    #[test]
    fn options_counts_its_hops() {
        for (method, fields, left, sent) in [
            (Method::OPTIONS, &["5"][..], Some(5), Some("4")),
            (Method::OPTIONS, &["1"], Some(1), Some("0")),
            (Method::OPTIONS, &["0"], Some(0), None),
            (Method::OPTIONS, &["00"], Some(0), None),
            (Method::OPTIONS, &["99999999999999999999"], Some(u32::MAX), Some("4294967294")),
            (Method::OPTIONS, &[], None, None),
            (Method::OPTIONS, &[""], None, None),
            (Method::OPTIONS, &["-1"], None, None),
            (Method::OPTIONS, &["1", "1"], None, None),
            (Method::GET, &["5"], None, None),
        ] {
            let fields: Vec<_> = fields.iter().map(|value| ("max-forwards", *value)).collect();
            let mut scene = Scene::with(&fields);
            scene.method = method;
            assert_eq!(max_forwards(&scene.request()), left, "{fields:?}");
            let mut out = http::HeaderMap::new();
            Methods::new("edge").forward(&scene.request(), &scene.route(), &mut out);
            let sent_on = out.get(MAX_FORWARDS).map(|value| value.to_str().expect("a number"));
            assert_eq!(sent_on, sent, "{fields:?}");
        }
    }
}
