//! The only writer of answers of our own.
#![expect(clippy::disallowed_methods, reason = "this is the place they are reserved for")]

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::date::get_cached_date;
use pingora::proxy::Session;
use whodunit_filters::attribution::page::{self, Grpc};
use whodunit_filters::attribution::{Diagnosis, header};
use whodunit_filters::methods;
use whodunit_filters::node::identifier;

use crate::answer::{Answer, Change};
use crate::context::Case;

/// The field that says who failed (RFC 9209).
pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
/// The same as it is spelt on the wire.
const SPELT: &str = "Proxy-Status";

/// Tells the client that its body is wanted (RFC 9110 section 15.2.1).
pub(crate) async fn invite(session: &mut Session) -> pingora::Result<()> {
    let told = session.as_downstream_mut().write_continue_response().await;
    told.map_err(pingora::Error::into_down)
}

/// An answer of our own.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    /// Names as they are spelt on the wire.
    fields: Vec<(Cow<'static, str>, HeaderValue)>,
    body: Bytes,
}

/// What of a request shapes the answer to it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) accept: Option<&'a [u8]>,
    pub(crate) head: bool,
    pub(crate) grpc: bool,
}

/// The same, to keep.
pub(crate) struct AskedFor {
    accept: Option<Box<[u8]>>,
    head: bool,
    grpc: bool,
    /// The service's changes to an answer with this status.
    changes: Option<(u16, Vec<Change>)>,
}

impl AskedFor {
    pub(crate) fn borrow(&self) -> Asked<'_> {
        Asked { accept: self.accept.as_deref(), head: self.head, grpc: self.grpc }
    }

    /// An answer with the service's changes, if these are the ones for it.
    pub(crate) fn dress(&self, answer: Reply) -> Reply {
        match &self.changes {
            Some((status, changes)) if *status == answer.status() => answer.dress(changes.clone()),
            _ => answer,
        }
    }
}

impl<'a> Asked<'a> {
    pub(crate) fn keep(self, changes: Option<(u16, Vec<Change>)>) -> AskedFor {
        let accept = self.accept.map(Box::from);
        AskedFor { accept, head: self.head, grpc: self.grpc, changes }
    }

    pub(crate) fn of(method: &Method, headers: &'a HeaderMap) -> Self {
        let grpc = Grpc::asked(headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes));
        Self {
            accept: headers.get(ACCEPT).map(HeaderValue::as_bytes),
            head: method == Method::HEAD,
            grpc,
        }
    }
}

impl Reply {
    /// The answer that tells this verdict.
    pub(crate) fn new(case: &Case, verdict: &Diagnosis, status: u16, asked: Asked<'_>) -> Self {
        let settings = &case.settings;
        let exchange = &case.exchange;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let ours =
            header::member(&settings.node, exchange, verdict, status.as_u16(), case.disclosure);
        let told = header::append(None, &ours);
        let mut fields: Vec<(Cow<'static, str>, HeaderValue)> =
            vec![("Date".into(), get_cached_date()), (SPELT.into(), value(&told.value))];
        if let Some(seconds) = verdict.retry_after() {
            fields.push(("Retry-After".into(), HeaderValue::from(seconds)));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            fields.push(("Allow".into(), HeaderValue::from_static(methods::ALLOW)));
        }
        for (name, text) in settings.statuses.extra_headers(verdict.cause) {
            fields.push(((*name).into(), HeaderValue::from_static(text)));
        }
        fields.push(("Cache-Control".into(), HeaderValue::from_static("no-store")));
        if asked.grpc {
            let grpc = Grpc::of(exchange, verdict, status.as_u16(), case.disclosure);
            fields.push(("Content-Type".into(), HeaderValue::from_static("application/grpc")));
            fields.push(("grpc-status".into(), HeaderValue::from(u16::from(grpc.status))));
            fields.push(("grpc-message".into(), value(&grpc.message)));
            return Self { status: StatusCode::OK, fields, body: Bytes::new() };
        }
        let body = page::body(
            asked.accept,
            exchange,
            verdict,
            status.as_u16(),
            case.disclosure,
            &settings.node,
            SystemTime::now(),
        );
        fields.push(("Vary".into(), HeaderValue::from_static("Accept")));
        fields.push(("Content-Type".into(), HeaderValue::from_static(body.content_type)));
        fields.push(("Content-Length".into(), HeaderValue::from(body.bytes.len())));
        let bytes = if asked.head { Bytes::new() } else { body.bytes };
        Self { status, fields, body: bytes }
    }

    /// An answer of the service's, with our own member of `Proxy-Status` if there is to be one.
    pub(crate) fn of(answer: Answer, ours: Option<&str>, head: bool) -> Self {
        let mut fields: Vec<(Cow<'static, str>, _)> = vec![("Date".into(), get_cached_date())];
        fields.extend(ours.map(|ours| (SPELT.into(), value(ours))));
        let theirs = answer.fields.into_iter().filter(|(name, _)| is_theirs(name));
        fields.extend(theirs.map(|(name, value)| (name.into(), value)));
        let none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&answer.status);
        if !none {
            let length = HeaderValue::from(answer.body.len());
            fields.push(("Content-Length".into(), length));
        }
        let body = if none || head { Bytes::new() } else { answer.body };
        Self { status: answer.status, fields, body }
    }

    /// The same with a service's changes, but for what it says itself.
    pub(crate) fn dress(mut self, changes: Vec<Change>) -> Self {
        let ours = self.fields.len();
        let has = |fields: &[(Cow<'static, str>, _)], name: &str| {
            fields[..ours].iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        for change in changes {
            match change {
                Change::Set(name, value) if is_theirs(&name) && !has(&self.fields, &name) => {
                    self.fields.push((name.into(), value));
                }
                Change::Append(name, value)
                    if is_theirs(&name) && !(has(&self.fields, &name) && once(&name)) =>
                {
                    self.fields.push((name.into(), value));
                }
                Change::Set(..) | Change::Append(..) | Change::Remove(_) => {}
            }
        }
        self
    }

    /// The status that the client will see.
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Writes the answer through Pingora; `close` says that no request may follow on the client's
    /// connection.
    pub(crate) async fn write(self, session: &mut Session, close: bool) -> pingora::Result<()> {
        let mut response = ResponseHeader::build(self.status, Some(self.fields.len() + 1))?;
        for (name, value) in self.fields {
            match name {
                Cow::Borrowed(name) => response.append_header(name, value)?,
                Cow::Owned(name) => response.append_header(name, value)?,
            };
        }
        if close {
            session.set_keepalive(None);
        }
        let end = self.body.is_empty();
        session.as_downstream_mut().write_response_header(Box::new(response)).await?;
        session.as_downstream_mut().write_response_body(self.body, true).await?;
        if end {
            session.as_downstream_mut().finish_body().await?;
        }
        Ok(())
    }

    /// The answer as the bytes of HTTP/1.1, for a connection that Pingora never sees; the
    /// connection is closed after it.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(512 + self.body.len());
        let reason = self.status.canonical_reason().unwrap_or("Error");
        out.put_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).as_bytes());
        for (name, value) in &self.fields {
            put_field(&mut out, name, value);
        }
        put_field(&mut out, "Connection", &HeaderValue::from_static("close"));
        out.put_slice(b"\r\n");
        out.put_slice(&self.body);
        out.freeze()
    }
}

impl Reply {
    /// The answer for a stream of HTTP/2 that Pingora does not have any more.
    pub(crate) fn response(&self) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body.clone());
        *response.status_mut() = self.status;
        for (name, value) in &self.fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("names were checked");
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

/// Whether a field is one that a service may give to an answer of ours: those about the message
/// itself are ours, and what is no name would break the header section.
fn is_theirs(name: &str) -> bool {
    const OURS: [&str; 6] =
        ["connection", "content-length", "date", "proxy-status", "transfer-encoding", "upgrade"];
    HeaderName::from_bytes(name.as_bytes())
        .is_ok_and(|name| !OURS.iter().any(|ours| name.as_str() == *ours))
}

/// Whether a field tells of an answer as a whole, and stands there once.
fn once(name: &str) -> bool {
    const ONCE: [&str; 4] = ["content-type", "location", "retry-after", "grpc-status"];
    ONCE.iter().any(|once| once.eq_ignore_ascii_case(name))
}

fn put_field(out: &mut BytesMut, name: &str, value: &HeaderValue) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

/// Answers a request that asks this very node what it can do: its methods, and by which name it
/// goes.
pub(crate) async fn describe(session: &mut Session, node: &str) -> pingora::Result<()> {
    let mut response = ResponseHeader::build(StatusCode::NO_CONTENT, Some(3))?;
    response.insert_header("Date", get_cached_date())?;
    response.insert_header("Allow", HeaderValue::from_static(methods::ALLOW))?;
    response.insert_header("Via", value(&format!("1.1 {}", identifier(node))))?;
    session.as_downstream_mut().write_response_header(Box::new(response)).await
}

/// Our member as a line of its own: a list may be spread over several (RFC 9110 section 5.3).
pub(crate) fn put_told(out: &mut BytesMut, ours: &str) {
    put_field(out, SPELT, &value(ours));
}

/// Adds our member to an answer that is passed on.
pub(crate) fn attach(response: &mut ResponseHeader, field: &header::Field) {
    response.remove_header(&PROXY_STATUS);
    // The value was written by the structured-field serialiser: printable ASCII.
    let _ = response.insert_header(SPELT, value(&field.value));
}

/// A header value from text that is ASCII by construction; what is not becomes `?`.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| {
        let ascii: String =
            text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        HeaderValue::from_str(&ascii).expect("printable ASCII is a header value")
    })
}
