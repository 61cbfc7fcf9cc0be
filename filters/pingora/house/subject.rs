//! Whose a client's certificate is: its subject as RFC 4514 writes it, in printable ASCII alone, so
//! that it can stand in a header field and no part of it passes for another.

use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer;
use x509_parser::x509::AttributeTypeAndValue;

/// The most bytes of it.
const MOST: usize = 1024;

/// The subject; `None` where it has none, or a longer one than anybody should have.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut subject = String::new();
    // The last part comes first (section 2.1).
    for part in certificate.subject().iter_rdn().collect::<Vec<_>>().into_iter().rev() {
        if !subject.is_empty() {
            subject.push(',');
        }
        for (place, attribute) in part.iter().enumerate() {
            if place > 0 {
                subject.push('+');
            }
            write(attribute, &mut subject);
        }
    }
    Some(subject).filter(|text| !text.is_empty() && text.len() <= MOST).map(Into::into)
}

fn write(attribute: &AttributeTypeAndValue<'_>, out: &mut String) {
    match oid2abbrev(attribute.attr_type(), oid_registry()) {
        Ok(name) => out.push_str(name),
        Err(_) => out.push_str(&attribute.attr_type().to_id_string()),
    }
    out.push('=');
    if let Ok(text) = attribute.as_str() {
        return escape(text.as_bytes(), out);
    }
    out.push('#');
    for byte in attribute.as_slice() {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Section 2.4; what is not printable ASCII is written by its bytes.
fn escape(value: &[u8], out: &mut String) {
    for (place, byte) in value.iter().enumerate() {
        let edge = place == 0 || place + 1 == value.len();
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b'=' => {
                out.extend(['\\', char::from(*byte)]);
            }
            b'#' if place == 0 => out.push_str("\\#"),
            b' ' if edge => out.push_str("\\ "),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_passes_for_another() {
        for (value, written) in [
            ("app", "app"),
            ("a,CN=admin", "a\\,CN\\=admin"),
            (" a b ", "\\ a b\\ "),
            ("#a#", "\\#a#"),
            ("é\r\nX: y", "\\c3\\a9\\0d\\0aX: y"),
        ] {
            let mut out = String::new();
            escape(value.as_bytes(), &mut out);
            assert_eq!(out, written);
        }
    }
}
