//! What another system's files say, before it meets what is here.

use std::fmt;

use super::subject::Subject;

/// A place in what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file.
    pub file: String,
    /// The line; zero for the whole file.
    pub line: usize,
}

impl Place {
    /// A line of a file.
    pub(crate) fn new(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Something that is not taken, and why; nothing of a file is passed over in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// What is said of one subject in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// Where.
    pub place: Place,
    /// Of whom.
    pub subject: Subject,
    /// What.
    pub attributes: Vec<(String, String)>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What can be taken, in the order of the files. One subject may come more than once.
    pub incoming: Vec<Incoming>,
    /// What cannot.
    pub notes: Vec<Note>,
    /// What is taken, and should be looked at.
    pub remarks: Vec<Note>,
    /// Files that are damaged: nothing of them is taken.
    pub faults: Vec<Note>,
}

impl Reading {
    /// Adds what is said of a subject.
    pub(crate) fn add(&mut self, place: Place, subject: Subject, attributes: Vec<(String, String)>) {
        self.incoming.push(Incoming { place, subject, attributes });
    }

    /// Says something of what is taken.
    pub(crate) fn remark(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        self.remarks.push(Note { place, what: what.into(), why: why.into() });
    }

    /// Says what is damaged.
    pub(crate) fn fault(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        self.faults.push(Note { place, what: what.into(), why: why.into() });
    }

    /// Leaves something out.
    pub(crate) fn note(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        self.notes.push(Note { place, what: what.into(), why: why.into() });
    }
}

/// A node.
pub(crate) fn node(name: &str) -> Subject {
    Subject::Object { kind: "node", name: name.to_owned() }
}
