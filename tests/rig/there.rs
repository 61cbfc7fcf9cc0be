//! A second network namespace, joined to the first by a pair of virtual interfaces: an origin there
//! is a host away, and a firewall before it loses, delays or refuses what it is told to.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::net::apart_in;
use super::origin::{Conversation, Origin};
use super::tls::Tls;

/// Where the host there listens; port 0 leaves the choice to it.
pub(crate) const THERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 88, 0, 2)), 0);
/// An address of the same network that no host has.
pub(crate) const NOBODY: &str = "10.88.0.9:80";
/// An address that no route leads to.
pub(crate) const NOWHERE: &str = "10.99.0.1:80";
/// An address that this machine is told to drop without a word.
pub(crate) const DISCARDED: &str = "10.98.0.1:80";

/// The near end. Segments are not bundled: a firewall that looks at lengths is to see those of the
/// wire. The last three commands find out whether the rest can be done.
const LAYOUT: &str = "ip link set lo up \
    && ip link add w0 type veth peer name w1 \
    && ip addr add 10.88.0.1/24 dev w0 && ip link set w0 gso_max_segs 1 && ip link set w0 up \
    && ip route add blackhole 10.98.0.0/16 \
    && unshare -n true && nsenter --version >/dev/null && nft list tables";

/// The far end.
const FAR: &str = "ip link set lo up \
    && ip addr add 10.88.0.2/24 dev w1 && ip link set w1 gso_max_segs 1 && ip link set w1 up";

/// The firewall of the host there, with a set for each packet that is to be lost before one of the
/// same port gets through. What the host says to itself is not its concern.
const FIREWALL: &str = "nft add table inet f \
    && nft add set inet f once '{ type inet_service; flags dynamic,timeout; timeout 30s; }' \
    && nft add set inet f twice '{ type inet_service; flags dynamic,timeout; timeout 30s; }' \
    && nft add chain inet f arriving '{ type filter hook input priority 0; }' \
    && nft add chain inet f leaving '{ type filter hook output priority 0; }' \
    && nft add rule inet f arriving iifname lo accept \
    && nft add rule inet f leaving oifname lo accept";

/// The host there.
pub(crate) struct There {
    namespace: File,
    // It holds the namespace open until there is a file for it; and it is something to look at
    // when a test hangs.
    holder: Child,
    origins: Vec<Origin>,
}

/// Runs `body` beside a host of its own. Where that is not possible, it says so and does not.
pub(crate) fn beside(name: &str, body: impl FnOnce(There)) {
    apart_in(LAYOUT, name, || body(There::new()));
}

impl There {
    fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was there a moment ago");
        // It speaks once it is inside.
        let out = holder.stdout.as_mut().expect("it is piped");
        out.read_exact(&mut [0]).expect("it could be done a moment ago");
        let id = holder.id();
        let namespace = File::open(format!("/proc/{id}/ns/net")).expect("it runs");
        let there = Self { namespace, holder, origins: Vec::new() };
        shell(&format!("ip link set w1 netns {id}"));
        there.within(|| shell(&format!("{FAR} && {FIREWALL}")));
        there
    }

    /// Does this there: sockets that are made belong there for good.
    pub(crate) fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = &self.namespace;
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), network)
                    .expect("this process may do what it likes in here");
                act()
            });
            acting.join().expect("it does not panic")
        })
    }

    /// An origin there: where it listens.
    pub(crate) fn origin(
        &mut self,
        script: impl Fn(Conversation) + Send + Sync + 'static,
    ) -> String {
        let origin = self.within(|| Origin::at(THERE, script));
        self.origins.push(origin);
        self.origins.last().expect("just now").endpoint.clone()
    }

    /// The same over TLS.
    pub(crate) fn tls(
        &mut self,
        tls: &Tls,
        script: impl Fn(Conversation) + Send + Sync + 'static,
    ) -> String {
        let origin = self.within(|| Origin::tls_at(THERE, tls, script));
        self.origins.push(origin);
        self.origins.last().expect("just now").endpoint.clone()
    }

    /// A rule for what arrives here from there. A sender is told of what its own machine's firewall
    /// loses, and then sends no more; on the way nobody tells it.
    pub(crate) fn near_rule(rule: &str) {
        shell(&format!(
            "nft add table inet n \
             && nft add chain inet n arriving '{{ type filter hook input priority 0; }}' \
             && nft 'add rule inet n arriving iifname w0 {rule}'"
        ));
    }

    /// A rule of its firewall, in the words of nft(8): of the chain `arriving` or `leaving`.
    pub(crate) fn rule(&self, rule: &str) {
        self.within(|| run(Command::new("nft").arg(format!("add rule inet f {rule}"))));
    }
}

impl Drop for There {
    fn drop(&mut self) {
        // From there, as the way to them may be barred.
        let origins = std::mem::take(&mut self.origins);
        self.within(|| drop(origins));
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}

fn shell(commands: &str) {
    run(Command::new("sh").args(["-c", commands]));
}

fn run(command: &mut Command) {
    let output = command.output().expect("it was there a moment ago");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
