//! What stands behind an example: an origin for each endpoint, that answers with the name of its
//! upstream, in the protocol and with the encryption that the upstream asks for. Over HTTP/1.1 it says
//! in `X-Client` what it was told of the client.

use super::local::{Place, Stands};
use crate::rig::certificates::Says;
use crate::rig::h2::{self, Act, Answer};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::tls::Tls;

/// Such an origin.
pub(super) fn answering(place: &Place<'_>) -> Stands {
    let settings = place.settings;
    let h2 = settings["protocol"].as_str().is_some_and(|protocol| protocol.starts_with("h2"));
    let tls = settings["tls"].is_object().then(|| {
        // What is asked for by name is named so; else its address is looked at.
        let name = settings["tls"]["sni"].as_str().unwrap_or("localhost");
        let tls = Tls::new(place.authority.signs(&Says::names(&[name, "127.0.0.1"])));
        if h2 { tls.speaking(&["h2"]) } else { tls }
    });
    let name = place.upstream.to_owned();
    if h2 {
        let answer = Answer::new(200, name.as_str());
        let act = move |_: &_, _| Act::Answer(answer.clone());
        let origin = match &tls {
            Some(tls) => h2::Origin::tls(tls, act),
            None => h2::Origin::plain(act),
        };
        return (origin.endpoint.clone(), Box::new(origin));
    }
    let script = move |mut connection: Conversation| {
        while let Some(request) = connection.request() {
            let client = request.fields.text("x-forwarded-for").unwrap_or_default();
            let length = name.len();
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Client: {client}\r\n\r\n{name}"
            ));
        }
    };
    let origin = match &tls {
        Some(tls) => Origin::tls(tls, script),
        None if place.written.starts_with("unix:") => {
            let socket = format!("{}-{}.sock", place.upstream, place.nth);
            Origin::unix(&place.folder.join(socket), script)
        }
        None => Origin::new(script),
    };
    (origin.endpoint.clone(), Box::new(origin))
}
