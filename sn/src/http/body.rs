//! The bodies of answers: a text, or a part of a file read ahead by one chunk.
//!
//! **Invariant**: no more than two chunks of a file are in memory for one connection.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::JoinHandle;

/// How much of a file is read at once. Smaller ones cost twice the processor time for a gigabyte,
/// larger ones cost memory for every connection.
pub(super) const CHUNK: u64 = 256 * 1024;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// A text that was not sent yet.
    Text(Option<Bytes>),
    /// Part of a file.
    Content(Content),
}

impl Payload {
    /// The whole of a text.
    pub(super) fn text(text: String) -> Self {
        Self::Text(Some(text.into()))
    }

    /// `length` bytes of `file`, from `first` on.
    pub(super) const fn content(file: File, first: u64, length: u64) -> Self {
        Self::Content(Content { next: first, unread: length, left: length, state: State::Idle(Some(file)) })
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Content(content) => content.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.is_none(),
            Self::Content(content) => content.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Text(text) => text.as_ref().map_or(0, |text| text.len() as u64),
            Self::Content(content) => content.left,
        })
    }
}

/// Part of a file on its way.
#[derive(Debug)]
pub(super) struct Content {
    /// Where the next read begins.
    next: u64,
    /// How much is not read yet.
    unread: u64,
    /// How much is not handed over yet.
    left: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is being read; no file is left after an error.
    Idle(Option<File>),
    /// A chunk is being read.
    Reading(JoinHandle<io::Result<(File, Vec<u8>)>>),
}

impl Content {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.read_ahead();
        let State::Reading(reading) = &mut self.state else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.state = State::Idle(None);
        Poll::Ready(Some(match read.map_err(io::Error::from).flatten() {
            Ok((file, chunk)) => {
                self.left -= (chunk.len() as u64).min(self.left);
                self.state = State::Idle(Some(file));
                self.read_ahead();
                Ok(Frame::data(chunk.into()))
            }
            // The client notices: it gets less than was announced.
            Err(error) => {
                tracing::warn!(%error, "http could not read content");
                Err(error)
            }
        }))
    }

    /// Begins to read the next chunk, unless one is being read or there is none.
    fn read_ahead(&mut self) {
        let State::Idle(file) = &mut self.state else { return };
        if self.unread == 0 {
            return;
        }
        let Some(file) = file.take() else { return };
        let (from, length) = (self.next, self.unread.min(CHUNK));
        self.next += length;
        self.unread -= length;
        self.state = State::Reading(tokio::task::spawn_blocking(move || read(file, from, length)));
    }
}

fn read(mut file: File, from: u64, length: u64) -> io::Result<(File, Vec<u8>)> {
    let mut chunk = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.seek(SeekFrom::Start(from))?;
    file.by_ref().take(length).read_to_end(&mut chunk)?;
    if chunk.len() as u64 == length {
        Ok((file, chunk))
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"))
    }
}
