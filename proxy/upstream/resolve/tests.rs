//! The resolver against name servers made here, over real sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Edns, Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use whodunit_filters::attribution::{Evidence, Fault, Key, Phase, Value};

use super::*;

/// What a name server made here says to a question; `None` is silence.
type Script = dyn Fn(&Message, bool) -> Option<Message> + Send + Sync;

struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    script: Arc<Mutex<Arc<Script>>>,
}

impl Server {
    async fn start(
        script: impl Fn(&Message, bool) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
            let address = udp.local_addr().expect("bound");
            // The same port by TCP may be taken by somebody else.
            if let Ok(tcp) = TcpListener::bind(address).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(script)));
        let (count, say) = (asked.clone(), script.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 2_048];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::SeqCst);
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                let script = locked(&say).clone();
                if let Some(answer) = script(&question, false) {
                    let bytes = answer.to_vec().expect("an answer");
                    udp.send_to(&bytes, from).await.expect("sent");
                }
            }
        });
        let say = script.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let length = stream.read_u16().await.expect("a length");
                let mut bytes = vec![0; usize::from(length)];
                stream.read_exact(&mut bytes).await.expect("a question");
                let question = Message::from_vec(&bytes).expect("a question");
                let script = locked(&say).clone();
                let answer = script(&question, true).expect("an answer").to_vec().expect("bytes");
                let length = u16::try_from(answer.len()).expect("short");
                stream.write_u16(length).await.expect("sent");
                stream.write_all(&answer).await.expect("sent");
            }
        });
        Self { address, asked, script }
    }

    fn say(&self, script: impl Fn(&Message, bool) -> Option<Message> + Send + Sync + 'static) {
        *locked(&self.script) = Arc::new(script);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn resolver(servers: &[&Server]) -> Resolver {
    Resolver::new(&ResolverSettings {
        servers: servers.iter().map(|server| server.address).collect(),
        timeout: Duration::from_millis(200),
        attempts: 1,
        ..ResolverSettings::default()
    })
    .expect("servers are given")
}

fn reply(question: &Message) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(question.queries[0].clone());
    answer
}

fn code(question: &Message, code: ResponseCode) -> Message {
    let mut answer = reply(question);
    answer.metadata.response_code = code;
    answer
}

fn address(question: &Message, last: u8, ttl: u32) -> Message {
    let mut answer = reply(question);
    if question.queries[0].query_type() == RecordType::A {
        let name = question.queries[0].name().clone();
        answer.add_answer(Record::from_rdata(name, ttl, RData::A(A::new(192, 0, 2, last))));
    }
    answer
}

#[tokio::test]
async fn an_answer_is_kept_and_many_ask_once() {
    let server = Server::start(|q, _| Some(address(q, 7, 300))).await;
    let resolver = resolver(&[&server]);
    let all = futures_util::future::join_all((0..50).map(|_| resolver.resolve("app.test"))).await;
    for answer in all {
        assert_eq!(*answer.expect("resolved").addresses, [IpAddr::from([192, 0, 2, 7])]);
    }
    resolver.resolve("app.test").await.expect("resolved");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_says_so() {
    let server = Server::start(|q, _| Some(code(q, ResponseCode::NXDomain))).await;
    let failure = resolver(&[&server]).resolve("gone.test").await.expect_err("no such name");
    assert_eq!((failure.fault, failure.phase), (Fault::NameNotFound, Phase::Dns));
    assert_eq!(failure.evidence.text(Key::Rcode), Some("NXDOMAIN"));
    assert_eq!(failure.evidence.text(Key::Name), Some("gone.test"));
    assert_eq!(failure.evidence.text(Key::Resolver), Some(&*server.address.to_string()));
    assert_eq!(failure.evidence.find(Key::EverResolved), Some(&Value::Flag(false)));
    assert!(failure.evidence.number(Key::WaitedMs).is_some());
    assert_eq!(server.asked(), 1, "another server or another try knows no better");
}

#[tokio::test]
async fn a_failing_server_gives_way_to_the_next_and_its_reason_is_kept() {
    let bad = Server::start(|q, _| {
        let mut answer = code(q, ResponseCode::ServFail);
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, 22, b'x']));
        answer.set_edns(edns);
        Some(answer)
    })
    .await;
    let good = Server::start(|q, _| Some(address(q, 1, 60))).await;
    assert!(resolver(&[&bad, &good]).resolve("app.test").await.is_ok());
    let silent = Server::start(|_, _| None).await;
    let failure = resolver(&[&bad, &silent]).resolve("app.test").await.expect_err("SERVFAIL");
    assert_eq!(failure.fault, Fault::NameError, "a refusal says more than silence");
    assert_eq!(failure.evidence.text(Key::Rcode), Some("SERVFAIL"));
    assert_eq!(failure.evidence.number(Key::InfoCode), Some(22));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = Server::start(|_, _| None).await;
    let failure = resolver(&[&server]).resolve("slow.test").await.expect_err("silence");
    assert_eq!(failure.fault, Fault::NameTimedOut);
    assert!(failure.evidence.number(Key::WaitedMs).expect("waited") >= 200);
    assert_eq!(failure.evidence.find(Key::Rcode), None);
}

#[tokio::test]
async fn a_name_without_an_address_is_an_error_and_ipv6_is_the_second_choice() {
    let server = Server::start(|q, _| Some(reply(q))).await;
    let failure = resolver(&[&server]).resolve("mail.test").await.expect_err("no address");
    assert_eq!(failure.fault, Fault::NameError);
    assert_eq!(failure.evidence.text(Key::Rcode), Some("NOERROR"));
    server.say(|q, _| {
        let mut answer = reply(q);
        if q.queries[0].query_type() == RecordType::AAAA {
            let name = q.queries[0].name().clone();
            let data = RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
            answer.add_answer(Record::from_rdata(name, 60, data));
        }
        Some(answer)
    });
    let answer = resolver(&[&server]).resolve("six.test").await.expect("an address");
    assert_eq!(answer.addresses[0].to_string(), "2001:db8::1");
}

#[tokio::test]
async fn aliases_are_followed_and_strangers_are_not_believed() {
    let server = Server::start(|q, _| {
        let (name, target) = (q.queries[0].name().clone(), Name::from_ascii("real.test.").ok()?);
        let stranger = Name::from_ascii("other.test.").ok()?;
        let mut answer = reply(q);
        answer.add_answer(Record::from_rdata(name, 60, RData::CNAME(CNAME(target.clone()))));
        answer.add_answer(Record::from_rdata(stranger, 60, RData::A(A::new(192, 0, 2, 66))));
        answer.add_answer(Record::from_rdata(target, 60, RData::A(A::new(192, 0, 2, 5))));
        Some(answer)
    })
    .await;
    let answer = resolver(&[&server]).resolve("www.test").await.expect("resolved");
    assert_eq!(*answer.addresses, [IpAddr::from([192, 0, 2, 5])]);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_fetched_by_tcp() {
    let server = Server::start(|q, by_tcp| {
        if by_tcp {
            return Some(address(q, 9, 60));
        }
        let mut answer = reply(q);
        answer.metadata.truncation = true;
        Some(answer)
    })
    .await;
    let answer = resolver(&[&server]).resolve("big.test").await.expect("resolved");
    assert_eq!(*answer.addresses, [IpAddr::from([192, 0, 2, 9])]);
}

/// Asks until the answer is as wanted; the TTL decides when.
async fn until(resolver: &Resolver, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = resolver.resolve("app.test").await.expect("an answer is always left");
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came to that: {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_changed_address_is_found_when_the_ttl_runs_out() {
    let server = Server::start(|q, _| Some(address(q, 1, 1))).await;
    let resolver = resolver(&[&server]);
    assert_eq!(
        resolver.resolve("app.test").await.expect("resolved").addresses[0].to_string(),
        "192.0.2.1"
    );
    server.say(|q, _| Some(address(q, 2, 1)));
    let answer = until(&resolver, |a| a.addresses[0] == IpAddr::from([192, 0, 2, 2])).await;
    assert!(answer.stale.is_none());
}

#[tokio::test]
async fn the_last_good_answer_outlives_its_server_and_says_so() {
    let server = Server::start(|q, _| Some(address(q, 1, 1))).await;
    let resolver = resolver(&[&server]);
    resolver.resolve("app.test").await.expect("resolved");
    server.say(|q, _| Some(code(q, ResponseCode::Refused)));
    let answer = until(&resolver, |a| a.stale.is_some()).await;
    assert_eq!(answer.addresses[0].to_string(), "192.0.2.1");
    let why = answer.stale.expect("stale");
    assert_eq!(why.evidence.text(Key::Rcode), Some("REFUSED"));
    assert_eq!(why.evidence.find(Key::EverResolved), Some(&Value::Flag(true)));
    assert!(why.evidence.number(Key::AnswerAgeMs).expect("its age") >= 1_000);
}

#[tokio::test]
async fn literals_need_no_server_and_the_store_is_bounded() {
    let server = Server::start(|q, _| Some(address(q, 1, 60))).await;
    let mut settings = ResolverSettings { servers: vec![server.address], ..Default::default() };
    settings.max_names = 2;
    let resolver = Resolver::new(&settings).expect("servers are given");
    for name in ["127.0.0.1", "::1", "[::1]", "localhost", "LOCALHOST."] {
        resolver.resolve(name).await.expect("literal");
    }
    assert_eq!(server.asked(), 0);
    for name in ["a.test", "b.test", "c.test"] {
        resolver.resolve(name).await.expect("resolved");
    }
    assert_eq!(locked(&resolver.0.names).len(), 2);
    assert!(!locked(&resolver.0.names).contains_key("a.test"));
}

#[tokio::test]
async fn the_search_list_comes_first_for_short_names_only() {
    let server = Server::start(|q, _| Some(address(q, 1, 60))).await;
    let mut resolver = resolver(&[&server]);
    let inner = Arc::get_mut(&mut resolver.0).expect("not shared yet");
    inner.search = vec![Name::from_ascii("svc.test.").expect("a name")];
    let names = |name: &str| -> Vec<_> {
        let names = resolver.0.candidates(name).expect("names");
        names.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names("api"), ["api.svc.test.", "api."]);
    assert_eq!(names("api.prod"), ["api.prod.", "api.prod.svc.test."]);
    assert_eq!(names("api.prod."), ["api.prod."]);
    assert_eq!(names("my_app."), ["my_app."], "Compose gives services such names");
}

#[tokio::test]
async fn many_doubts_are_settled_by_one_question() {
    let server = Server::start(|q, _| Some(address(q, 7, 300))).await;
    let resolver = resolver(&[&server]);
    let used = IpAddr::from([192, 0, 2, 7]);
    resolver.resolve("app.test").await.expect("resolved");
    let gone = |found: Result<Evidence, _>| found.expect("told").find(Key::AddressGone).cloned();
    let found = resolver.doubt("app.test", used).expect("it may have moved").await;
    assert_eq!(gone(found), Some(Value::Flag(false)), "it was learned just now");
    assert_eq!(server.asked(), 1);
    server.say(|q, _| Some(address(q, 8, 300)));
    tokio::time::sleep(RETRY).await;
    let doubts: Vec<_> = (0..50).filter_map(|_| resolver.doubt("app.test", used)).collect();
    assert_eq!(doubts.len(), 50);
    for found in futures_util::future::join_all(doubts).await {
        assert_eq!(gone(found), Some(Value::Flag(true)));
    }
    assert_eq!(server.asked(), 2);
    let now = resolver.resolve("app.test").await.expect("resolved");
    assert_eq!(*now.addresses, [IpAddr::from([192, 0, 2, 8])], "it is used from now on");
}

#[tokio::test]
async fn a_doubt_that_nobody_can_settle_says_nothing() {
    let server = Server::start(|q, _| Some(address(q, 7, 300))).await;
    let resolver = resolver(&[&server]);
    let used = IpAddr::from([192, 0, 2, 7]);
    assert!(resolver.doubt("192.0.2.7", used).is_none(), "an address does not move");
    resolver.resolve("app.test").await.expect("resolved");
    server.say(|q, _| Some(code(q, ResponseCode::ServFail)));
    tokio::time::sleep(RETRY).await;
    let found = resolver.doubt("app.test", used).expect("it may have moved").await;
    assert!(found.expect("told").is_empty());
    assert!(resolver.doubt("app.test", used).is_none(), "it was not answered just now");
    assert!(locked(&resolver.0.entry("app.test").doubts).is_empty(), "nobody is left waiting");
}
