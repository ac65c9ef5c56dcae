//! Frames over anything that reads and writes: a QUIC stream, a unix socket, a pipe in a test.
//!
//! **Invariants**: [`FrameReader::recv`] may be dropped at any await and loses nothing; a frame
//! that announces more than `common::wire::frame::MAX_FRAME` is refused before memory is set aside
//! for it, and memory grows only with bytes that have arrived.

use std::io;

use bytes::{Buf as _, BytesMut};
use common::wire::frame;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::LinkError;

/// Sends on a QUIC stream.
pub type FrameSender = FrameWriter<quinn::SendStream>;
/// Receives on a QUIC stream.
pub type FrameReceiver = FrameReader<quinn::RecvStream>;

/// How much is read at a time. Memory for a frame grows in such steps.
const STEP: usize = 64 * 1024;

/// Writes frames.
#[derive(Debug)]
pub struct FrameWriter<W> {
    writer: W,
    /// What a dropped `send` had not written yet.
    pending: BytesMut,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Over this writer.
    pub fn new(writer: W) -> Self {
        Self { writer, pending: BytesMut::new() }
    }

    /// Sends a message. When it is dropped half-way the frame is not torn: the next call sends the
    /// rest first.
    ///
    /// # Errors
    /// When the message is too long for a frame (nothing is sent), or the other side is gone.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), LinkError> {
        let bytes = frame::encode(message)?;
        self.send_bytes(&bytes).await
    }

    /// Sends bytes as they are, such as a file's content after the frames.
    ///
    /// # Errors
    /// When the other side is gone.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.pending.extend_from_slice(bytes);
        while !self.pending.is_empty() {
            let written = self.writer.write(&self.pending).await.map_err(LinkError::Stream)?;
            if written == 0 {
                return Err(LinkError::Stream(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        self.writer.flush().await.map_err(LinkError::Stream)
    }

    /// Ends this direction and waits until the writer has taken it.
    ///
    /// # Errors
    /// When the other side is gone.
    pub async fn shutdown(&mut self) -> Result<(), LinkError> {
        self.send_bytes(&[]).await?;
        self.writer.shutdown().await.map_err(LinkError::Stream)
    }
}

impl FrameWriter<quinn::SendStream> {
    /// Ends this direction: the other side reads `None` after the last frame. A frame that a
    /// dropped `send` left torn breaks the stream instead, which the other side sees as an error.
    pub fn finish(&mut self) {
        // Both fail only when the stream has ended already, which is what is wanted.
        if self.pending.is_empty() {
            let _ = self.writer.finish();
        } else {
            let _ = self.writer.reset(quinn::VarInt::from_u32(0));
        }
    }

    /// After [`Self::finish`]: returns when the other side has all of it, or the link has ended.
    pub async fn delivered(&mut self) {
        let _ = self.writer.stopped().await;
    }
}

/// Reads frames.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    /// Bytes that have arrived and are not consumed: at most a frame and a step.
    arrived: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Over this reader.
    pub fn new(reader: R) -> Self {
        Self { reader, arrived: BytesMut::new() }
    }

    /// The next message; none when the other side has ended the stream cleanly. May be dropped at
    /// any time, as in `select!`, and called again.
    ///
    /// # Errors
    /// When the stream breaks or ends inside a frame, or the frame is too long or does not decode.
    /// After an error of the frame itself the stream is of no use: close it.
    pub async fn recv<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LinkError> {
        loop {
            if let Some(body) = self.whole_frame()? {
                return Ok(Some(frame::decode(&body)?));
            }
            if self.fill().await? == 0 {
                return if self.arrived.is_empty() { Ok(None) } else { Err(LinkError::CutShort) };
            }
        }
    }

    /// The next message, where one must come.
    ///
    /// # Errors
    /// As [`Self::recv`], and when the stream has ended.
    pub async fn expect<T: DeserializeOwned>(&mut self) -> Result<T, LinkError> {
        self.recv().await?.ok_or(LinkError::CutShort)
    }

    /// Bytes as they are, after the frames; 0 at the end. May be dropped and called again.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn read_bytes(&mut self, into: &mut [u8]) -> Result<usize, LinkError> {
        if self.arrived.is_empty() {
            return self.reader.read(into).await.map_err(LinkError::Stream);
        }
        let len = into.len().min(self.arrived.len());
        self.arrived.copy_to_slice(into.get_mut(..len).unwrap_or_default());
        Ok(len)
    }

    /// The body of the first frame in `arrived`, once it is whole.
    fn whole_frame(&mut self) -> Result<Option<BytesMut>, LinkError> {
        let Some(header) = self.arrived.first_chunk::<4>() else { return Ok(None) };
        let len = frame::body_len(*header)?;
        if self.arrived.len() < 4 + len {
            return Ok(None);
        }
        self.arrived.advance(4);
        Ok(Some(self.arrived.split_to(len)))
    }

    async fn fill(&mut self) -> Result<usize, LinkError> {
        if self.arrived.capacity() - self.arrived.len() < STEP / 4 {
            self.arrived.reserve(STEP);
        }
        self.reader.read_buf(&mut self.arrived).await.map_err(LinkError::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::wire::frame::{FrameError, MAX_FRAME};
    use futures_poll::poll_once;
    use proptest::prelude::*;
    use tokio::io::duplex;

    /// Polls a future once and drops it, as a `select!` that chose another branch does.
    mod futures_poll {
        use std::future::Future;
        use std::pin::pin;
        use std::task::{Context, Waker};

        pub(super) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
            match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            }
        }
    }

    #[tokio::test]
    async fn a_dropped_recv_loses_nothing() {
        let (ours, mut theirs) = duplex(1024);
        let mut reader = FrameReader::new(ours);
        let bytes = [frame::encode(&"first").unwrap(), frame::encode(&"second").unwrap()].concat();
        let mut got: Vec<String> = Vec::new();
        for byte in bytes {
            theirs.write_all(&[byte]).await.unwrap();
            if let Some(message) = poll_once(reader.recv::<String>()) {
                got.push(message.unwrap().unwrap());
            }
        }
        assert_eq!(got, ["first", "second"]);
        drop(theirs);
        assert!(reader.recv::<String>().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_dropped_send_is_completed_by_the_next() {
        let (ours, theirs) = duplex(3);
        let mut writer = FrameWriter::new(ours);
        assert!(poll_once(writer.send(&"first")).is_none(), "the pipe holds three bytes only");
        let mut reader = FrameReader::new(theirs);
        let (sent, first) = tokio::join!(writer.send(&"second"), async {
            let first: String = reader.expect().await.unwrap();
            let second: String = reader.expect().await.unwrap();
            [first, second]
        });
        sent.unwrap();
        assert_eq!(first, ["first", "second"]);
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_is_refused_before_memory_is_set_aside() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
        let mut reader = FrameReader::new(ours);
        let refused = reader.recv::<String>().await;
        assert!(matches!(refused, Err(LinkError::Frame(FrameError::TooLong(_)))), "{refused:?}");
        assert!(reader.arrived.capacity() <= 2 * STEP);
        let mut writer = FrameWriter::new(tokio::io::sink());
        assert!(writer.send(&vec![0u8; MAX_FRAME + 1]).await.is_err());
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(&[0, 0, 0, 9, 1, 2]).await.unwrap();
        drop(theirs);
        assert!(matches!(FrameReader::new(ours).recv::<String>().await, Err(LinkError::CutShort)));
    }

    #[tokio::test]
    async fn raw_bytes_follow_the_frames() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(&frame::encode(&7u32).unwrap()).await.unwrap();
        theirs.write_all(b"content").await.unwrap();
        drop(theirs);
        let mut reader = FrameReader::new(ours);
        assert_eq!(reader.expect::<u32>().await.unwrap(), 7);
        let mut got = Vec::new();
        let mut part = [0; 3];
        loop {
            match reader.read_bytes(&mut part).await.unwrap() {
                0 => break,
                len => got.extend_from_slice(&part[..len]),
            }
        }
        assert_eq!(got, b"content");
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_end_in_messages_or_an_error(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut reader = FrameReader::new(bytes.as_slice());
                while let Ok(Some(_)) = reader.recv::<Vec<u8>>().await {}
            });
        }
    }
}
