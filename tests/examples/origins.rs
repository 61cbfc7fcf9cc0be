//! What stands behind an example: an origin for each endpoint, that answers with the name of its
//! upstream, in the protocol and with the encryption that the upstream asks for.

use std::path::Path;

use serde_json::Value;

use crate::rig::certificates::{Authority, Says};
use crate::rig::h2::{self, Act, Answer};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::tls::Tls;

/// An endpoint as it is written, and what stands there in its place.
pub(super) struct Endpoint {
    pub(super) upstream: String,
    pub(super) written: String,
    pub(super) place: String,
    _origin: Box<dyn std::any::Any>,
}

/// One for each endpoint of an upstream, given as its settings. What they sign with is this
/// authority's; sockets are made in this folder.
pub(super) fn behind(
    name: &str,
    settings: &Value,
    authority: &Authority,
    folder: &Path,
) -> Vec<Endpoint> {
    let endpoints = settings["endpoints"].as_array().expect("there is a list");
    let written = endpoints.iter().map(|endpoint| {
        let address = endpoint.get("address").unwrap_or(endpoint);
        address.as_str().expect("an address is text").to_owned()
    });
    written
        .enumerate()
        .map(|(nth, written)| {
            let socket = folder.join(format!("{name}-{nth}.sock"));
            let (place, origin) = one(name, settings, &written, authority, &socket);
            Endpoint { upstream: name.to_owned(), written, place, _origin: origin }
        })
        .collect()
}

fn one(
    name: &str,
    settings: &Value,
    written: &str,
    authority: &Authority,
    socket: &Path,
) -> (String, Box<dyn std::any::Any>) {
    let h2 = settings["protocol"].as_str().is_some_and(|protocol| protocol.starts_with("h2"));
    let tls = settings["tls"].is_object().then(|| {
        // What is asked for by name is named so; else its address is looked at.
        let name = settings["tls"]["sni"].as_str().unwrap_or("localhost");
        let tls = Tls::new(authority.signs(&Says::names(&[name, "127.0.0.1"])));
        if h2 { tls.speaking(&["h2"]) } else { tls }
    });
    if h2 {
        let answer = Answer::new(200, name);
        let act = move |_: &_, _| Act::Answer(answer.clone());
        let origin = match &tls {
            Some(tls) => h2::Origin::tls(tls, act),
            None => h2::Origin::plain(act),
        };
        return (origin.endpoint.clone(), Box::new(origin));
    }
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
    let script = move |mut connection: Conversation| {
        while connection.request().is_some() {
            connection.send(&answer);
        }
    };
    let origin = match &tls {
        Some(tls) => Origin::tls(tls, script),
        None if written.starts_with("unix:") => Origin::unix(socket, script),
        None => Origin::new(script),
    };
    (origin.endpoint.clone(), Box::new(origin))
}
