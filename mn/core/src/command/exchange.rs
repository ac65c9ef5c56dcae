//! The arguments of `export`, `apply` and `import`, as they travel to the daemon.

use serde::{Deserialize, Serialize};

use crate::command::{Mode, Range};

/// The arguments of `export`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// `-t`: object types, or `table.NAME` for rows; empty means all.
    pub types: Vec<String>,
    /// Only these nodes, and the rows that are theirs.
    pub nodes: Option<Range>,
    /// `--secrets`: tell passwords and keys.
    pub secrets: bool,
}

/// The arguments of `apply`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// How to make the change; it is atomic always.
    pub mode: Mode,
    /// What the file is called.
    pub file: String,
    /// Its content.
    pub text: String,
    /// `--format`.
    pub format: ApplyFormat,
    /// `--prune`: types, or noderanges, whose objects go unless the file names them.
    pub prune: Vec<Range>,
    /// `--force`: prune more than a few.
    pub force: bool,
    /// `-V`: name what is unchanged too.
    pub verbose: bool,
}

/// What a file that is applied is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplyFormat {
    /// Whatever it looks like.
    #[default]
    Detect,
    /// Stanzas, ours or xCAT's.
    Stanza,
    /// Perceus's list of nodes: `name MAC group vnfs ip`.
    Perceus,
}

impl Apply {
    /// Whether it may change who may do what. Text in quotes may spell any word with escapes.
    pub(crate) fn may_govern(&self) -> bool {
        let says = |text: &str| text.contains("policy") || text.contains('\\');
        says(&self.text) || self.prune.iter().any(|range| says(&range.text))
    }
}

/// The arguments of `import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// How to make the change; it is atomic always.
    pub mode: Mode,
    /// What the files are.
    pub source: Source,
    /// Name and content of each, the one that was named first.
    pub files: Vec<(String, String)>,
    /// What happens to values that are here already, and otherwise.
    pub clash: Clash,
    /// `--existing`: no new nodes.
    pub existing: bool,
    /// `--groups`: the groups of new nodes, where the files name none.
    pub groups: String,
    /// `--skip-refused`: leave out the objects that are refused, instead of taking nothing.
    pub skip: bool,
    /// `-V`: name what was taken too.
    pub verbose: bool,
}

/// What wrote the files that are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Tables of xCAT, as `dumpxCATdb` writes them.
    Xcat,
    /// The configuration of ISC's DHCP server.
    IscDhcpd,
    /// A file of addresses and names.
    Hosts,
    /// A file of hardware addresses and names.
    Ethers,
    /// Warewulf's nodes and profiles.
    Warewulf,
}

/// What happens to a value that differs from the one that is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clash {
    /// Nothing is imported, and the differences are listed.
    #[default]
    Refuse,
    /// `--overwrite`: the imported value counts.
    Overwrite,
    /// `--keep`: the value that is here counts.
    Keep,
}

impl Import {
    /// Whether it may change who may do what: only tables hold a policy.
    pub(crate) fn may_govern(&self) -> bool {
        self.source == Source::Xcat
    }
}
