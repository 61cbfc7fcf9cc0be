//! Origins that nobody here wrote: what they answer arrives as they answered it, and what befalls
//! them is told.

mod ask;
mod files;
pub(crate) mod nginx;
mod outages;
mod requests;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::rig::client::Client;
use crate::rig::log::Log;
use crate::rig::message::{Fields, Response};
use crate::rig::promise::lasting;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};
use ask::Ask;
use nginx::Nginx;
use requests::Version;

/// So many requests share a look at the log and at the counters. A multiple of how many there are
/// for a file that goes up: each side asks for a batch at a time.
const BATCH: usize = 48;

/// nginx, or why this test does without.
fn nginx(test: &str) -> Option<Nginx> {
    let program: Option<PathBuf> = nginx::program();
    if program.is_none() {
        skip(test, "nginx is not installed; `.ci/setup test` installs it where it can");
    }
    program.map(|program| Nginx::start(&program))
}

/// Puts requests to a server, one after the other, on as few connections as it allows.
struct Asker<'a> {
    address: SocketAddr,
    /// The log of a proxy, and how many lines it must have before another connection is made:
    /// across connections a record may be written later than the next one.
    log: Option<(&'a Log, usize)>,
    client: Option<Client>,
    /// Whether the server may leave without a warning, as nginx does after a 412.
    fickle: bool,
}

impl<'a> Asker<'a> {
    fn origin(address: SocketAddr) -> Self {
        Self { address, log: None, client: None, fickle: true }
    }

    fn proxy(proxy: &'a Proxy) -> Self {
        let log = Some((&proxy.log, proxy.log.lines()));
        Self { address: proxy.address(), log, client: None, fickle: false }
    }

    fn ask(&mut self, ask: &Ask) -> Response {
        let mut client = self.client.take();
        let answer = client.as_mut().and_then(|client| put(client, ask));
        assert!(answer.is_some() || client.is_none() || self.fickle, "no answer to {ask:?}");
        let (client, answer) = client.zip(answer).unwrap_or_else(|| {
            let mut client = Client::connect(self.address);
            let answer = put(&mut client, ask).unwrap_or_else(|| panic!("no answer to {ask:?}"));
            (client, answer)
        });
        let closes = answer.fields.text("connection").is_some_and(|c| c.contains("close"));
        if ask.keeps() && answer.minor == 1 && !closes {
            self.client = Some(client);
        }
        if let Some((log, lines)) = &mut self.log {
            *lines += 1;
            if self.client.is_none() {
                until("the record", || (log.lines() >= *lines).then_some(()));
            }
        }
        answer
    }
}

fn put(client: &mut Client, ask: &Ask) -> Option<Response> {
    client.send(ask.bytes());
    client.receive(ask.method)
}

/// What must be the same, with or without a proxy: the fields but for those of one hop, and the
/// time of day.
fn lasts(answer: &Response) -> (u16, String, Fields, Vec<u8>) {
    let mut fields = lasting(&answer.fields);
    for (_, value) in fields.iter_mut().filter(|(name, _)| name == "Date") {
        assert_eq!(value.len(), LENGTH_OF_DATE, "{answer:?}");
        value.clear();
    }
    let mut body = answer.body.clone();
    // nginx counts the answers in parts that it makes, and writes the number between the parts.
    if let Some(boundary) = boundary(&answer.fields) {
        let same = "=".repeat(boundary.len());
        let text = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>();
        let bytes =
            |text: &str| text.chars().map(|c| u8::try_from(c).expect("it was one")).collect();
        body = bytes(&text(&body).replace(&boundary, &same));
        for (_, value) in &mut fields {
            *value = bytes(&text(value).replace(&boundary, &same));
        }
    }
    (answer.status, answer.reason.clone(), Fields(fields), body)
}

/// RFC 9110 section 5.6.7.
const LENGTH_OF_DATE: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

fn boundary(fields: &Fields) -> Option<String> {
    let kind = fields.text("content-type")?;
    kind.strip_prefix("multipart/byteranges; boundary=").map(str::to_owned)
}

/// Asks the origin itself and through the proxy, and lists where the answers differ.
fn differences(proxy: &Proxy, origin: SocketAddr, asks: &[Ask]) -> Vec<String> {
    let (mut direct, mut through) = (Asker::origin(origin), Asker::proxy(proxy));
    let mut different = Vec::new();
    for batch in asks.chunks(BATCH) {
        let expected: Vec<Response> = batch.iter().map(|ask| direct.ask(ask)).collect();
        let told = proxy
            .exchanges(batch.len(), || batch.iter().map(|ask| Some(through.ask(ask))).collect());
        for ((ask, expected), told) in batch.iter().zip(&expected).zip(&told) {
            let answer = told.answer();
            let chunks_for_the_old = ask.minor == 0 && answer.chunked;
            if !answer.whole() || chunks_for_the_old || lasts(answer) != lasts(expected) {
                different.push(format!("{ask:?}\n  direct: {expected:?}\n  proxied: {answer:?}"));
            }
        }
    }
    different
}

fn same(proxy: &Proxy, origin: SocketAddr, asks: &[Ask]) {
    let different = differences(proxy, origin, asks);
    let first = different.iter().take(12).map(|d| d.chars().take(3000).collect::<String>() + "\n");
    let first: String = first.collect();
    assert!(different.is_empty(), "{} of {}:\n{first}", different.len(), asks.len());
}

fn version(origin: SocketAddr, path: &'static str) -> Version {
    let head = Asker::origin(origin).ask(&Ask::new("HEAD", path));
    let value = |name| head.fields.text(name).unwrap_or_else(|| panic!("no {name}: {head:?}"));
    Version { path, etag: value("etag"), modified: value("last-modified") }
}

#[test]
fn a_thousand_answers_of_nginx_arrive_as_they_are() {
    let Some(nginx) = nginx("a_thousand_answers_of_nginx_arrive_as_they_are") else { return };
    let mut asks = requests::plain();
    for path in ["/small.txt", "/data.bin", "/empty.txt", "/buffered/page.html"] {
        asks.extend(requests::conditional(&version(nginx.address, path)));
    }
    asks.extend(requests::statuses());
    asks.extend(requests::shapes());
    asks.extend(requests::echoes());
    let distinct: HashSet<&Ask> = asks.iter().collect();
    assert!(distinct.len() >= 1000, "only {} different requests", distinct.len());
    let uploads = requests::uploads();
    // The first upload of a file makes it; all others replace it, with or without a proxy.
    let mut first = Asker::origin(nginx.address);
    for upload in &uploads {
        first.ask(upload);
    }
    let proxy = Settings::endpoints(&[&nginx.address.to_string()]).start();
    same(&proxy, nginx.address, &asks);
    same(&proxy, nginx.address, &uploads);
}

/// A child that is killed when it goes out of scope.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn answers_of_pythons_server_arrive_as_they_are() {
    let test = "answers_of_pythons_server_arrive_as_they_are";
    let folder = tempfile::tempdir().expect("a folder");
    files::fill(folder.path());
    let started = Command::new("python3")
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut server = match started {
        Ok(server) => Server(server),
        Err(error) => return skip(test, &format!("python3: {error}")),
    };
    // It says where it listens: `Serving HTTP on 127.0.0.1 port 40123 (http://…) ...`.
    let mut said = String::new();
    let out = server.0.stdout.take().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("it speaks");
    let port = said.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let Some(port) = port else {
        return skip(test, &format!("python3 has no http.server here: {said:?}"));
    };
    let origin = SocketAddr::from(([127, 0, 0, 1], port));
    let modified = Asker::origin(origin).ask(&Ask::get("/small.txt")).fields.text("last-modified");
    let modified = modified.expect("files have a date");
    let mut asks = requests::plain();
    let paths = ["/small.txt", "/data.bin"];
    asks.extend(paths.iter().flat_map(|path| {
        let version = Version { path, etag: "\"none\"".to_owned(), modified: modified.clone() };
        requests::conditional(&version)
    }));
    let proxy = Settings::endpoints(&[&origin.to_string()]).start();
    same(&proxy, origin, &asks);
}
