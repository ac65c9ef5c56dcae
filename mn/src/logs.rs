//! The nodes' log lines, as their service nodes forward them: `DIR/log/NODE.log`, each line once.
//!
//! A service node sends its lines again until they are acknowledged, so a batch is carried out like
//! a small transaction: the length of each file is noted first (`.intent`), then the lines are
//! appended and synced, then how far each service node has come (`.state`). What a crash left of a
//! batch that is not in `.state` is cut off again on opening. So a line is neither lost nor doubled.
//!
//! The lines are kept as they came, and nothing here reads them. Files may be rotated from outside
//! by renaming; a file that is not the one that was noted is left alone. A file is known by its end
//! and not by its inode, so that a folder that was restored from a backup or a snapshot is mended too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use common::id::{Digest, NodeName, SnName};
use common::wire::push::LogLine;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The longest line that is kept, in bytes; longer ones are cut, as the wire's description says.
const MAX_LINE: usize = 8 * 1024;

/// How many files are synced one by one; for more, one sync of the whole file system is cheaper.
const SYNC_EACH: usize = 16;

/// How many batches may wait. Each is one message of a service node, at most a frame (1 MiB), and a
/// service node waits for its acknowledgement before it sends many more.
const QUEUE: usize = 32;

/// The series in which a service node numbers its lines, and the last number that is stored.
type Through = (u64, u64);

/// How far each service node's lines are stored.
type Cursors = BTreeMap<SnName, Through>;

/// The lines of one message.
#[derive(Clone, Debug)]
pub struct LogBatch {
    /// Who sent them.
    pub sn: SnName,
    /// In which series they are numbered.
    pub series: u64,
    /// The number of the last one.
    pub through: u64,
    /// The lines, in order.
    pub lines: Vec<LogLine>,
}

/// Versions of what is in `.state`.
#[derive(Serialize, Deserialize)]
enum State {
    V1 { batch: u64, cursors: Cursors },
}

/// Versions of what is in `.intent`: the files of a batch as they were before it.
#[derive(Serialize, Deserialize)]
enum Intent {
    V1 { batch: u64, files: Vec<Noted> },
}

/// A file before a batch.
#[derive(Serialize, Deserialize)]
struct Noted {
    node: NodeName,
    length: u64,
    /// Of what stands before `length`, see [`ending`]; by it the file is known again.
    end: Digest,
}

/// How much of a file's end is noted, in bytes: some lines, with their times.
const ENDING: u64 = 2048;

/// The digest of the last bytes of a file's first `length`.
fn ending(file: &File, length: u64) -> io::Result<Digest> {
    let mut bytes = vec![0; usize::try_from(length.min(ENDING)).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, length.saturating_sub(ENDING))?;
    Ok(Digest::of(&bytes))
}

/// The log files and how far they have come. Blocks on the disk.
#[derive(Debug)]
struct LogFiles {
    dir: PathBuf,
    batch: u64,
    cursors: Cursors,
}

impl LogFiles {
    fn open(dir: &Path) -> io::Result<Self> {
        runtime::disk::create_dir(dir, 0o700)?;
        let (batch, cursors) = match std::fs::read(dir.join(".state")) {
            Ok(bytes) => match postcard::from_bytes(&bytes) {
                Ok(State::V1 { batch, cursors }) => (batch, cursors),
                // Better some lines twice than a management node that does not start.
                Err(error) => {
                    warn!(%error, "the state of the log lines was damaged; lines may be stored twice");
                    (u64::MAX / 2, Cursors::new())
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (0, Cursors::new()),
            Err(error) => return Err(error),
        };
        let files = Self { dir: dir.to_owned(), batch, cursors };
        files.cut_off_what_was_not_finished()?;
        Ok(files)
    }

    fn path(&self, node: &NodeName) -> PathBuf {
        self.dir.join(format!("{node}.log"))
    }

    fn cut_off_what_was_not_finished(&self) -> io::Result<()> {
        let bytes = match std::fs::read(self.dir.join(".intent")) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let Ok(Intent::V1 { batch, files }) = postcard::from_bytes(&bytes) else {
            warn!("the intent of the log lines was damaged; lines may be stored twice");
            return Ok(());
        };
        if batch <= self.batch {
            return Ok(());
        }
        for Noted { node, length, end } in files {
            let file = match File::options().read(true).write(true).open(self.path(&node)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Shorter, or with another end, it is not the file of the batch any more.
            if file.metadata()?.len() > length && ending(&file, length)? == end {
                file.set_len(length)?;
                file.sync_all()?;
            }
        }
        Ok(())
    }

    /// Stores batches; on the disk when this returns.
    fn store(&mut self, batches: Vec<LogBatch>) -> io::Result<()> {
        let mut cursors = self.cursors.clone();
        let mut texts: BTreeMap<NodeName, Vec<u8>> = BTreeMap::new();
        for batch in batches {
            take_new(&mut cursors, batch, &mut texts);
        }
        let next = self.batch + 1;
        self.note_intent(next, texts.keys())?;
        self.append(&texts)?;
        let state = State::V1 { batch: next, cursors };
        let bytes = postcard::to_stdvec(&state).map_err(io::Error::other)?;
        runtime::disk::write_durably(&self.dir.join(".state"), &bytes, 0o600)?;
        let State::V1 { batch, cursors } = state;
        (self.batch, self.cursors) = (batch, cursors);
        Ok(())
    }

    fn note_intent<'a>(&self, batch: u64, nodes: impl Iterator<Item = &'a NodeName>) -> io::Result<()> {
        let noted = nodes.map(|node| match File::open(self.path(node)) {
            Ok(file) => {
                let length = file.metadata()?.len();
                Ok(Noted { node: node.clone(), length, end: ending(&file, length)? })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Noted { node: node.clone(), length: 0, end: Digest::of(&[]) })
            }
            Err(error) => Err(error),
        });
        let files = noted.collect::<io::Result<Vec<_>>>()?;
        let bytes = postcard::to_stdvec(&Intent::V1 { batch, files }).map_err(io::Error::other)?;
        runtime::disk::write_durably(&self.dir.join(".intent"), &bytes, 0o600)
    }

    fn append(&self, texts: &BTreeMap<NodeName, Vec<u8>>) -> io::Result<()> {
        for (node, text) in texts {
            let mut file = File::options().append(true).create(true).open(self.path(node))?;
            file.write_all(text)?;
            if texts.len() <= SYNC_EACH {
                file.sync_data()?;
            }
        }
        let folder = File::open(&self.dir)?;
        if texts.len() <= SYNC_EACH {
            folder.sync_all()
        } else {
            nix::unistd::syncfs(&folder).map_err(io::Error::from)
        }
    }
}

/// Takes the lines of a batch that are not stored yet.
fn take_new(cursors: &mut Cursors, batch: LogBatch, texts: &mut BTreeMap<NodeName, Vec<u8>>) {
    let cursor = cursors.entry(batch.sn).or_default();
    if cursor.0 != batch.series {
        *cursor = (batch.series, 0);
    }
    let before = batch.through.saturating_sub(batch.lines.len() as u64);
    let known = usize::try_from(cursor.1.saturating_sub(before)).unwrap_or(usize::MAX);
    for line in batch.lines.into_iter().skip(known) {
        let text = texts.entry(line.node).or_default();
        // A newline inside would make one line look like two, perhaps of another origin.
        text.extend(line.line.iter().take(MAX_LINE).map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        text.push(b'\n');
    }
    cursor.1 = cursor.1.max(batch.through);
}

/// The handle of those who have lines to store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    batches: mpsc::Sender<(LogBatch, oneshot::Sender<()>)>,
    cursors: Arc<ArcSwap<Cursors>>,
}

/// The task that owns the files.
#[derive(Debug)]
pub struct LogKeeper {
    files: LogFiles,
    batches: mpsc::Receiver<(LogBatch, oneshot::Sender<()>)>,
    cursors: Arc<ArcSwap<Cursors>>,
}

/// Opens `dir` and finishes what a crash left.
///
/// # Errors
/// When the disk refuses.
pub fn open(dir: &Path) -> io::Result<(Logs, LogKeeper)> {
    let files = LogFiles::open(dir)?;
    let cursors = Arc::new(ArcSwap::from_pointee(files.cursors.clone()));
    let (sender, batches) = mpsc::channel(QUEUE);
    Ok((Logs { batches: sender, cursors: Arc::clone(&cursors) }, LogKeeper { files, batches, cursors }))
}

impl Logs {
    /// The last line of this series that is stored.
    pub fn through(&self, sn: &SnName, series: u64) -> u64 {
        let cursors = self.cursors.load();
        cursors.get(sn).filter(|cursor| cursor.0 == series).map_or(0, |cursor| cursor.1)
    }

    /// Stores lines; says `true` when they are on the disk, `false` when they are not and have to
    /// be sent again.
    pub async fn store(&self, batch: LogBatch) -> bool {
        let (done, stored) = oneshot::channel();
        self.batches.send((batch, done)).await.is_ok() && stored.await.is_ok()
    }
}

impl LogKeeper {
    /// Stores what comes until `stop`. A disk that refuses ends no daemon: the lines stay with
    /// their service nodes, which send them again.
    ///
    /// # Errors
    /// When a thread cannot be had.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), runtime::supervise::BoxError> {
        loop {
            let first = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                batch = self.batches.recv() => batch,
            };
            let Some((batch, done)) = first else { return Ok(()) };
            let (mut batches, mut waiting) = (vec![batch], vec![done]);
            while let Ok((batch, done)) = self.batches.try_recv() {
                batches.push(batch);
                waiting.push(done);
            }
            let mut files = self.files;
            let (files, stored) = tokio::task::spawn_blocking(move || {
                let stored = files.store(batches);
                (files, stored)
            })
            .await?;
            self.files = files;
            match stored {
                Ok(()) => {
                    self.cursors.store(Arc::new(self.files.cursors.clone()));
                    for done in waiting {
                        // A session that has ended asks again on its next link.
                        let _ = done.send(());
                    }
                }
                Err(error) => {
                    warn!(path = %self.files.dir.display(), %error, "log lines could not be stored");
                    // A part of the batch may stand in the files; without this it would be doubled.
                    if let Err(error) = self.files.cut_off_what_was_not_finished() {
                        warn!(%error, "a failed batch of log lines could not be taken back");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(sn: &str, series: u64, through: u64, lines: &[(&str, &str)]) -> LogBatch {
        let line = |(node, text): &(&str, &str)| LogLine {
            node: node.parse().unwrap(),
            line: text.as_bytes().to_vec(),
        };
        LogBatch { sn: sn.parse().unwrap(), series, through, lines: lines.iter().map(line).collect() }
    }

    fn text(dir: &Path, node: &str) -> String {
        std::fs::read_to_string(dir.join(format!("{node}.log"))).unwrap_or_default()
    }

    #[test]
    fn a_batch_that_comes_again_is_stored_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        files.store(vec![batch("sn1", 7, 2, &[("n1", "a"), ("n2", "b")])]).unwrap();
        files.store(vec![batch("sn1", 7, 3, &[("n1", "a"), ("n2", "b"), ("n1", "c\nd")])]).unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        files.store(vec![batch("sn1", 7, 3, &[("n1", "c\nd")])]).unwrap();
        assert_eq!((text(dir.path(), "n1"), text(dir.path(), "n2")), ("a\nc d\n".into(), "b\n".into()));
        files.store(vec![batch("sn1", 8, 1, &[("n1", "after its folder was lost")])]).unwrap();
        assert!(text(dir.path(), "n1").ends_with("lost\n"));
    }

    #[test]
    fn what_a_crash_left_of_a_batch_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        files.store(vec![batch("sn1", 7, 1, &[("n1", "a")])]).unwrap();
        // The crash: the intent is there, a part of the lines too, the state is not.
        let nodes: [NodeName; 2] = ["n1".parse().unwrap(), "n2".parse().unwrap()];
        files.note_intent(2, nodes.iter()).unwrap();
        std::fs::write(dir.path().join("n2.log"), "half").unwrap();
        let torn = std::fs::OpenOptions::new().append(true).open(dir.path().join("n1.log"));
        torn.unwrap().write_all(b"b\nha").unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        files.store(vec![batch("sn1", 7, 3, &[("n1", "b"), ("n2", "c")])]).unwrap();
        assert_eq!((text(dir.path(), "n1"), text(dir.path(), "n2")), ("a\nb\n".into(), "c\n".into()));
        // An intent that was carried out cuts nothing off.
        LogFiles::open(dir.path()).unwrap();
        assert_eq!(text(dir.path(), "n1"), "a\nb\n");
    }

    #[test]
    fn what_is_cut_off_is_known_by_its_end_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        let long = "x".repeat(3000);
        files.store(vec![batch("sn1", 7, 2, &[("n1", &long), ("n2", "b")])]).unwrap();
        let nodes: [NodeName; 2] = ["n1".parse().unwrap(), "n2".parse().unwrap()];
        files.note_intent(2, nodes.iter()).unwrap();
        // Restored from a backup that was made at this moment: other files, the same bytes. One was
        // rotated meanwhile.
        std::fs::write(dir.path().join("n1.log"), format!("{long}\nhalf")).unwrap();
        std::fs::write(dir.path().join("n2.log"), "another file\n").unwrap();
        LogFiles::open(dir.path()).unwrap();
        assert_eq!(text(dir.path(), "n1"), format!("{long}\n"));
        assert_eq!(text(dir.path(), "n2"), "another file\n");
    }

    #[test]
    fn a_damaged_state_costs_doubles_and_not_the_start() {
        let dir = tempfile::tempdir().unwrap();
        LogFiles::open(dir.path()).unwrap().store(vec![batch("sn1", 7, 1, &[("n1", "a")])]).unwrap();
        std::fs::write(dir.path().join(".state"), [0xff; 3]).unwrap();
        std::fs::write(dir.path().join(".intent"), [0xff; 3]).unwrap();
        LogFiles::open(dir.path())
            .unwrap()
            .store(vec![batch("sn1", 7, 2, &[("n1", "a"), ("n1", "b")])])
            .unwrap();
        assert_eq!(text(dir.path(), "n1"), "a\na\nb\n");
        LogFiles::open(dir.path()).unwrap();
        assert_eq!(text(dir.path(), "n1"), "a\na\nb\n");
    }

    #[test]
    fn many_files_are_stored_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LogFiles::open(dir.path()).unwrap();
        let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        files.store(vec![batch("sn1", 1, 40, &lines)]).unwrap();
        assert_eq!(text(dir.path(), "n39"), "x\n");
    }
}
