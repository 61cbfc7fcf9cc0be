//! Texts with variables, filled in.

use http::header::HOST;
use http::{HeaderValue, StatusCode};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use whodunit_conf::Way;
use whodunit_conf::schema::route::template::{Part, Variable};
use whodunit_pingora::Noted;

use crate::routes::bare;

/// A text of a route, ready to be filled in.
#[derive(Clone, Debug)]
pub(super) struct Text(Vec<Part>);

impl Text {
    /// The text, with what is the same for all requests of its route filled in.
    pub(super) fn of(parts: &[Part], way: &Way) -> Self {
        let parts = parts.iter().map(|part| match part {
            Part::Variable(Variable::Route) => Part::Text(way.name.clone()),
            Part::Variable(Variable::Upstream) => {
                Part::Text(way.upstream.clone().unwrap_or_default())
            }
            other => other.clone(),
        });
        Self(parts.collect())
    }

    /// Whether it begins with this, whatever the request.
    pub(super) fn begins(&self, with: &str) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.starts_with(with))
    }

    /// The text for a request, and for an answer with this status.
    pub(super) fn fill(&self, session: &Session, status: Option<StatusCode>) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => put(variable, session, status, &mut out),
            }
        }
        out
    }

    /// The same as the value of a field; `None` where that is empty, or cannot be one.
    pub(super) fn value(
        &self,
        session: &Session,
        status: Option<StatusCode>,
    ) -> Option<HeaderValue> {
        let text = self.fill(session, status);
        let text = text.trim_ascii();
        (!text.is_empty()).then(|| HeaderValue::from_bytes(text).ok()).flatten()
    }
}

fn put(variable: &Variable, session: &Session, status: Option<StatusCode>, out: &mut Vec<u8>) {
    let request = session.req_header();
    let known = session.known();
    let mut put = |text: &[u8]| out.extend_from_slice(text);
    match variable {
        Variable::Client => {
            if let Some(client) = known.and_then(|known| known.client) {
                put(client.to_string().as_bytes());
            }
        }
        Variable::Host => {
            if let Some(host) = request.headers.get(HOST).and_then(|host| host.to_str().ok()) {
                put(bare(host).to_ascii_lowercase().as_bytes());
            }
        }
        Variable::Path => put(path(request).0),
        Variable::Query => put(path(request).1.unwrap_or_default()),
        Variable::Uri => {
            let (path, query) = path(request);
            put(path);
            if let Some(query) = query {
                put(b"?");
                put(query);
            }
        }
        Variable::Method => put(request.method.as_str().as_bytes()),
        Variable::Scheme => {
            let digest = session.as_downstream().digest();
            let secure = digest.is_some_and(|digest| digest.ssl_digest.is_some());
            put(if secure { b"https" } else { b"http" });
        }
        Variable::Id => {
            if let Some(known) = known {
                put(known.id.as_str().as_bytes());
            }
        }
        Variable::Node => {
            if let Some(known) = known {
                put(known.node().as_bytes());
            }
        }
        Variable::Listener => {
            if let Some(name) = known.and_then(|known| known.listener(session)) {
                put(name.as_bytes());
            }
        }
        Variable::Status => {
            if let Some(status) = status {
                put(status.as_str().as_bytes());
            }
        }
        Variable::Field(name) => {
            if let Some(value) = request.headers.get(name) {
                put(value.as_bytes());
            }
        }
        // Filled in already: they are the same for all requests.
        Variable::Route | Variable::Upstream => {}
    }
}

/// Path and query as they were sent, without what may stand before them.
pub(super) fn path(request: &RequestHeader) -> (&[u8], Option<&[u8]>) {
    let raw = request.raw_path();
    if !raw.starts_with(b"/") {
        let query = request.uri.query().map(str::as_bytes);
        return (request.uri.path().as_bytes(), query);
    }
    match raw.iter().position(|byte| *byte == b'?') {
        Some(at) => (&raw[..at], Some(&raw[at + 1..])),
        None => (raw, None),
    }
}
