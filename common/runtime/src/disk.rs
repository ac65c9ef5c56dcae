//! Files and folders that survive a power cut, and the lock that keeps two daemons out of one
//! folder.
//!
//! **Invariant**: who reads a file that [`write_durably`] wrote finds the old bytes or the new
//! ones, whole, whatever happened in between; after it returned, the new ones.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
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

/// Refuses where less than `need` bytes are left on the file system of `file`.
///
/// A store asks this before it writes. sled takes no more after a write that found no room, even
/// when there is room again, and does not open on a full disk; so it must never meet one. What is
/// kept free by this is what an administrator has left to work with.
///
/// # Errors
/// With [`io::ErrorKind::StorageFull`] where there is less; else what the system said.
pub fn ensure_room(file: &File, need: u64) -> io::Result<()> {
    let found = nix::sys::statvfs::fstatvfs(file)?;
    let left = found.blocks_available().saturating_mul(found.fragment_size());
    if left >= need {
        return Ok(());
    }
    let [left, need] = [left, need].map(|bytes| bytes.div_ceil(1 << 20));
    let why = format!("the disk is full: {left} MiB are free, and {need} MiB are needed");
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// How long a store's lock is waited for: `LOCK_TRIES` times `LOCK_WAIT`, two seconds.
const LOCK_TRIES: u32 = 400;
const LOCK_WAIT: Duration = Duration::from_millis(5);

/// Returns when nobody holds sled's lock on the store in `dir`, which its threads do for a moment
/// after the last handle was dropped. Blocks the thread.
///
/// # Errors
/// When somebody holds it for longer: another process has the store open.
pub fn await_unlocked(dir: &Path) -> io::Result<()> {
    let mut file = match File::open(dir.join("db")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for _ in 0..LOCK_TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_locked) => return Ok(()),
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(io::Error::other("another process has it open"))
}

/// How much ballast is, in bytes: more than opening a store writes, which is a snapshot of sled's.
const BALLAST: u64 = 4 << 20;

/// Opens the sled store in `dir` by `open`, which has to write for that.
///
/// What an opening that was cut short has left is removed first: sled takes its half-written
/// snapshot (`snap.….generating`) for a whole one, finds it damaged, and never opens the store again.
///
/// On a disk that others have filled, ballast in a file beside the store (`STORE.ballast`) is thrown
/// off, and laid in again when there is room.
///
/// # Errors
/// As `open`.
pub fn open_store<T, E>(
    dir: &Path,
    open: impl Fn() -> Result<T, E>,
    is_full: impl Fn(&E) -> bool,
) -> Result<T, E> {
    // Who holds it for longer is named by `open` itself.
    let _ = await_unlocked(dir);
    let open = || {
        remove_half_a_snapshot(dir);
        open()
    };
    let ballast = dir.with_extension("ballast");
    let mut opened = open();
    if opened.as_ref().is_err_and(is_full) && fs::remove_file(&ballast).is_ok() {
        tracing::error!(store = %dir.display(), "the disk is full; opening a store with the space kept for that");
        opened = open();
    } else if opened.is_ok() && !ballast.exists() && lay_in(&ballast).is_err() {
        // Half of it is of no use. The next start tries again.
        let _ = fs::remove_file(&ballast);
    }
    opened
}

fn remove_half_a_snapshot(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            // Where it cannot be removed, sled says that the store is damaged.
            let removed = fs::remove_file(entry.path());
            tracing::info!(path = %entry.path().display(), ?removed, "an earlier start was cut short");
        }
    }
}

fn lay_in(ballast: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(ballast)?;
    ensure_room(&file, 2 * BALLAST)?;
    let length = i64::try_from(BALLAST).unwrap_or(i64::MAX);
    Ok(nix::fcntl::posix_fallocate(&file, 0, length)?)
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
            Err((file, Errno::EWOULDBLOCK)) => {
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
    fn a_half_written_snapshot_is_removed_before_a_store_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        fs::create_dir(&store).unwrap();
        for name in ["snap.1", "snap.2.generating", "db"] {
            fs::write(store.join(name), b"").unwrap();
        }
        let count = || io::Result::Ok(fs::read_dir(&store)?.count());
        assert_eq!(open_store(&store, count, |_| false).unwrap(), 2);
        assert!(store.join("snap.1").exists());
    }

    #[test]
    fn a_store_that_finds_no_room_is_opened_with_the_space_kept_for_that() {
        let dir = tempfile::tempdir().unwrap();
        let (store, ballast) = (dir.path().join("store"), dir.path().join("store.ballast"));
        open_store(&store, || io::Result::Ok(()), |_| false).unwrap();
        assert_eq!(fs::metadata(&ballast).unwrap().len(), BALLAST);
        let full = || if ballast.exists() { Err(io::ErrorKind::StorageFull) } else { Ok(()) };
        open_store(&store, full, |error| *error == io::ErrorKind::StorageFull).unwrap();
        assert!(!ballast.exists());
    }

    #[test]
    fn what_needs_more_than_there_is_is_refused_before_it_is_written() {
        let file = tempfile::tempfile().unwrap();
        ensure_room(&file, 0).unwrap();
        let refused = ensure_room(&file, u64::MAX).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
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
