//! The bytes of large bodies: a pattern in which a missing, doubled or swapped piece shows.

use std::sync::LazyLock;

/// A prime, so that no piece of a round size looks like its neighbour.
const PERIOD: usize = 65_521;

static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 1_u32;
    (0..PERIOD)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
});

/// The pattern from `offset` on: at least one byte and at most `most`, which must not be 0.
///
/// Every body that the lab makes up (`/bytes`, `/chunked`, `/range` …) is this, from offset 0.
#[must_use]
pub fn pattern(offset: u64, most: u64) -> &'static [u8] {
    let at = usize::try_from(offset % PERIOD as u64).expect("less than the period");
    let rest = &BLOCK[at..];
    &rest[..usize::try_from(most).map_or(rest.len(), |most| most.min(rest.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_same_bytes() {
        let mut bytes = Vec::new();
        while bytes.len() < 200_000 {
            bytes.extend_from_slice(pattern(bytes.len() as u64, 7_919));
        }
        assert_eq!(bytes[70_000..70_010], *pattern(70_000, 10));
        assert_ne!(bytes[..4096], bytes[4096..8192]);
        assert_eq!(bytes[0], bytes[PERIOD]);
    }
}
