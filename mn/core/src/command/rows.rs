//! What the table commands are asked for.

use serde::{Deserialize, Serialize};

use crate::command::Mode;
use crate::csv::{CsvError, Sheet};

/// A file of a table, read where the operator is: the daemon parses nothing while others wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The table, as the file is called.
    pub table: String,
    /// Its rows, or what is wrong with it. Of a table that there is not, nothing is read.
    pub content: Result<Option<Sheet>, Vec<CsvError>>,
}

/// The arguments of `tabrestore`, and of `tabedit`, which ends in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabrestore {
    /// How to make the change; it is atomic always.
    pub mode: Mode,
    /// The file.
    pub file: Given,
    /// What becomes of the rows that are there.
    pub how: How,
}

/// What becomes of the rows of a table that is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// They go, unless they are in the file.
    Replace,
    /// `-a`: they stay. Of one that is in the file, the file's columns are set.
    Add,
    /// `tabedit`: what differs between this dump and the file is changed, unless somebody else has
    /// changed it since.
    Edit(Sheet),
}

/// The arguments of `restorexCATdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreDb {
    /// How to make the change; it is atomic always.
    pub mode: Mode,
    /// The files of the folder.
    pub files: Vec<Given>,
    /// `-a`: the logs too.
    pub all: bool,
    /// `--full`: Drover's own tables too.
    pub full: bool,
    /// `-V`.
    pub verbose: bool,
}

impl RestoreDb {
    /// Whether a table may be among those that are restored.
    pub fn is_about(&self, table: &str) -> bool {
        self.files.iter().any(|file| file.table == table)
    }
}

/// The arguments of `chtab` and `tabch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabch {
    /// How to make the change; it is atomic always.
    pub mode: Mode,
    /// `column=value`: which rows are meant. Empty for a new row of which the words say the key.
    pub keys: Vec<(String, String)>,
    /// What to do.
    pub action: TabchAction,
}

impl Tabch {
    /// Whether a table is among those that it changes.
    pub fn is_about(&self, table: &str) -> bool {
        match &self.action {
            TabchAction::Set(words) => words.iter().any(|word| word.table == table),
            TabchAction::Delete(tables) => tables.iter().any(|name| name == table),
        }
    }
}

/// What `chtab` does with the rows that are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TabchAction {
    /// Sets columns, making the row where there is none.
    Set(Vec<Assignment>),
    /// `-d`: removes them from these tables.
    Delete(Vec<String>),
}

impl Default for TabchAction {
    fn default() -> Self {
        Self::Set(Vec::new())
    }
}

/// `table.column=value`, or `+=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The value.
    pub value: String,
    /// `+=`: its items are added to the list that is there.
    pub append: bool,
}

/// The arguments of `tabprune`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabprune {
    /// How to make the change.
    pub mode: Mode,
    /// The table.
    pub table: String,
    /// Which rows go.
    pub which: Prune,
    /// `-V`: print them.
    pub verbose: bool,
}

/// Which rows `tabprune` removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prune {
    /// `-a`: all.
    All,
    /// `-n`: so many of the oldest.
    Oldest(u64),
    /// `-p`: this share of the oldest.
    Percent(u64),
    /// `-i`: those whose number is below this one.
    Below(u64),
    /// `-d`: those from before this time (`YYYY-MM-DD HH:MM:SS`).
    Before(String),
}
