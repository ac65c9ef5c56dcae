//! Fetching what is missing from the management node, and deleting what nothing names.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::{Digest, Moment};
use common::wire::Opening;
use common::wire::content::{Fetch, Fetched};
use runtime::clock;
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::supervise::BoxError;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Content, GRACE, named, path};
use crate::slice::Serving;

/// Files in flight. A few hide the latency between them; more would only share one cable.
const AT_ONCE: usize = 4;

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// How long a file that could not be fetched is left alone.
const RETRY: Duration = Duration::from_secs(3);

/// How long one read may take before the transfer is begun anew.
const STALL: Duration = Duration::from_secs(30);

/// How often unnamed content is looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the management node does not have it")]
    Absent,
    #[error("it has {found} bytes, and {wanted} are announced")]
    Length { found: u64, wanted: u64 },
    #[error("the transfer was cut {0} bytes before its end")]
    Cut(u64),
    #[error("its content is not what its hash says")]
    Content,
    #[error("nothing came for {}s", STALL.as_secs())]
    Stalled,
    #[error("the transfer broke")]
    Link(#[from] LinkError),
    #[error("the file cannot be written")]
    Disk(#[from] io::Error),
}

/// See the module above.
#[derive(Debug)]
pub struct Fetcher {
    content: Content,
    serving: watch::Receiver<std::sync::Arc<Serving>>,
    link: watch::Receiver<Option<Link>>,
    later: HashMap<Digest, Moment>,
    unnamed: HashMap<PathBuf, Moment>,
    flying: JoinSet<(Digest, Result<(), FetchError>)>,
    in_flight: HashMap<Digest, ()>,
}

impl Fetcher {
    /// Fetches what `serving` names over whichever link to the management node there is.
    pub fn new(
        content: Content,
        serving: watch::Receiver<std::sync::Arc<Serving>>,
        link: watch::Receiver<Option<Link>>,
    ) -> Self {
        Self {
            content,
            serving,
            link,
            later: HashMap::new(),
            unnamed: HashMap::new(),
            flying: JoinSet::new(),
            in_flight: HashMap::new(),
        }
    }

    /// Works until stopped.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        runtime::disk::create_dir(&self.content.dir.join("content").join("part"), 0o755)?;
        let mut changes = self.content.changes();
        let mut sweep = tokio::time::interval(SWEEP);
        let mut retry = tokio::time::interval(RETRY);
        loop {
            self.begin();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = self.serving.changed() => if changed.is_err() { return Ok(()) },
                changed = self.link.changed() => if changed.is_err() { return Ok(()) },
                _ = changes.changed() => {}
                Some(ended) = self.flying.join_next() => self.ended(ended),
                _ = retry.tick() => {}
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    /// Begins as many transfers as may be in flight.
    fn begin(&mut self) {
        let Some(link) = self.link.borrow_and_update().clone() else { return };
        if self.flying.len() >= AT_ONCE {
            return;
        }
        let now = clock::now();
        let slice = std::sync::Arc::clone(&self.serving.borrow_and_update().slice);
        let mut wanted = named(&slice);
        for (hash, (size, _)) in &self.content.state().runs {
            wanted.entry(*hash).or_insert(*size);
        }
        for (hash, size) in wanted {
            if self.flying.len() >= AT_ONCE {
                break;
            }
            let rests = self.later.get(&hash).is_some_and(|until| *until > now);
            if rests || self.in_flight.contains_key(&hash) || self.content.has(&hash) {
                continue;
            }
            self.in_flight.insert(hash, ());
            let (link, dir) = (link.clone(), self.content.dir.clone());
            self.flying.spawn(async move { (hash, fetch(&link, &dir, hash, size).await) });
        }
    }

    fn ended(&mut self, ended: Result<(Digest, Result<(), FetchError>), tokio::task::JoinError>) {
        let (hash, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // A bug of ours; which file it was is lost with the task, so all may begin again.
                tracing::error!(error = %error, "a transfer panicked");
                self.in_flight.clear();
                return;
            }
        };
        self.in_flight.remove(&hash);
        match outcome {
            Ok(()) => {
                tracing::debug!(digest = hash.short(), "fetched content");
                self.later.remove(&hash);
                self.content.arrived(hash);
            }
            Err(error) => {
                tracing::warn!(
                    digest = hash.short(),
                    error = common::report::chain(&error),
                    "could not fetch content"
                );
                self.later.insert(hash, clock::now() + RETRY);
            }
        }
    }

    /// Deletes what nothing has named for a while, and misses what somebody else has deleted. What
    /// cannot be read is left for the next time.
    fn sweep(&mut self) {
        let now = clock::now();
        self.content.look_again();
        self.later.retain(|_, until| *until > now);
        self.content.state().runs.retain(|_, (_, until)| *until > now);
        let named = named(&self.serving.borrow().slice);
        let mut unnamed = HashMap::new();
        for file in files(&self.content.dir.join("content")) {
            let hash = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            let Some(hash) = hash else { continue };
            if named.contains_key(&hash) || self.content.is_run(&hash) || self.in_flight.contains_key(&hash) {
                continue;
            }
            let since = self.unnamed.get(&file).copied().unwrap_or(now);
            if now.since(since) < GRACE {
                unnamed.insert(file, since);
                continue;
            }
            self.content.state().present.remove(&hash);
            match std::fs::remove_file(&file) {
                Ok(()) => tracing::info!(digest = hash.short(), "deleted content that nothing names"),
                Err(error) => tracing::warn!(digest = hash.short(), %error, "could not delete content"),
            }
        }
        self.unnamed = unnamed;
    }
}

/// The files two levels below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let below = |dir: &Path| {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.filter_map(|one| one.ok().map(|one| one.path())).collect::<Vec<_>>()
    };
    below(dir).iter().flat_map(|folder| below(folder)).collect()
}

async fn fetch(link: &Link, dir: &Path, hash: Digest, size: Option<u64>) -> Result<(), FetchError> {
    let part = dir.join("content").join("part").join(hash.to_string());
    let (mut hasher, have) = begun(part.clone()).await?;
    let outcome = receive(link, &part, Fetch { hash, offset: have }, size, &mut hasher).await;
    if matches!(outcome, Err(FetchError::Content | FetchError::Length { .. })) {
        // What is there already is wrong; the next attempt begins at the front.
        tokio::fs::remove_file(&part).await?;
    }
    outcome?;
    let whole = path(dir, &hash);
    tokio::task::spawn_blocking(move || {
        let folder = whole.parent().unwrap_or(&whole);
        runtime::disk::create_dir(folder, 0o755)?;
        std::fs::rename(&part, &whole)?;
        runtime::disk::sync_dir(folder)
    })
    .await
    .map_err(io::Error::other)??;
    Ok(())
}

/// What an earlier transfer left: its hash so far, and its length.
async fn begun(part: PathBuf) -> io::Result<(blake3::Hasher, u64)> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        match std::fs::File::open(&part) {
            Ok(file) => {
                hasher.update_reader(file)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let have = hasher.count();
        Ok((hasher, have))
    });
    reading.await.map_err(io::Error::other)?
}

async fn receive(
    link: &Link,
    part: &Path,
    fetch: Fetch,
    size: Option<u64>,
    hasher: &mut blake3::Hasher,
) -> Result<(), FetchError> {
    let (mut sender, mut receiver) = link.open().await?;
    sender.send(&Opening::Fetch(fetch)).await?;
    sender.finish();
    let answer = tokio::time::timeout(STALL, receiver.expect::<Fetched>());
    let rest = match answer.await.map_err(|_| FetchError::Stalled)?? {
        Fetched::Bytes(rest) => rest,
        Fetched::Absent => return Err(FetchError::Absent),
    };
    let found = fetch.offset.saturating_add(rest);
    if let Some(wanted) = size.filter(|wanted| *wanted != found) {
        return Err(FetchError::Length { found, wanted });
    }
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(part).await?;
    let mut buffer = vec![0; CHUNK];
    let mut left = rest;
    while left > 0 {
        let read = tokio::time::timeout(STALL, receiver.read_bytes(&mut buffer));
        let read = read.await.map_err(|_| FetchError::Stalled)??;
        if read == 0 {
            // What has come is good, and is where the next attempt goes on.
            file.flush().await?;
            return Err(FetchError::Cut(left));
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        let too_much = || FetchError::Length { found: found.saturating_add(1), wanted: found };
        left = left.checked_sub(read as u64).ok_or_else(too_much)?;
        hasher.update(bytes);
        file.write_all(bytes).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    if hasher.finalize().as_bytes() == fetch.hash.as_bytes() { Ok(()) } else { Err(FetchError::Content) }
}
