//! Listeners: how they are spoken to.

use super::{Check, paths, steps};
use crate::schema::address::Address;
use crate::schema::listener::{Listener, ListenerTls, Upgrade};
use crate::tree::Step;

pub(super) fn check(check: &mut Check<'_>) {
    for (place, listener) in check.config.listeners.iter().enumerate() {
        socket(check, place, listener);
        sent(check, place, listener);
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

/// Each kind of socket has a setting of its own.
fn socket(check: &mut Check<'_>, place: usize, listener: &Listener) {
    let unix = matches!(listener.address, Address::Unix(_));
    for (key, set, of_unix, kind) in [
        ("mode", listener.mode.is_some(), true, "a Unix socket"),
        ("reuse_port", listener.reuse_port, false, "an IP address and a port"),
    ] {
        let path = steps!["listeners", place, key];
        if set && unix != of_unix && check.knows(&path) {
            let says = format!("`{key}` is for a listener at {kind}");
            let problem = check.error(&path, says).help("remove it");
            check.push(problem);
        }
    }
}

fn sent(check: &mut Check<'_>, place: usize, listener: &Listener) {
    let Some(redirect) = listener.redirect.as_ref().map(Upgrade::settings) else { return };
    let path = steps!["listeners", place, "redirect"];
    if ![301, 302, 307, 308].contains(&redirect.status) {
        let inner = steps!["listeners", place, "redirect", "status"];
        let says = format!("{} is not the status of a redirect", redirect.status);
        let problem = check.error(&inner, says).help("write 301, 302, 307 or 308");
        check.push(problem);
    }
    for (nth, begins) in redirect.except.iter().enumerate() {
        let inner = steps!["listeners", place, "redirect", "except", nth];
        paths::check_prefix(check, &inner, begins.as_str());
    }
    let own = matches!(listener.address, Address::Tcp(at) if at.port() == redirect.port);
    if own && listener.tls.is_some() {
        let says = "this listener speaks TLS, and would send its clients to itself".to_owned();
        let problem = check.error(&path, says).help("set it for a listener without `tls`");
        check.push(problem);
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
