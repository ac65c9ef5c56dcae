//! The nodes' own log files: `DIR/log/NODE/messages`, turned over by size.
//!
//! `messages` is the newest, `messages.1` the one before, and so on. An administrator may move or
//! remove any of them at any time: the writer notices and begins a new one.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use common::id::NodeName;

/// The file that is written.
const NEWEST: &str = "messages";
/// When a file is turned over, in bytes.
const MAX_FILE: u64 = 10 << 20;
/// How many files a node has at most: 50 MiB a node.
const FILES: u32 = 5;
/// How many files are kept open. More nodes than this cost an `open` a batch each.
const MAX_OPEN: usize = 256;

/// The files of all nodes.
#[derive(Debug)]
pub(super) struct NodeFiles {
    folder: PathBuf,
    max_file: u64,
    open: HashMap<NodeName, File>,
}

impl NodeFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, max_file: MAX_FILE, open: HashMap::new() }
    }

    /// Appends whole lines to a node's file.
    pub(super) fn append(&mut self, node: &NodeName, text: &[u8]) -> io::Result<()> {
        let folder = self.folder.join(node.as_str());
        let kept = self.open.remove(node).and_then(|file| still_named(file, &folder));
        let (mut file, size) = match kept {
            Some(kept) => kept,
            None => open(&folder)?,
        };
        if size > 0 && size + text.len() as u64 > self.max_file {
            turn_over(&folder)?;
            (file, _) = open(&folder)?;
        }
        file.write_all(text)?;
        if self.open.len() >= MAX_OPEN {
            // All at once: keeping account of which was used last would cost more than opening.
            self.open.clear();
        }
        self.open.insert(node.clone(), file);
        Ok(())
    }
}

/// The file with its size, unless it was moved or removed under us.
fn still_named(file: File, folder: &Path) -> Option<(File, u64)> {
    let named = fs::metadata(folder.join(NEWEST)).ok()?;
    let held = file.metadata().ok()?;
    (named.dev() == held.dev() && named.ino() == held.ino()).then_some((file, held.len()))
}

fn open(folder: &Path) -> io::Result<(File, u64)> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    let file = OpenOptions::new().append(true).create(true).mode(0o640).open(folder.join(NEWEST))?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn turn_over(folder: &Path) -> io::Result<()> {
    let name = |number: u32| match number {
        0 => folder.join(NEWEST),
        _ => folder.join(format!("{NEWEST}.{number}")),
    };
    for number in (0..FILES - 1).rev() {
        match fs::rename(name(number), name(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_turned_over_by_size_and_bounded_in_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = NodeFiles { max_file: 20, ..NodeFiles::new(dir.path().to_owned()) };
        let node: NodeName = "n1".parse().unwrap();
        for number in 10..40 {
            files.append(&node, format!("line {number}\n").as_bytes()).unwrap();
        }
        let folder = dir.path().join("n1");
        assert_eq!(names(&folder), ["messages", "messages.1", "messages.2", "messages.3", "messages.4"]);
        assert_eq!(fs::read_to_string(folder.join("messages")).unwrap(), "line 38\nline 39\n");
        assert_eq!(fs::read_to_string(folder.join("messages.4")).unwrap(), "line 30\nline 31\n");
    }

    #[test]
    fn a_file_that_was_removed_or_moved_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = NodeFiles::new(dir.path().to_owned());
        let node: NodeName = "n1".parse().unwrap();
        files.append(&node, b"a\n").unwrap();
        fs::remove_dir_all(dir.path().join("n1")).unwrap();
        files.append(&node, b"b\n").unwrap();
        let messages = dir.path().join("n1/messages");
        assert_eq!(fs::read_to_string(&messages).unwrap(), "b\n");
        fs::rename(&messages, dir.path().join("n1/old")).unwrap();
        files.append(&node, b"c\n").unwrap();
        assert_eq!(fs::read_to_string(&messages).unwrap(), "c\n");
    }

    #[test]
    fn more_nodes_than_open_files_are_all_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = NodeFiles::new(dir.path().to_owned());
        for _ in 0..2 {
            for number in 0..=MAX_OPEN {
                files.append(&format!("n{number}").parse().unwrap(), b"x\n").unwrap();
            }
        }
        assert!(files.open.len() <= MAX_OPEN);
        assert_eq!(fs::read_to_string(dir.path().join("n0/messages")).unwrap(), "x\nx\n");
    }
}
