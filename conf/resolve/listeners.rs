//! Listeners: how they are spoken to.

use super::{Check, steps};
use crate::schema::listener::ListenerTls;
use crate::tree::Step;

pub(super) fn check(check: &mut Check<'_>) {
    for (place, listener) in check.config.listeners.iter().enumerate() {
        let Some(tls) = &listener.tls else { continue };
        if listener.h2c && check.knows(&steps!["listeners", place, "h2c"]) {
            let says = "`h2c` has no effect with `tls`".to_owned();
            let help = "over TLS, HTTP/2 is offered by `tls.http2`";
            let problem = check.warning(&steps!["listeners", place, "h2c"], says).help(help);
            check.push(problem);
        }
        files(check, place, tls);
        doubles(check, place, tls);
    }
}

fn files(check: &mut Check<'_>, place: usize, tls: &ListenerTls) {
    let inside = |more: &[Step<'static>]| {
        let mut path = steps!["listeners", place, "tls"].to_vec();
        path.extend_from_slice(more);
        path
    };
    let mut files = Vec::new();
    for (nth, certificate) in tls.certificates.iter().enumerate() {
        files.push((inside(&steps!["certificates", nth, "cert"]), "cert", &certificate.cert));
        files.push((inside(&steps!["certificates", nth, "key"]), "key", &certificate.key));
    }
    if let Some(clients) = &tls.client_auth {
        files.push((inside(&steps!["client_auth", "ca"]), "ca", &clients.ca));
        let list = clients.crl.as_ref();
        files.extend(list.map(|list| (inside(&steps!["client_auth", "crl"]), "crl", list)));
    }
    for (path, key, file) in files {
        if file.as_os_str().is_empty() {
            let problem = check.error(&path, format!("`{key}` must name a file"));
            check.push(problem);
        }
    }
}

fn doubles(check: &mut Check<'_>, place: usize, tls: &ListenerTls) {
    let at = |nth| steps!["listeners", place, "tls", "certificates", nth, "cert"];
    for (nth, certificate) in tls.certificates.iter().enumerate() {
        let same =
            |other: &_| *other == certificate.cert && !certificate.cert.as_os_str().is_empty();
        let earlier = tls.certificates[..nth].iter().position(|other| same(&other.cert));
        if let Some(first) = earlier {
            let says = format!("`{}` is listed twice", certificate.cert.display());
            let first = check.at(&at(first));
            let problem = check.error(&at(nth), says).other(first, "first listed here");
            check.push(problem);
        }
    }
}
