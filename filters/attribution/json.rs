//! JSON for a log and for a client, written in one go: byte for byte what `serde_json` writes, but
//! that characters which deceive a reader of lines are escaped as well.

mod compound;
mod number;

use serde::ser::{Error as _, Impossible, Serialize, Serializer};
use serde_json::Error;

use super::text::{deceives, plain};
use compound::Compound;
use number::Thousandths;

/// A value on one line.
pub(super) fn compact<T: Serialize>(value: &T, capacity: usize) -> String {
    written::<_, false>(value, capacity)
}

/// A value with a line for each member, indented by two spaces.
pub(super) fn pretty<T: Serialize>(value: &T, capacity: usize) -> String {
    written::<_, true>(value, capacity)
}

fn written<T: Serialize, const PRETTY: bool>(value: &T, capacity: usize) -> String {
    let mut writer = Writer::<PRETTY> { out: String::with_capacity(capacity), depth: 0 };
    value.serialize(&mut writer).expect("what is written has only text for keys");
    writer.out
}

struct Writer<const PRETTY: bool> {
    out: String,
    depth: usize,
}

impl<const PRETTY: bool> Writer<PRETTY> {
    fn string(&mut self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push('"');
        if plain(text) == text.len() {
            self.out.push_str(text);
        } else {
            self.mixed(text);
        }
        self.out.push('"');
    }

    fn mixed(&mut self, text: &str) {
        let mut rest = text;
        loop {
            let (clean, other) = rest.split_at(plain(rest));
            self.out.push_str(clean);
            let mut others = other.chars();
            let Some(c) = others.next() else { return };
            self.escaped(c);
            rest = others.as_str();
        }
    }

    fn escaped(&mut self, c: char) {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let short = match c {
            '"' => '"',
            '\\' => '\\',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            c if deceives(c) => {
                self.out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    self.out.push(HEX[(u32::from(c) >> shift & 0xf) as usize].into());
                }
                return;
            }
            c => return self.out.push(c),
        };
        self.out.push('\\');
        self.out.push(short);
    }

    /// What stands before a member or an element.
    #[inline]
    fn begin(&mut self, first: bool) {
        if !first {
            self.out.push(',');
        }
        if PRETTY {
            self.line();
        }
    }

    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    /// The name of a member, an identifier of ours with nothing to escape in it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the name is then a constant, and copied as one")]
    fn member(&mut self, name: &'static str, first: bool) {
        if PRETTY {
            self.out.push_str(if first { "\n" } else { ",\n" });
            for _ in 1..self.depth {
                self.out.push_str("  ");
            }
            self.out.push_str("  \"");
        } else {
            self.out.push_str(if first { "\"" } else { ",\"" });
        }
        self.out.push_str(name);
        self.out.push_str(if PRETTY { "\": " } else { "\":" });
    }

    fn colon(&mut self) {
        self.out.push_str(if PRETTY { ": " } else { ":" });
    }

    fn open(&mut self, bracket: char, close: char) -> Compound<'_, PRETTY> {
        self.out.push(bracket);
        self.depth += 1;
        Compound { writer: self, first: true, close }
    }
}

fn unused<T>(what: &str) -> Result<T, Error> {
    Err(Error::custom(format_args!("nothing here is {what}")))
}

macro_rules! integers {
    ($($name:ident: $type:ty),+) => {$(
        fn $name(self, number: $type) -> Result<(), Error> {
            self.out.push_str(itoa::Buffer::new().format(number));
            Ok(())
        }
    )+};
}

impl<'w, const PRETTY: bool> Serializer for &'w mut Writer<PRETTY> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'w, PRETTY>;
    type SerializeTuple = Compound<'w, PRETTY>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Compound<'w, PRETTY>;
    type SerializeStruct = Compound<'w, PRETTY>;
    type SerializeStructVariant = Impossible<(), Error>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_bool(self, flag: bool) -> Result<(), Error> {
        self.out.push_str(if flag { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        if let Some(number) = Thousandths::of(number) {
            number.put(&mut self.out);
            return Ok(());
        }
        let mut room = [0; 32];
        let mut left = &mut room[..];
        serde_json::to_writer(&mut left, &number)?;
        let length = 32 - left.len();
        self.out.push_str(std::str::from_utf8(&room[..length]).map_err(Error::custom)?);
        Ok(())
    }

    fn serialize_char(self, c: char) -> Result<(), Error> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.string(text);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        unused("bytes")
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        word: &'static str,
    ) -> Result<(), Error> {
        self.out.push('"');
        self.out.push_str(word);
        self.out.push('"');
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        unused("a variant with a value")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w, PRETTY>, Error> {
        Ok(self.open('[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w, PRETTY>, Error> {
        Ok(self.open('[', ']'))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        unused("a tuple with a name")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        unused("a variant with a tuple")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w, PRETTY>, Error> {
        Ok(self.open('{', '}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'w, PRETTY>, Error> {
        Ok(self.open('{', '}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        unused("a variant with members")
    }
}

#[cfg(test)]
mod tests;
