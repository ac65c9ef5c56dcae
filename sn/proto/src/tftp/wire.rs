//! TFTP packets: bytes ⇄ types (RFC 1350 §5, RFC 2347).
//!
//! **Invariants**: no bytes panic; a request's strings are borrowed from the packet, so their
//! lengths are bounded by it; at most [`MOST_OPTIONS`] options are read.

/// More options than any client sends (the known ones are seven).
pub const MOST_OPTIONS: usize = 16;

/// Why a transfer ends (RFC 1350 §5, RFC 2347 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// See the text.
    Undefined,
    /// There is no such file, or not for this client.
    NotFound,
    /// Not allowed.
    Access,
    /// A packet that makes no sense here.
    Illegal,
    /// A packet from elsewhere than the transfer's client.
    UnknownTransfer,
    /// The options cannot be agreed on.
    Options,
}

impl Code {
    const fn number(self) -> u16 {
        match self {
            Self::Undefined => 0,
            Self::NotFound => 1,
            Self::Access => 2,
            Self::Illegal => 4,
            Self::UnknownTransfer => 5,
            Self::Options => 8,
        }
    }
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is.
    Octet,
    /// As text: every line ends in CR LF (RFC 764).
    Netascii,
}

/// "Send me this file."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// Its name, as the client wrote it.
    pub name: &'a [u8],
    /// How.
    pub mode: Mode,
    /// What it would like, name and value.
    pub options: Vec<(&'a [u8], &'a [u8])>,
}

/// A packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// It wants to read.
    Read(Read<'a>),
    /// It wants to write.
    Write,
    /// It has all blocks up to this one.
    Ack(u16),
    /// It gives up.
    Error {
        /// Why, as a number.
        code: u16,
        /// Why, in its words.
        text: &'a [u8],
    },
}

/// Why bytes are not a packet of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Too short for what it says to be.
    #[error("cut short")]
    Short,
    /// Of a kind that clients that read do not send.
    #[error("operation {0} is none of a reader's")]
    Operation(u16),
    /// Another mode than `octet` and `netascii`.
    #[error("the mode is neither octet nor netascii")]
    Mode,
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// When it is none that a reading client sends.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (operation, rest) = bytes.split_first_chunk().ok_or(WireError::Short)?;
        match u16::from_be_bytes(*operation) {
            1 => Ok(Self::Read(request(rest)?)),
            2 => Ok(Self::Write),
            4 => {
                let (block, _) = rest.split_first_chunk().ok_or(WireError::Short)?;
                Ok(Self::Ack(u16::from_be_bytes(*block)))
            }
            5 => {
                let (code, text) = rest.split_first_chunk().ok_or(WireError::Short)?;
                // Some clients forget the zero at the end.
                let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                Ok(Self::Error { code: u16::from_be_bytes(*code), text })
            }
            other => Err(WireError::Operation(other)),
        }
    }
}

fn request(bytes: &[u8]) -> Result<Read<'_>, WireError> {
    let (name, rest) = string(bytes).ok_or(WireError::Short)?;
    let (mode, mut rest) = string(rest).ok_or(WireError::Short)?;
    let mode = if mode.eq_ignore_ascii_case(b"octet") {
        Mode::Octet
    } else if mode.eq_ignore_ascii_case(b"netascii") {
        Mode::Netascii
    } else {
        return Err(WireError::Mode);
    };
    let mut options = Vec::new();
    while options.len() < MOST_OPTIONS {
        let Some((option, after)) = string(rest) else { break };
        let Some((value, after)) = string(after) else { break };
        options.push((option, value));
        rest = after;
    }
    Ok(Read { name, mode, options })
}

/// Up to a zero, and what is behind it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// The header of a block of data. Blocks are numbered from 1; the number on the wire starts again
/// at 0 after 65,535, as all common servers do.
pub const fn data_header(block: u64) -> [u8; 4] {
    let [.., high, low] = block.to_be_bytes();
    [0, 3, high, low]
}

/// "I accept these options."
pub fn accepted(options: &[(&str, u64)]) -> Vec<u8> {
    let mut bytes = vec![0, 6];
    for (name, value) in options {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.to_string().as_bytes());
        bytes.push(0);
    }
    bytes
}

/// "It ends here."
pub fn error(code: Code, text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 5];
    bytes.extend_from_slice(&code.number().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

/// A file as text for the wire: every line ends in CR LF, a lone CR in CR NUL (RFC 764). A line
/// that ends in CR LF already stays as it is.
pub fn netascii(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'\n', _) => text.extend_from_slice(b"\r\n"),
            (b'\r', [b'\n', after @ ..]) => {
                text.extend_from_slice(b"\r\n");
                rest = after;
            }
            (b'\r', _) => text.extend_from_slice(b"\r\0"),
            (byte, _) => text.push(*byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_with_its_options() {
        let got = Packet::decode(b"\0\x01boot/x\0OcTet\0blksize\x001468\0tsize\x000\0cut");
        let options = vec![(&b"blksize"[..], &b"1468"[..]), (b"tsize", b"0")];
        assert_eq!(got, Ok(Packet::Read(Read { name: b"boot/x", mode: Mode::Octet, options })));
        assert_eq!(Packet::decode(b"\0\x01x\0mail\0"), Err(WireError::Mode));
        assert_eq!(Packet::decode(b"\0\x01x\0octet"), Err(WireError::Short));
        assert_eq!(Packet::decode(b"\0\x02"), Ok(Packet::Write));
        assert_eq!(Packet::decode(b"\0\x03\0\x01x"), Err(WireError::Operation(3)));
    }

    #[test]
    fn an_error_needs_no_zero_at_its_end() {
        let want = Ok(Packet::Error { code: 8, text: b"User aborted" });
        assert_eq!(Packet::decode(b"\0\x05\0\x08User aborted"), want);
        assert_eq!(Packet::decode(b"\0\x05\0\x08User aborted\0"), want);
    }

    #[test]
    fn text_lines_end_in_cr_lf() {
        assert_eq!(netascii(b"a\nb\r\nc\rd\r"), b"a\r\nb\r\nc\r\0d\r\0");
    }

    #[test]
    fn block_numbers_start_again_at_zero() {
        assert_eq!(data_header(65_535), [0, 3, 255, 255]);
        assert_eq!(data_header(65_536), [0, 3, 0, 0]);
        assert_eq!(data_header(65_537), [0, 3, 0, 1]);
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_never_panic(bytes: Vec<u8>, operation in 0u8..8) {
            let _ = Packet::decode(&bytes);
            let _ = Packet::decode(&[&[0, operation], &bytes[..]].concat());
        }

        #[test]
        fn a_reader_understands_our_options(blksize in 8u64..65_465, tsize: u64) {
            let bytes = accepted(&[("blksize", blksize), ("tsize", tsize)]);
            let mut words = bytes[2..].split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).unwrap());
            prop_assert_eq!(words.next(), Some("blksize"));
            prop_assert_eq!(words.next().map(str::parse), Some(Ok(blksize)));
            prop_assert_eq!(words.next(), Some("tsize"));
            prop_assert_eq!(words.next().map(str::parse), Some(Ok(tsize)));
        }
    }
}
