//! Limits: how large and how many things may be. A refusal names the size, the limit, the setting
//! that holds it, and the largest field.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::attribution::cause::client;
use crate::attribution::{Cause, Failure, Fault, Key, Phase, Side};
use crate::chain::{Filter, RequestView, ResponseView, RouteView, Verdict};
use crate::layers::{Set, layers};
use crate::units::Size;

layers! {
    "limits":
    /// How large and how many things may be.
    Limits,
    /// What a route or an upstream changes about [`Limits`].
    LimitsOverride,
    /// The limits in force somewhere, each with the place of its setting.
    LimitsInForce;

    anywhere {
        /// A request's header section: its field lines and the empty line after them. Default `32KiB`.
        request_header: Size = Size::kib(32),
        /// Field lines in a request's header section. Default `100`.
        request_headers: u32 = 100,
        /// The request target. Default `32KiB`.
        request_uri: Size = Size::kib(32),
        /// A request's body. No limit by default.
        request_body: Option<Size> = None,
        /// An answer's header section, likewise. Default `64KiB`.
        response_header: Size = Size::kib(64),
        /// Field lines in an answer's header section. Default `256`.
        response_headers: u32 = 256,
        /// One field line of an answer. Default `32KiB`.
        response_header_line: Size = Size::kib(32),
        /// An answer's body. No limit by default.
        response_body: Option<Size> = None,
    }
    global {
        /// Open client connections. Default `20000`.
        connections: u32 = 20_000,
        /// Open connections of one client: of an address, or of a network of 64 bits in IPv6. A proxy
        /// in front counts as one, unless it tells whose connection it is by the PROXY protocol. No
        /// limit by default.
        connections_per_client: Option<u32> = None,
        /// Requests on one client connection; it is closed in good order after the last. No limit by
        /// default.
        requests_per_connection: Option<u32> = None,
    }
}

/// The filter that holds requests and answers to the limits in force on their route.
#[derive(Debug)]
pub struct Limiter(());

/// The longest part of a field's name that evidence keeps.
const NAME: usize = 64;

/// The empty line that ends a header section.
const END: u64 = 2;

/// The sizes of a header section, as it would be written in HTTP/1.1: its field lines and the
/// empty line after them.
struct Section<'a> {
    size: u64,
    count: u64,
    largest: Option<(&'a HeaderName, u64)>,
}

impl<'a> Section<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut section = Self { size: END, count: 0, largest: None };
        for (name, value) in headers {
            let line = name.as_str().len() as u64 + value.len() as u64 + ": \r\n".len() as u64;
            section.size += line;
            section.count += 1;
            if section.largest.is_none_or(|(_, largest)| line > largest) {
                section.largest = Some((name, line));
            }
        }
        section
    }

    /// The failure to name if this section breaks one of two limits.
    fn over(
        &self,
        limit: &Set<Size>,
        max_count: &Set<u32>,
        failure: impl FnOnce() -> Failure,
    ) -> Option<Failure> {
        let failure = if self.size > limit.value.0 {
            failure()
                .with(Key::Size, self.size)
                .with(Key::Limit, limit.value.0)
                .with(Key::Setting, limit.setting())
        } else if self.count > max_count.value.into() {
            failure()
                .with(Key::Size, self.size)
                .with(Key::Count, self.count)
                .with(Key::MaxCount, u64::from(max_count.value))
                .with(Key::Setting, max_count.setting())
        } else {
            return None;
        };
        Some(match self.largest {
            Some((name, _)) => failure.with(Key::Field, bounded(name)),
            None => failure,
        })
    }
}

fn bounded(name: &HeaderName) -> String {
    name.as_str().chars().take(NAME).collect()
}

/// What is declared as the length of a body; more than can be counted is as much as can be. A
/// declaration that is no number declares nothing here: that is for who judges framing.
fn declared(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?.as_bytes();
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(length.saturating_mul(10).saturating_add(digit))
    })
}

/// The failure of a body of `size` bytes, if that is too large.
fn body(
    size: u64,
    limit: &Set<Option<Size>>,
    declared: bool,
    failure: impl FnOnce() -> Failure,
) -> Option<Failure> {
    limit.value.filter(|limit| size > limit.0).map(|value| {
        failure()
            .with(Key::Size, size)
            .with(Key::Limit, value.0)
            .with(Key::Setting, limit.setting())
            .with(Key::Declared, declared)
    })
}

fn denied(cause: Cause) -> impl FnOnce() -> Failure {
    move || Failure::denied(cause)
}

fn failed(phase: Phase, fault: Fault) -> impl FnOnce() -> Failure {
    move || Failure::new(Side::Origin, phase, fault)
}

/// Whether a body follows an answer's header section (RFC 9112 section 6.3).
fn followed(response: &ResponseView<'_>) -> bool {
    response.method != Method::HEAD
        && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status)
        && !response.status.is_informational()
}

impl Limiter {
    pub(crate) const fn new(_: &str, _: &Limits) -> Self {
        Self(())
    }
}

/// The refusal of a request target of `size` bytes, if that is too long.
fn target(size: u64, limits: &LimitsInForce) -> Option<Failure> {
    (size > limits.request_uri.value.0).then(|| {
        Failure::denied(&client::CLIENT_URI_TOO_LONG)
            .with(Key::Size, size)
            .with(Key::Limit, limits.request_uri.value.0)
            .with(Key::Setting, limits.request_uri.setting())
    })
}

impl Filter for Limiter {
    fn request(&self, request: &RequestView<'_>, route: &RouteView<'_>) -> Verdict {
        let limits = route.limits;
        target(request.target.len() as u64, limits)
            .or_else(|| {
                Section::of(request.headers).over(
                    &limits.request_header,
                    &limits.request_headers,
                    denied(&client::CLIENT_HEADER_TOO_LARGE),
                )
            })
            .or_else(|| {
                let size = declared(request.headers)?;
                body(size, &limits.request_body, true, denied(&client::CLIENT_BODY_TOO_LARGE))
            })
            .into()
    }

    fn request_body(&self, so_far: u64, route: &RouteView<'_>) -> Verdict {
        let refused = denied(&client::CLIENT_BODY_TOO_LARGE);
        body(so_far, &route.limits.request_body, false, refused).into()
    }

    fn response(&self, response: &ResponseView<'_>, route: &RouteView<'_>) -> Verdict {
        let limits = route.limits;
        let section = Section::of(response.headers);
        let line = &limits.response_header_line;
        let too_long = section.largest.filter(|(_, size)| *size > line.value.0);
        if let Some((name, size)) = too_long {
            return failed(Phase::Wait, Fault::HeaderLineTooLarge)()
                .with(Key::Size, size)
                .with(Key::Limit, line.value.0)
                .with(Key::Setting, line.setting())
                .with(Key::Field, bounded(name))
                .into();
        }
        section
            .over(
                &limits.response_header,
                &limits.response_headers,
                failed(Phase::Wait, Fault::HeaderTooLarge),
            )
            .or_else(|| {
                let size = declared(response.headers).filter(|_| followed(response))?;
                let failure = failed(Phase::Wait, Fault::BodyTooLarge);
                body(size, &limits.response_body, true, failure)
            })
            .into()
    }

    fn response_body(&self, so_far: u64, _: std::time::Duration, route: &RouteView<'_>) -> Verdict {
        let failure = failed(Phase::Receive, Fault::BodyTooLarge);
        body(so_far, &route.limits.response_body, false, failure).into()
    }
}

#[cfg(test)]
mod tests;
