//! Version 2: a block of bytes (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arrayvec::ArrayVec;

use super::text::LONGEST as ROOM;
use super::{Flaw, LONGEST, Told, plain};

/// How it begins.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What stands before the addresses: the signature, version and command, family, length.
const FIXED: usize = 16;
/// The version, in the upper half of its byte.
const TWO: u8 = 0x20;
/// The commands, in the lower half.
const LOCAL: u8 = 0;
const PROXY: u8 = 1;
/// Kinds of address with their transport: nothing told, TCP over IPv4, TCP over IPv6.
const UNSPEC: u8 = 0;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// How long two addresses with their ports are.
const TWO_OF_IPV4: usize = 12;
const TWO_OF_IPV6: usize = 36;
/// And two paths.
const TWO_OF_UNIX: usize = 216;

pub(super) fn read(bytes: &[u8]) -> Result<Option<(Told, usize)>, Flaw> {
    let Some(command) = bytes.get(12) else { return Ok(None) };
    if command & 0xF0 != TWO {
        return Err(Flaw::Version);
    }
    let command = command & 0x0F;
    if !matches!(command, LOCAL | PROXY) {
        return Err(Flaw::Command);
    }
    let (Some(family), Some(length)) = (bytes.get(13), bytes.get(14..FIXED)) else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length > LONGEST {
        return Err(Flaw::TooLong);
    }
    let Some(block) = bytes.get(FIXED..length) else { return Ok(None) };
    let told = if command == LOCAL { Told::Own } else { client(*family, block)? };
    Ok(Some((told, length)))
}

/// What follows the addresses is skipped.
fn client(family: u8, block: &[u8]) -> Result<Told, Flaw> {
    let least = match family >> 4 {
        0 => 0,
        1 => TWO_OF_IPV4,
        2 => TWO_OF_IPV6,
        3 => TWO_OF_UNIX,
        _ => return Err(Flaw::Family),
    };
    if family & 0x0F > 2 {
        return Err(Flaw::Family);
    }
    let block = block.get(..least).ok_or(Flaw::TooShort)?;
    Ok(match family {
        TCP4 => ends(block, |octets| Ipv4Addr::from(quad(octets)).into()),
        TCP6 => ends(block, |octets| Ipv6Addr::from(sixteen(octets)).into()),
        _ => Told::Unknown,
    })
}

/// Two addresses, and after them two ports.
fn ends(block: &[u8], address: impl Fn(&[u8]) -> IpAddr) -> Told {
    let (addresses, ports) = block.split_at(block.len() - 4);
    let (from, to) = addresses.split_at(addresses.len() / 2);
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    Told::Client { from: plain(address(from), port(0)), to: plain(address(to), port(2)) }
}

fn quad(octets: &[u8]) -> [u8; 4] {
    octets.try_into().expect("half of two addresses")
}

fn sixteen(octets: &[u8]) -> [u8; 16] {
    octets.try_into().expect("half of two addresses")
}

pub(super) fn write(told: Told) -> ArrayVec<u8, ROOM> {
    let mut block = ArrayVec::new();
    let mut put = |bytes: &[u8]| block.try_extend_from_slice(bytes).expect("there is room for it");
    put(&SIGNATURE);
    let (command, family, length) = match told {
        Told::Own => (LOCAL, UNSPEC, 0),
        Told::Unknown => (PROXY, UNSPEC, 0),
        Told::Client { from: SocketAddr::V4(_), .. } => (PROXY, TCP4, TWO_OF_IPV4),
        Told::Client { .. } => (PROXY, TCP6, TWO_OF_IPV6),
    };
    put(&[TWO | command, family]);
    put(&u16::try_from(length).expect("the addresses are short").to_be_bytes());
    if let Told::Client { from, to } = told {
        for end in [from, to] {
            match end.ip() {
                IpAddr::V4(ip) => put(&ip.octets()),
                IpAddr::V6(ip) => put(&ip.octets()),
            }
        }
        for end in [from, to] {
            put(&end.port().to_be_bytes());
        }
    }
    block
}
