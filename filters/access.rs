//! Who may come in: networks that are refused, and networks that alone are let in. The client is the
//! real one, seen through the proxies that are trusted, so that nobody is let in by a header field.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::attribution::cause::proxy::DENIED_BY_POLICY;
use crate::attribution::{Failure, Key};
use crate::chain::{Filter, Peer, RequestView, RouteView, Verdict};
use crate::layers::layers;
use crate::trust::{self, Trust};

layers! {
    "access":
    /// Who may come in.
    Access,
    /// What a route changes about [`Access`].
    AccessOverride,
    /// The access rules in force somewhere, each with the place of its setting.
    AccessInForce;

    anywhere {
        /// The clients that are let in; all others are refused with 403. Empty, the default: all.
        allow: Vec<Source> = Vec::new(),
        /// The clients that are refused with 403, whatever `allow` says. None by default.
        deny: Vec<Source> = Vec::new(),
    }
    global {}
}

/// A set of clients: a network (`10.0.0.0/8`), an address, `private` (loopback, RFC 1918, RFC 4193
/// and link-local addresses, and Unix sockets), or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// Everybody.
    All,
    /// Some.
    Of(Trust),
}

/// The filter that holds clients to the access rules in force on their route.
#[derive(Debug)]
pub struct Gatekeeper(());

impl Gatekeeper {
    pub(crate) const fn new(_: &str, _: &Access) -> Self {
        Self(())
    }
}

impl Source {
    /// Whether this client, `None` for one on a Unix socket, is one of them.
    fn holds(self, client: Option<IpAddr>) -> bool {
        let peer = || client.map_or(Peer::Unix, |ip| Peer::Inet((ip, 0).into()));
        match self {
            Self::All => true,
            Self::Of(set) => trust::trusts(&[set], peer()),
        }
    }
}

impl AccessInForce {
    /// Why this client, `None` for one on a Unix socket, is not let in.
    fn refusal(&self, client: Option<IpAddr>) -> Option<Failure> {
        let denied = |rule: String, place: String| {
            Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, rule).with(Key::Setting, place)
        };
        let (allow, deny) = (&self.allow, &self.deny);
        if let Some(at) = deny.value.iter().position(|source| source.holds(client)) {
            let rule = format!("deny {}", String::from(deny.value[at]));
            return Some(denied(rule, format!("{}[{at}]", deny.place)));
        }
        let let_in = allow.value.is_empty() || allow.value.iter().any(|s| s.holds(client));
        (!let_in).then(|| {
            let rule = "the client is in none of the networks that are allowed".to_owned();
            denied(rule, allow.place.to_string())
        })
    }
}

impl Filter for Gatekeeper {
    fn request(&self, request: &RequestView<'_>, route: &RouteView<'_>) -> Verdict {
        let access = &route.rules.access;
        if access.allow.value.is_empty() && access.deny.value.is_empty() {
            return Verdict::Pass;
        }
        access.refusal(request.client).into()
    }
}

impl TryFrom<String> for Source {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        Trust::try_from(text)
            .map(Self::Of)
            .map_err(|says| says.replace("or `private`", "`private` or `all`"))
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        match source {
            Source::All => "all".to_owned(),
            Source::Of(set) => set.into(),
        }
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A network (`10.0.0.0/8`), an address, `private` (loopback, RFC 1918, RFC 4193 and link-local addresses, and Unix sockets), or `all`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Scene;
    use crate::rules::Rules;
    use proptest::prelude::*;

    fn rules(json: &str) -> Rules {
        let part: AccessOverride = serde_json::from_str(json).expect("valid rules");
        Rules { access: AccessInForce::default().with("routes[1]", &part), ..Rules::default() }
    }

    /// The setting that refuses a client at this address, `unix` for one on a Unix socket.
    fn refused(json: &str, client: &str) -> Option<(String, String)> {
        let mut scene = Scene::with(&[]);
        scene.rules = rules(json);
        scene.peer = match client {
            "unix" => Peer::Unix,
            ip => Peer::Inet((ip.parse::<IpAddr>().expect("an address"), 1).into()),
        };
        let verdict =
            Gatekeeper::new("edge", &Access::default()).request(&scene.request(), &scene.route());
        verdict.denied().map(|failure| {
            let text = |key| failure.evidence.text(key).expect("evidence").to_owned();
            (text(Key::Setting), text(Key::Rule))
        })
    }

    #[test]
    fn deny_comes_first_then_the_list_of_those_let_in() {
        let both = r#"{"allow":["10.0.0.0/8","2001:db8::/32","private"],"deny":["10.6.0.0/16"]}"#;
        for (rules, client, setting) in [
            ("{}", "203.0.113.9", None),
            (both, "10.1.2.3", None),
            (both, "::ffff:10.1.2.3", None),
            (both, "2001:db8::9", None),
            (both, "unix", None),
            (both, "10.6.2.3", Some("routes[1].access.deny[0]")),
            (both, "::ffff:10.6.2.3", Some("routes[1].access.deny[0]")),
            (both, "203.0.113.9", Some("routes[1].access.allow")),
            (r#"{"deny":["192.0.2.1","all"]}"#, "203.0.113.9", Some("routes[1].access.deny[1]")),
            (r#"{"deny":["all"]}"#, "unix", Some("routes[1].access.deny[0]")),
            (r#"{"deny":["private"]}"#, "unix", Some("routes[1].access.deny[0]")),
            (r#"{"deny":["private"]}"#, "203.0.113.9", None),
            (r#"{"allow":["all"]}"#, "unix", None),
            (r#"{"allow":["203.0.113.9"]}"#, "unix", Some("routes[1].access.allow")),
            (
                r#"{"deny":["::ffff:203.0.113.0/120"]}"#,
                "203.0.113.9",
                Some("routes[1].access.deny[0]"),
            ),
        ] {
            let found = refused(rules, client);
            assert_eq!(found.as_ref().map(|(s, _)| s.as_str()), setting, "{rules} {client}");
        }
        let (_, rule) = refused(both, "10.6.2.3").expect("denied");
        assert_eq!(rule, "deny 10.6.0.0/16");
    }

    #[test]
    fn a_route_overrides_each_list_by_itself() {
        let global: Access =
            serde_json::from_str(r#"{"allow":["private"],"deny":["10.0.0.9"]}"#).expect("valid");
        let part: AccessOverride = serde_json::from_str(r#"{"allow":[]}"#).expect("valid");
        let access = global.in_force().with("routes[0]", &part);
        let ask = |ip: &str| access.refusal(Some(ip.parse().expect("an address")));
        assert!(ask("203.0.113.9").is_none(), "the route lets all in");
        let failure = ask("10.0.0.9").expect("the global list of those refused still holds");
        assert_eq!(failure.evidence.text(Key::Setting), Some("access.deny[0]"));
    }

    #[test]
    fn what_is_no_set_is_refused_with_a_hint() {
        for bad in ["public", "10.0.0.0/33", "10.0.0.0-10.0.0.9", "", "ALL"] {
            let says = Source::try_from(bad.to_owned()).expect_err(bad);
            assert!(says.contains("`all`"), "{says}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_written_back(text in "\\PC{0,40}|[0-9a-f.:/]{1,45}") {
            if let Ok(source) = Source::try_from(text) {
                let written = String::from(source);
                prop_assert_eq!(Source::try_from(written), Ok(source));
            }
        }

        #[test]
        fn a_client_is_denied_exactly_by_the_networks_that_hold_it(
            client in any::<u32>(), net in any::<u32>(), length in 0_u8..=32,
        ) {
            let client = std::net::Ipv4Addr::from(client);
            let text = format!("{}/{length}", std::net::Ipv4Addr::from(net));
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            let inside = u32::from(client) & mask == net & mask;
            let found = refused(&format!(r#"{{"deny":["{text}"]}}"#), &client.to_string());
            prop_assert_eq!(found.is_some(), inside);
        }
    }
}
