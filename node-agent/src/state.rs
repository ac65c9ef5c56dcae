//! What the agent keeps in its folder, beside `identity`:
//!
//! | file | what | when it may be deleted |
//! |---|---|---|
//! | `desired` | the last desired state | never: the epoch that is obeyed could fall |
//! | `outbox` | the last report, and which scripts have succeeded | scripts then run again |
//! | `begun` | the numbers of the runs that were begun last | a run that was cut off may run again |
//! | `seeds` | where to ask before a desired state names a pool | after the first desired state |
//! | `restart.NAME` | a daemon of the node has yet to read its changed file | never |
//! | `cache/` | scripts and files by hash | any time |
//!
//! All but the cache are versioned; a file of a newer Drover is an error, not a fresh start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use common::wire::agent::Desired;
use runtime::disk;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::core::{Kept, MOST_REMEMBERED, Outbox};

/// Why the agent's folder is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is damaged, or of a newer Drover", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
    },
}

/// How each file begins. Variants are only appended.
#[derive(Serialize, serde::Deserialize)]
enum Versioned<T> {
    V1(T),
}

/// The agent's folder.
#[derive(Clone, Debug)]
pub struct State {
    dir: PathBuf,
}

impl State {
    /// The folder `dir`, which is made, for its owner alone, if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let state = Self { dir: dir.to_owned() };
        let cache = state.cache();
        for path in [dir, &cache] {
            disk::create_dir(path, 0o700)
                .map_err(|source| StateError::Write { path: path.to_owned(), source })?;
        }
        Ok(state)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where content is kept by its hash.
    pub fn cache(&self) -> PathBuf {
        self.dir.join("cache")
    }

    /// What was kept before the last end, however it came.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn load(&self) -> Result<Kept, StateError> {
        let desired = self.read::<Desired>("desired")?.map(Box::new);
        let outbox = self.read::<Outbox>("outbox")?.unwrap_or_default();
        let begun = self.read::<Vec<u64>>("begun")?.unwrap_or_default();
        Ok(Kept { desired, outbox, begun })
    }

    /// Keeps a desired state. After this the epoch does not fall.
    ///
    /// # Errors
    /// When it cannot be written; the former is kept then.
    pub fn keep_desired(&self, desired: &Desired) -> Result<(), StateError> {
        self.write("desired", desired)
    }

    /// Keeps what there is to report.
    ///
    /// # Errors
    /// When it cannot be written; the former is kept then.
    pub fn keep_outbox(&self, outbox: &Outbox) -> Result<(), StateError> {
        self.write("outbox", outbox)
    }

    /// Keeps that a run begins. After this it is not begun again, whoever asks for it. One run begins
    /// at a time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, run: u64) -> Result<(), StateError> {
        let mut begun = self.read::<Vec<u64>>("begun")?.unwrap_or_default();
        begun.push(run);
        let old = begun.len().saturating_sub(MOST_REMEMBERED);
        begun.drain(..old);
        self.write("begun", &begun)
    }

    /// Where to ask first.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn seeds(&self) -> Result<Vec<SocketAddr>, StateError> {
        Ok(self.read("seeds")?.unwrap_or_default())
    }

    /// Keeps where to ask first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_seeds(&self, seeds: &[SocketAddr]) -> Result<(), StateError> {
        self.write("seeds", &seeds)
    }

    /// The mark that a daemon of the node has yet to be restarted.
    pub fn restart_mark(&self, name: &str) -> PathBuf {
        self.dir.join(format!("restart.{name}"))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Read { path, source }),
            Ok(bytes) => match postcard::from_bytes(&bytes) {
                Ok(Versioned::V1(value)) => Ok(Some(value)),
                Err(_) => Err(StateError::Unreadable { path }),
            },
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let path = self.dir.join(name);
        let fail = |source| StateError::Write { path: path.clone(), source };
        let bytes =
            postcard::to_stdvec(&Versioned::V1(value)).map_err(|error| fail(io::Error::other(error)))?;
        disk::write_durably(&path, &bytes, 0o600).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_state_is_refused_and_not_taken_for_a_fresh_start() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        assert!(state.load().unwrap().desired.is_none());
        std::fs::write(dir.path().join("desired"), b"\x05\x00").unwrap();
        assert!(matches!(state.load(), Err(StateError::Unreadable { .. })));
    }

    #[test]
    fn the_runs_that_were_begun_last_are_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        (0..100).for_each(|run| state.begin(run).unwrap());
        let begun = State::open(dir.path()).unwrap().load().unwrap().begun;
        assert_eq!(begun, (36..100).collect::<Vec<_>>());
    }

    #[test]
    fn seeds_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let seeds = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        state.keep_seeds(&seeds).unwrap();
        assert_eq!(State::open(dir.path()).unwrap().seeds().unwrap(), seeds);
    }
}
