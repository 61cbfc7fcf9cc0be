//! What the numbers of facts count, and how a person says them.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Millis,
    /// Nothing: a count, a code, or no number at all.
    Plain,
}

impl Unit {
    /// A number in this unit for a person: `70,012 bytes`, `1.2 s`, `17`.
    #[must_use]
    pub fn words(self, number: u64) -> String {
        let mut out = String::new();
        self.tell(number, &mut out);
        out
    }

    /// Puts the same behind what is there.
    pub(in crate::attribution) fn tell(self, number: u64, out: &mut String) {
        let mut digits = itoa::Buffer::new();
        let mut put = |number: u64, unit| {
            out.push_str(digits.format(number));
            out.push_str(unit);
        };
        match self {
            Self::Plain => put(number, ""),
            Self::Bytes if number == 1 => put(1, " byte"),
            Self::Bytes => {
                group(digits.format(number), out);
                out.push_str(" bytes");
            }
            Self::Millis if number < 1_000 => put(number, " ms"),
            Self::Millis if number < 60_000 && number % 1_000 >= 50 => {
                put(number / 1_000, ".");
                put(number % 1_000 / 100, " s");
            }
            Self::Millis if number < 120_000 => put(number / 1_000, " s"),
            Self::Millis if number < 7_200_000 => put(number / 60_000, " min"),
            Self::Millis => put(number / 3_600_000, " h"),
        }
    }
}

/// `1234567` as `1,234,567`.
fn group(digits: &str, out: &mut String) {
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    out.push_str(first);
    for place in (0..rest.len()).step_by(3) {
        out.push(',');
        out.push_str(&rest[place..place + 3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(Unit::Bytes.words(1), "1 byte");
        assert_eq!(Unit::Bytes.words(70_012), "70,012 bytes");
        assert_eq!(Unit::Bytes.words(1_234_567), "1,234,567 bytes");
        assert_eq!(Unit::Millis.words(250), "250 ms");
        assert_eq!(Unit::Millis.words(1_250), "1.2 s");
        assert_eq!(Unit::Millis.words(5_000), "5 s");
        assert_eq!(Unit::Millis.words(120_000), "2 min");
        assert_eq!(Unit::Plain.words(17), "17");
    }
}
