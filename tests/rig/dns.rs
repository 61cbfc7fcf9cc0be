//! A name server with a table.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use super::until;

/// What is answered for a name.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These addresses, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// An error (RFC 1035 section 4.1.1): 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    Rcode(u8),
    /// SERVFAIL with an extended error (RFC 8914) and the words that go with it.
    Explained(u16, String),
    /// No error and no address.
    Empty,
    /// Nothing at all.
    Silence,
}

/// A name server on UDP and TCP. Names that are not in its table do not exist.
#[derive(Clone)]
pub(crate) struct Dns {
    /// As an entry of `resolver.servers`.
    pub(crate) address: SocketAddr,
    table: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

const HEADER: usize = 12;
const A: u16 = 1;
const AAAA: u16 = 28;

impl Dns {
    pub(crate) fn new() -> Self {
        let (udp, tcp) = until("a port that is free for UDP and TCP", || {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let tcp = TcpListener::bind(udp.local_addr().expect("it is bound")).ok()?;
            Some((udp, tcp))
        });
        let dns = Self {
            address: udp.local_addr().expect("it is bound"),
            table: Arc::default(),
            asked: Arc::default(),
        };
        let answering = dns.clone();
        std::thread::spawn(move || {
            let mut question = [0; 1500];
            while let Ok((length, client)) = udp.recv_from(&mut question) {
                if let Some(answer) = answering.answer(&question[..length]) {
                    udp.send_to(&answer, client).ok();
                }
            }
        });
        let answering = dns.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut question = vec![0; u16::from_be_bytes(length).into()];
                    if stream.read_exact(&mut question).is_err() {
                        break;
                    }
                    let Some(answer) = answering.answer(&question) else { continue };
                    let length = u16::try_from(answer.len()).expect("a short answer");
                    stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).ok();
                }
            }
        });
        dns
    }

    /// Sets what is answered for a name from now on.
    pub(crate) fn set(&self, name: &str, answer: Answer) {
        self.table.lock().expect("nobody panicked").insert(name.to_owned(), answer);
    }

    /// The names that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = name(question)?;
        let kind = u16::from_be_bytes(question.get(end..end + 2)?.try_into().ok()?);
        self.asked.lock().expect("nobody panicked").push(name.clone());
        let found = self.table.lock().expect("nobody panicked").get(&name).cloned();
        let mut explanation = None;
        let (rcode, addresses, ttl) = match found {
            Some(Answer::Explained(code, words)) => {
                explanation = Some((code, words));
                (2, Vec::new(), 0)
            }
            Some(Answer::Silence) => return None,
            Some(Answer::Addresses(addresses, ttl)) => (0, addresses, ttl),
            Some(Answer::Rcode(rcode)) => (rcode, Vec::new(), 0),
            Some(Answer::Empty) => (0, Vec::new(), 0),
            None => (3, Vec::new(), 0),
        };
        let records: Vec<Vec<u8>> = addresses
            .iter()
            .filter_map(|address| match (kind, address) {
                (A, IpAddr::V4(v4)) => Some(v4.octets().to_vec()),
                (AAAA, IpAddr::V6(v6)) => Some(v6.octets().to_vec()),
                _ => None,
            })
            .collect();
        let count = u8::try_from(records.len()).expect("a short answer");
        let mut answer = question[..2].to_vec();
        // QR, AA and the RD of the question; RA and the rcode; one question, the answers.
        let more = u8::from(explanation.is_some());
        answer.extend([0x84 | (question[2] & 1), 0x80 | rcode, 0, 1, 0, count, 0, 0, 0, 2 * more]);
        answer.extend(&question[HEADER..end + 4]);
        for record in records {
            answer.extend([0xC0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend(u16::try_from(record.len()).expect("4 or 16").to_be_bytes());
            answer.extend(record);
        }
        if let Some((code, words)) = explanation {
            answer.extend(explained(code, &words));
        }
        Some(answer)
    }
}

/// The two records in which a server may give itself away further: one of text, and one of EDNS (RFC
/// 6891 section 6.1.2) with an extended error (RFC 8914 section 2).
fn explained(code: u16, words: &str) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let text = [&[u8::try_from(words.len()).expect("short")][..], words.as_bytes()].concat();
    let option = [&code.to_be_bytes()[..], words.as_bytes()].concat();
    [
        // The name that was asked for, TXT, IN, TTL.
        &[0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 0][..],
        &short(text.len()),
        &text,
        // The root, OPT, 1232 bytes at most, no flags.
        &[0, 0, 41, 4, 208, 0, 0, 0, 0],
        &short(option.len() + 4),
        &[0, 15],
        &short(option.len()),
        &option,
    ]
    .concat()
}

/// The name in the question, in lower case without a final dot, and where it ends.
fn name(question: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = question.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_answered_by_the_table() {
        let dns = Dns::new();
        dns.set("a.test", Answer::Addresses(vec![Ipv4Addr::new(192, 0, 2, 1).into()], 7));
        let ask = |name: &str| {
            let mut question = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.split('.') {
                question.push(u8::try_from(label.len()).expect("short"));
                question.extend(label.as_bytes());
            }
            question.extend([0, 0, 1, 0, 1]);
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            socket.set_read_timeout(Some(super::super::PATIENCE)).expect("a timeout can be set");
            socket.send_to(&question, dns.address).expect("it is there");
            let mut answer = [0; 512];
            let length = socket.recv(&mut answer).expect("it answers");
            answer[..length].to_vec()
        };
        let found = ask("a.test");
        assert_eq!((found[3] & 15, found[7]), (0, 1));
        assert!(found.ends_with(&[0, 0, 0, 7, 0, 4, 192, 0, 2, 1]), "{found:?}");
        let missing = ask("b.test");
        assert_eq!((missing[3] & 15, missing[7]), (3, 0));
        assert_eq!(dns.asked(), ["a.test", "b.test"]);
    }
}
