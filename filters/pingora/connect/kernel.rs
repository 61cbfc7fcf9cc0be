//! What the kernel counts of a TCP connection: `struct tcp_info` of Linux (`linux/tcp.h`).
//!
//! Pingora has a reader of its own that ends before the other end's window, and no crate in the
//! tree has one that does not; so here is unsafe code: a call of `getsockopt` into a buffer of bytes,
//! and one of `ioctl` for a number. The fields are then read by their place; a kernel that is older
//! than a field leaves it out.

use std::os::fd::RawFd;

use whodunit_filters::attribution::{Failure, Key};

/// Room for the structure as of today (248 bytes in Linux 6.12) and what may be added to it.
const ROOM: usize = 320;

/// Values of `tcpi_state` (`net/tcp_states.h`): the other end has not answered yet; it has reset the
/// connection, and the kernel has thrown away what was still to be sent.
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;
/// The other end has closed the connection in good order.
const CLOSE_WAIT: u8 = 8;

/// The counters that verdicts rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    state: u8,
    /// Times that the oldest unconfirmed segment was sent again without an answer
    /// (`tcpi_retransmits`).
    pub(crate) retransmits: u8,
    /// Probes of a closed window that were not answered (`tcpi_probes`).
    pub(crate) probes: u8,
    /// Bytes in a full segment (`tcpi_snd_mss`).
    pub(crate) segment: u32,
    /// Segments sent and not confirmed (`tcpi_unacked`).
    pub(crate) unacked: u32,
    /// Milliseconds since bytes were last sent (`tcpi_last_data_sent`).
    pub(crate) quiet: u32,
    /// Bytes in a packet that the path is thought to take (`tcpi_pmtu`).
    pub(crate) pmtu: u32,
    /// Smoothed round-trip time in microseconds (`tcpi_rtt`).
    pub(crate) rtt: u32,
    /// Segments sent again since the connection began (`tcpi_total_retrans`).
    pub(crate) retransmits_in_all: u32,
    /// Bytes confirmed since the connection began (`tcpi_bytes_acked`).
    pub(crate) acked: u64,
    /// Bytes written and not sent yet (`tcpi_notsent_bytes`).
    pub(crate) unsent: u32,
    /// Bytes sent, those sent again counted once (`tcpi_bytes_sent` less `tcpi_bytes_retrans`,
    /// Linux 4.19).
    sent: Option<u64>,
    /// Segments that came before an earlier one did, if that has not come until now: the kernel
    /// holds bytes that nobody can read. Else 0 (`tcpi_rcv_ooopack`, Linux 5.4, counts all that
    /// ever came so).
    pub(crate) out_of_order: u32,
    /// Room that the other end leaves for more bytes (`tcpi_snd_wnd`, Linux 5.4).
    pub(crate) window: Option<u32>,
}

impl TcpInfo {
    /// Asks the kernel; `None` where the descriptor is no TCP socket.
    pub(crate) fn of(fd: RawFd) -> Option<Self> {
        let mut bytes = [0_u8; ROOM];
        let length = ask(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut bytes)?;
        let mut info = Self::read(bytes.get(..length)?)?;
        if info.out_of_order > 0 && !gap(fd) {
            info.out_of_order = 0;
        }
        Some(info)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let byte = |at: usize| bytes.get(at).copied();
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            state: byte(0)?,
            retransmits: byte(2)?,
            probes: byte(3)?,
            segment: word(16)?,
            unacked: word(24)?,
            quiet: word(44)?,
            pmtu: word(60)?,
            rtt: word(68)?,
            retransmits_in_all: word(100)?,
            acked: long(120)?,
            unsent: word(144)?,
            sent: long(200).zip(long(208)).map(|(sent, again)| sent.saturating_sub(again)),
            out_of_order: word(224).unwrap_or(0),
            window: word(228),
        })
    }

    /// Whether the other end has confirmed every byte that was written.
    pub(crate) fn all_acknowledged(self) -> bool {
        match self.state {
            SYN_SENT => false,
            // What was not confirmed is no longer counted; the sums still are.
            // The first packet counts as one byte.
            CLOSE => self.unsent == 0 && self.sent.is_some_and(|sent| sent < self.acked),
            _ => self.unacked == 0 && self.unsent == 0,
        }
    }

    /// Whether it was the other end that closed the connection, or reset it.
    pub(crate) const fn closed_by_other(self) -> bool {
        matches!(self.state, CLOSE | CLOSE_WAIT)
    }

    /// Whether the other end takes no more: what was sent has arrived, and there is no room for a
    /// segment of the rest.
    pub(crate) fn window_closed(self) -> bool {
        self.state != CLOSE
            && self.unsent > 0
            && self.unacked == 0
            && (self.probes > 0 || self.window.is_some_and(|window| window < self.segment))
    }

    /// Whether packets are lost at this moment, on their way there or here.
    pub(crate) const fn packets_lost(self) -> bool {
        self.unacked > 0 && self.retransmits > 0 || self.out_of_order > 0
    }

    /// Notes the counters as evidence.
    pub(crate) fn note(self, failure: &mut Failure) {
        let mut put = |key, number: u64| failure.evidence.set_if_absent(key, number);
        put(Key::Unacked, self.unacked.into());
        put(Key::Retransmits, self.retransmits.into());
        if self.state == SYN_SENT {
            return;
        }
        put(Key::RetransmitsInAll, self.retransmits_in_all.into());
        put(Key::RttUs, self.rtt.into());
        put(Key::BytesAcked, self.acked);
        put(Key::NotSent, self.unsent.into());
        put(Key::Pmtu, self.pmtu.into());
        put(Key::Segment, self.segment.into());
        if let Some(window) = self.window {
            put(Key::SendWindow, window.into());
        }
        if self.out_of_order > 0 {
            put(Key::OutOfOrder, self.out_of_order.into());
        }
        if self.probes > 0 {
            put(Key::WindowProbes, self.probes.into());
        }
        failure.evidence.set_if_absent(Key::Acknowledged, self.all_acknowledged());
        if self.window_closed() {
            failure.evidence.set_if_absent(Key::WindowClosed, true);
        }
    }
}

/// Whether the kernel holds bytes that nobody can read, as others before them have not come: its
/// memory for what was received is in use (`SO_MEMINFO`, Linux 4.12), though nothing is to be read.
fn gap(fd: RawFd) -> bool {
    let mut bytes = [0_u8; ROOM];
    let used = ask(fd, libc::SOL_SOCKET, SO_MEMINFO, &mut bytes)
        .filter(|length| *length >= 4)
        .is_some_and(|_| bytes.iter().take(4).any(|byte| *byte != 0));
    used && readable(fd) == Some(0)
}

/// `asm-generic/socket.h`; the first of its numbers is `SK_MEMINFO_RMEM_ALLOC`
/// (`linux/sock_diag.h`).
const SO_MEMINFO: libc::c_int = 55;

/// Fills `bytes` with what an option of a socket holds and tells how long it is.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to these options of a socket")]
fn ask(fd: RawFd, level: i32, option: i32, bytes: &mut [u8; ROOM]) -> Option<usize> {
    let mut length = libc::socklen_t::try_from(ROOM).expect("a small number");
    // SAFETY: the kernel writes at most `length` bytes to `bytes`, which has that many, and any
    // value of a byte is valid. A descriptor that is not open, or no socket, is an error.
    let failed =
        unsafe { libc::getsockopt(fd, level, option, bytes.as_mut_ptr().cast(), &raw mut length) };
    (failed == 0).then_some(usize::try_from(length).ok()?)
}

/// Bytes that can be read at once.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the safe ways ask for a descriptor that is owned")]
fn readable(fd: RawFd) -> Option<i32> {
    let mut bytes = 0;
    // SAFETY: the kernel writes one `int` to `bytes`, which is one; else it fails.
    let failed = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) };
    (failed == 0).then_some(bytes)
}

/// Other systems have no such structure.
#[cfg(not(target_os = "linux"))]
fn ask(_: RawFd, _: i32, _: i32, _: &mut [u8; ROOM]) -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
fn readable(_: RawFd) -> Option<i32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("accepted");
        (ours, listener.accept().expect("a connection").0)
    }

    fn until(fd: RawFd, holds: impl Fn(TcpInfo) -> bool) -> TcpInfo {
        let began = std::time::Instant::now();
        loop {
            let info = TcpInfo::of(fd).expect("a TCP socket");
            if holds(info) {
                return info;
            }
            assert!(began.elapsed().as_secs() < 10, "{info:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_kernel_tells_what_was_confirmed() {
        let (mut ours, mut theirs) = pair();
        ours.write_all(b"hello").expect("room");
        theirs.read_exact(&mut [0; 5]).expect("hello");
        let info = until(ours.as_raw_fd(), TcpInfo::all_acknowledged);
        assert!(info.acked >= 5 && info.unacked == 0 && info.unsent == 0, "{info:?}");
        assert!(info.segment > 500 && info.pmtu > info.segment, "{info:?}");
        assert!(info.window.is_some_and(|window| window > 0), "{info:?}");
    }

    #[test]
    fn the_kernel_tells_what_the_other_end_does_not_take() {
        let (mut ours, _theirs) = pair();
        ours.set_nonblocking(true).expect("a flag");
        let piece = vec![0; 1 << 16];
        while ours.write(&piece).is_ok() {}
        let info = until(ours.as_raw_fd(), |info| info.unsent > 0 && info.unacked == 0);
        assert!(!info.all_acknowledged(), "{info:?}");
        let window = info.window.expect("Linux 5.4 or later");
        assert!(u64::from(window) < u64::from(info.unsent), "{info:?}");
    }

    #[test]
    fn what_was_never_sent_is_not_confirmed_by_a_reset() {
        let (mut ours, theirs) = pair();
        ours.set_nonblocking(true).expect("a flag");
        let piece = vec![0; 1 << 16];
        while ours.write(&piece).is_ok() {}
        until(ours.as_raw_fd(), |info| info.unsent > 0 && info.unacked == 0);
        // It goes with unread bytes, which is a reset.
        drop(theirs);
        let info = until(ours.as_raw_fd(), |info| info.state == CLOSE);
        assert!(!info.all_acknowledged() && !info.window_closed() && info.unsent > 0, "{info:?}");
    }

    #[test]
    fn what_can_be_read_leaves_no_gap() {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"hello").expect("room");
        let began = std::time::Instant::now();
        while readable(ours.as_raw_fd()) != Some(5) {
            assert!(began.elapsed().as_secs() < 10);
            std::thread::yield_now();
        }
        assert!(!gap(ours.as_raw_fd()));
        (&ours).read_exact(&mut [0; 5]).expect("hello");
        assert!(!gap(ours.as_raw_fd()));
    }

    #[test]
    fn what_is_no_tcp_socket_has_no_counters() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert_eq!(TcpInfo::of(ours.as_raw_fd()), None);
        assert_eq!(TcpInfo::of(-1), None);
        assert_eq!(TcpInfo::read(&[0; 100]), None, "older than what is needed");
    }
}
