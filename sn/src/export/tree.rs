//! The exported files: a real directory tree in `DIR/tree`, made of the content.
//!
//! Read-only files are further names of the content (hard links), so that they take no room and no
//! time; files that clients may write are copies, which they may keep changed. What was placed is
//! remembered in a list beside the tree.
//!
//! **Invariants**: a file appears whole or not at all; only what is in the list is ever replaced or
//! removed, so that what clients wrote stays; nothing is followed out of the tree, since every
//! folder on the way is one that was made here or refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use common::id::Digest;
use common::slice::FilePath;
use nix::fcntl::OFlag;
use runtime::disk;
use sn_proto::export::plan::Placed;
use sn_proto::export::{Placing, Plan};

use crate::content;

/// Of read-only files. Everybody may read: nodes fetch the same files by HTTP.
const READ_ONLY: u32 = 0o444;
/// Of files that clients may write.
const WRITABLE: u32 = 0o644;
/// What files that may be run have beside that.
const RUN: u32 = 0o111;
/// Of folders.
const FOLDER: u32 = 0o755;

/// Why the tree could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    /// A file or folder could not be placed, removed or looked at.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something stands in the tree where a folder is to be.
    #[error("{} is no folder; remove it, since files are to be exported below it", path.display())]
    NoFolder {
        /// It.
        path: PathBuf,
    },
}

/// The tree and the list of what was placed in it.
#[derive(Debug)]
pub(super) struct Tree {
    dir: PathBuf,
    root: PathBuf,
    list: PathBuf,
    placed: BTreeMap<FilePath, Made>,
}

/// How a file was placed: its content, how it got there, whether it may be run.
type Made = (Digest, Placing, bool);

const fn made(placed: &Placed) -> Made {
    (placed.hash, placed.placing, placed.executable)
}

impl Tree {
    /// The tree in `dir` (the daemon's folder) with what its list says.
    pub(super) fn open(dir: &Path) -> Result<Self, TreeError> {
        let list = dir.join("nfs/placed");
        let placed = match fs::read_to_string(&list) {
            Ok(text) => text.lines().filter_map(placed_line).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(fail("read", &list, source)),
        };
        Ok(Self { dir: dir.to_owned(), root: dir.join("tree"), list, placed })
    }

    /// Makes the exported folders and places the files of a plan. Returns how many files cannot be
    /// placed yet, because their content is not here.
    pub(super) fn place(&mut self, plan: &Plan) -> Result<usize, TreeError> {
        for export in &plan.exports {
            self.folder(export.path.as_str())?;
        }
        let (mut missing, before) = (0, self.placed.clone());
        let mut outcome = Ok(());
        for (path, placed) in &plan.files {
            match self.place_one(path, placed) {
                Ok(true) => {
                    self.placed.insert(path.clone(), made(placed));
                }
                Ok(false) => missing += 1,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        // Also after an error: what was placed so far is ours to remove some day.
        if self.placed != before {
            self.write_list()?;
        }
        outcome.map(|()| missing)
    }

    /// Removes what was placed once and is not in the plan, and folders that are empty by that.
    pub(super) fn remove_gone(&mut self, plan: &Plan) -> Result<(), TreeError> {
        let gone: Vec<FilePath> =
            self.placed.keys().filter(|path| !plan.files.contains_key(*path)).cloned().collect();
        if gone.is_empty() {
            return Ok(());
        }
        for path in &gone {
            let file = self.root.join(path.as_str());
            match fs::remove_file(&file) {
                Err(error) if !is_gone(&error) => {
                    return Err(fail("remove", &file, error));
                }
                _ => {}
            }
            self.placed.remove(path);
        }
        self.remove_empty_folders(&gone, plan);
        self.write_list()
    }

    /// Whether the file is in place now; `false` when its content is not here.
    fn place_one(&self, path: &FilePath, placed: &Placed) -> Result<bool, TreeError> {
        let file = self.root.join(path.as_str());
        let before =
            self.placed.get(path).filter(|(hash, how, _)| (*hash, *how) == (placed.hash, placed.placing));
        if let Some((_, _, could_run)) = before {
            let found = fs::symlink_metadata(&file).ok().filter(fs::Metadata::is_file);
            // A copy that was placed once is the clients', whatever they have made of it.
            let is_whole =
                |found: fs::Metadata| placed.placing == Placing::Copy || found.len() == placed.size;
            if found.is_some_and(is_whole) {
                if *could_run != placed.executable {
                    // What clients have written into a copy stays.
                    open_to(&file, mode_of(placed))
                        .map_err(|source| fail("change the mode of", &file, source))?;
                }
                return Ok(true);
            }
        }
        let source = content::path(&self.dir, &placed.hash);
        match fs::metadata(&source) {
            Ok(found) if found.len() == placed.size => {}
            // Content of a wrong length is fetched again by who keeps the content.
            Ok(_) => return Ok(false),
            Err(error) if is_gone(&error) => return Ok(false),
            Err(error) => return Err(fail("look at", &source, error)),
        }
        if let Some((folder, _)) = path.as_str().rsplit_once('/') {
            self.folder(folder)?;
        }
        self.put(&source, &file, placed)?;
        Ok(true)
    }

    /// Puts the content under a temporary name, then under its own.
    fn put(&self, source: &Path, file: &Path, placed: &Placed) -> Result<(), TreeError> {
        let temporary = self.root.join(".new");
        let put = || {
            remove_if_there(&temporary)?;
            let linked = match placed.placing {
                Placing::Link => fs::hard_link(source, &temporary),
                Placing::Copy => Err(io::ErrorKind::Unsupported.into()),
            };
            // Another file system, or one without links.
            if linked.is_err() {
                fs::copy(source, &temporary)?;
                // Before the list says that it is whole.
                fs::File::open(&temporary)?.sync_all()?;
            }
            fs::set_permissions(&temporary, Permissions::from_mode(mode_of(placed)))?;
            fs::rename(&temporary, file)?;
            // Renaming one name of a file over another one of it leaves both (rename(2)).
            remove_if_there(&temporary)
        };
        put().map_err(|source| fail("place", file, source))
    }

    /// Makes a folder of the tree and those above it, following no link.
    fn folder(&self, path: &str) -> Result<(), TreeError> {
        let mut folder = self.root.clone();
        for part in std::iter::once("").chain(path.split('/')) {
            if !part.is_empty() {
                folder.push(part);
            }
            let made = DirBuilder::new().mode(FOLDER).create(&folder);
            match made {
                Ok(()) => {
                    // The mode is lessened by the umask.
                    let opened = fs::set_permissions(&folder, Permissions::from_mode(FOLDER));
                    opened.map_err(|source| fail("open to clients", &folder, source))?;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir()) {
                        return Err(TreeError::NoFolder { path: folder });
                    }
                }
                Err(source) => return Err(fail("make", &folder, source)),
            }
        }
        Ok(())
    }

    /// Removing a folder that holds anything is refused by the system: that is the check.
    fn remove_empty_folders(&self, gone: &[FilePath], plan: &Plan) {
        let exported: BTreeSet<&str> = plan.exports.iter().map(|export| export.path.as_str()).collect();
        for path in gone {
            let mut below = path.as_str();
            while let Some((folder, _)) = below.rsplit_once('/') {
                if exported.contains(folder) || fs::remove_dir(self.root.join(folder)).is_err() {
                    break;
                }
                below = folder;
            }
        }
    }

    fn write_list(&self) -> Result<(), TreeError> {
        let text: String = self.placed.iter().map(line_of).collect();
        let written = disk::write_durably(&self.list, text.as_bytes(), 0o600);
        written.map_err(|source| fail("write", &self.list, source))
    }
}

const fn mode_of(placed: &Placed) -> u32 {
    let mode = match placed.placing {
        Placing::Link => READ_ONLY,
        Placing::Copy => WRITABLE,
    };
    if placed.executable { mode | RUN } else { mode }
}

/// Changes the mode of a file of the tree. A link that a client has put there is not followed.
fn open_to(file: &Path, mode: u32) -> io::Result<()> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn fail(what: &'static str, path: &Path, source: io::Error) -> TreeError {
    TreeError::Io { what, path: path.to_owned(), source }
}

/// A line of the list: the hash; `=` for a link or `+` for a copy, and `x` where it may be run; the
/// path.
fn placed_line(line: &str) -> Option<(FilePath, Made)> {
    let (hash, rest) = line.split_once(' ')?;
    let (mark, path) = rest.split_once(' ')?;
    let (placing, executable) = match mark {
        "=" => (Placing::Link, false),
        "=x" => (Placing::Link, true),
        "+" => (Placing::Copy, false),
        "+x" => (Placing::Copy, true),
        _ => return None,
    };
    Some((path.parse().ok()?, (hash.parse().ok()?, placing, executable)))
}

fn line_of((path, (hash, placing, executable)): (&FilePath, &Made)) -> String {
    let mark = match placing {
        Placing::Link => '=',
        Placing::Copy => '+',
    };
    let run = if *executable { "x" } else { "" };
    format!("{hash} {mark}{run} {path}\n")
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}
