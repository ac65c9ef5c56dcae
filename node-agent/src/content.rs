//! Files by their hash, fetched from whichever service node is followed, in pieces that survive the
//! loss of a link, and believed only when the hash is right.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::Digest;
use common::wire::Opening;
use common::wire::content::{Fetch, Fetched};
use runtime::link::LinkError;
use runtime::link::connection::Link;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a fetch waits for a service node, all its attempts together.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a service node may be silent in the middle of a file.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// How many links a fetch tries.
const ATTEMPTS: u32 = 3;

/// How much is read at a time.
const STEP: usize = 64 * 1024;

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No service node is followed.
    #[error("no service node could be reached in {} seconds", PATIENCE.as_secs())]
    Nobody,
    /// The service node does not have it.
    #[error("the service node does not have content {}", .0.short())]
    Absent(Digest),
    /// It is longer than it may be.
    #[error("the content is longer than {0} bytes")]
    TooLong(u64),
    /// What came is not what was asked for.
    #[error("what the service node sent is not content {}", .0.short())]
    WrongHash(Digest),
    /// The link broke.
    #[error("the link with the service node broke")]
    Link(#[source] LinkError),
    /// It cannot be written here.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Brings files into a folder, each under its hash.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    followed: watch::Receiver<Option<Link>>,
}

impl Cache {
    /// A cache in `dir`, filled through the link that is followed.
    pub fn new(dir: PathBuf, followed: watch::Receiver<Option<Link>>) -> Self {
        Self { dir, followed }
    }

    /// The file with this content, which may have at most `most` bytes.
    ///
    /// # Errors
    /// When nobody has it, or it cannot be brought whole and right.
    pub async fn get(&self, hash: Digest, most: u64) -> Result<PathBuf, FetchError> {
        let path = self.dir.join(hash.to_string());
        if file_digest(&path).await.is_ok_and(|found| found == hash) {
            return Ok(path);
        }
        let mut last = FetchError::Nobody;
        for _ in 0..ATTEMPTS {
            let link = self.link().await?;
            match self.fetch(&link, hash, most, &path).await {
                Ok(()) => return Ok(path),
                // The next link may be with another service node, which has it.
                Err(error @ (FetchError::Link(_) | FetchError::Absent(_))) => last = error,
                Err(error) => return Err(error),
            }
            self.wait_for_another(&link).await;
        }
        Err(last)
    }

    /// Forgets all content but these.
    pub fn prune(&self, keep: &[Digest]) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let kept = keep.iter().any(|hash| name.to_str() == Some(hash.to_string().as_str()));
            if !kept {
                // It is tried again the next time.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    async fn link(&self) -> Result<Link, FetchError> {
        let mut followed = self.followed.clone();
        let found = timeout(PATIENCE, followed.wait_for(Option::is_some)).await;
        let found = found.map_err(|_| FetchError::Nobody)?.map_err(|_| FetchError::Nobody)?;
        found.clone().ok_or(FetchError::Nobody)
    }

    /// Waits a little for the followed link to be another one; then the same is tried once more.
    async fn wait_for_another(&self, link: &Link) {
        let mut followed = self.followed.clone();
        let another = |now: &Option<Link>| now.as_ref().is_none_or(|now| !now.is_same(link));
        let _ = timeout(Duration::from_millis(700), followed.wait_for(another)).await;
    }

    async fn fetch(&self, link: &Link, hash: Digest, most: u64, path: &Path) -> Result<(), FetchError> {
        let part = path.with_extension("part");
        let fail = |source| FetchError::Write { path: part.clone(), source };
        let (mut hasher, offset) = begun(&part).await;
        let (mut sender, mut receiver) = link.open().await.map_err(FetchError::Link)?;
        sender.send(&Opening::Fetch(Fetch { hash, offset })).await.map_err(FetchError::Link)?;
        sender.finish();
        let answer = timeout(SILENCE_LIMIT, receiver.expect::<Fetched>()).await;
        let rest = match answer.map_err(|_| FetchError::Link(LinkError::Silence))? {
            Ok(Fetched::Bytes(rest)) if offset.saturating_add(rest) <= most => rest,
            Ok(Fetched::Bytes(_)) => return Err(FetchError::TooLong(most)),
            Ok(Fetched::Absent) => return Err(FetchError::Absent(hash)),
            Err(error) => return Err(FetchError::Link(error)),
        };
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(&part).await.map_err(fail)?;
        let mut left = rest;
        let mut buffer = vec![0; STEP];
        while left > 0 {
            let read = timeout(SILENCE_LIMIT, receiver.read_bytes(&mut buffer)).await;
            let len = read.map_err(|_| FetchError::Link(LinkError::Silence))?.map_err(FetchError::Link)?;
            let bytes = buffer.get(..len).unwrap_or_default();
            if bytes.is_empty() || u64::try_from(len).is_ok_and(|len| len > left) {
                break;
            }
            hasher.update(bytes);
            file.write_all(bytes).await.map_err(fail)?;
            left = left.saturating_sub(u64::try_from(len).unwrap_or(left));
        }
        file.sync_all().await.map_err(fail)?;
        drop(file);
        if left > 0 {
            return Err(FetchError::Link(LinkError::CutShort));
        }
        if Digest::from_bytes(*hasher.finalize().as_bytes()) != hash {
            // The next attempt begins from nothing.
            let _ = tokio::fs::remove_file(&part).await;
            return Err(FetchError::WrongHash(hash));
        }
        tokio::fs::rename(&part, path).await.map_err(fail)
    }
}

/// What an earlier attempt has brought: its hash so far, and how much.
async fn begun(part: &Path) -> (blake3::Hasher, u64) {
    hash_file(part).await.unwrap_or_else(|_| (blake3::Hasher::new(), 0))
}

async fn file_digest(path: &Path) -> io::Result<Digest> {
    let (hasher, _) = hash_file(path).await?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

async fn hash_file(path: &Path) -> io::Result<(blake3::Hasher, u64)> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; STEP];
    let mut total = 0;
    loop {
        let len = file.read(&mut buffer).await?;
        if len == 0 {
            return Ok((hasher, total));
        }
        hasher.update(buffer.get(..len).unwrap_or_default());
        total += u64::try_from(len).unwrap_or(0);
    }
}
