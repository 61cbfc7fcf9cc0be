//! Which of our codings a client would rather have (RFC 9110 section 12.5.3).

use http::HeaderValue;

use super::Coding;
use crate::attribution::page::thousandths;

/// The most codings that are looked at.
const MAX: usize = 64;

/// The coding that the client would rather have than others, and than none; the earlier one listed
/// here among equals. A client that says nothing gets none: it may not know any.
pub(super) fn choose<'h>(
    listed: &[Coding],
    lines: impl IntoIterator<Item = &'h HeaderValue>,
) -> Option<Coding> {
    let (mut any, mut plain) = (None, None);
    let mut named = [None; 3];
    let lines = lines.into_iter().filter_map(|line| line.to_str().ok());
    for (name, quality) in lines.flat_map(|line| line.split(',')).take(MAX).filter_map(read) {
        let coding = match () {
            () if name.eq_ignore_ascii_case("zstd") => Coding::Zstd,
            () if name.eq_ignore_ascii_case("br") => Coding::Br,
            // RFC 9110 section 8.4.1.3.
            () if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                Coding::Gzip
            }
            () => {
                if name == "*" {
                    any = Some(quality);
                } else if name.eq_ignore_ascii_case("identity") {
                    plain = Some(quality);
                }
                continue;
            }
        };
        named[coding as usize] = Some(quality);
    }
    let quality = |coding: Coding| named[coding as usize].or(any).unwrap_or(0);
    let best = listed.iter().copied().rev().max_by_key(|coding| quality(*coding))?;
    let least = plain.unwrap_or(0).max(1);
    (quality(best) >= least).then_some(best)
}

/// A coding and its weight in thousandths.
fn read(item: &str) -> Option<(&str, u16)> {
    let (name, rest) = item.split_once(';').unwrap_or((item, ""));
    let weight = rest.trim().split_once('=').filter(|(q, _)| q.trim().eq_ignore_ascii_case("q"));
    let quality = match weight {
        Some((_, weight)) => thousandths(weight.trim())?,
        None if rest.trim().is_empty() => 1_000,
        None => return None,
    };
    Some((name.trim(), quality))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

    fn chosen(listed: &[Coding], lines: &[&str]) -> Option<&'static str> {
        let lines: Vec<_> =
            lines.iter().map(|line| HeaderValue::from_str(line).expect("a value")).collect();
        choose(listed, &lines).map(Coding::as_str)
    }

    #[test]
    fn the_client_decides_and_then_our_order() {
        for (lines, coding) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip"], Some("gzip")),
            (&["X-GZIP"], Some("gzip")),
            (&["gzip, deflate, br, zstd"], Some("zstd")),
            (&["gzip, deflate, br"], Some("br")),
            (&["gzip", "br;q=0.5"], Some("gzip")),
            (&["gzip;q=0.5, br;q=0.8 , zstd; q=0.8"], Some("zstd")),
            (&["*"], Some("zstd")),
            (&["*;q=0.5, gzip;q=0.6"], Some("gzip")),
            (&["*, zstd;q=0"], Some("br")),
            (&["gzip;q=0"], None),
            (&["gzip;q=0.000, *;q=0"], None),
            (&["identity"], None),
            (&["identity, gzip;q=0.5"], None),
            (&["identity;q=0.5, gzip"], Some("gzip")),
            (&["identity;q=0, gzip;q=0.001"], Some("gzip")),
            (&["gzip, identity"], Some("gzip")),
            (&["deflate, compress"], None),
            (&["gzip;q=2, br;q=x"], None),
            (&["gzip;level=9"], None),
            (&[";q=1,,, ;"], None),
        ] {
            assert_eq!(chosen(&ALL, lines), coding, "{lines:?}");
        }
        assert_eq!(chosen(&[Coding::Gzip], &["br, gzip;q=0.1"]), Some("gzip"));
        assert_eq!(chosen(&[Coding::Gzip, Coding::Br], &["br, gzip"]), Some("gzip"));
    }

    proptest! {
        #[test]
        fn any_field_is_read(value in proptest::collection::vec(32_u8..=255, 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let _ = choose(&ALL, [&value]);
            }
        }

        #[test]
        fn nothing_is_sent_that_was_not_asked_for(
            items in proptest::collection::vec(("gzip|br|zstd|identity|\\*", 0_u16..=1000), 0..6)
        ) {
            let line = items.iter().map(|(name, q)| format!("{name};q={}.{:03}", q / 1000, q % 1000));
            let line = line.collect::<Vec<_>>().join(", ");
            if let Some(coding) = chosen(&ALL, &[&line]) {
                let last = |name: &str| items.iter().rev().find(|(n, _)| n == name).map(|(_, q)| *q);
                let quality = last(coding).or(last("*")).unwrap_or(0);
                prop_assert!(quality > 0 && quality >= last("identity").unwrap_or(0), "{}", line);
            }
        }
    }
}
