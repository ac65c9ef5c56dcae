//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 48-bit Ethernet address, written in lower case with colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MacAddr([u8; 6]);

/// Why a text is not a hardware address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address; write it as 52:54:00:12:34:56")]
pub struct MacError(String);

impl MacAddr {
    /// The address with these six bytes.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// No address: what stands in a slice for a node whose hardware address is not known yet.
    pub const NONE: Self = Self([0; 6]);

    /// The six bytes in the order they are sent.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddr {
    type Err = MacError;

    /// Takes `:` or `-` between the bytes, or twelve digits with nothing between.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let refuse = || MacError(text.chars().take(40).collect());
        let digits: Vec<u8> = match text.len() {
            17 => {
                let separator = text.as_bytes()[2];
                if !matches!(separator, b':' | b'-') {
                    return Err(refuse());
                }
                if text.bytes().skip(2).step_by(3).any(|b| b != separator) {
                    return Err(refuse());
                }
                text.bytes().enumerate().filter(|(at, _)| at % 3 != 2).map(|(_, b)| b).collect()
            }
            12 => text.bytes().collect(),
            _ => return Err(refuse()),
        };
        let mut bytes = [0; 6];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = pair.and_then(|p| u8::from_str_radix(p, 16).ok()).ok_or_else(refuse)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_usual_spellings_are_one_address() {
        let want = MacAddr::new([0x52, 0x54, 0, 0x12, 0xab, 0xff]);
        for text in ["52:54:00:12:ab:ff", "52-54-00-12-AB-FF", "52540012abff"] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(bytes: [u8; 6]) {
            let mac = MacAddr::new(bytes);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = text.parse::<MacAddr>();
        }
    }
}
