//! A configuration in one line: `--upstream URL… --listen ADDR --admin ADDR`. The flags are put
//! into the same tree that a file is read into, so that they pass the same checks, and problems
//! point into the command line.

use std::rc::Rc;

use crate::problem::{Place, Problem, Problems};
use crate::tree::{Key, Kind, Node};
use crate::{Checked, settle, walk};

/// The flags that stand for a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Each `--upstream`: `http://host:port`, `https://host`, `host:port`, or `unix:/path`. They
    /// are the endpoints of one upstream, which is called `origin`.
    pub upstreams: Vec<String>,
    /// `--listen`. Default `127.0.0.1:8080`.
    pub listen: Option<String>,
    /// `--admin`. Default `127.0.0.1:9901`.
    pub admin: Option<String>,
}

/// What the upstream is called.
const ORIGIN: &str = "origin";

impl Flags {
    /// Makes a configuration of the flags, by the same checks as [`crate::parse`].
    ///
    /// # Errors
    /// Everything that is wrong with them; places are columns of the command line.
    pub fn check(&self) -> Result<Checked, Problems> {
        let mut line = Line { text: "whodunit run".to_owned(), problems: Vec::new() };
        let mut entries = vec![(ORIGIN, self.origin(&mut line))];
        if self.upstreams.is_empty() {
            entries.clear();
        }
        let mut root = vec![("upstreams", map(entries))];
        if let Some(listen) = &self.listen {
            let address = line.flag("--listen", listen);
            let listener = map(vec![("address", text(listen, address))]);
            root.push(("listeners", list(vec![listener])));
        }
        if let Some(admin) = &self.admin {
            let address = line.flag("--admin", admin);
            root.push(("admin", map(vec![("address", text(admin, address))])));
        }
        let root = map(root);
        let Line { text, mut problems } = line;
        let root = walk::check(&root, &text, &mut problems);
        settle(&root, problems, &text, "command line")
    }

    fn origin(&self, line: &mut Line) -> Node {
        let mut endpoints = Vec::new();
        let mut first = None;
        let mut mixed = None;
        for url in &self.upstreams {
            let place = line.flag("--upstream", url);
            let (address, secure) = read(url);
            if *first.get_or_insert(secure) != secure {
                let says = "either all upstreams are `https://` or none is".to_owned();
                let problem = Problem::error("upstreams", place.clone(), says)
                    .help("write a configuration file to have both");
                line.problems.push(problem);
                mixed = Some(Node { place: place.clone(), kind: Kind::Wrong });
            }
            match address {
                Ok(address) => endpoints.push(text(&address, place)),
                Err(says) => {
                    endpoints.push(Node { place: place.clone(), kind: Kind::Wrong });
                    line.problems.push(Problem::error("upstreams", place, says));
                }
            }
        }
        let mut entries = vec![("endpoints", list(endpoints))];
        if let Some(mixed) = mixed {
            entries.push(("tls", mixed));
        } else if first == Some(true) {
            entries.push(("tls", map(Vec::new())));
        }
        map(entries)
    }
}

/// The command line as it could have been typed; places point into it.
struct Line {
    text: String,
    problems: Vec<Problem>,
}

impl Line {
    fn flag(&mut self, flag: &str, value: &str) -> Place {
        self.text.extend([" ", flag, " "]);
        let start = self.text.len();
        self.text.push_str(value);
        start..self.text.len()
    }
}

/// An endpoint out of a URL, and whether it is spoken to by TLS.
fn read(url: &str) -> (Result<String, String>, bool) {
    let Some((scheme, rest)) = url.split_once("://") else { return (Ok(url.to_owned()), false) };
    let (port, secure) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (80, false),
        "https" => (443, true),
        _ => {
            let says = format!("`{}` is not `http` or `https`", scheme.escape_debug());
            return (Err(says), false);
        }
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let says = if authority.contains(['/', '?', '#']) {
        "an upstream has no path: requests keep the path they came with"
    } else if authority.contains('@') {
        "an upstream carries no user and password"
    } else {
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let address = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        return (Ok(address), secure);
    };
    (Err(says.to_owned()), secure)
}

fn text(text: &str, place: Place) -> Node {
    Node { place, kind: Kind::Text(text.to_owned()) }
}

fn list(items: Vec<Node>) -> Node {
    let place = items.first().map_or(0..0, |item| item.place.clone());
    Node { place, kind: Kind::List(items.into_iter().map(Rc::new).enumerate().collect()) }
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let place = entries.first().map_or(0..0, |(_, value)| value.place.clone());
    let entries = entries.into_iter().map(|(name, value)| {
        (Key { place: value.place.clone(), text: name.to_owned() }, Rc::new(value))
    });
    Node { place, kind: Kind::Map(entries.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::address::Target;

    fn flags(upstreams: &[&str]) -> Flags {
        Flags {
            upstreams: upstreams.iter().map(|url| (*url).to_owned()).collect(),
            ..Flags::default()
        }
    }

    #[test]
    fn urls_become_endpoints() {
        for (url, address, secure) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000", false),
            ("http://127.0.0.1:3000/", "127.0.0.1:3000", false),
            ("http://app", "app:80", false),
            ("https://app.example.net", "app.example.net:443", true),
            ("HTTPS://[::1]", "[::1]:443", true),
            ("http://[::1]:8000", "[::1]:8000", false),
            ("app:3000", "app:3000", false),
            ("unix:/run/app.sock", "unix:/run/app.sock", false),
        ] {
            let checked = flags(&[url]).check().expect(url);
            let upstream = &checked.config.upstreams[ORIGIN];
            assert_eq!(upstream.endpoints[0].address.to_string(), address, "{url}");
            assert_eq!(upstream.tls.is_some(), secure, "{url}");
            assert_eq!(checked.resolved.routes[0].upstream.as_deref(), Some(ORIGIN));
        }
    }

    #[test]
    fn the_flags_pass_the_checks_of_a_file() {
        let mut all = flags(&["http://localhost:9000", "app:3000/x", "ftp://app", "http://a/b"]);
        all.listen = Some(":9000".to_owned());
        let told = all.check().expect_err("all of it is wrong").render(false);
        for part in
            ["did you mean `0.0.0.0:9000`", "not an endpoint", "`ftp` is not", "has no path"]
        {
            assert!(told.contains(part), "{part} in\n{told}");
        }
        let mut own = flags(&["http://localhost:9000", "app:1"]);
        own.listen = Some("0.0.0.0:9000".to_owned());
        let problems = own.check().expect_err("it is itself");
        assert!(problems.render(false).contains("this proxy itself"));
        assert_eq!(problems.position(&problems.list()[0].place), (1, 25));
        own.listen = Some("127.0.0.1:1234".to_owned());
        own.admin = Some("127.0.0.1:0".to_owned());
        let checked = own.check().expect("it is right");
        let target: Target = "localhost:9000".parse().expect("a target");
        assert_eq!(checked.config.upstreams[ORIGIN].endpoints[0].address, target);
        assert!(flags(&[]).check().is_err());
    }

    #[test]
    fn what_only_follows_from_a_wrong_flag_is_not_told() {
        for upstreams in [&["http://a:443", "https://b"][..], &["ftp://a"], &["a"]] {
            let problems = flags(upstreams).check().expect_err("it is wrong");
            assert_eq!(problems.list().len(), 1, "{problems}");
        }
        let mut wrong = flags(&["ftp://app", "localhost:9000", "localhost:9000"]);
        wrong.listen = Some("127.0.0.1:9000".to_owned());
        let problems = wrong.check().expect_err("it is wrong");
        let settings: Vec<_> = problems.list().iter().map(|one| one.setting.as_str()).collect();
        let [second, third] = ["upstreams.origin.endpoints[1]", "upstreams.origin.endpoints[2]"];
        assert_eq!(settings, ["upstreams", second, third, third]);
    }
}
