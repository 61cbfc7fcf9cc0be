//! The time of day, as it is written.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seconds of a day.
const DAY: u64 = 86_400;
/// Years of more than four digits begin here, in seconds since 1970.
const YEAR_10000: u64 = 253_402_300_800;

/// RFC 3339, UTC, milliseconds.
#[must_use]
pub fn timestamp(at: SystemTime) -> String {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) if since.as_secs() < YEAR_10000 => {
            written(since.as_secs(), since.subsec_millis().into())
        }
        _ => {
            let at = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            format!("{at:.3}")
        }
    }
}

fn written(seconds: u64, millis: u64) -> String {
    let (year, month, day) = date(seconds / DAY);
    let second = seconds % DAY;
    let mut out = *b"0000-00-00T00:00:00.000Z";
    for (place, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, second / 3_600),
        (14, second / 60 % 60),
        (17, second % 60),
        (20, millis / 10),
    ] {
        out[place] = digit(number / 10);
        out[place + 1] = digit(number % 10);
    }
    out[22] = digit(millis % 10);
    String::from_utf8(out.to_vec()).expect("digits and signs")
}

#[expect(clippy::cast_possible_truncation, reason = "it is below ten")]
const fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

/// Year, month and day of a day counted from 1970. Years are counted from March, so that a leap day
/// is the last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + 400 * era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn by_jiff(at: SystemTime) -> String {
        format!("{:.3}", jiff::Timestamp::try_from(at).expect("in range"))
    }

    proptest! {
        #[test]
        fn it_is_what_jiff_writes(seconds in 0..YEAR_10000 - 1_000_000, nanos in 0..1_000_000_000_u32) {
            let at = UNIX_EPOCH + Duration::new(seconds, nanos);
            prop_assert_eq!(timestamp(at), by_jiff(at));
        }
    }

    #[test]
    fn every_day_of_centuries_is_what_jiff_writes() {
        for day in 0..366 * 450 {
            let at = UNIX_EPOCH + Duration::from_secs(day * DAY + day % DAY);
            assert_eq!(timestamp(at), by_jiff(at));
        }
    }

    #[test]
    fn times_out_of_all_bounds_are_written() {
        for at in
            [UNIX_EPOCH - Duration::from_millis(1), UNIX_EPOCH + Duration::from_secs(YEAR_10000)]
        {
            assert!(timestamp(at).ends_with('Z'));
        }
    }
}
