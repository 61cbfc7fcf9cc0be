//! The way between two processes: messages with descriptors, each whole (`SOCK_SEQPACKET`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Word;

/// The most descriptors that go with one message; the kernel allows 253.
pub(super) const DESCRIPTORS: usize = 32;
/// The most bytes of a message.
const LENGTH: usize = 64 << 10;

/// One end of it.
#[derive(Debug)]
pub(super) struct Line(Socket);

/// A socket at which processes ask.
pub(super) fn listen(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(8)?;
    Ok(socket)
}

impl Line {
    /// Waits for the next process that asks there.
    pub(super) fn accept(at: &Socket) -> io::Result<Self> {
        at.accept().map(|(socket, _)| Self(socket))
    }

    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(Self(socket))
    }

    /// How long a message may take to come or to go.
    pub(super) fn within(&self, patience: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))?;
        self.0.set_write_timeout(Some(patience))
    }

    /// The process at the other end and its user, as the kernel knows them. The process is 0 when
    /// it cannot be seen from here.
    pub(super) fn peer(&self) -> io::Result<(u32, u32)> {
        let peer = getsockopt(&self.0, sockopt::PeerCredentials)?;
        Ok((peer.pid().cast_unsigned(), peer.uid()))
    }

    pub(super) fn say(&self, word: &Word) -> io::Result<()> {
        self.send(word, &[])
    }

    pub(super) fn send(&self, word: &Word, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(word)?;
        if bytes.len() > LENGTH {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        let bytes = [IoSlice::new(&bytes)];
        rustix::io::retry_on_intr(|| {
            sendmsg(&self.0, &bytes, &mut beside, SendFlags::NOSIGNAL).map(drop)
        })?;
        Ok(())
    }

    /// Waits for a message. That there is none to come is an `UnexpectedEof`.
    pub(super) fn receive(&self) -> io::Result<(Word, Vec<OwnedFd>)> {
        let mut bytes = vec![0; LENGTH];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let came = rustix::io::retry_on_intr(|| {
            let mut into = [IoSliceMut::new(&mut bytes)];
            recvmsg(&self.0, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC)
        })?;
        let mut descriptors = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if came.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message or its descriptors do not fit (is the limit of open files too low?)",
            ));
        }
        if came.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // By itself an unfinished one would pass for an end of the connection.
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let word = serde_json::from_slice(&bytes[..came.bytes]).map_err(wrong)?;
        Ok((word, descriptors))
    }
}
