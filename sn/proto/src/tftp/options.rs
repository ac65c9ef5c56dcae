//! What a client may ask for, and what it gets (RFC 2347, 2348, 2349, 7440).
//!
//! An option that is not known, or has a value that is no number or out of range, is left out of
//! the answer, which tells the client that it holds not (RFC 2347 §2).

use std::time::Duration;

use super::wire;

/// The bytes of a block when nothing else is agreed on.
const BLOCK: u16 = 512;
/// How many bytes may be on the way unacknowledged, beyond the first block. Larger windows would
/// overrun the receive buffers of firmware, and cost memory for each client.
const WINDOW_BYTES: u32 = 64 * 1024;
/// How long a client's word is waited for when nothing else is agreed on. It doubles each time.
const PATIENCE: Duration = Duration::from_secs(1);

/// What holds for one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The bytes of a block.
    pub block: u16,
    /// How many blocks are sent before an acknowledgement is waited for.
    pub window: u16,
    /// How long it is waited for.
    pub patience: Duration,
    /// Whether the client has set `patience`, so that it does not grow.
    pub fixed: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { block: BLOCK, window: 1, patience: PATIENCE, fixed: false }
    }
}

/// The terms of a transfer of `size` bytes, and the packet that accepts them; none when the client
/// asked for nothing that is known, and data follows at once.
pub fn agree(asked: &[(&[u8], &[u8])], size: u64) -> (Terms, Option<Vec<u8>>) {
    let mut terms = Terms::default();
    let mut window = None;
    let mut accepted: Vec<(&str, u64)> = Vec::new();
    for (name, value) in asked {
        let Some(value) = number(value) else { continue };
        let known = match name.to_ascii_lowercase().as_slice() {
            b"blksize" if value >= 8 => {
                // RFC 2348: the server may choose a smaller one.
                terms.block = u16::try_from(value).unwrap_or(u16::MAX).min(65_464);
                ("blksize", u64::from(terms.block))
            }
            b"timeout" if (1..=255).contains(&value) => {
                (terms.patience, terms.fixed) = (Duration::from_secs(value), true);
                ("timeout", value)
            }
            b"tsize" => ("tsize", size),
            b"windowsize" if value >= 1 => {
                window = Some(value);
                continue;
            }
            _ => continue,
        };
        if accepted.iter().all(|(name, _)| *name != known.0) {
            accepted.push(known);
        }
    }
    if let Some(window) = window {
        // After the loop: the block's size may stand behind it.
        let most = (WINDOW_BYTES / u32::from(terms.block)).max(1);
        terms.window = u16::try_from(window.min(u64::from(most))).unwrap_or(1);
        accepted.push(("windowsize", u64::from(terms.window)));
    }
    let packet = (!accepted.is_empty()).then(|| wire::accepted(&accepted));
    (terms, packet)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agreed(asked: &[(&str, &str)]) -> (Terms, String) {
        let asked: Vec<_> = asked.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let (terms, packet) = agree(&asked, 1000);
        let text = String::from_utf8(packet.unwrap_or_default()).unwrap();
        (terms, text.trim_start_matches(['\0', '\u{6}']).replace('\0', " "))
    }

    #[test]
    fn what_is_asked_for_is_given_within_bounds() {
        let (terms, text) = agreed(&[("BLKSIZE", "1468"), ("tsize", "0"), ("windowsize", "4")]);
        assert_eq!(
            (terms.block, terms.window, text.as_str()),
            (1468, 4, "blksize 1468 tsize 1000 windowsize 4 ")
        );
        let (terms, text) = agreed(&[("windowsize", "65535"), ("blksize", "99999"), ("timeout", "3")]);
        assert_eq!(
            (terms.block, terms.window, text.as_str()),
            (65_464, 1, "blksize 65464 timeout 3 windowsize 1 ")
        );
        assert_eq!((terms.patience, terms.fixed), (Duration::from_secs(3), true));
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_left_out() {
        let asked =
            [("blksize", "7"), ("windowsize", "0"), ("timeout", "256"), ("multicast", ""), ("tsize", "x")];
        assert_eq!(agreed(&asked), (Terms::default(), String::new()));
    }

    proptest! {
        #[test]
        fn a_window_is_never_larger_than_its_bound(block: u32, window: u32) {
            let (block, window) = (block.to_string(), window.to_string());
            let (terms, _) = agreed(&[("windowsize", &window), ("blksize", &block)]);
            let bytes = u32::from(terms.window) * u32::from(terms.block);
            prop_assert!(terms.window >= 1 && (terms.window == 1 || bytes <= WINDOW_BYTES));
        }
    }
}
