//! `listeners`: where clients connect, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::text::{Prefix, texts};
use crate::sections::FieldName;

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `ip:port`, `[v6]:port`, or `unix:/path`. Port 0 takes any free one.
    pub address: Address,
    /// Whether HTTP/2 is taken without TLS beside HTTP/1.1, from clients that know beforehand that
    /// it is (RFC 9113 section 3.3), up to 100 requests at once on a connection. Default `false`.
    #[serde(default)]
    pub h2c: bool,
    /// Whether the proxies in `forwarded.trusted` have to tell whose connection it is, by a header of
    /// the PROXY protocol (version 1 or 2) before anything else. From others none is taken. Default
    /// `false`.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Answer every request by sending the client to HTTPS: `https`, or with settings. Default: requests
    /// are served.
    #[serde(default)]
    pub redirect: Option<Upgrade>,
    /// Who may connect to a Unix socket: its file's permissions, such as `"0660"`. Default: as the
    /// process's umask has it, which is mostly its own user alone.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Whether other processes of the same user may listen there as well (`SO_REUSEPORT`), each with a
    /// share of the connections. Read when the socket is made. Default `false`.
    #[serde(default)]
    pub reuse_port: bool,
    /// Speak TLS with clients. Default: plain text.
    #[serde(default)]
    pub tls: Option<ListenerTls>,
}

/// Sends clients to HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Upgrade {
    /// To port 443, for good.
    Word(Https),
    /// The same, with settings.
    To(HttpsRedirect),
}

/// The word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Https {
    /// `https`.
    Https,
}

/// How clients are sent to HTTPS: to the host and the target that they asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpsRedirect {
    /// The port there. Default 443.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// 301, 302, 307 or 308. Default 308, with which a client keeps to its method.
    #[schemars(range(min = 301, max = 308))]
    pub status: u16,
    /// How paths begin that are served nevertheless, such as `/.well-known/acme-challenge/`: to all
    /// who read them, as with `match.path`.
    pub except: Vec<Prefix>,
}

impl Default for HttpsRedirect {
    fn default() -> Self {
        Self { port: 443, status: 308, except: Vec::new() }
    }
}

impl Upgrade {
    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> HttpsRedirect {
        match self {
            Self::Word(Https::Https) => HttpsRedirect::default(),
            Self::To(redirect) => redirect.clone(),
        }
    }
}

/// The permissions of a file, in octal: `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(pub u32);

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let mode = digits.then(|| u32::from_str_radix(text, 8).ok()).flatten();
        mode.filter(|mode| *mode <= 0o777).map(Self).ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` are no permissions: write them in octal, such as `\"0660\"`")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

texts! {
    Mode: r"^0?[0-7]{3}$", "The permissions of a file, in octal, such as `\"0660\"`.";
}

/// TLS towards clients. Its files are taken up anew when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// The certificates. Shown is the one that names the host which the client asks for (SNI), else
    /// one with a wildcard that covers it, else the first.
    #[schemars(length(min = 1))]
    pub certificates: Vec<Certificate>,
    /// The oldest version that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Whether HTTP/2 is offered beside HTTP/1.1 (ALPN), up to 100 requests at once on a connection.
    #[serde(default = "yes")]
    pub http2: bool,
    /// Whether clients are asked who they are. Default: they are not.
    #[serde(default)]
    pub client_auth: Option<ClientAuth>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// A PEM file with the certificate, and those between it and its authority.
    pub cert: PathBuf,
    /// A PEM file with its key, which nobody else may read.
    pub key: PathBuf,
}

/// How clients prove who they are, by certificates of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// A PEM file of the authorities whose certificates are taken.
    pub ca: PathBuf,
    /// A PEM file of lists of revoked certificates. Default: nothing is looked up.
    #[serde(default)]
    pub crl: Option<PathBuf>,
    /// Whether a client without a certificate is turned away; one with a bad one always is.
    #[serde(default = "yes")]
    pub required: bool,
    /// The field in which the origin is told the certificate's subject (RFC 4514). No client's own
    /// field of that name gets there, at whichever listener. Default: it is not told.
    #[serde(default)]
    pub forward: Option<FieldName>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    Tls13,
}

const fn yes() -> bool {
    true
}

impl Listener {
    /// A listener at this address, with every setting at its default.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self {
            address,
            h2c: false,
            proxy_protocol: false,
            redirect: None,
            mode: None,
            reuse_port: false,
            tls: None,
        }
    }
}
