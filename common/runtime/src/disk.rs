//! Files and folders that survive a power cut, and the lock that keeps two daemons out of one
//! folder.
//!
//! **Invariant**: who reads a file that [`write_durably`] wrote finds the old bytes or the new
//! ones, whole, whatever happened in between; after it returned, the new ones.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// Puts `bytes` at `path` with these permission bits: a temporary file beside it, synced, renamed
/// over it, and the folder synced. One writer a path at a time: two would share the temporary file.
///
/// # Errors
/// What the system said; the file at `path` is then as it was.
pub fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name");
    let parent = parent_of(path);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(no_name)?);
    name.push(".new");
    let temporary = parent.join(name);
    let written = write_and_rename(&temporary, path, bytes, mode);
    if written.is_err() {
        // What went wrong is in `written`; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_dir(parent)
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new`: a link that someone put there is not followed.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
    // The mode of `open` is lessened by the umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

/// Makes a folder and what is missing above it, all with these permission bits; the folder itself
/// gets them even when it was there.
///
/// # Errors
/// What the system said.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o7777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    sync_dir(parent_of(path))
}

/// Makes what was created in, renamed in or removed from a folder durable.
///
/// # Errors
/// What the system said.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a sled store that was just created durable. sled never syncs its `conf` file itself; a
/// power cut soon after would leave a store that does not open.
///
/// # Errors
/// What the system said.
pub fn sync_new_store(dir: &Path) -> io::Result<()> {
    for name in ["conf", "db"] {
        File::open(dir.join(name))?.sync_all()?;
    }
    sync_dir(dir)?;
    sync_dir(parent_of(dir))
}

/// The folder that holds `path`; `.` for a bare name.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A folder as the command line names it, independent of where a program or its children stand.
pub fn absolute(dir: &Path) -> PathBuf {
    // It fails where the path is empty or the current folder is gone; then opening it says so.
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}

/// Why a folder cannot be a daemon's home.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Another daemon lives there.
    #[error("{} is in use by process {pid}; stop that first, or name another folder with --dir", .dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
        /// What the other wrote into the lock; empty when it could not be read.
        pid: String,
    },
    /// The lock file cannot be made or read.
    #[error("cannot lock {}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Holds a folder for this process until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirLock {
    _held: Flock<File>,
}

impl DirLock {
    /// Takes the lock `DIR/lock`.
    ///
    /// # Errors
    /// When another process holds it (its id is in the error), or the file cannot be made.
    pub fn take(dir: &Path) -> Result<Self, DirError> {
        let path = dir.join("lock");
        let fail = |source| DirError::Io { path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut pid = String::new();
                // Without the id the error still says what is wrong.
                let _ = file.take(20).read_to_string(&mut pid);
                return Err(DirError::Busy { dir: dir.to_owned(), pid: pid.trim().to_owned() });
            }
            Err((_, errno)) => return Err(fail(errno.into())),
        };
        held.set_len(0).map_err(fail)?;
        writeln!(held, "{}", std::process::id()).map_err(fail)?;
        Ok(Self { _held: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_written_file_has_its_bytes_and_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_durably(&path, b"one", 0o644).unwrap();
        write_durably(&path, b"two", 0o600).unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (&b"two"[..], 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_place_of_the_temporary_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, b"mine").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join(".a.new")).unwrap();
        write_durably(&dir.path().join("a"), b"new", 0o600).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
    }

    #[test]
    fn a_created_folder_has_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        create_dir(&path, 0o700).unwrap();
        create_dir(&path, 0o700).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_folder_in_use_is_refused_with_the_pid_of_its_user() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::take(dir.path()).unwrap();
        let refused = DirLock::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(held);
        DirLock::take(dir.path()).unwrap();
    }
}
