//! Addresses: those that are listened on and those that are connected to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{ends_in_number, is_host, texts};

/// Where a listener listens: `ip:port`, `[v6]:port`, or `unix:/path`. Port 0 takes any free one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// A Unix-domain socket at an absolute path.
    Unix(PathBuf),
}

/// Where an origin is reached: `host:port`, `ip:port`, `[v6]:port`, or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// An address that needs no resolving.
    Ip(SocketAddr),
    /// A host name in lower case, and a port. A final dot, which keeps a resolver from adding
    /// domains of its own, stays.
    Name(Arc<str>, u16),
    /// A Unix-domain socket at an absolute path.
    Unix(Arc<str>),
}

/// The longest path a socket address holds, less its final zero (`sockaddr_un`, Linux).
pub(crate) const SUN_PATH: usize = 107;

fn socket(path: &str) -> Result<&str, String> {
    if !path.starts_with('/') {
        return Err(format!("`unix:{path}` needs an absolute path, such as `unix:/run/app.sock`"));
    }
    if path.len() > SUN_PATH || path.contains('\0') {
        return Err(format!("a socket's path has at most {SUN_PATH} bytes"));
    }
    Ok(path)
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return socket(path).map(|path| Self::Unix(path.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            let hint = match text.trim_start_matches(':').parse::<u16>() {
                Ok(port) => format!("did you mean `0.0.0.0:{port}` or `127.0.0.1:{port}`?"),
                Err(_) => "write `ip:port`, `[v6]:port` or `unix:/path`".to_owned(),
            };
            format!("`{}` is not an address to listen on: {hint}", text.escape_debug())
        })
    }
}

impl FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return socket(path).map(|path| Self::Unix(path.into()));
        }
        let refuse =
            |hint: &str| Err(format!("`{}` is not an endpoint: {hint}", text.escape_debug()));
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => refuse("port 0 cannot be connected to"),
                _ => Ok(Self::Ip(address)),
            };
        }
        if text.contains("://") {
            return refuse("write `host:port` without a scheme; https is asked for with `tls: {}`");
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return refuse("the port is missing; write `host:port`");
        };
        let bare = host.strip_suffix('.').unwrap_or(host);
        match port.parse::<u16>() {
            Ok(port) if port > 0 && is_host(bare) && !ends_in_number(bare) => {
                Ok(Self::Name(host.to_ascii_lowercase().into(), port))
            }
            _ => refuse("write `host:port`, `ip:port`, `[v6]:port` or `unix:/path`"),
        }
    }
}

impl Address {
    /// The TCP address, if it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// Whether a connection to `target` arrives at a socket that listens on `own`. `is_ours` says
/// whether an IP address other than loopback belongs to this machine.
pub fn reaches(target: SocketAddr, own: SocketAddr, is_ours: impl Fn(IpAddr) -> bool) -> bool {
    let (ip, bound) = (target.ip().to_canonical(), own.ip().to_canonical());
    let is_here = || ip.is_loopback() || ip.is_unspecified() || is_ours(ip);
    // Connecting to the unspecified address connects to loopback.
    let arrives = || {
        ip == bound || takes(bound, ip) && is_here() || ip.is_unspecified() && bound.is_loopback()
    };
    target.port() == own.port() && arrives()
}

/// Whether listening on one address takes connections to the other: `[::]` takes IPv4 as well.
pub(crate) fn takes(wide: IpAddr, narrow: IpAddr) -> bool {
    wide.is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
}

texts! {
    Address: r"^(unix:/.*|[0-9.]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+)$",
        "Where to listen: `ip:port`, `[v6]:port`, or `unix:/path`.";
    Target: r"^(unix:/.*|[^:/]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+)$",
        "Where an origin is reached: `host:port`, `ip:port`, `[v6]:port`, or `unix:/path`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_written_alike() {
        for text in [
            "10.0.0.5:8080",
            "[::1]:80",
            "api.internal:443",
            "my_app:1",
            "a.test.:80",
            "unix:/run/a.sock",
        ] {
            assert_eq!(text.parse::<Target>().expect("well-formed").to_string(), text);
        }
    }

    #[test]
    fn endpoints_are_told_apart() {
        let read = |text: &str| text.parse::<Target>();
        assert_eq!(read("10.0.0.5:80"), Ok(Target::Ip(([10, 0, 0, 5], 80).into())));
        assert!(matches!(read("[::1]:80"), Ok(Target::Ip(_))));
        assert_eq!(read("API.internal.:443"), Ok(Target::Name("api.internal.".into(), 443)));
        assert!(matches!(read("unix:/run/x.sock"), Ok(Target::Unix(_))));
        for bad in [
            "",
            "x",
            ":80",
            "x:0",
            "x:70000",
            "10.0.0:80",
            "10.0.0.500:80",
            "http://x:80",
            "a b:80",
            "unix:x",
            "1.2.3.4:0",
            "::1:80",
            "x:",
            "a..b:80",
            "::1:80x",
            "unix:",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
