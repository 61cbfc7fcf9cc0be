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
        match self {
            Self::Plain => number.to_string(),
            Self::Bytes if number == 1 => "1 byte".to_owned(),
            Self::Bytes => format!("{} bytes", grouped(number)),
            Self::Millis if number < 1_000 => format!("{number} ms"),
            Self::Millis if number < 60_000 && number % 1_000 >= 50 => {
                format!("{}.{} s", number / 1_000, number % 1_000 / 100)
            }
            Self::Millis if number < 120_000 => format!("{} s", number / 1_000),
            Self::Millis if number < 7_200_000 => format!("{} min", number / 60_000),
            Self::Millis => format!("{} h", number / 3_600_000),
        }
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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
