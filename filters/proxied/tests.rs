use proptest::prelude::*;

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn client(from: &str, to: &str) -> Told {
    Told::Client { from: address(from), to: address(to) }
}

fn complete(bytes: &[u8], told: Told, length: usize) {
    assert_eq!(read(bytes), Reading::Complete { told, length }, "{}", bytes.escape_ascii());
    for end in 0..length {
        let part = &bytes[..end];
        assert_eq!(read(part), Reading::Partial, "{}", part.escape_ascii());
    }
}

fn refused(bytes: &[u8], flaw: Flaw) {
    assert_eq!(read(bytes), Reading::Refused(flaw), "{}", bytes.escape_ascii());
}

/// A block of version 2.
fn block(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = binary::SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
    bytes.extend(content);
    bytes
}

#[test]
fn a_line_tells_both_ends() {
    let line = b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\n";
    complete(line, client("203.0.113.9:5000", "192.0.2.1:443"), 43);
    let line = b"PROXY TCP6 2001:db8::9 ::1 65535 0\r\n\x16\x03\x01";
    complete(line, client("[2001:db8::9]:65535", "[::1]:0"), 36);
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), text::LONGEST);
    complete(longest.as_bytes(), Told::Unknown, text::LONGEST);
    complete(b"PROXY UNKNOWN\r\nGET", Told::Unknown, 15);
}

#[test]
fn a_line_is_held_to_its_form() {
    for (line, flaw) in [
        (&b"GET / HTTP/1.1\r\n"[..], Flaw::Missing),
        (b"proxy TCP4 ", Flaw::Missing),
        (b"PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Missing),
        (b"PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Missing),
        (b"PROXY \r\n", Flaw::Parts),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", Flaw::LineEnd),
        (b"PROXY UNKNOWN\n", Flaw::LineEnd),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", Flaw::Parts),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", Flaw::Parts),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", Flaw::Parts),
        (b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Parts),
        (b"PROXY UNKNOWNS 1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Family),
        (b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Family),
        (b"PROXY TCP4 ::1 ::2 1 2\r\n", Flaw::Address),
        (b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", Flaw::Address),
        (b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n", Flaw::Address),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Flaw::Address),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", Flaw::Port),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", Flaw::Port),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", Flaw::Port),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx\r\n", Flaw::Port),
    ] {
        refused(line, flaw);
    }
    let endless = format!("PROXY UNKNOWN {}", "f".repeat(93));
    assert_eq!(read(&endless.as_bytes()[..106]), Reading::Partial);
    refused(&endless.as_bytes()[..107], Flaw::TooLong);
    refused(format!("PROXY UNKNOWN {}\r\n", "f".repeat(92)).as_bytes(), Flaw::TooLong);
}

#[test]
fn a_block_tells_both_ends_and_may_carry_more() {
    let four = [203, 0, 113, 9, 192, 0, 2, 1, 0x13, 0x88, 0x01, 0xBB];
    let told = client("203.0.113.9:5000", "192.0.2.1:443");
    complete(&block(0x21, 0x11, &four), told, 28);
    let mut more = four.to_vec();
    more.extend([0x04, 0x00, 0x03, 1, 2, 3]);
    let mut bytes = block(0x21, 0x11, &more);
    bytes.extend(b"GET / HTTP/1.1\r\n");
    complete(&bytes, told, 34);
    let mut six = vec![0; 36];
    (six[15], six[31], six[33], six[35]) = (1, 2, 80, 81);
    complete(&block(0x21, 0x21, &six), client("[::1]:80", "[::2]:81"), 52);
    (six[10], six[11]) = (0xFF, 0xFF);
    complete(&block(0x21, 0x21, &six), client("0.0.0.1:80", "[::2]:81"), 52);
}

#[test]
fn a_block_may_tell_of_nobody() {
    complete(&block(0x20, 0, &[]), Told::Own, 16);
    // Whatever else stands there is of no account.
    complete(&block(0x20, 0x11, &[9; 12]), Told::Own, 28);
    complete(&block(0x20, 0xFF, &[9; 3]), Told::Own, 19);
    complete(&block(0x21, 0, &[]), Told::Unknown, 16);
    complete(&block(0x21, 0, &[7; 20]), Told::Unknown, 36);
    complete(&block(0x21, 0x31, &[b'/'; 216]), Told::Unknown, 232);
    complete(&block(0x21, 0x12, &[9; 12]), Told::Unknown, 28);
}

#[test]
fn a_block_is_held_to_its_form() {
    for (bytes, flaw) in [
        (block(0x11, 0x11, &[9; 12]), Flaw::Version),
        (block(0x31, 0x11, &[9; 12]), Flaw::Version),
        (block(0x22, 0x11, &[9; 12]), Flaw::Command),
        (block(0x21, 0x41, &[9; 12]), Flaw::Family),
        (block(0x21, 0x13, &[9; 12]), Flaw::Family),
        (block(0x21, 0x11, &[9; 11]), Flaw::TooShort),
        (block(0x21, 0x21, &[9; 35]), Flaw::TooShort),
        (block(0x21, 0x31, &[9; 215]), Flaw::TooShort),
        (block(0x21, 0x11, &[9; LONGEST - 15]), Flaw::TooLong),
        (b"\r\n\r\nGET / HTTP/1.1".to_vec(), Flaw::Missing),
    ] {
        refused(&bytes, flaw);
    }
    complete(&block(0x20, 0, &[9; LONGEST - 16]), Told::Own, LONGEST);
}

#[test]
fn both_addresses_are_of_one_kind() {
    let mixed = client("203.0.113.9:5000", "[2001:db8::1]:443");
    for version in [Version::V1, Version::V2] {
        let greeting = Greeting::new(version, mixed);
        complete(greeting.bytes(), mixed, greeting.bytes().len());
    }
    let line = Greeting::new(Version::V1, mixed);
    assert_eq!(line.bytes(), b"PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 5000 443\r\n");
    assert_eq!(Greeting::new(Version::V1, Told::Own).bytes(), b"PROXY UNKNOWN\r\n");
    assert_eq!(Greeting::new(Version::V2, Told::Own).bytes(), block(0x20, 0, &[]));
    assert_eq!(Greeting::new(Version::V2, Told::Unknown).bytes(), block(0x21, 0, &[]));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|octets| IpAddr::from(octets).to_canonical()),
    ];
    (ip, any::<u16>()).prop_map(SocketAddr::from)
}

/// Bytes of which many begin as a header does.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let opening = prop_oneof![
        Just(Vec::new()),
        Just(b"PROXY ".to_vec()),
        Just(b"PROXY TCP4 1.2.3.4 ".to_vec()),
        Just(binary::SIGNATURE.to_vec()),
        Just([&binary::SIGNATURE[..], b"\x21\x11\0"].concat()),
    ];
    (opening, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(a, b)| [a, b].concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(from in any_address(), to in any_address(), two in any::<bool>()) {
        let told = Told::Client { from, to };
        let greeting = Greeting::new(if two { Version::V2 } else { Version::V1 }, told);
        complete(greeting.bytes(), told, greeting.bytes().len());
    }

    #[test]
    fn any_bytes_are_read(bytes in any_bytes()) {
        match read(&bytes) {
            Reading::Complete { length, .. } => prop_assert!(length <= bytes.len().min(LONGEST)),
            Reading::Partial => prop_assert!(bytes.len() < LONGEST),
            Reading::Refused(flaw) => prop_assert!(!flaw.as_str().is_empty()),
        }
    }
}
