//! Frames: four bytes of length (big-endian), then that many bytes of `postcard`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest body of a frame, in bytes. A receiver refuses a longer one before it allocates.
pub const MAX_FRAME: usize = 1 << 20;

/// Why a frame is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced or encoded length is over [`MAX_FRAME`].
    #[error("a frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
    /// The body does not decode as the message that is expected here.
    #[error("a frame does not decode as {0}")]
    Unreadable(&'static str),
}

/// The frame of `message`, length and body.
///
/// # Errors
/// When the body would be longer than [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let unreadable = |_| FrameError::Unreadable(std::any::type_name::<T>());
    let mut bytes = postcard::to_extend(message, vec![0; 4]).map_err(unreadable)?;
    let len = bytes.len().saturating_sub(4);
    let short = u32::try_from(len).ok().filter(|_| len <= MAX_FRAME).ok_or(FrameError::TooLong(len))?;
    bytes[..4].copy_from_slice(&short.to_be_bytes());
    Ok(bytes)
}

/// The length of the body that the first four bytes announce.
///
/// # Errors
/// When it is over [`MAX_FRAME`].
pub fn body_len(header: [u8; 4]) -> Result<usize, FrameError> {
    let len = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if len > MAX_FRAME { Err(FrameError::TooLong(len)) } else { Ok(len) }
}

/// The message in a frame's body. Bytes after it are a newer peer's fields, and ignored.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    postcard::from_bytes(body).map_err(|_| FrameError::Unreadable(std::any::type_name::<T>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Opening;
    use crate::wire::agent::{FromAgent, ToAgent};
    use crate::wire::join::{JoinAnswer, JoinRequest};
    use crate::wire::operator::{Reply, Request};
    use crate::wire::peer::PeerMessage;
    use crate::wire::push::{FromSn, ToSn};
    use proptest::prelude::*;

    #[test]
    fn a_long_frame_is_refused_before_it_is_read() {
        assert_eq!(body_len(u32::MAX.to_be_bytes()), Err(FrameError::TooLong(0xffff_ffff)));
        assert_eq!(encode(&vec![0u8; MAX_FRAME + 1]), Err(FrameError::TooLong(MAX_FRAME + 4)));
    }

    proptest! {
        #[test]
        fn encode_then_decode_gives_the_message(text: String) {
            let bytes = encode(&text).unwrap();
            let header = [bytes[0], bytes[1], bytes[2], bytes[3]];
            prop_assert_eq!(body_len(header), Ok(bytes.len() - 4));
            prop_assert_eq!(decode::<String>(&bytes[4..]), Ok(text));
        }

        #[test]
        fn bytes_from_anywhere_never_panic(body: Vec<u8>) {
            let _ = decode::<Opening>(&body);
            let _ = decode::<FromSn>(&body);
            let _ = decode::<ToSn>(&body);
            let _ = decode::<FromAgent>(&body);
            let _ = decode::<ToAgent>(&body);
            let _ = decode::<PeerMessage>(&body);
            let _ = decode::<JoinRequest>(&body);
            let _ = decode::<JoinAnswer>(&body);
            let _ = decode::<Request>(&body);
            let _ = decode::<Reply>(&body);
        }
    }
}
