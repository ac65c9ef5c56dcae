//! The bytes of a transfer: a boot file in memory, or a file of the content store.
//!
//! A file is read ahead in chunks on the blocking threads, so that a cold disk delays nobody else
//! and a block in the middle of a chunk costs a copy.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sn_proto::tftp::view::Content;
use sn_proto::tftp::wire::{Mode, netascii};

/// How much is read at once: a whole window and its largest block fit.
const CHUNK: usize = 128 * 1024;
/// The largest file that is sent as text. Such a file grows on its way, so it is made in memory.
const LARGEST_TEXT: u64 = 1 << 20;

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// It is named by the slice, but not (whole) in the content store.
    #[error("cannot read {path}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is too large for netascii.
    #[error("too large for netascii: ask for it in octet mode")]
    TooLargeForText,
}

impl SourceError {
    /// Without our paths.
    pub(super) fn for_client(&self) -> String {
        match self {
            Self::Unreadable { .. } => "the file cannot be read here".to_owned(),
            Self::TooLargeForText => self.to_string(),
        }
    }
}

/// Where a transfer reads from.
#[derive(Debug)]
pub(super) enum Source {
    /// Everything is in memory.
    Memory(Vec<u8>),
    /// A file.
    Stored {
        file: Arc<File>,
        path: PathBuf,
        size: u64,
        /// What has been read ahead, and from where.
        chunk: Vec<u8>,
        start: u64,
    },
}

impl Source {
    pub(super) async fn open(dir: &Path, content: Content, mode: Mode) -> Result<Self, SourceError> {
        let stored = match (content, mode) {
            (Content::Generated(text), Mode::Octet) => return Ok(Self::Memory(text.into_bytes())),
            (Content::Generated(text), Mode::Netascii) => {
                return Ok(Self::Memory(netascii(text.as_bytes())));
            }
            (Content::Stored(stored), _) => stored,
        };
        if mode == Mode::Netascii && stored.size > LARGEST_TEXT {
            return Err(SourceError::TooLargeForText);
        }
        let path = crate::content::path(dir, &stored.hash);
        let opened = {
            let path = path.clone();
            blocking(move || {
                let file = File::open(path)?;
                if file.metadata()?.len() == stored.size {
                    return Ok(file);
                }
                Err(io::Error::other("its size is not the one that the slice gives"))
            })
        };
        let file = opened.await.map_err(|source| SourceError::Unreadable { path: path.clone(), source })?;
        let mut source =
            Self::Stored { file: Arc::new(file), path, size: stored.size, chunk: Vec::new(), start: 0 };
        if mode == Mode::Netascii {
            let mut text = Vec::new();
            while (text.len() as u64) < stored.size {
                let more = source.read(text.len() as u64, CHUNK).await?;
                text.extend_from_slice(more);
            }
            source = Self::Memory(netascii(&text));
        }
        Ok(source)
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Stored { size, .. } => *size,
        }
    }

    /// The bytes from `offset` on: `len` of them (at most [`CHUNK`]), fewer at the end.
    pub(super) async fn read(&mut self, offset: u64, len: usize) -> Result<&[u8], SourceError> {
        let len = len.min(CHUNK);
        let (bytes, start) = match self {
            Self::Memory(bytes) => (&*bytes, 0),
            Self::Stored { file, path, size, chunk, start } => {
                let end = (offset + len as u64).min(*size);
                if offset < *start || end > *start + chunk.len() as u64 {
                    let want = usize::try_from(*size - offset.min(*size)).unwrap_or(CHUNK).min(CHUNK);
                    let read = read_chunk(Arc::clone(file), std::mem::take(chunk), offset, want).await;
                    let unreadable = |source| SourceError::Unreadable { path: path.clone(), source };
                    *chunk = read.map_err(unreadable)?;
                    *start = offset;
                }
                (&*chunk, *start)
            }
        };
        let from = usize::try_from(offset - start).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(len).min(bytes.len());
        Ok(bytes.get(from..to).unwrap_or_default())
    }
}

async fn read_chunk(file: Arc<File>, mut chunk: Vec<u8>, offset: u64, want: usize) -> io::Result<Vec<u8>> {
    blocking(move || {
        chunk.resize(want, 0);
        file.read_exact_at(&mut chunk, offset)?;
        Ok(chunk)
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
