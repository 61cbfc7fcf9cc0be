//! Where an upstream's requests may go, as it is written in the configuration.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// One endpoint's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address and a port: `10.0.0.5:8080`, `[::1]:8080`.
    Inet(SocketAddr),
    /// A name and a port: `api.internal:443`. The name is resolved again as its TTL runs out.
    Name(Arc<str>, u16),
    /// A socket in the file system: `unix:/run/app.sock`.
    Unix(Arc<str>),
}

/// The longest path that fits a Unix socket's address (`sun_path` less its NUL, unix(7)).
const MAX_PATH: usize = 107;

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let fits = path.starts_with('/') && path.len() <= MAX_PATH && !path.contains('\0');
            return fits.then(|| Self::Unix(path.into())).ok_or_else(|| {
                format!("`{path}` is no path of a socket: write an absolute one of at most {MAX_PATH} bytes")
            });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 {
                Err(format!("`{text}` has no port to connect to"))
            } else {
                Ok(Self::Inet(address))
            };
        }
        let (name, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("`{text}` lacks a port: write `{text}:80`"))?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("`{text}` has no port from 1 to 65535"))?;
        let well_formed = (1..=254).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && name
                .strip_suffix('.')
                .unwrap_or(name)
                .split('.')
                .all(|l| (1..=63).contains(&l.len()));
        if !well_formed {
            return Err(format!("`{name}` is neither an address nor a host name"));
        }
        Ok(Self::Name(name.to_ascii_lowercase().into(), port))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_alike() {
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
        assert_eq!("API.internal:80".parse(), Ok(Target::Name("api.internal".into(), 80)));
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for text in [
            "",
            "app",
            "app:",
            "app:0",
            "app:65536",
            ":80",
            "a..b:80",
            "a b:80",
            "10.0.0.5:0",
            "::1:80x",
            "unix:run/a.sock",
            "unix:",
            "http://app:80",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
