//! One question to the name servers, and what came of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

/// The largest answer taken by UDP: what passes nearly every path unfragmented.
const UDP_PAYLOAD: u16 = 1232;
/// The longest chain of aliases followed within one answer.
const MAX_ALIASES: usize = 16;

/// Too many files are open, on the whole machine or in this process.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// Whom to ask, and how patiently.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    /// In order of preference.
    pub(super) list: Vec<SocketAddr>,
    /// How long one server may take over one question.
    pub(super) timeout: Duration,
    /// How many times the list is gone through.
    pub(super) attempts: usize,
}

/// Addresses, and for how long they hold.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trouble {
    kind: Kind,
    server: Option<SocketAddr>,
    info_code: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// No answer in time.
    Silence,
    /// The server could not be asked.
    Unreachable(io::ErrorKind, Option<i32>),
    /// It answered with an error.
    Code(ResponseCode),
    /// It answered, and knows the name, but there is no address under it.
    NoAddress,
    /// What it answered could not be read.
    Garbled,
    /// The name is none.
    BadName,
}

impl Trouble {
    pub(super) const fn bad_name() -> Self {
        Self { kind: Kind::BadName, server: None, info_code: None }
    }

    /// Whether another server or another name could not do better: this one knows.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self.kind, Kind::NoAddress | Kind::BadName | Kind::Code(ResponseCode::NXDomain))
    }

    /// A trouble that says more than silence does.
    fn tells_more_than(&self, other: &Self) -> bool {
        let weight = |trouble: &Self| match trouble.kind {
            Kind::Silence => 0,
            Kind::Unreachable(..) => 1,
            Kind::Garbled => 2,
            Kind::Code(_) => 3,
            Kind::NoAddress | Kind::BadName => 4,
        };
        weight(self) >= weight(other)
    }

    /// The same as facts.
    pub(super) fn failure(&self, name: &str, waited: Duration, ever_resolved: bool) -> Failure {
        let fault = match self.kind {
            Kind::Silence => Fault::NameTimedOut,
            // No name server had a part in that.
            Kind::Unreachable(_, Some(EMFILE | ENFILE)) => Fault::FilesExhausted,
            Kind::Code(ResponseCode::NXDomain) => Fault::NameNotFound,
            Kind::Unreachable(..)
            | Kind::Code(_)
            | Kind::NoAddress
            | Kind::Garbled
            | Kind::BadName => Fault::NameError,
        };
        let mut failure = Failure::new(Side::Origin, Phase::Dns, fault)
            .with(Key::Name, name.to_owned())
            .with(Key::WaitedMs, waited)
            .with(Key::EverResolved, ever_resolved);
        match self.kind {
            Kind::Code(code) => failure.evidence.set(Key::Rcode, mnemonic(code)),
            Kind::NoAddress => {
                failure.evidence.set(Key::Rcode, "NOERROR");
                failure.evidence.set(Key::Rule, "no address record");
            }
            Kind::Unreachable(kind, errno) => {
                failure.evidence.set(Key::Errno, errno_name(kind, errno));
            }
            Kind::Garbled => failure.evidence.set(Key::Rule, "unreadable answer"),
            Kind::BadName => failure.evidence.set(Key::Rule, "not a host name"),
            Kind::Silence => {}
        }
        if let Some(code) = self.info_code {
            failure.evidence.set(Key::InfoCode, code);
        }
        if let Some(server) = self.server {
            failure.evidence.set(Key::Resolver, server.to_string());
        }
        failure
    }
}

impl Servers {
    /// The addresses of a name: those of IPv4, and those of IPv6 only where it has none of IPv4.
    pub(super) async fn addresses(&self, name: &Name) -> Result<Found, Trouble> {
        match self.ask(name, RecordType::A).await {
            Err(trouble) if trouble.kind == Kind::NoAddress => {
                self.ask(name, RecordType::AAAA).await
            }
            other => other,
        }
    }

    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Found, Trouble> {
        let mut worst: Option<Trouble> = None;
        for _ in 0..self.attempts.max(1) {
            for &server in &self.list {
                let mut trouble = match timeout(self.timeout, exchange(server, name, kind)).await {
                    Ok(Ok(answer)) => match read(&answer, name, kind) {
                        Ok(found) => return Ok(found),
                        Err(trouble) => trouble,
                    },
                    Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                        Trouble { kind: Kind::Garbled, server: None, info_code: None }
                    }
                    Ok(Err(error)) => Trouble {
                        kind: Kind::Unreachable(error.kind(), error.raw_os_error()),
                        server: None,
                        info_code: None,
                    },
                    Err(_) => Trouble { kind: Kind::Silence, server: None, info_code: None },
                };
                trouble.server = Some(server);
                if trouble.is_final() {
                    return Err(trouble);
                }
                if worst.as_ref().is_none_or(|other| trouble.tells_more_than(other)) {
                    worst = Some(trouble);
                }
            }
        }
        Err(worst.unwrap_or(Trouble { kind: Kind::Silence, server: None, info_code: None }))
    }
}

/// Asks by UDP from a port of its own (RFC 5452), and by TCP if the answer did not fit.
async fn exchange(server: SocketAddr, name: &Name, kind: RecordType) -> io::Result<Message> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD).set_version(0);
    question.set_edns(edns);
    let bytes = question.to_vec().map_err(io::Error::other)?;

    let answer = by_udp(server, &question, &bytes).await?;
    if answer.metadata.truncation { by_tcp(server, &question, &bytes).await } else { Ok(answer) }
}

async fn by_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // A connected socket takes datagrams from this server only, and learns of a closed port.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = [0; UDP_PAYLOAD as usize];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Whatever does not answer this very question may be forged: it is passed over.
        if let Ok(answer) = Message::from_vec(&buffer[..length])
            && answers(&answer, question)
        {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Message::from_vec(&answer)
        .ok()
        .filter(|answer| answers(answer, question))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether this is an answer to that question (RFC 5452 section 9.1).
fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        // A server that could not read the question may leave it out.
        && (answer.queries == question.queries
            || answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError)
}

fn read(answer: &Message, name: &Name, kind: RecordType) -> Result<Found, Trouble> {
    let info_code = answer.edns.as_ref().and_then(extended_error);
    let trouble = |kind| Trouble { kind, server: None, info_code };
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError {
        return Err(trouble(Kind::Code(code)));
    }
    let mut owner = name;
    let mut ttl = u32::MAX;
    for _ in 0..MAX_ALIASES {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *owner => Some((record, &target.0)),
            _ => None,
        });
        let Some((record, target)) = alias else { break };
        ttl = ttl.min(record.ttl);
        owner = target;
    }
    let mut addresses = Vec::new();
    for record in answer.answers.iter().filter(|record| record.name == *owner) {
        let address = match &record.data {
            RData::A(a) if kind == RecordType::A => IpAddr::V4(a.0),
            RData::AAAA(aaaa) if kind == RecordType::AAAA => IpAddr::V6(aaaa.0),
            _ => continue,
        };
        ttl = ttl.min(record.ttl);
        addresses.push(address);
    }
    if addresses.is_empty() {
        return Err(trouble(Kind::NoAddress));
    }
    Ok(Found { addresses, ttl: Duration::from_secs(ttl.into()) })
}

/// The number of an Extended DNS Error (RFC 8914 section 2).
fn extended_error(edns: &Edns) -> Option<u16> {
    match edns.option(EdnsCode::Unknown(15))? {
        EdnsOption::Unknown(_, data) => Some(u16::from_be_bytes(*data.first_chunk()?)),
        _ => None,
    }
}

/// A response code by the name that `dig` and the registry use.
fn mnemonic(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        other => return format!("RCODE{}", u16::from(other)),
    }
    .to_owned()
}

fn errno_name(kind: io::ErrorKind, errno: Option<i32>) -> String {
    match kind {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED".to_owned(),
        io::ErrorKind::ConnectionReset => "ECONNRESET".to_owned(),
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH".to_owned(),
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH".to_owned(),
        io::ErrorKind::PermissionDenied => "EACCES".to_owned(),
        _ if errno == Some(EMFILE) => "EMFILE".to_owned(),
        _ if errno == Some(ENFILE) => "ENFILE".to_owned(),
        _ => errno.map_or_else(|| kind.to_string(), |errno| format!("errno {errno}")),
    }
}
