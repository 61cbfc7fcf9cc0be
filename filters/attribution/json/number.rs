//! Numbers with up to three decimals, as times in milliseconds have them.

/// A number of thousandths.
pub(super) struct Thousandths(u64);

impl Thousandths {
    /// So many digits come back as they are from a floating-point number.
    const MOST: f64 = 1e15;

    /// This number, if it is the nearest to a number of thousandths.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
    #[expect(clippy::float_cmp, reason = "it is that number or it is not")]
    pub(super) fn of(number: f64) -> Option<Self> {
        let thousandths = (number * 1e3).round();
        let exact =
            number.is_sign_positive() && thousandths < Self::MOST && thousandths / 1e3 == number;
        exact.then_some(Self(thousandths as u64))
    }

    /// Puts it behind what is there, with one decimal at least.
    pub(super) fn put(&self, out: &mut String) {
        out.push_str(itoa::Buffer::new().format(self.0 / 1_000));
        let decimals = self.0 % 1_000;
        let (tenths, hundredths, thousandths) = (decimals / 100, decimals / 10 % 10, decimals % 10);
        out.push('.');
        out.push(digit(tenths));
        if hundredths + thousandths > 0 {
            out.push(digit(hundredths));
        }
        if thousandths > 0 {
            out.push(digit(thousandths));
        }
    }
}

fn digit(number: u64) -> char {
    char::from_digit(u32::try_from(number).expect("a digit"), 10).expect("a digit")
}
