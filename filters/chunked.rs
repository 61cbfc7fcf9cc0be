//! Where a chunked body ends (RFC 9112 section 7.1), without decoding it.

use crate::head::Rule;

/// The longest chunk line, size and extensions together, in bytes.
const LINE_MAX: usize = 4096;
/// The longest trailer section, in bytes.
const TRAILER_MAX: usize = 16 << 10;
/// The most digits of a chunk's size; more would not fit a file of this world.
const DIGITS_MAX: u8 = 15;

/// Follows the chunks of a body as its bytes come. Each byte is looked at once, those of the
/// chunks' data not at all. It takes a part of what Pingora's reader takes, and finds the same end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    /// Bytes of the body that were taken.
    taken: u64,
    /// Bytes of the line under way, or of the trailer section.
    line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// White space after the size: only an extension or the end of the line may follow.
    AfterSize {
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a line of the trailer section.
    Trailer,
    TrailerLine,
    TrailerLf,
    EndLf,
    Done,
}

/// How far the body reaches into the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How many of them belong to it.
    pub taken: usize,
    /// Whether it ends there.
    pub done: bool,
    /// The rule that the byte after these breaks, if it does.
    pub broken: Option<Rule>,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, taken: 0, line: 0 }
    }
}

impl Chunked {
    /// The start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of the body that were taken as yet.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Follows the next bytes. Not to be called again once it has told of the end or of a broken
    /// rule.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if let State::Data { left } = self.state {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += step;
                let left = left - step as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                continue;
            }
            match self.step(bytes[at]) {
                Ok(state) => self.state = state,
                Err(rule) => {
                    self.taken += at as u64;
                    return Scan { taken: at, done: false, broken: Some(rule) };
                }
            }
            at += 1;
        }
        self.taken += at as u64;
        Scan { taken: at, done: self.state == State::Done, broken: None }
    }

    fn step(&mut self, byte: u8) -> Result<State, Rule> {
        self.line += 1;
        match self.state {
            State::Size { value, digits } => match char::from(byte).to_digit(16) {
                Some(_) if digits == DIGITS_MAX => Err(Rule::ChunkSize),
                Some(digit) => {
                    Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
                }
                None if digits == 0 => Err(Rule::ChunkSize),
                None => self.after_size(value, byte),
            },
            State::AfterSize { value } => self.after_size(value, byte),
            State::Extension { value } => match byte {
                b'\r' => Ok(State::SizeLf { value }),
                b'\t' | b' '..=b'~' | 0x80.. if self.line <= LINE_MAX => {
                    Ok(State::Extension { value })
                }
                _ => Err(Rule::ChunkExtension),
            },
            State::SizeLf { value } => {
                self.line = 0;
                match (byte, value) {
                    (b'\n', 0) => Ok(State::Trailer),
                    (b'\n', left) => Ok(State::Data { left }),
                    _ => Err(Rule::BareCr),
                }
            }
            State::DataCr => expect(byte, b'\r', State::DataLf, Rule::ChunkEnd),
            State::DataLf => {
                self.line = 0;
                expect(byte, b'\n', State::Size { value: 0, digits: 0 }, Rule::ChunkEnd)
            }
            State::Trailer | State::TrailerLine => match byte {
                b'\r' if self.state == State::Trailer => Ok(State::EndLf),
                b'\r' => Ok(State::TrailerLf),
                b'\n' => Err(Rule::BareLf),
                0 => Err(Rule::Nul),
                _ if self.line > TRAILER_MAX => Err(Rule::TrailerSize),
                _ => Ok(State::TrailerLine),
            },
            State::TrailerLf => expect(byte, b'\n', State::Trailer, Rule::BareCr),
            State::EndLf => expect(byte, b'\n', State::Done, Rule::BareCr),
            State::Data { .. } | State::Done => unreachable!("`scan` deals with these itself"),
        }
    }

    fn after_size(&self, value: u64, byte: u8) -> Result<State, Rule> {
        match byte {
            b'\r' => Ok(State::SizeLf { value }),
            b';' => Ok(State::Extension { value }),
            b' ' | b'\t' if self.line <= LINE_MAX => Ok(State::AfterSize { value }),
            b'\n' => Err(Rule::BareLf),
            _ => Err(Rule::ChunkSize),
        }
    }
}

fn expect(byte: u8, wanted: u8, next: State, rule: Rule) -> Result<State, Rule> {
    if byte == wanted { Ok(next) } else { Err(rule) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] =
        b"5\r\nhello\r\n0A ;x=\"y\"\r\n0\r\n\r\n1\r\nab\r\n0;z\r\nA: b\r\nC: d\r\n\r\n";

    fn scan(bytes: &[u8]) -> Scan {
        Chunked::new().scan(bytes)
    }

    #[test]
    fn the_end_is_found_and_nothing_after_it_is_taken() {
        let next = [BODY, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(scan(&next), Scan { taken: BODY.len(), done: true, broken: None });
        assert_eq!(scan(b"0\r\n\r\n"), Scan { taken: 5, done: true, broken: None });
        assert_eq!(scan(b"0\r\n\r"), Scan { taken: 4, done: false, broken: None });
    }

    #[test]
    fn broken_rules_are_named_with_their_place() {
        for (body, rule, taken) in [
            (&b"\r\n"[..], Rule::ChunkSize, 0),
            (b"x\r\n", Rule::ChunkSize, 0),
            (b"5x\r\n", Rule::ChunkSize, 1),
            (b"5 5\r\n", Rule::ChunkSize, 2),
            (b"-1\r\n", Rule::ChunkSize, 0),
            (b"1000000000000000\r\n", Rule::ChunkSize, 15),
            (b"5\nhello", Rule::BareLf, 1),
            (b"5\rhello", Rule::BareCr, 2),
            (b"5;a\nhello", Rule::ChunkExtension, 3),
            (b"3\r\nhello", Rule::ChunkEnd, 6),
            (b"3\r\nabc\n", Rule::ChunkEnd, 6),
            (b"3\r\nabc\rx", Rule::ChunkEnd, 7),
            (b"0\r\n\n", Rule::BareLf, 3),
            (b"0\r\na: b\n\r\n", Rule::BareLf, 7),
            (b"0\r\na: b\rc\r\n", Rule::BareCr, 8),
            (b"0\r\n\rx", Rule::BareCr, 4),
        ] {
            let found = scan(body);
            assert_eq!(found, Scan { taken, done: false, broken: Some(rule) }, "{body:?}");
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        let long = [b"1;", vec![b'x'; 5000].as_slice()].concat();
        assert_eq!(scan(&long).broken, Some(Rule::ChunkExtension));
        let blank = [b"1", vec![b' '; 5000].as_slice()].concat();
        assert_eq!(scan(&blank).broken, Some(Rule::ChunkSize));
        let mut trailers = b"0\r\n".to_vec();
        (0..4000).for_each(|_| trailers.extend_from_slice(b"a: b\r\n"));
        assert_eq!(scan(&trailers).broken, Some(Rule::TrailerSize));
    }

    proptest! {
        #[test]
        fn pieces_end_where_the_whole_ends(
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            at in any::<prop::sample::Index>(),
            with in any::<Option<u8>>(),
        ) {
            let mut body = [BODY, b"more"].concat();
            if let Some(byte) = with {
                let at = at.index(body.len());
                body[at] = byte;
            }
            let whole = scan(&body);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            ends.push(body.len());
            ends.sort_unstable();
            let mut chunked = Chunked::new();
            let mut start = 0;
            for end in ends {
                let part = chunked.scan(&body[start..end]);
                start += part.taken;
                if part.done || part.broken.is_some() {
                    prop_assert_eq!((part.done, part.broken), (whole.done, whole.broken));
                    break;
                }
            }
            prop_assert_eq!(start, whole.taken);
            prop_assert_eq!(chunked.taken(), whole.taken as u64);
        }
    }
}
