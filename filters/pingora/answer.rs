//! Answers that a service gives in the origin's place, and changes to header sections.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use whodunit_filters::attribution::Failure;

/// An answer in the origin's place. It is written once everything has judged the request, counted
/// and recorded as this proxy's own. With a status from 400 on it is an error like any other.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, from 200 on.
    pub status: StatusCode,
    /// Fields, their names as they are to be spelt. Those about the body's length and the date are
    /// not among them.
    pub fields: Vec<(String, HeaderValue)>,
    /// The body. It is left out where there can be none.
    pub body: Bytes,
    /// Why an error is one. Default: `denied_by_policy`.
    pub failure: Option<Failure>,
}

impl Answer {
    /// An answer with nothing but a status.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self { status, fields: Vec::new(), body: Bytes::new(), failure: None }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: HeaderValue) -> Self {
        self.fields.push((name.to_owned(), value));
        self
    }
}

/// A change to a header section. Names are as they are to be spelt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a field, in place of all of that name.
    Set(String, HeaderValue),
    /// Adds a line after those of that name.
    Append(String, HeaderValue),
    /// Takes away all lines of that name.
    Remove(String),
}

impl Change {
    /// Makes the change to a request. A name that is no name changes nothing.
    pub fn request(self, request: &mut RequestHeader) {
        match self {
            Self::Set(name, value) => drop(request.insert_header(name, value)),
            Self::Append(name, value) => drop(request.append_header(name, value)),
            Self::Remove(name) => drop(request.remove_header(name.as_str())),
        }
    }

    /// Makes the change to an answer, likewise.
    pub fn response(self, response: &mut ResponseHeader) {
        match self {
            Self::Set(name, value) => drop(response.insert_header(name, value)),
            Self::Append(name, value) => drop(response.append_header(name, value)),
            Self::Remove(name) => drop(response.remove_header(name.as_str())),
        }
    }
}

/// Changes to the header sections of answers that are made here, errors as well. What such an answer
/// itself says stays: a field that it has is not set anew, and none is taken away.
pub trait Dress: Send + Sync {
    /// The changes to the answer with this status to this request.
    fn changes(&self, session: &Session, status: StatusCode) -> Vec<Change>;
}
