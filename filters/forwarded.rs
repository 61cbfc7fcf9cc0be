//! What the origin is told about who asked, and by which way: `Via`, `X-Forwarded-*`, `Forwarded`
//! and `X-Request-Id`. From a trusted peer its word is taken and added to; from any other it is
//! replaced. `traceparent` passes as it came.

use std::fmt::Write;
use std::net::IpAddr;

use arrayvec::ArrayString;
use http::header::{FORWARDED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chain::{Edit, Filter, Peer, RequestView, RouteView};
use crate::node;
use crate::trust::{self, Trust, X_FORWARDED_FOR};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whose word about the client is believed, and how the origin is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardedSettings {
    /// The proxies in front of this one. Default `[private]`.
    pub trusted: Vec<Trust>,
    /// Whether `Forwarded` (RFC 7239) is sent in any case. By default it is sent only where a
    /// trusted peer sent one.
    pub header: bool,
}

impl Default for ForwardedSettings {
    fn default() -> Self {
        Self { trusted: vec![Trust::Private], header: false }
    }
}

/// The filter that tells the origin.
#[derive(Debug)]
pub struct Forwarded {
    trusted: Vec<Trust>,
    header: bool,
    /// `Via` for a request that came in HTTP/1.0, HTTP/1.1 and HTTP/2 (RFC 9110 section 7.6.3).
    via: [HeaderValue; 3],
}

impl Forwarded {
    pub(crate) fn new(node: &str, settings: &ForwardedSettings) -> Self {
        let node = node::identifier(node);
        let via = ["1.0", "1.1", "2.0"].map(|version| {
            HeaderValue::try_from(format!("{version} {node}")).expect("an identifier is a token")
        });
        Self { trusted: settings.trusted.clone(), header: settings.header, via }
    }

    /// The client itself, seen through the proxies that are trusted: the nearest station on
    /// `X-Forwarded-For` that is not, going back from the peer. `None` if nothing but a Unix socket
    /// is known.
    #[must_use]
    pub fn real_client(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        trust::real_client(&self.trusted, peer, headers)
    }

    /// Whether the peer is a proxy whose word about the client is believed.
    #[must_use]
    pub fn trusts(&self, peer: Peer) -> bool {
        trust::trusts(&self.trusted, peer)
    }

    fn via(&self, version: Version) -> HeaderValue {
        let [http10, http11, http2] = &self.via;
        match version {
            Version::HTTP_09 | Version::HTTP_10 => http10,
            Version::HTTP_2 => http2,
            _ => http11,
        }
        .clone()
    }
}

impl Filter for Forwarded {
    fn forward(&self, request: &RequestView<'_>, _: &RouteView<'_>, edit: &mut dyn Edit) {
        let trusted = trust::trusts(&self.trusted, request.peer);
        let told = |name: HeaderName| {
            request.headers.get(name).filter(|value| trusted && !value.is_empty()).cloned()
        };
        edit.append(VIA, self.via(request.version));
        put(edit, X_FORWARDED_FOR, forwarded_for(request, trusted));
        let proto = || HeaderValue::from_static(scheme(request));
        let proto = told(X_FORWARDED_PROTO).unwrap_or_else(proto);
        edit.set(X_FORWARDED_PROTO, proto);
        let host = || HeaderValue::from_str(request.host?).ok();
        put(edit, X_FORWARDED_HOST, told(X_FORWARDED_HOST).or_else(host));
        let asked = self.header || (trusted && request.headers.contains_key(FORWARDED));
        let forwarded =
            asked.then(|| extended(request, &FORWARDED, trusted, Some(&element(request))));
        put(edit, FORWARDED, forwarded.flatten());
        let id = HeaderValue::from_str(request.id.as_str()).expect("an id is a token");
        edit.set(X_REQUEST_ID, id);
    }
}

/// `X-Forwarded-For` with the peer's address at its end.
fn forwarded_for(request: &RequestView<'_>, trusted: bool) -> Option<HeaderValue> {
    // The longest address has 45 letters.
    let mut text = ArrayString::<48>::new();
    if let Some(ip) = request.peer.ip() {
        write!(text, "{ip}").expect("there is room for any address");
    }
    if trusted && request.headers.contains_key(X_FORWARDED_FOR) {
        return extended(request, &X_FORWARDED_FOR, trusted, Some(text.as_str()));
    }
    Some(text.as_str()).filter(|ip| !ip.is_empty()).and_then(|ip| HeaderValue::from_str(ip).ok())
}

/// Sets a field, or takes it away where there is nothing to say.
fn put(edit: &mut dyn Edit, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => edit.set(name, value),
        None => edit.remove(&name),
    }
}

const fn scheme(request: &RequestView<'_>) -> &'static str {
    if request.secure { "https" } else { "http" }
}

/// A list field as a trusted peer sent it, with one more element.
fn extended(
    request: &RequestView<'_>,
    name: &HeaderName,
    trusted: bool,
    last: Option<&str>,
) -> Option<HeaderValue> {
    let came = request.headers.get_all(name).iter().filter(|_| trusted);
    let elements: Vec<&[u8]> = came
        .map(HeaderValue::as_bytes)
        .chain(last.map(str::as_bytes))
        .filter(|element| !element.is_empty())
        .collect();
    if elements.is_empty() {
        return None;
    }
    HeaderValue::try_from(elements.join(&b", "[..])).ok()
}

/// This hop's element of `Forwarded` (RFC 7239 section 4).
fn element(request: &RequestView<'_>) -> String {
    let mut element = match request.peer.ip() {
        Some(IpAddr::V4(ip)) => format!("for={ip}"),
        Some(IpAddr::V6(ip)) => format!("for=\"[{ip}]\""),
        None => "for=unknown".to_owned(),
    };
    if let Some(host) = request.host {
        element.push_str(";host=");
        if !host.is_empty() && host.bytes().all(node::is_token) {
            element.push_str(host);
        } else {
            element.push('"');
            for char in host.chars() {
                if matches!(char, '"' | '\\') {
                    element.push('\\');
                }
                element.push(char);
            }
            element.push('"');
        }
    }
    write!(element, ";proto={}", scheme(request)).expect("a string takes all that is written");
    element
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Scene;

    fn sent(filter: &Forwarded, scene: &Scene, request: &RequestView<'_>) -> HeaderMap {
        let mut headers = scene.headers.clone();
        filter.forward(request, &scene.route(), &mut headers);
        headers
    }

    fn field<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        headers.get_all(name).iter().map(|value| value.to_str().expect("readable")).collect()
    }

    fn told() -> Scene {
        Scene::with(&[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "10.0.0.3"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "www.example.net"),
            ("forwarded", "for=203.0.113.9"),
            ("via", "1.1 front"),
            ("x-request-id", "bad id"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ])
    }

    #[test]
    fn a_trusted_peers_word_is_added_to() {
        let scene = told();
        let filter = Forwarded::new("edge", &ForwardedSettings::default());
        let out = sent(&filter, &scene, &scene.request());
        assert_eq!(field(&out, "x-forwarded-for"), ["203.0.113.9, 10.0.0.3, 10.0.0.7"]);
        assert_eq!(field(&out, "x-forwarded-proto"), ["https"]);
        assert_eq!(field(&out, "x-forwarded-host"), ["www.example.net"]);
        let element = "for=203.0.113.9, for=10.0.0.7;host=app.example.net;proto=http";
        assert_eq!(field(&out, "forwarded"), [element]);
        assert_eq!(field(&out, "via"), ["1.1 front", "1.1 edge"]);
        assert_eq!(field(&out, "x-request-id"), ["request-1"]);
        assert_eq!(out.get("traceparent"), scene.headers.get("traceparent"));
        let client = filter.real_client(scene.peer, &scene.headers);
        assert_eq!(client, Some([203, 0, 113, 9].into()));
    }

    #[test]
    fn anybody_elses_word_is_replaced() {
        let mut scene = told();
        scene.peer = Peer::Inet("[2001:db8::7]:1".parse().expect("an address"));
        let filter = Forwarded::new("edge", &ForwardedSettings::default());
        let mut request = scene.request();
        request.secure = true;
        request.version = Version::HTTP_10;
        let out = sent(&filter, &scene, &request);
        assert_eq!(field(&out, "x-forwarded-for"), ["2001:db8::7"]);
        assert_eq!(field(&out, "x-forwarded-proto"), ["https"]);
        assert_eq!(field(&out, "x-forwarded-host"), ["app.example.net"]);
        assert_eq!(field(&out, "forwarded"), [""; 0]);
        assert_eq!(field(&out, "via"), ["1.1 front", "1.0 edge"]);
        let asked = ForwardedSettings { header: true, ..ForwardedSettings::default() };
        request.host = Some("app:8080");
        let out = sent(&Forwarded::new("edge", &asked), &scene, &request);
        let element = "for=\"[2001:db8::7]\";host=\"app:8080\";proto=https";
        assert_eq!(field(&out, "forwarded"), [element]);
    }

    #[test]
    fn a_peer_without_an_address_adds_none() {
        let mut scene = told();
        scene.peer = Peer::Unix;
        let filter = Forwarded::new("edge", &ForwardedSettings::default());
        let mut request = scene.request();
        request.host = Some("a\"b\u{1}");
        let out = sent(&filter, &scene, &request);
        assert_eq!(field(&out, "x-forwarded-for"), ["203.0.113.9, 10.0.0.3"]);
        assert_eq!(field(&out, "forwarded"), [""; 0], "a host that fits in no field");
        let nobody = ForwardedSettings { trusted: Vec::new(), header: true };
        let out = sent(&Forwarded::new("edge", &nobody), &scene, &scene.request());
        assert_eq!(field(&out, "x-forwarded-for"), [""; 0]);
        assert_eq!(field(&out, "forwarded"), ["for=unknown;host=app.example.net;proto=http"]);
    }
}
