//! Files of the node, below a root that nothing leaves.
//!
//! Paths are walked component by component from an open folder, as in a chroot: an absolute
//! symbolic link starts again at the root, `..` above the root is refused, and what was looked at is
//! opened without following links, so that nobody can swap a folder for a link in between.
//!
//! **Invariant**: no file outside the root is read, written or made, whatever links lie inside.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

/// The longest configuration file that is read, in bytes. Real ones have some kilobytes.
const MOST_BYTES: u64 = 4 << 20;

/// The most symbolic links on one path, as in Linux (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;

/// Why a file was not reached, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The root itself.
    #[error("cannot open the root {}", .path.display())]
    Open {
        /// The root.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It leads out of the root, or has no end.
    #[error("{} leads out of the root", .0.display())]
    Leaves(PathBuf),
    /// It is no path of a file.
    #[error("{} is not the path of a file", .0.display())]
    NoFile(PathBuf),
    /// Too long.
    #[error("{} has more than {MOST_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
    /// What the system said.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// Which verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The folder that is the node's `/`.
#[derive(Debug)]
pub struct Root {
    dir: PathBuf,
    fd: OwnedFd,
}

impl Root {
    /// The root `dir`.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn open(dir: &Path) -> Result<Self, RootError> {
        let fail = |source| RootError::Open { path: dir.to_owned(), source };
        let fd = OwnedFd::from(File::open(dir).map_err(fail)?);
        if !dir.is_dir() {
            return Err(fail(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { dir: dir.to_owned(), fd })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it is the system's own `/`, whose daemons read what is written.
    pub fn is_system(&self) -> bool {
        self.dir == Path::new("/")
    }

    /// Whether there is a folder at `path`.
    pub fn has_dir(&self, path: &str) -> bool {
        // The walk to any name inside opens the folder.
        let probe = Path::new(path).join("any");
        self.walk(&probe, Missing::Fail, LastLink::Keep).is_ok()
    }

    /// The file at `path`, whose folders are made where they are missing. A link at the end is
    /// followed, inside the root.
    ///
    /// # Errors
    /// When the path is none, leads out, or the system refuses.
    pub fn file(&self, path: &Path) -> Result<Place, RootError> {
        self.walk(path, Missing::Make, LastLink::Follow)
    }

    /// The same, where a link at the end is itself what is meant, and is replaced by a file.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn file_or_link(&self, path: &Path) -> Result<Place, RootError> {
        self.walk(path, Missing::Make, LastLink::Keep)
    }

    fn walk(&self, path: &Path, missing: Missing, last_link: LastLink) -> Result<Place, RootError> {
        let fail = |what: &'static str| {
            move |errno: Errno| RootError::Io { what, path: path.to_owned(), source: errno.into() }
        };
        // The end of the vector is next.
        let mut todo = components(path);
        let mut below: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == ".." {
                below.pop().ok_or_else(|| RootError::Leaves(path.to_owned()))?;
                continue;
            }
            let here = below.last().unwrap_or(&self.fd);
            let last = todo.is_empty();
            match readlinkat(here, name.as_os_str()) {
                Ok(target) if !last || last_link == LastLink::Follow => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(RootError::Leaves(path.to_owned()));
                    }
                    if target.as_bytes().starts_with(b"/") {
                        below.clear();
                    }
                    todo.extend(components(Path::new(&target)));
                    continue;
                }
                // Not a link, or nothing there, or a link that is meant itself.
                Ok(_) | Err(Errno::EINVAL | Errno::ENOENT) => {}
                Err(errno) => return Err(fail("look at")(errno)),
            }
            if last {
                let parent = match below.pop() {
                    Some(parent) => parent,
                    None => self.fd.try_clone().map_err(|source| RootError::Io {
                        what: "open",
                        path: self.dir.clone(),
                        source,
                    })?,
                };
                return Ok(Place { parent, name, shown: path.to_owned() });
            }
            let open = || openat(here, name.as_os_str(), FOLDER, Mode::empty());
            let folder = match open() {
                Err(Errno::ENOENT) if missing == Missing::Make => {
                    mkdirat(here, name.as_os_str(), Mode::from_bits_truncate(0o755)).map_err(fail("make"))?;
                    open()
                }
                opened => opened,
            };
            below.push(folder.map_err(fail("open the folder of"))?);
        }
        Err(RootError::NoFile(path.to_owned()))
    }
}

const FOLDER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Fail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Follow,
    Keep,
}

/// The components of a path, last first; `/` and `.` say nothing below a root.
fn components(path: &Path) -> Vec<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// A name in an open folder: where a file is or will be.
#[derive(Debug)]
pub struct Place {
    parent: OwnedFd,
    name: OsString,
    shown: PathBuf,
}

/// What is at a place.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file.
    File {
        /// Open for reading.
        file: File,
        /// Its permission bits.
        mode: u32,
    },
    /// Something that is no plain file, such as a link.
    Other,
}

impl Place {
    fn fail(&self, what: &'static str) -> impl Fn(io::Error) -> RootError + '_ {
        move |source| RootError::Io { what, path: self.shown.clone(), source }
    }

    /// What is here.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn look(&self) -> Result<Found, RootError> {
        // Not blocking: a pipe that lies here must not hold the agent.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match openat(&self.parent, self.name.as_os_str(), flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) => return Ok(Found::Nothing),
            Err(Errno::ELOOP | Errno::ENXIO) => return Ok(Found::Other),
            Err(errno) => return Err(self.fail("open")(errno.into())),
        };
        let metadata = file.metadata().map_err(self.fail("look at"))?;
        if !metadata.is_file() {
            return Ok(Found::Other);
        }
        Ok(Found::File { file, mode: metadata.permissions().mode() & 0o7777 })
    }

    /// The text that is here; empty when there is no plain file. Bytes that are no UTF-8 are
    /// replaced: configuration is text.
    ///
    /// # Errors
    /// When it is too long, or the system refuses.
    pub fn text(&self) -> Result<Option<String>, RootError> {
        let Found::File { file, .. } = self.look()? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut bounded = file.take(MOST_BYTES + 1);
        bounded.read_to_end(&mut bytes).map_err(self.fail("read"))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
            return Err(RootError::TooLong(self.shown.clone()));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Puts what `fill` writes here, with these permission bits: written beside it, synced, renamed.
    ///
    /// # Errors
    /// When the system refuses, or `fill` fails; what was here is then as it was.
    pub fn replace(
        &self,
        mode: u32,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), RootError> {
        let temporary = self.beside(".", ".drover-new");
        let written = self.write_and_rename(&temporary, mode, fill);
        if written.is_err() {
            // What went wrong is in `written`; a leftover is removed by the next attempt.
            let _ = unlinkat(&self.parent, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    fn write_and_rename(
        &self,
        temporary: &OsStr,
        mode: u32,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), RootError> {
        match unlinkat(&self.parent, temporary, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(self.fail("clear the way to")(errno.into())),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&self.parent, temporary, flags, Mode::from_bits_truncate(0o600))
            .map_err(|errno| self.fail("write beside")(errno.into()))?;
        let mut file = File::from(fd);
        fill(&mut file).map_err(self.fail("write"))?;
        let mode = std::fs::Permissions::from_mode(mode & 0o7777);
        file.set_permissions(mode).map_err(self.fail("set the mode of"))?;
        file.sync_all().map_err(self.fail("sync"))?;
        renameat(&self.parent, temporary, &self.parent, self.name.as_os_str())
            .map_err(|errno| self.fail("replace")(errno.into()))?;
        nix::unistd::fsync(self.parent.as_fd()).map_err(|errno| self.fail("sync the folder of")(errno.into()))
    }

    /// The same for text.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn write(&self, text: &str, mode: u32) -> Result<(), RootError> {
        self.replace(mode, |file| file.write_all(text.as_bytes()))
    }

    /// Keeps what is here under the same name with `.orig`, unless something is kept so already.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep_original(&self) -> Result<(), RootError> {
        let original = self.beside("", ".orig");
        let (from, to) = (self.name.as_os_str(), original.as_os_str());
        let kept = match readlinkat(&self.parent, from) {
            Ok(target) => symlinkat(target.as_os_str(), &self.parent, to),
            // A hard link: the file is replaced by another one, so this one stays as it was.
            Err(_) => linkat(&self.parent, from, &self.parent, to, nix::fcntl::AtFlags::empty()),
        };
        match kept {
            Ok(()) | Err(Errno::EEXIST | Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.fail("keep the original of")(errno.into())),
        }
    }

    fn beside(&self, before: &str, after: &str) -> OsString {
        let mut name = OsString::from(before);
        name.push(&self.name);
        name.push(after);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        (dir, root, outside)
    }

    fn write(root: &Path, path: &str) -> Result<(), RootError> {
        Root::open(root)?.file(Path::new(path))?.write("text", 0o644)
    }

    #[test]
    fn a_link_to_a_folder_outside_leads_nowhere() {
        let (_dir, root, outside) = folders();
        symlink(&outside, root.join("etc")).unwrap();
        let _ = write(&root, "/etc/hosts");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

        fs::remove_file(root.join("etc")).unwrap();
        symlink("../outside", root.join("etc")).unwrap();
        assert!(matches!(write(&root, "/etc/hosts"), Err(RootError::Leaves(_))));
        assert!(matches!(write(&root, "/../outside/hosts"), Err(RootError::Leaves(_))));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_a_file_outside_is_not_written_through() {
        let (_dir, root, outside) = folders();
        let victim = outside.join("victim");
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, root.join("hosts")).unwrap();
        let _ = write(&root, "/hosts");
        Root::open(&root).unwrap().file_or_link(Path::new("/hosts")).unwrap().write("x", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(fs::read_to_string(root.join("hosts")).unwrap(), "x");
    }

    #[test]
    fn links_inside_the_root_are_followed_as_in_a_chroot() {
        let (_dir, root, _) = folders();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("/lib", root.join("lib64")).unwrap();
        write(&root, "/lib64/new/file").unwrap();
        assert_eq!(fs::read_to_string(root.join("usr/lib/new/file")).unwrap(), "text");
    }

    #[test]
    fn a_ring_of_links_ends() {
        let (_dir, root, _) = folders();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert!(write(&root, "/a/file").is_err());
    }

    #[test]
    fn the_original_is_kept_once() {
        let (_dir, root, _) = folders();
        fs::write(root.join("conf"), "first").unwrap();
        let root_dir = Root::open(&root).unwrap();
        let place = root_dir.file(Path::new("/conf")).unwrap();
        for text in ["second", "third"] {
            place.keep_original().unwrap();
            place.write(text, 0o644).unwrap();
        }
        assert_eq!(fs::read_to_string(root.join("conf.orig")).unwrap(), "first");
        assert_eq!(fs::read_to_string(root.join("conf")).unwrap(), "third");
    }
}
