//! An endpoint that can be ill-treated: a lab in a process of its own, under a name of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use rustix::process::Signal;

use crate::rig::dns::{Answer, Dns};
use crate::rig::proxy::Process;

/// How long its addresses may be kept, in seconds.
const TTL: u32 = 1;

/// One endpoint.
pub(super) struct Endpoint {
    /// Its name.
    pub(super) name: String,
    /// Where it is now.
    pub(super) address: SocketAddr,
    lab: Process,
    dns: Dns,
    /// Which of the loopback addresses of its own it takes next.
    next: u8,
    nth: u8,
}

impl Endpoint {
    /// The nth endpoint, running, on a free port.
    pub(super) fn start(nth: u8, dns: &Dns) -> Self {
        let ip = Ipv4Addr::new(127, 41, nth, 1);
        let port = free_port(ip);
        let address = SocketAddr::new(ip.into(), port);
        let endpoint = Self {
            name: format!("{}.test", char::from(b'a' + nth)),
            address,
            lab: lab(address),
            dns: dns.clone(),
            next: 2,
            nth,
        };
        endpoint.tell();
        endpoint
    }

    /// As an entry of `endpoints`.
    pub(super) fn written(&self) -> String {
        format!("{}:{}", self.name, self.address.port())
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(&mut self) {
        self.lab.signal(Signal::KILL);
        self.lab.ended();
    }

    /// Starts it anew where it was.
    pub(super) fn revive(&mut self) {
        self.lab = lab(self.address);
    }

    /// Stops it without closing anything.
    pub(super) fn pause(&self) {
        self.lab.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.lab.signal(Signal::CONT);
    }

    /// Lets it run only now and then, for this long.
    pub(super) fn slow(&self, time: Duration) {
        let turn = Duration::from_millis(100);
        for _ in 0..time.as_millis() / turn.as_millis() {
            self.pause();
            std::thread::sleep(turn.mul_f32(0.8));
            self.resume();
            std::thread::sleep(turn.mul_f32(0.2));
        }
    }

    /// Starts another one at another address, under the same name, and ends this one a while after
    /// everybody could know. Gives the address that it left.
    pub(super) fn move_on(&mut self) -> SocketAddr {
        let ip = Ipv4Addr::new(127, 41, self.nth, self.next);
        self.next = self.next.checked_add(1).expect("a storm ends before that");
        let left = self.address;
        self.address = SocketAddr::new(ip.into(), left.port());
        let before = std::mem::replace(&mut self.lab, lab(self.address));
        self.tell();
        std::thread::sleep(Duration::from_secs(u64::from(TTL)) + Duration::from_millis(500));
        drop(before);
        left
    }

    fn tell(&self) {
        self.dns.set(&self.name, Answer::Addresses(vec![self.address.ip()], TTL));
    }
}

/// A lab that is ready.
fn lab(address: SocketAddr) -> Process {
    let mut lab = Process::start(&["lab", "--listen", &address.to_string()]);
    lab.says("lab on http://", 0);
    lab
}

/// A port that nobody listens on at this address. Nobody but these tests uses it.
pub(super) fn free_port(ip: Ipv4Addr) -> u16 {
    let socket = TcpListener::bind((ip, 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}
