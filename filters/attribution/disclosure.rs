//! How much of a verdict a client is told (RFC 9209 section 4: topology must not leak), and the
//! settings under `diagnosis`.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::network::is_private;
use crate::secret::Secret;

/// How much a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disclosure {
    /// Everything but what never leaves on the wire.
    Full,
    /// What happened and who is to blame; no address, no name, no setting.
    Minimal,
}

/// Who is told everything about a failure, in `Proxy-Status` and in the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disclose {
    /// Clients at loopback, private and link-local addresses and on Unix sockets; all others are
    /// told the minimum.
    #[default]
    Auto,
    /// Everybody.
    Full,
    /// Nobody, but for requests with the debug token.
    Minimal,
}

/// Which answers get a `Proxy-Status` member of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// Errors made here, and 5xx passed on.
    #[default]
    Errors,
    /// Every answer.
    All,
}

/// How failures are told to clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiagnosisSettings {
    /// Which answers get a `Proxy-Status` member: `errors` (default) or `all`.
    pub on: On,
    /// Who is told everything: `auto` (default), `full` or `minimal`.
    pub disclosure: Disclose,
    /// A secret: a request that carries it in `Whodunit-Debug` is told everything. Unset by
    /// default.
    pub debug_token: Option<Secret>,
}

impl DiagnosisSettings {
    /// How much this client is told. See [`disclose`].
    #[must_use]
    pub fn disclose(&self, client: Option<IpAddr>, presented: Option<&[u8]>) -> Disclosure {
        disclose(self.disclosure, client, self.debug_token.as_ref(), presented)
    }
}

/// How much a client is told. `client` is the real client's address, as known through trusted
/// hops, and `None` for one on a Unix socket; `presented` is its `Whodunit-Debug`.
#[must_use]
pub fn disclose(
    setting: Disclose,
    client: Option<IpAddr>,
    debug_token: Option<&Secret>,
    presented: Option<&[u8]>,
) -> Disclosure {
    let full = match setting {
        Disclose::Full => true,
        Disclose::Auto => client.is_none_or(is_private),
        Disclose::Minimal => false,
    };
    let told = full
        || match (debug_token, presented) {
            (Some(token), Some(presented)) => same(token, presented),
            _ => false,
        };
    if told { Disclosure::Full } else { Disclosure::Minimal }
}

/// Compares in a time that tells nothing about the secret.
fn same(secret: &Secret, presented: &[u8]) -> bool {
    let mac = |text: &[u8]| {
        Hmac::<Sha256>::new_from_slice(b"whodunit-debug")
            .expect("a key may have any length")
            .chain_update(text)
    };
    mac(presented).verify(&mac(secret.expose()).finalize().into_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_clients_are_told_everything() {
        let ask = |address: &str| disclose(Disclose::Auto, address.parse().ok(), None, None);
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.9.9",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(ask(near), Disclosure::Full, "{near}");
        }
        for far in
            ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8", "fec0::1"]
        {
            assert_eq!(ask(far), Disclosure::Minimal, "{far}");
        }
        assert_eq!(disclose(Disclose::Auto, None, None, None), Disclosure::Full);
    }

    #[test]
    fn the_right_token_opens() {
        let far = "8.8.8.8".parse().ok();
        let token = Secret::try_from("correct horse battery".to_owned()).expect("long enough");
        let ask =
            |token, presented: &[u8]| disclose(Disclose::Minimal, far, token, Some(presented));
        assert_eq!(ask(Some(&token), b"correct horse battery"), Disclosure::Full);
        assert_eq!(ask(Some(&token), b"correct horse batter"), Disclosure::Minimal);
        assert_eq!(ask(Some(&token), b""), Disclosure::Minimal);
        assert_eq!(ask(None, b""), Disclosure::Minimal);
        assert_eq!(disclose(Disclose::Minimal, far, Some(&token), None), Disclosure::Minimal);
        assert_eq!(disclose(Disclose::Full, far, None, None), Disclosure::Full);
    }

    #[test]
    fn settings_are_strict() {
        let settings: DiagnosisSettings =
            serde_json::from_str(r#"{"on":"all","disclosure":"minimal"}"#).expect("valid");
        assert_eq!((settings.on, settings.disclosure), (On::All, Disclose::Minimal));
        assert_eq!(serde_json::from_str::<DiagnosisSettings>("{}").ok(), Some(<_>::default()));
        assert!(serde_json::from_str::<DiagnosisSettings>(r#"{"no":1}"#).is_err());
    }
}
