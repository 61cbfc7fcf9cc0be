//! The header section (RFC 9112 section 5).

use http::Version;
use httparse::{EMPTY_HEADER, Header, Status, parse_headers};

use super::line::{RequestLine, is_authority};
use super::rule::Rule;
use super::{FIELDS_MAX, Framing, HeadFacts};
use crate::attribution::cause::client;
use crate::attribution::{Failure, Key};

/// Most requests have fewer fields; it saves clearing the places of those that never come.
const FEW: usize = 32;

/// Reads the section of a head that is `length` long and has so many fields.
pub(super) fn read(
    buf: &[u8],
    request: &RequestLine,
    fields: usize,
    length: usize,
) -> Result<HeadFacts, Failure> {
    if fields <= FEW {
        gather(buf, request, length, &mut [EMPTY_HEADER; FEW])
    } else {
        gather(buf, request, length, &mut [EMPTY_HEADER; FIELDS_MAX])
    }
}

/// What the fields say that matter here.
#[derive(Default)]
struct Said<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    coding: Option<&'a [u8]>,
    expects_continue: bool,
    upgrade: bool,
}

fn gather<'a>(
    buf: &'a [u8],
    request: &RequestLine,
    length: usize,
    space: &mut [Header<'a>],
) -> Result<HeadFacts, Failure> {
    let section = &buf[request.length..length];
    let fields = match parse_headers(section, space) {
        Ok(Status::Complete((end, fields))) if end == section.len() => fields,
        _ => return Err(blame(section, request.length)),
    };
    let place = |part: &[u8]| part.as_ptr() as usize - buf.as_ptr() as usize;
    let mut said = Said::default();
    for field in fields {
        said.take(field).map_err(|rule| rule.at(place(field.name.as_bytes())))?;
    }
    let framing = said.framing(request.version).map_err(|(rule, at)| rule.at(place(at)))?;
    said.check_host(buf, request, place)?;
    let method = &buf[request.method.clone()];
    if method == b"CONNECT" || method == b"TRACE" {
        let name = String::from_utf8_lossy(method).into_owned();
        return Err(Failure::denied(&client::CLIENT_METHOD_REFUSED).with(Key::Method, name));
    }
    let newer = request.version == Version::HTTP_11;
    Ok(HeadFacts {
        length,
        method: request.method.clone(),
        target: request.target.clone(),
        version: request.version,
        host: said.host.map(|host| place(host)..place(host) + host.len()),
        framing,
        expects_continue: newer && said.expects_continue,
        upgrade: newer && said.upgrade,
    })
}

impl<'a> Said<'a> {
    fn take(&mut self, field: &Header<'a>) -> Result<(), Rule> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            4 if is("host") && self.host.replace(field.value).is_some() => {
                return Err(Rule::TwoHosts);
            }
            14 if is("content-length") => self.take_length(field.value)?,
            17 if is("transfer-encoding") && self.coding.replace(field.value).is_some() => {
                return Err(Rule::CodingUnknown);
            }
            6 if is("expect") => {
                self.expects_continue = field.value.eq_ignore_ascii_case(b"100-continue");
            }
            7 if is("upgrade") => self.upgrade = true,
            // `http::HeaderName` takes no longer ones.
            n if n >= usize::from(u16::MAX) => return Err(Rule::FieldName),
            _ => {}
        }
        Ok(())
    }

    /// A list of equal numbers stands for the one (RFC 9110 section 8.6).
    fn take_length(&mut self, value: &[u8]) -> Result<(), Rule> {
        for part in value.split(|b| *b == b',') {
            let digits = part.trim_ascii();
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Rule::LengthInvalid);
            }
            let length = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or(Rule::LengthInvalid)?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(Rule::LengthsDiffer);
            }
        }
        Ok(())
    }

    /// Where the body ends, or the rule that is broken and by what.
    fn framing(&self, version: Version) -> Result<Framing, (Rule, &'a [u8])> {
        let Some(coding) = self.coding else {
            return Ok(match self.length {
                None | Some(0) => Framing::None,
                Some(length) => Framing::Length(length),
            });
        };
        if version == Version::HTTP_10 {
            return Err((Rule::CodingOnOldVersion, coding));
        }
        if self.length.is_some() {
            return Err((Rule::LengthWithCoding, coding));
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err((Rule::CodingUnknown, coding));
        }
        Ok(Framing::Chunked)
    }

    fn check_host(
        &self,
        buf: &[u8],
        request: &RequestLine,
        place: impl Fn(&[u8]) -> usize,
    ) -> Result<(), Failure> {
        let Some(host) = self.host else {
            return if request.version == Version::HTTP_11 {
                Err(Rule::NoHost.broken())
            } else {
                Ok(())
            };
        };
        if host.contains(&b'@') {
            return Err(Rule::UserInfo.at(place(host)));
        }
        if !host.is_empty() && !is_authority(host) {
            return Err(Rule::Host.at(place(host)));
        }
        match &request.authority {
            Some(authority) if buf[authority.clone()] != *host => {
                Err(Rule::HostDiffers.at(place(host)))
            }
            _ => Ok(()),
        }
    }
}

/// Finds the rule that a section breaks which the parser refused, and the place. `start` is the
/// section's own.
fn blame(section: &[u8], start: usize) -> Failure {
    let mut at = start;
    for line in section.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if let Some((rule, offset)) = broken(text) {
            return rule.at(at + offset);
        }
        at += line.len();
    }
    Rule::FieldValue.at(start)
}

fn broken(line: &[u8]) -> Option<(Rule, usize)> {
    if let Some(at) = line.iter().position(|b| matches!(b, 0 | b'\r')) {
        return Some((if line[at] == 0 { Rule::Nul } else { Rule::BareCr }, at));
    }
    if line.first().is_some_and(|b| b" \t".contains(b)) {
        return Some((Rule::Fold, 0));
    }
    let Some(colon) = line.iter().position(|b| *b == b':') else {
        return (!line.is_empty()).then_some((Rule::NoColon, 0));
    };
    let name = &line[..colon];
    if name.trim_ascii_end().len() < name.len() {
        return Some((Rule::SpaceBeforeColon, name.trim_ascii_end().len()));
    }
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    if name.is_empty() || !name.iter().all(token) {
        return Some((Rule::FieldName, name.iter().position(|b| !token(b)).unwrap_or(0)));
    }
    let value = &line[colon..];
    let bad = value.iter().position(|b| b.is_ascii_control() && *b != b'\t')?;
    Some((Rule::FieldValue, colon + bad))
}

/// The name of the largest field line of a section, bounded and escaped.
pub(super) fn largest(section: &[u8]) -> String {
    let line = section.split(|b| *b == b'\n').max_by_key(|line| line.len()).unwrap_or_default();
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    name[..name.len().min(64)].escape_ascii().to_string()
}
