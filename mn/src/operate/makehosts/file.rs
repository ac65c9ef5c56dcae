//! The hosts file of a machine: held while it is changed, replaced whole.
//!
//! It is replaced by a rename, after the file that it was is kept beside it as `NAME.xcatbak`, where
//! xCAT's users look for it. A file that is a mount of its own (containers, `ReadWritePaths=` of a
//! unit) or in a folder that the daemon may not write cannot be renamed over: then all of it is
//! first written down durably in the daemon's folder, and [`finish_interrupted`] writes it again if a
//! power cut came in between.
//!
//! **Invariant**: after a power cut the file is the old or the new one, the latter at the latest when
//! the daemon has started again.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use runtime::disk::write_durably;
use serde::{Deserialize, Serialize};

/// The longest hosts file that is read, in bytes: a million lines.
const MAX: u64 = 64 << 20;

/// How long another writer is waited for: 100 times 50 ms.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// In the daemon's folder: what is being written in place.
const INTENT: &str = "hosts.intent";

/// Why the file is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Another writer holds it.
    #[error("{} is being written by another", .path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
    /// It is no hosts file.
    #[error("{} is longer than {} MiB", .path.display(), MAX >> 20)]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {doing} {}", .path.display())]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What is being written in place, as it stands in the daemon's folder.
#[derive(Serialize, Deserialize)]
enum Intent {
    V1 { path: PathBuf, bytes: Vec<u8> },
}

/// A hosts file that no other daemon changes meanwhile.
#[derive(Debug)]
pub(super) struct Hold {
    path: PathBuf,
    /// The daemon's folder.
    dir: PathBuf,
    /// The folder of the file is what is locked: the file itself changes its identity.
    _lock: Flock<File>,
}

impl Hold {
    /// Waits for its turn. Blocks the thread.
    pub(super) fn take(path: &Path, dir: &Path) -> Result<Self, FileError> {
        // A link is followed, or the rename would replace the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let fail = |doing| {
            let path = path.clone();
            move |source| FileError::Disk { doing, path, source }
        };
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        let mut folder = File::open(folder).map_err(fail("open the folder of"))?;
        for _ in 0..TRIES {
            match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Self { path, dir: dir.to_owned(), _lock: lock }),
                Err((back, Errno::EWOULDBLOCK)) => folder = back,
                Err((_, errno)) => return Err(fail("lock the folder of")(errno.into())),
            }
            std::thread::sleep(PAUSE);
        }
        Err(FileError::Busy { path })
    }

    /// The file as it is; empty where there is none.
    pub(super) fn read(&self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.fail("read", error)),
            Ok(length) if length as u64 > MAX => Err(FileError::TooLong { path: self.path.clone() }),
            _ => Ok(bytes),
        }
    }

    /// Puts these bytes into it, unless they are there.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        let before = self.read()?;
        if before == bytes && self.path.exists() {
            return Ok(());
        }
        self.keep(&before);
        let found = fs::metadata(&self.path).ok();
        let mode = found.as_ref().map_or(0o644, |found| found.permissions().mode() & 0o7777);
        match write_durably(&self.path, bytes, mode) {
            Ok(()) => {
                if let Some(found) = found {
                    // Only root can give a file away; whoever cannot has made it its own.
                    let _ = std::os::unix::fs::chown(&self.path, Some(found.uid()), Some(found.gid()));
                }
                Ok(())
            }
            Err(error) if found.is_some() && stays_in_place(&error) => self.write_in_place(bytes),
            Err(error) => Err(self.fail("write", error)),
        }
    }

    /// Keeps what was there, beside it where that can be.
    fn keep(&self, before: &[u8]) {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".xcatbak");
        if write_durably(Path::new(&beside), before, 0o644).is_err() {
            // A copy is a kindness: without one the file is changed all the same.
            let _ = write_durably(&self.dir.join("hosts.xcatbak"), before, 0o644);
        }
    }

    fn write_in_place(&self, bytes: &[u8]) -> Result<(), FileError> {
        // Whether it may be written at all shows before anything is written down.
        fs::OpenOptions::new().write(true).open(&self.path).map_err(|error| self.fail("write", error))?;
        let intent = self.dir.join(INTENT);
        let text = Intent::V1 { path: self.path.clone(), bytes: bytes.to_vec() };
        let text = postcard::to_stdvec(&text).map_err(|error| self.fail("write", io::Error::other(error)))?;
        write_durably(&intent, &text, 0o600)
            .map_err(|error| self.fail("write down what is to be in", error))?;
        overwrite(&self.path, bytes).map_err(|error| self.fail("write", error))?;
        fs::remove_file(&intent).map_err(|error| self.fail("finish", error))
    }

    fn fail(&self, doing: &'static str, source: io::Error) -> FileError {
        FileError::Disk { doing, path: self.path.clone(), source }
    }
}

/// Whether a file that cannot be replaced may still be written.
fn stays_in_place(error: &io::Error) -> bool {
    let kinds = [Errno::EBUSY, Errno::EXDEV, Errno::EROFS, Errno::EACCES, Errno::EPERM];
    error.raw_os_error().is_some_and(|code| kinds.contains(&Errno::from_raw(code)))
}

fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes again what a power cut left half written, if there is something.
pub(crate) fn finish_interrupted(dir: &Path) -> io::Result<bool> {
    let intent = dir.join(INTENT);
    let text = match fs::read(&intent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        text => text?,
    };
    // It was written durably, so that it is whole; of another version, it is not ours to carry out.
    let Intent::V1 { path, bytes } = postcard::from_bytes(&text).map_err(io::Error::other)?;
    overwrite(&path, &bytes)?;
    fs::remove_file(&intent)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        (folder, path)
    }

    fn write(path: &Path, dir: &Path, bytes: &[u8]) {
        Hold::take(path, dir).unwrap().write(bytes).unwrap();
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_the_old_one_is_kept() {
        let (folder, path) = folder();
        write(&path, folder.path(), b"one\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        write(&path, folder.path(), b"two\n");
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        assert_eq!(fs::read(folder.path().join("hosts.xcatbak")).unwrap(), b"one\n");
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.permissions().mode() & 0o777, 0o640);
        assert_ne!(after.ino(), before, "a reader never sees half of it");
        // Nothing to change is no write, and the kept file stays as it is.
        write(&path, folder.path(), b"two\n");
        assert_eq!(fs::metadata(&path).unwrap().ino(), after.ino());
        assert_eq!(fs::read(folder.path().join("hosts.xcatbak")).unwrap(), b"one\n");
    }

    #[test]
    fn a_link_stays_a_link() {
        let (folder, path) = folder();
        let real = folder.path().join("real");
        fs::write(&real, "one\n").unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        write(&path, folder.path(), b"two\n");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read(real).unwrap(), b"two\n");
    }

    #[test]
    fn only_one_has_it_at_a_time() {
        let (folder, path) = folder();
        let held = Hold::take(&path, folder.path()).unwrap();
        let (other, dir) = (path.clone(), folder.path().to_owned());
        let waiting = std::thread::spawn(move || Hold::take(&other, &dir).map(|_| ()));
        held.write(b"first\n").unwrap();
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn what_was_cut_short_in_place_is_finished() {
        let (folder, path) = folder();
        fs::write(&path, "old\n").unwrap();
        let intent = Intent::V1 { path: path.clone(), bytes: b"new, and longer\n".to_vec() };
        fs::write(folder.path().join(INTENT), postcard::to_stdvec(&intent).unwrap()).unwrap();
        // As a power cut leaves it.
        fs::write(&path, "new, a").unwrap();
        assert!(finish_interrupted(folder.path()).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"new, and longer\n");
        assert!(!finish_interrupted(folder.path()).unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_renamed_over_is_written_in_place() {
        let (folder, path) = folder();
        fs::write(&path, "old\n").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let hold = Hold::take(&path, folder.path()).unwrap();
        hold.write_in_place(b"new\n").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap().as_slice(), fs::metadata(&path).unwrap().ino()),
            (&b"new\n"[..], inode)
        );
        assert!(!folder.path().join(INTENT).exists());
    }

    #[test]
    fn what_is_no_hosts_file_is_refused() {
        let (folder, path) = folder();
        File::create(&path).unwrap().set_len(MAX + 1).unwrap();
        let error = Hold::take(&path, folder.path()).unwrap().read().unwrap_err();
        assert!(matches!(error, FileError::TooLong { .. }), "{error}");
        let missing = folder.path().join("no/such/hosts");
        assert!(matches!(Hold::take(&missing, folder.path()), Err(FileError::Disk { .. })));
    }
}
