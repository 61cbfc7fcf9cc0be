//! How listeners are secured: the files that their `tls` sections name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use whodunit_conf::schema::listener::{
    Certificate, ClientAuth as ClientSection, ListenerTls, TlsVersion,
};
use whodunit_conf::{Checked, Config, Problems, Step};
use whodunit_pingora::{Certified, ClientAuth, Flaw, ServerTls, ServerTlsSettings};

use crate::pem::{certificates, private_key, revoked};

/// What is wrong with a setting, or probably not meant, and the way to it.
pub(crate) type Found = (Vec<Step<'static>>, String);

/// A section with its files read.
pub(crate) struct Secured {
    pub(crate) tls: ServerTls,
    /// What is probably not meant.
    pub(crate) doubts: Vec<Found>,
}

/// Looks at the files of all listeners. Gives what is probably not meant.
///
/// # Errors
/// What cannot be used.
pub(crate) fn check(checked: &Checked) -> Result<Problems, Problems> {
    let (mut wrong, mut doubts) = (Vec::new(), Vec::new());
    for (place, listener) in checked.config.listeners.iter().enumerate() {
        match listener.tls.as_ref().map(|section| load(place, section, None)) {
            Some(Ok(secured)) => doubts.extend(secured.doubts),
            Some(Err(more)) => wrong.extend(more),
            None => {}
        }
    }
    if wrong.is_empty() { Ok(checked.warn_at(doubts)) } else { Err(checked.refuse_at(wrong)) }
}

/// Reads the files of the listener at this place. Sessions of what is in force there `before` go on.
///
/// # Errors
/// Every file that cannot be used, and why.
pub(crate) fn load(
    place: usize,
    section: &ListenerTls,
    before: Option<&ServerTls>,
) -> Result<Secured, Vec<Found>> {
    let (mut found, mut doubts) = (Vec::new(), Vec::new());
    let mut settings = ServerTlsSettings {
        only_tls13: section.min_version == TlsVersion::Tls13,
        http2: section.http2,
        ..ServerTlsSettings::default()
    };
    let mut names = HashMap::new();
    for (nth, certificate) in section.certificates.iter().enumerate() {
        let at = |key| below(place, &[Step::Key("certificates"), Step::Index(nth), Step::Key(key)]);
        match certified(certificate) {
            Ok(certified) => {
                let doubted = doubt(certificate, &certified, nth, &mut names);
                doubts.extend(doubted.into_iter().map(|says| (at("cert"), says)));
                settings.certificates.push(certified);
            }
            Err((key, says)) => found.push((at(key), says)),
        }
    }
    if let Some(clients) = &section.client_auth {
        match known(clients) {
            Ok(known) => settings.client_auth = Some(known),
            Err((key, says)) => {
                found.push((below(place, &[Step::Key("client_auth"), Step::Key(key)]), says));
            }
        }
    }
    if !found.is_empty() {
        return Err(found);
    }
    match ServerTls::new(&settings, before) {
        Ok(tls) => Ok(Secured { tls, doubts }),
        Err(flaw) => {
            let (key, says) = unusable(section, flaw);
            Err(vec![(below(place, &key), says)])
        }
    }
}

/// The files that a configuration names: of its listeners, of its upstreams, and its pages.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = config.error_pages.iter().map(|page| page.file.clone()).collect();
    for section in config.upstreams.values().filter_map(|upstream| upstream.tls.as_ref()) {
        let named = [&section.ca, &section.crl, &section.client_cert, &section.client_key];
        files.extend(named.into_iter().flatten().cloned());
    }
    for section in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        for Certificate { cert, key } in &section.certificates {
            files.extend([cert.clone(), key.clone()]);
        }
        if let Some(clients) = &section.client_auth {
            files.push(clients.ca.clone());
            files.extend(clients.crl.clone());
        }
    }
    files
}

fn below(place: usize, more: &[Step<'static>]) -> Vec<Step<'static>> {
    let mut steps = vec![Step::Key("listeners"), Step::Index(place), Step::Key("tls")];
    steps.extend_from_slice(more);
    steps
}

/// A certificate and its key; if they cannot be used, which of them and why.
fn certified(files: &Certificate) -> Result<Certified, (&'static str, String)> {
    let chain = certificates(&files.cert).map_err(|says| ("cert", says))?;
    let key = private_key(&files.key).map_err(|says| ("key", says))?;
    let (cert, path) = (files.cert.display(), files.key.display());
    Certified::new(chain, &key).map_err(|flaw| match flaw {
        Flaw::Key => ("key", format!("{path} holds a key of a kind that is not supported")),
        Flaw::Mismatch => ("key", format!("{path} does not belong to the certificate in {cert}")),
        _ => ("cert", format!("{cert} holds a certificate that cannot be used")),
    })
}

fn doubt(
    files: &Certificate,
    certified: &Certified,
    nth: usize,
    names: &mut HashMap<String, usize>,
) -> Vec<String> {
    let file = files.cert.display();
    let mut doubts = Vec::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if now > *certified.valid().end() {
        doubts.push(format!("the certificate in {file} has expired: clients will refuse it"));
    } else if now < *certified.valid().start() {
        doubts.push(format!("the certificate in {file} is not valid yet: clients will refuse it"));
    }
    if certified.names().is_empty() {
        doubts.push(format!(
            "the certificate in {file} has no host names (subject alternative names): it is shown \
             only where it is the first one, and clients will refuse it"
        ));
    }
    for name in certified.names() {
        match names.get(name) {
            Some(first) if *first != nth => doubts.push(format!(
                "`{name}` stands in the certificate in {file} and in an earlier one, which is shown"
            )),
            Some(_) => {}
            None => {
                names.insert(name.clone(), nth);
            }
        }
    }
    doubts
}

fn known(section: &ClientSection) -> Result<ClientAuth, (&'static str, String)> {
    let lists = section.crl.as_deref().map(revoked).transpose().map_err(|says| ("crl", says))?;
    Ok(ClientAuth {
        authorities: certificates(&section.ca).map_err(|says| ("ca", says))?,
        revoked: lists.unwrap_or_default(),
        required: section.required,
        forward: section.forward.as_ref().map(|field| field.name().clone()),
    })
}

/// Which setting it is, and what is wrong.
fn unusable(section: &ListenerTls, flaw: Flaw) -> (Vec<Step<'static>>, String) {
    let clients = |key| vec![Step::Key("client_auth"), Step::Key(key)];
    let file = |of: fn(&ClientSection) -> Option<&PathBuf>| {
        let path = section.client_auth.as_ref().and_then(of);
        path.map_or_else(String::new, |path| path.display().to_string())
    };
    match flaw {
        Flaw::Authorities => {
            let file = file(|clients| Some(&clients.ca));
            (clients("ca"), format!("{file} holds no certificate of an authority"))
        }
        Flaw::Revoked => {
            let file = file(|clients| clients.crl.as_ref());
            (clients("crl"), format!("{file} holds a list that cannot be used"))
        }
        Flaw::Random => (Vec::new(), "this system has no randomness to make keys of".to_owned()),
        Flaw::NoCertificate | Flaw::Certificate | Flaw::Key | Flaw::Mismatch => {
            (vec![Step::Key("certificates")], "there is none that can be used".to_owned())
        }
    }
}
