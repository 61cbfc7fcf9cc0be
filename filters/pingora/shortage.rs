//! What of this machine ran out, and how much of it there is: asked of the kernel once something was
//! refused, never before.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use whodunit_filters::attribution::{Failure, Fault, Key};

/// No more lines of the kernel's list of connections are read: 150 bytes and about a microsecond
/// each.
const LINES: usize = 100_000;
/// For so long a count of ports stands.
const FRESH: Duration = Duration::from_secs(5);

/// Adds how many files are open and how many may be: in this process (`EMFILE`), or on the whole
/// machine (`ENFILE`).
pub(crate) fn of_files(failure: &mut Failure) {
    let whole = failure.evidence.text(Key::Errno) == Some("ENFILE");
    let (counted, setting) = if whole {
        (on_the_machine(), "fs.file-max")
    } else {
        (in_this_process(), "RLIMIT_NOFILE")
    };
    failure.evidence.set_if_absent(Key::Setting, setting);
    if let Some((open, most)) = counted {
        failure.evidence.set_if_absent(Key::Open, open);
        failure.evidence.set_if_absent(Key::MaxCount, most);
    }
}

/// Since Linux 6.2 the size of the directory is the number of its entries, so that no file has to be
/// opened to count the open ones.
fn in_this_process() -> Option<(u64, u64)> {
    let most = getrlimit(Resource::Nofile).current?;
    let listed = || fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    let open = fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len());
    let open = if open == 0 { listed() } else { open };
    (open > 0).then_some((open, most))
}

/// `/proc/sys/fs/file-nr`: open, free, most.
fn on_the_machine() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let (open, _free, most) = (numbers.next()?.ok()?, numbers.next()?, numbers.next()?.ok()?);
    Some((open, most))
}

/// Adds the range of local ports and how many of them are in use on the way to this address.
///
/// The kernel says `EADDRNOTAVAIL` as well where this machine has no address of that family to send
/// from: with most ports free that is what it means, and there is no way to the address.
pub(crate) fn of_ports(failure: &mut Failure, to: SocketAddr) {
    let Some((used, first, last)) = counted(to) else { return };
    let most = u64::from(last.saturating_sub(first)) + 1;
    if used * 2 < most {
        failure.fault = Fault::Unroutable;
        return;
    }
    failure.evidence.set_if_absent(Key::Open, used);
    failure.evidence.set_if_absent(Key::MaxCount, most);
    failure.evidence.set_if_absent(Key::PortRange, format!("{first}-{last}"));
    failure.evidence.set_if_absent(Key::Setting, "net.ipv4.ip_local_port_range");
}

/// Ports in use to an address, and the first and the last one that there are.
type Ports = (u64, u16, u16);

/// The last count. While it is made, others wait for it: it would be the same for them.
static LAST: Mutex<Option<(Instant, SocketAddr, Ports)>> = Mutex::new(None);

fn counted(to: SocketAddr) -> Option<Ports> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, about, ports)) = *last
        && about == to
        && at.elapsed() < FRESH
    {
        return Some(ports);
    }
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = range.split_ascii_whitespace().map(str::parse);
    let (first, end) = (ends.next()?.ok()?, ends.next()?.ok()?);
    let file = if to.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    let lines = BufReader::new(File::open(file).ok()?).lines().map_while(Result::ok);
    let ports = (used(lines.skip(1), to, first..=end)?, first, end);
    *last = Some((Instant::now(), to, ports));
    Some(ports)
}

/// How many of these connections, as `proc_net_tcp(5)` has them, go to this address from a port of this
/// range; those that are closed and still hold their port are among them. `None` where there are too
/// many to read.
fn used(
    lines: impl Iterator<Item = String>,
    to: SocketAddr,
    range: std::ops::RangeInclusive<u16>,
) -> Option<u64> {
    let remote = hexadecimal(to);
    let mut used = 0;
    for (number, line) in lines.enumerate() {
        if number == LINES {
            return None;
        }
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (Some(local), Some(other)) = (columns.next(), columns.next()) else { continue };
        let port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        used += u64::from(other == remote && port.is_some_and(|port| range.contains(&port)));
    }
    Some(used)
}

/// An address as the kernel lists it: words of 32 bits in the machine's own order.
fn hexadecimal(address: SocketAddr) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(37);
    let octets = match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    for word in octets.chunks_exact(4) {
        let word = u32::from_ne_bytes(word.try_into().expect("chunks of four"));
        write!(text, "{word:08X}").expect("a string takes it");
    }
    write!(text, ":{:04X}", address.port()).expect("a string takes it");
    text
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use whodunit_filters::attribution::{Phase, Side};

    use super::*;

    fn failure(fault: Fault) -> Failure {
        Failure::new(Side::Origin, Phase::Connect, fault)
    }

    #[test]
    fn open_files_are_counted_without_opening_one() {
        let count = || {
            let mut failure = failure(Fault::FilesExhausted).with(Key::Errno, "EMFILE");
            of_files(&mut failure);
            assert_eq!(failure.evidence.text(Key::Setting), Some("RLIMIT_NOFILE"));
            let limit = getrlimit(Resource::Nofile).current;
            assert_eq!(failure.evidence.number(Key::MaxCount), limit);
            failure.evidence.number(Key::Open).expect("they can be counted")
        };
        let few = count();
        let held: Vec<_> =
            (0..40).map(|_| File::open("/dev/null").expect("there is one")).collect();
        assert!(count() >= few + 20, "other tests open and close some meanwhile");
        drop(held);
        let mut failure = failure(Fault::FilesExhausted).with(Key::Errno, "ENFILE");
        of_files(&mut failure);
        assert_eq!(failure.evidence.text(Key::Setting), Some("fs.file-max"));
    }

    #[test]
    fn ports_are_counted_on_the_way_to_one_address() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(any) else { continue };
            let to = listener.local_addr().expect("it is bound");
            let open: Vec<_> =
                (0..3).map(|_| TcpStream::connect(to).expect("it listens")).collect();
            let (used, first, last) = counted(to).expect("the kernel tells");
            // The port may have belonged to somebody else a moment ago, whose connections are listed
            // for a minute after their end.
            assert!(used >= 3 && first < last, "{any}: {used} of {first}-{last}");
            drop(open);
        }
    }

    #[test]
    fn with_most_ports_free_it_is_the_address_that_cannot_be_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut failure = failure(Fault::PortsExhausted);
        of_ports(&mut failure, listener.local_addr().expect("it is bound"));
        assert_eq!(failure.fault, Fault::Unroutable);
    }

    #[test]
    fn the_list_is_read_by_its_columns_and_not_without_end() {
        let to: SocketAddr = "127.0.0.1:55432".parse().expect("an address");
        let line = "   1: 0100007F:9C40 0100007F:D888 06 00000000:00000000 03:00001373 00000000";
        let lines = |count| std::iter::repeat_n(line.to_owned(), count);
        assert_eq!(used(lines(2), to, 40_000..=40_000), Some(2));
        assert_eq!(used(lines(2), to, 40_001..=40_002), Some(0));
        assert_eq!(used(lines(LINES + 1), to, 40_000..=40_000), None);
    }
}
