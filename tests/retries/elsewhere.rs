//! An attempt that is to go elsewhere is not made where the first one failed.

use crate::rig::dns::{Answer, Dns};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An origin that answers nothing but `/well`.
fn silent() -> Origin {
    Origin::new(|mut connection: Conversation| {
        while let Some(request) = connection.request() {
            if request.target == "/well" {
                connection.send(OK);
            }
        }
    })
}

#[test]
fn a_name_that_leads_nowhere_is_nowhere_else() {
    let dns = Dns::new();
    let (silent, closed) = (silent(), Refusing::new());
    for (endpoint, cause) in
        [(&silent.endpoint, "origin_slow"), (&closed.endpoint, "connect_refused")]
    {
        let proxy = Settings::endpoints(&[endpoint, "gone.test:80"])
            .with("resolver", &format!("servers: [ \"{}\" ], timeout: 5s", dns.address))
            .with("timeouts", "read: 300ms")
            .having("retries: { attempts: 3 }")
            .start();
        for _ in 0..2 {
            let told = proxy.get("/");
            assert_eq!(told.text("cause"), cause);
            let attempts = told.value("attempts").as_array().map(Vec::len);
            assert_eq!(attempts, Some(1), "{:#}", told.record);
        }
    }
    assert_eq!(silent.requests().len(), 2);
}

#[test]
fn a_name_whose_addresses_are_out_of_rotation_is_nowhere_else() {
    let dns = Dns::new();
    dns.set("silent.test", Answer::Addresses(vec![[127, 0, 0, 1].into()], 300));
    let (silent, closed) = (silent(), Refusing::new());
    // The second endpoint is ejected by the first request that meets it.
    let at =
        |endpoint: &str| format!("silent.test:{}", endpoint.rsplit_once(':').expect("a port").1);
    let proxy = Settings::endpoints(&[&at(&silent.endpoint), &at(&closed.endpoint)])
        .with("resolver", &format!("servers: [ \"{}\" ], timeout: 5s", dns.address))
        .with("timeouts", "read: 300ms")
        .having("eject: { after: 1, for: 1h }, retries: { attempts: 3 }")
        .start();
    for _ in 0..2 {
        assert_eq!(proxy.get("/well").status(), 200);
    }
    assert!(proxy.said().contains("is out of rotation"), "{}", proxy.said());
    let told = proxy.get("/");
    assert_eq!((told.status(), told.text("cause")), (504, "origin_slow"));
    let attempts = told.value("attempts").as_array().map(Vec::len);
    assert_eq!(attempts, Some(1), "{:#}", told.record);
}
