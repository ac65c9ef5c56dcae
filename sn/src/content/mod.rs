//! Large content by its hash: kernels, initial RAM disks, images, scripts.
//!
//! `DIR/content/<two digits>/<hash>` holds what is here; `DIR/content/part/<hash>` what is being
//! fetched from the management node ([`fetch`]), so that a cut transfer goes on where it stopped.
//! What no slice and no run has named for [`GRACE`] is deleted.
//!
//! **Invariants**
//! - A file under its final name is whole, verified and on disk.
//! - Only content that the slice, or a run of the management node, names is given away.

mod fetch;
mod serve;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::id::{Digest, Moment};
use common::slice::{Entry, Slice};
use tokio::sync::watch;

pub use fetch::Fetcher;

/// How long content is kept after nothing names it any more: an operator who switches an image
/// back within the hour does not wait for it.
pub const GRACE: Duration = Duration::from_hours(1);

/// Where the content with this hash stands, below the daemon's folder.
pub fn path(dir: &Path, hash: &Digest) -> PathBuf {
    let hex = hash.to_string();
    // 256 folders keep each of them short; 64 digits are always there.
    let first = hex.get(..2).unwrap_or("00");
    dir.join("content").join(first).join(&hex)
}

/// What a slice names and is not here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// How many files.
    pub files: u32,
    /// How many bytes.
    pub bytes: u64,
}

/// The content of this service node. Clones share it.
#[derive(Clone, Debug)]
pub struct Content {
    dir: PathBuf,
    state: Arc<Mutex<State>>,
    /// Counts changes of what is here and of what is wanted.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// What was seen here, whole.
    present: HashSet<Digest>,
    /// What runs name, until when, and its length where that is known.
    runs: HashMap<Digest, (Option<u64>, Moment)>,
}

impl Content {
    /// The content below the daemon's folder `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), state: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// Whether the content is here, whole.
    pub fn has(&self, hash: &Digest) -> bool {
        if self.state().present.contains(hash) {
            return true;
        }
        let here = path(&self.dir, hash).is_file();
        if here {
            self.state().present.insert(*hash);
        }
        here
    }

    /// Looks at the disk anew from here on: an administrator may have removed what was here, such
    /// as a damaged file.
    fn look_again(&self) {
        self.state().present.clear();
    }

    /// What `slice` names and is not here.
    pub fn missing(&self, slice: &Slice) -> Missing {
        let mut missing = Missing::default();
        for (hash, size) in named(slice) {
            if !self.has(&hash) {
                missing.files = missing.files.saturating_add(1);
                missing.bytes = missing.bytes.saturating_add(size.unwrap_or(0));
            }
        }
        missing
    }

    /// Names content that a run needs, for the next [`GRACE`].
    pub fn want(&self, files: impl IntoIterator<Item = (Digest, Option<u64>)>) {
        let until = runtime::clock::now() + GRACE;
        self.state().runs.extend(files.into_iter().map(|(hash, size)| (hash, (size, until))));
        self.changed();
    }

    /// Says when something has arrived or is wanted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether a run names it.
    fn is_run(&self, hash: &Digest) -> bool {
        self.state().runs.contains_key(hash)
    }

    fn arrived(&self, hash: Digest) {
        self.state().present.insert(hash);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Sets of digests are whole whatever a thread did that panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content that a slice names, once each, with its length where the slice says it.
fn named(slice: &Slice) -> HashMap<Digest, Option<u64>> {
    let mut named = HashMap::new();
    for entry in slice.entries() {
        match entry {
            Entry::File(file) => {
                named.insert(file.hash, Some(file.size));
            }
            Entry::Node(node) => {
                for script in &node.scripts {
                    named.entry(script.hash).or_insert(None);
                }
            }
            _ => {}
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_stands_under_the_first_two_digits_of_its_hash() {
        let hash = Digest::from_bytes([0xab; 32]);
        let hex = "ab".repeat(32);
        assert_eq!(path(Path::new("/d"), &hash), PathBuf::from(format!("/d/content/ab/{hex}")));
    }

    #[test]
    fn what_is_missing_is_counted_once_for_each_content() {
        let dir = tempfile::tempdir().unwrap();
        let content = Content::new(dir.path());
        let mut slice = Slice::new();
        for (name, text) in [("a", "one"), ("b", "one"), ("c", "three")] {
            let hash = Digest::of(text.as_bytes());
            let size = text.len() as u64;
            slice
                .put(Entry::File(common::slice::File {
                    path: name.parse().unwrap(),
                    hash,
                    size,
                    executable: false,
                }))
                .unwrap();
        }
        assert_eq!(content.missing(&slice), Missing { files: 2, bytes: 8 });
        let file = path(dir.path(), &Digest::of(b"one"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "one").unwrap();
        assert_eq!(content.missing(&slice), Missing { files: 1, bytes: 5 });
    }

    #[test]
    fn content_that_was_removed_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let (content, hash) = (Content::new(dir.path()), Digest::of(b"one"));
        let file = path(dir.path(), &hash);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "one").unwrap();
        assert!(content.has(&hash));
        std::fs::remove_file(file).unwrap();
        content.look_again();
        assert!(!content.has(&hash));
    }
}
