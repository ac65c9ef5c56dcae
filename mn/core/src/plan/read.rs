//! What a command's files say, read before the one writer is asked to plan it.
//!
//! A file of a whole site takes seconds to read, and whoever changes something else would wait for
//! that. What was not read before is read by the planner: the outcome is the same.

use crate::change::define::Stanzas;
use crate::command::{Apply, Command, Define, Import};
use crate::exchange::incoming::Reading;
use crate::exchange::{apply, import};
use crate::object::stanza;

/// The files of one command, as far as they say something without a model.
#[derive(Debug, Default)]
pub struct Read(Content);

#[derive(Debug, Default)]
enum Content {
    /// Nothing was read.
    #[default]
    Nothing,
    Stanzas(Option<Stanzas>),
    Definitions(apply::Read),
    Incoming(Option<Reading>),
}

impl Read {
    /// Whether a command has files to read.
    pub const fn is_needed(command: &Command) -> bool {
        match command {
            Command::Mkdef(args) | Command::Chdef(args) => args.stanza.is_some(),
            Command::Apply(_) | Command::Import(_) => true,
            _ => false,
        }
    }

    /// Reads the files of a command; may compute for long.
    pub fn of(command: &Command) -> Self {
        let nothing = Self::default();
        Self(match command {
            Command::Mkdef(args) | Command::Chdef(args) => Content::Stanzas(nothing.stanzas(args)),
            Command::Apply(args) => Content::Definitions(nothing.definitions(args)),
            Command::Import(args) => Content::Incoming(nothing.incoming(args)),
            _ => Content::Nothing,
        })
    }

    pub(super) fn stanzas(self, args: &Define) -> Option<Stanzas> {
        match self.0 {
            Content::Stanzas(stanzas) => stanzas,
            _ => args.stanza.as_deref().map(stanza::parse),
        }
    }

    pub(super) fn definitions(self, args: &Apply) -> apply::Read {
        match self.0 {
            Content::Definitions(read) => read,
            _ => apply::read(args),
        }
    }

    pub(super) fn incoming(self, args: &Import) -> Option<Reading> {
        match self.0 {
            Content::Incoming(read) => read,
            _ => import::read(args),
        }
    }
}
