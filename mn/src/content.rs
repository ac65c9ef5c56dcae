//! The tree of files that service nodes serve, and the `file` table that describes it.
//!
//! `DIR/tree` is the truth: an administrator copies files into it. A scan compares it with the table
//! by length and time of change alone, hashes what differs, and commits the difference as an
//! ordinary change, so that slices follow. It runs at the start, every few seconds, and on demand
//! ([`Content::rescan`]) before a command that needs the newest.
//!
//! A file that is being written (changed within the last two seconds) waits for the next scan unless
//! one was asked for. Files are read here, never written; links are followed, as administrators keep
//! large trees elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use common::id::Digest;
use common::slice::FilePath;
use common::wire::content::{Fetch, Fetched};
use mn_core::draft::Draft;
use mn_core::model::Model;
use mn_core::table::schema::FILE;
use mn_core::table::{Row, RowKey};
use runtime::link::LinkError;
use runtime::link::stream::FrameSender;
use runtime::supervise::BoxError;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::book::{Book, BookError, By};

/// How often the tree is looked at: by `stat` alone, about a microsecond a file.
const EVERY: Duration = Duration::from_secs(5);

/// How long a file must have been left alone before an unasked scan hashes it.
const QUIET: u64 = 2;

/// How deep the tree is followed.
const DEPTH: usize = 32;

/// How many files the tree may have; a service node keeps an entry for each in memory.
const FILES: usize = 200_000;

/// How much is read at a time, in bytes.
const CHUNK: usize = 256 << 10;

/// How many may wait for a scan; all of them are answered by one.
const WAITING: usize = 64;

/// The boot programs that `init` puts into the tree, where the host has them, and the folder of the
/// host's packages.
const IPXE: (&str, [&str; 5]) =
    ("/usr/lib/ipxe", ["undionly.kpxe", "snponly.efi", "ipxe.efi", "ipxe.pxe", "snponly-arm64.efi"]);

/// A file as the table describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    path: FilePath,
    size: u64,
    mtime: String,
}

/// The files by their content.
type Index = BTreeMap<Digest, Known>;

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content {
    tree: PathBuf,
    index: Arc<ArcSwap<Index>>,
    scans: mpsc::Sender<oneshot::Sender<()>>,
}

/// The task that scans.
#[derive(Debug)]
pub struct Scanner {
    tree: PathBuf,
    book: Book,
    index: Arc<ArcSwap<Index>>,
    scans: mpsc::Receiver<oneshot::Sender<()>>,
    warned: BTreeSet<String>,
}

/// Makes an empty tree, with the host's boot programs in it.
///
/// # Errors
/// What the system said.
pub fn create_tree(tree: &Path) -> io::Result<()> {
    // Whatever is in it is served to anyone who boots, so it need not be hidden from users.
    for folder in ["tftpboot", "install/postscripts"] {
        runtime::disk::create_dir(&tree.join(folder), 0o755)?;
    }
    let (from, programs) = IPXE;
    for program in programs {
        let source = Path::new(from).join(program);
        let place = tree.join("tftpboot").join(program);
        if source.exists() && !place.exists() {
            std::os::unix::fs::symlink(source, place)?;
        }
    }
    runtime::disk::sync_dir(&tree.join("tftpboot"))
}

/// The content below `tree`: the handle, and the task that is to be run.
pub fn new(tree: PathBuf, book: Book) -> (Content, Scanner) {
    let index = Arc::new(ArcSwap::from_pointee(index(&book.read())));
    let (sender, scans) = mpsc::channel(WAITING);
    let content = Content { tree: tree.clone(), index: Arc::clone(&index), scans: sender };
    (content, Scanner { tree, book, index, scans, warned: BTreeSet::new() })
}

fn index(model: &Model) -> Index {
    model
        .tables()
        .rows(FILE)
        .filter_map(|(key, row)| {
            let hash = row.cell("hash")?.parse().ok()?;
            let path = key.as_str().parse().ok()?;
            let size = row.cell("size")?.parse().ok()?;
            Some((hash, Known { path, size, mtime: row.cell("mtime")?.to_owned() }))
        })
        .collect()
}

impl Content {
    /// Looks at the tree now; returns when what changed is committed.
    pub async fn rescan(&self) {
        let (done, answered) = oneshot::channel();
        if self.scans.send(done).await.is_ok() {
            // An error means that the daemon stops.
            let _ = answered.await;
        }
    }

    /// The folder with the files.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// Where a file is that has this content, and how long it is.
    pub fn find(&self, hash: &Digest) -> Option<(PathBuf, u64)> {
        let index = self.index.load();
        index.get(hash).map(|known| (self.tree.join(known.path.as_str()), known.size))
    }

    /// Answers who fetches, from `fetch.offset` on; `allowed` says whether it may have this.
    ///
    /// # Errors
    /// When the link ends, or the file changed while it was sent: the stream is not finished then,
    /// so that the other side does not take what it has for the whole.
    pub(crate) async fn serve(
        &self,
        fetch: &Fetch,
        allowed: bool,
        sender: &mut FrameSender,
    ) -> Result<(), ServeError> {
        let known = self.index.load().get(&fetch.hash).cloned().filter(|_| allowed);
        let file = match &known {
            Some(known) => self.open(known, fetch.offset).await,
            None => None,
        };
        let (Some(known), Some(mut file)) = (known, file) else {
            sender.send(&Fetched::Absent).await?;
            sender.finish();
            return Ok(());
        };
        let mut left = known.size.saturating_sub(fetch.offset);
        sender.send(&Fetched::Bytes(left)).await?;
        let mut buffer = vec![0; CHUNK];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let chunk = buffer.get_mut(..most).unwrap_or_default();
            let read = file.read(chunk).await.map_err(ServeError::Read)?;
            if read == 0 {
                return self.changed().await;
            }
            sender.send_bytes(chunk.get(..read).unwrap_or_default()).await?;
            left -= read as u64;
        }
        let now = file.metadata().await.map_err(ServeError::Read)?;
        if !is_same(&known, &now) {
            return self.changed().await;
        }
        sender.finish();
        Ok(())
    }

    async fn open(&self, known: &Known, offset: u64) -> Option<tokio::fs::File> {
        let mut file = tokio::fs::File::open(self.tree.join(known.path.as_str())).await.ok()?;
        let same = is_same(known, &file.metadata().await.ok()?);
        if !same || offset > known.size {
            if !same {
                self.rescan().await;
            }
            return None;
        }
        file.seek(io::SeekFrom::Start(offset)).await.ok()?;
        Some(file)
    }

    async fn changed(&self) -> Result<(), ServeError> {
        self.rescan().await;
        Err(ServeError::Changed)
    }
}

/// Why a file was not sent whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The link ended.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The disk refused.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// It is not what it was when it was hashed.
    #[error("the file changed while it was sent")]
    Changed,
}

fn mtime(metadata: &Metadata) -> String {
    format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

fn is_same(known: &Known, now: &Metadata) -> bool {
    now.is_file() && now.len() == known.size && mtime(now) == known.mtime
}

impl Scanner {
    /// Scans until `stop`.
    ///
    /// # Errors
    /// When the store is gone; the daemon ends then anyway.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {}
                Some(first) = self.scans.recv() => waiting.push(first),
            }
            while let Ok(more) = self.scans.try_recv() {
                waiting.push(more);
            }
            self.scan(!waiting.is_empty()).await?;
            for done in waiting {
                // Who asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    async fn scan(&mut self, asked: bool) -> Result<(), BoxError> {
        let (tree, model) = (self.tree.clone(), self.book.read());
        let quiet_before =
            if asked { u64::MAX } else { runtime::clock::unix_seconds().saturating_sub(QUIET) };
        let found = tokio::task::spawn_blocking(move || look(&tree, &model, quiet_before)).await?;
        for (path, why) in found.odd {
            let text = format!("{path}: {why}");
            if self.warned.len() < 1_000 && self.warned.insert(text) {
                warn!(path, error = why, "file was left out of the tree");
            }
        }
        if found.changed.is_empty() && found.gone.is_empty() {
            return Ok(());
        }
        let (changed, gone) = (found.changed.len(), found.gone.len());
        let edited = self
            .book
            .edit(By::daemon("content scan"), move |draft: &mut Draft| {
                found.gone.iter().for_each(|key| draft.remove_row(FILE, key));
                found.changed.into_iter().for_each(|(key, row)| draft.put_row(FILE, &key, row));
            })
            .await;
        match edited {
            // The next scan finds the same.
            Err(BookError::NoRoom) => return Ok(()),
            edited => edited?,
        };
        self.index.store(Arc::new(index(&self.book.read())));
        info!(changed, gone, "content changed");
        Ok(())
    }
}

/// What a scan found.
#[derive(Debug, Default)]
struct Found {
    changed: Vec<(RowKey, Row)>,
    gone: Vec<RowKey>,
    /// What was left out, and why.
    odd: Vec<(String, String)>,
}

/// A folder that is to be looked at: where it is, its name in the tree, and which folders are above
/// it (device and inode), so that a link to one of those is not followed.
type Folder = (PathBuf, String, Vec<(u64, u64)>);

/// Compares the tree with the table, and hashes what differs. Blocks.
fn look(tree: &Path, model: &Model, quiet_before: u64) -> Found {
    let mut found = Found::default();
    let mut there = BTreeSet::new();
    let mut folders: Vec<Folder> = vec![(tree.to_owned(), String::new(), Vec::new())];
    while let Some((folder, name, mut above)) = folders.pop() {
        above.extend(std::fs::metadata(&folder).map(|folder| (folder.dev(), folder.ino())));
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                // What cannot be read now is not gone: its rows stay.
                keep_below(model, &name, &mut there);
                found.odd.push((name, error.to_string()));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
                found
                    .odd
                    .push((format!("{name}/{:?}", entry.file_name()), "its name is not UTF-8".to_owned()));
                continue;
            };
            let path = if name.is_empty() { part } else { format!("{name}/{part}") };
            // A link that leads nowhere is as good as no file.
            let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
            if metadata.is_dir() {
                if above.len() < DEPTH && !above.contains(&(metadata.dev(), metadata.ino())) {
                    folders.push((entry.path(), path, above.clone()));
                }
            } else if metadata.is_file() && there.len() < FILES {
                match path.parse::<FilePath>() {
                    Ok(path) => {
                        there.insert(path.as_str().to_owned());
                        file(&entry.path(), &path, &metadata, model, quiet_before, &mut found);
                    }
                    Err(error) => found.odd.push((path, error.to_string())),
                }
            }
        }
    }
    let rows = model.tables().rows(FILE).map(|(key, _)| key);
    found.gone = rows.filter(|key| !there.contains(key.as_str())).cloned().collect();
    found
}

fn keep_below(model: &Model, name: &str, there: &mut BTreeSet<String>) {
    let below = format!("{name}/");
    let rows = model.tables().rows(FILE).map(|(key, _)| key.as_str());
    there.extend(rows.filter(|path| name.is_empty() || path.starts_with(&below)).map(str::to_owned));
}

fn file(
    place: &Path,
    path: &FilePath,
    metadata: &Metadata,
    model: &Model,
    quiet_before: u64,
    found: &mut Found,
) {
    let key = RowKey::one(path.as_str());
    let (size, time) = (metadata.len().to_string(), mtime(metadata));
    let mode = format!("{:o}", metadata.permissions().mode() & 0o7777);
    let row = model.tables().row(FILE, path.as_str());
    let is = |column: &str, value: &str| row.is_some_and(|row| row.cell(column) == Some(value));
    if is("size", &size) && is("mtime", &time) && is("mode", &mode) {
        return;
    }
    if u64::try_from(metadata.mtime()).unwrap_or(0) > quiet_before {
        return;
    }
    match hash(place, metadata) {
        Ok(Some(digest)) => {
            let row = Row::new()
                .with("path", path.as_str())
                .with("hash", &digest.to_string())
                .with("size", &size)
                .with("mtime", &time)
                .with("mode", &mode);
            found.changed.push((key, row));
        }
        // It changed under our hands: the next scan takes it.
        Ok(None) => {}
        Err(error) => found.odd.push((path.to_string(), error.to_string())),
    }
}

/// The digest of a file; none where it changed meanwhile.
fn hash(place: &Path, before: &Metadata) -> io::Result<Option<Digest>> {
    let mut file = File::open(place)?;
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
    let after = file.metadata()?;
    let same = after.len() == before.len() && mtime(&after) == mtime(before);
    Ok(same.then(|| Digest::from_bytes(*hasher.finalize().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::Revision;
    use mn_core::table::Tables;

    fn after(model: &Model, found: Found) -> Model {
        let mut draft = Draft::new(model);
        found.gone.iter().for_each(|key| draft.remove_row(FILE, key));
        found.changed.into_iter().for_each(|(key, row)| draft.put_row(FILE, &key, row));
        draft.model().clone()
    }

    #[test]
    fn a_scan_follows_the_tree() {
        let tree = tempfile::tempdir().unwrap();
        create_tree(tree.path()).unwrap();
        let kernel = tree.path().join("tftpboot/kernel");
        std::fs::write(&kernel, b"one").unwrap();
        std::os::unix::fs::symlink("..", tree.path().join("install/ring")).unwrap();
        std::os::unix::fs::symlink("nowhere", tree.path().join("install/dangling")).unwrap();
        let empty = Model::new(Tables::new(), Revision::ZERO);
        assert!(
            !look(tree.path(), &empty, 0).changed.iter().any(|(key, _)| key.as_str() == "tftpboot/kernel")
        );
        let model = after(&empty, look(tree.path(), &empty, u64::MAX));
        let ring = model.tables().rows(FILE).filter(|(key, _)| key.as_str().contains("ring")).count();
        assert_eq!(ring, 0, "a ring of links is not followed");
        let index_now = index(&model);
        assert!(index_now.contains_key(&Digest::of(b"one")), "{index_now:?}");
        let again = look(tree.path(), &model, u64::MAX);
        assert!(again.changed.is_empty() && again.gone.is_empty(), "{again:?}");
        std::fs::remove_file(kernel).unwrap();
        std::fs::remove_file(tree.path().join("install/ring")).unwrap();
        let model = after(&model, look(tree.path(), &model, u64::MAX));
        assert!(!index(&model).contains_key(&Digest::of(b"one")));
    }

    #[test]
    fn a_tree_that_cannot_be_read_loses_no_rows() {
        let row = Row::new().with("path", "a/b").with("hash", &Digest::of(b"x").to_string());
        let mut tables = Tables::new();
        tables.load(FILE, RowKey::one("a/b"), row);
        let model = Model::new(tables, Revision::ZERO);
        let found = look(Path::new("/nonexistent/tree"), &model, u64::MAX);
        assert!(found.gone.is_empty() && found.odd.len() == 1, "{found:?}");
    }
}
