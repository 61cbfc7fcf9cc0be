//! A listener that sends everybody to HTTPS.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};
use pingora::proxy::Session;
use whodunit_filters::attribution::Failure;
use whodunit_filters::head::Rule;
use whodunit_filters::path::{Readings, is_plain};

use crate::answer::Answer;

/// The port of HTTPS, which needs no mention.
const HTTPS: u16 = 443;

/// Where requests are sent instead of being served: to the same host and target by HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The port there.
    pub port: u16,
    /// The status: 301, 302, 307 or 308.
    pub status: StatusCode,
    /// How paths begin that are served nevertheless, such as `/.well-known/acme-challenge/`: in their
    /// normal form, and to [everybody](whodunit_filters::path) who reads them.
    pub except: Vec<String>,
}

impl Default for Redirect {
    /// To port 443 for good and with the method that was used (308), whatever the path.
    fn default() -> Self {
        Self { port: HTTPS, status: StatusCode::PERMANENT_REDIRECT, except: Vec::new() }
    }
}

impl Redirect {
    /// The answer to a request; `None` where it is to be served, or refused for what it is.
    ///
    /// # Errors
    /// `client_request_malformed` or `client_request_ambiguous`, where it does not say whom it is for.
    pub(crate) fn answer(&self, session: &Session) -> Result<Option<Answer>, Failure> {
        let request = session.req_header();
        let path = request.uri.path();
        if [Method::CONNECT, Method::TRACE].contains(&request.method)
            || !self.except.is_empty() && self.excepts(path)
        {
            return Ok(None);
        }
        let field = match request.headers.get(HOST) {
            Some(host) => Authority::try_from(host.as_bytes()).ok(),
            None => request.uri.authority().cloned(),
        };
        let authority = field.filter(|authority| !authority.host().is_empty());
        let host = authority.as_ref().map(Authority::host).ok_or_else(|| Rule::NoHost.broken())?;
        // An asterisk asks for the server as a whole (RFC 9112 section 3.2.4).
        let target = match request.raw_path() {
            b"*" => &b""[..],
            target if target.starts_with(b"/") => target,
            _ => {
                request.uri.path_and_query().map_or(&b"/"[..], |target| target.as_str().as_bytes())
            }
        };
        let mut location = format!("https://{host}").into_bytes();
        if self.port != HTTPS {
            location.extend_from_slice(format!(":{}", self.port).as_bytes());
        }
        location.extend_from_slice(target);
        let location = HeaderValue::from_bytes(&location).map_err(|_| Rule::Target.broken())?;
        Ok(Some(Answer::new(self.status).with("Location", location)))
    }
    fn excepts(&self, path: &str) -> bool {
        let begins =
            |path: &str| self.except.iter().any(|begins| path.starts_with(begins.as_str()));
        if is_plain(path) {
            return begins(path);
        }
        Readings::of(path).all(|reading| reading.is_ok_and(|path| begins(&path)))
    }
}
