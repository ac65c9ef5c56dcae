//! What a command reads where the operator is: standard input and the files of a noderange.
//!
//! The daemon never opens a file that an operator names: its rights are not the operator's.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use mn_core::command::Range;

use super::Usage;

/// The longest standard input or noderange file. A stanza of 100,000 nodes with twenty attributes
/// each is about 60 MiB.
const MAX_INPUT: u64 = 256 << 20;

/// What stands in the place of everything that a command reads, where its words are read again by
/// the daemon; no word that was typed may hold it.
pub(super) const REPLAYED: &str = "\u{1}replayed\u{1}";

/// Standard input, and where relative paths start.
pub(super) struct Intake {
    stdin: Box<dyn Read>,
    folder: PathBuf,
    /// Whether nothing is read at all.
    is_replay: bool,
    /// What every noderange is given along: the guard, and what a bare number is a number of.
    template: Range,
}

impl Intake {
    /// The process's own.
    pub(super) fn new() -> Self {
        let variable = |name| std::env::var(name).ok();
        let (prefix, suffix) = (variable("XCAT_NODE_PREFIX"), variable("XCAT_NODE_SUFFIX"));
        let template = Range { prefix, suffix, ..Range::default() };
        Self { stdin: Box::new(io::stdin()), folder: PathBuf::new(), is_replay: false, template }
    }

    /// Refuses noderanges that mean more nodes than this.
    pub(super) const fn guard(&mut self, max_nodes: Option<u64>) {
        self.template.max_nodes = max_nodes;
    }

    /// One that reads nothing and gives [`REPLAYED`].
    pub(super) fn replay() -> Self {
        let template = Range::default();
        Self { stdin: Box::new(REPLAYED.as_bytes()), folder: PathBuf::new(), is_replay: true, template }
    }

    /// With this standard input and folder.
    #[cfg(test)]
    pub(super) fn with(stdin: &'static str, folder: PathBuf) -> Self {
        Self { stdin: Box::new(stdin.as_bytes()), folder, is_replay: false, template: Range::default() }
    }

    /// Whether words are read again (see `replay`), and nothing may be read beside them.
    pub(super) const fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// The whole of standard input.
    ///
    /// # Errors
    /// When it cannot be read, is too long or is not UTF-8.
    pub(super) fn stdin(&mut self) -> Result<String, Usage> {
        read(self.stdin.as_mut())
            .map_err(|error| Usage::alone(format!("cannot read standard input: {error}")))
    }

    /// A file that is named, `-` being standard input.
    ///
    /// # Errors
    /// When it cannot be read, is too long or is not UTF-8.
    pub(super) fn file(&mut self, name: &str) -> Result<String, Usage> {
        if name == "-" {
            return self.stdin();
        }
        if self.is_replay {
            return Ok(REPLAYED.to_owned());
        }
        std::fs::File::open(self.folder.join(name))
            .and_then(|mut file| read(&mut file))
            .map_err(|error| Usage::alone(format!("cannot read {name}: {error}")))
    }

    /// A file, as it is.
    ///
    /// # Errors
    /// When it cannot be read or is too long.
    pub(super) fn bytes(&self, name: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.ensure_live()?;
        let mut bytes = Vec::new();
        let mut file = std::fs::File::open(self.folder.join(name))?;
        let length = file.by_ref().take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
        bounded(length).map(|()| bytes)
    }

    /// The names of the files in a folder, sorted; those that are no text are left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.ensure_live()?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder.join(folder))? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Words that are read again touch no file: what they would have read is not known then.
    fn ensure_live(&self) -> io::Result<()> {
        if self.is_replay { Err(io::Error::other("files are not read again")) } else { Ok(()) }
    }

    /// A noderange with the files that it names. A file that cannot be read is an error here;
    /// xCAT takes it as empty, and then acts on fewer nodes than were meant.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn range(&self, text: &str) -> Result<Range, Usage> {
        let mut range = Range { text: text.to_owned(), ..self.template.clone() };
        for name in file_names(text) {
            if self.is_replay {
                range.files.push((name.to_owned(), REPLAYED.to_owned()));
                continue;
            }
            let content = std::fs::File::open(self.folder.join(name))
                .and_then(|mut file| read(&mut file))
                .map_err(|error| Usage::alone(format!("cannot read the noderange file {name}: {error}")))?;
            range.files.push((name.to_owned(), content));
        }
        Ok(range)
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn read(from: &mut dyn Read) -> io::Result<String> {
    let mut text = String::new();
    let length = from.take(MAX_INPUT + 1).read_to_string(&mut text)?;
    bounded(length).map(|()| text)
}

fn bounded(length: usize) -> io::Result<()> {
    let is_fine = u64::try_from(length).is_ok_and(|length| length <= MAX_INPUT);
    if is_fine { Ok(()) } else { Err(io::Error::other("it is longer than 256 MiB")) }
}

/// The names after `^` at the start of an element of a noderange (after its `-` or `@`).
fn file_names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '(', ')', '@'])
        .map(|element| element.trim_matches(['\'', '"']).trim_start_matches('-'))
        .filter_map(|element| element.strip_prefix('^'))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_noderange_travel_with_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list"), "n1\nn2\n").unwrap();
        let intake = Intake::with("", folder.path().to_owned());
        let range = intake.range("n9,-^list").unwrap();
        assert_eq!(range.file("list").as_deref(), Some("n1\nn2\n"));
        let error = intake.range("^nosuch").unwrap_err().to_string();
        assert!(error.starts_with("cannot read the noderange file nosuch"), "{error}");
    }
}
