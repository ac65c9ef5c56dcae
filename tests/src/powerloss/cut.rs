//! The folder as the disk may hold it at a moment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Micros;
use super::history::{Change, File, Found, History, Names, Span, Thing};
use crate::Result;
use crate::chance::Chance;

/// What a disk writes at once, or not at all.
const SECTOR: u64 = 512;

/// How far apart strace's times must be to tell an order: both are cut to whole microseconds.
const APART: Micros = 2;

/// How much of what was not synced is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Three of ten; others in part.
    Some,
    /// Eight of ten; others in part.
    Most,
    /// Everything that had ended: a kill, or a power cut without bad luck.
    Everything,
}

/// A moment at which the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many answers were on their way before it.
    pub answers: usize,
    /// What becomes of what was not synced.
    pub keep: Keep,
    at: Micros,
    seed: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answers, keep, at, seed } = self;
        write!(f, "power cut at {at} after {answers} answers, of the rest kept: {keep:?}, seed {seed}")
    }
}

/// What a disk keeps, by chance.
#[derive(Debug)]
pub(super) struct Luck {
    chance: Chance,
    keep: Keep,
}

/// What becomes of a write that is not safe.
enum Fate {
    Kept,
    InPart,
    Lost,
}

impl Luck {
    const fn new(seed: u64, keep: Keep) -> Self {
        Self { chance: Chance::new(seed), keep }
    }

    pub(super) const fn everything() -> Self {
        Self::new(0, Keep::Everything)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        self.chance.below(bound)
    }

    const fn fate(&mut self) -> Fate {
        let ten = self.below(10);
        match self.keep {
            Keep::Everything => Fate::Kept,
            Keep::Nothing => Fate::Lost,
            Keep::Some if ten < 3 => Fate::Kept,
            Keep::Most if ten < 8 => Fate::Kept,
            Keep::Some | Keep::Most if ten.is_multiple_of(2) => Fate::InPart,
            Keep::Some | Keep::Most => Fate::Lost,
        }
    }

    /// Of what is whole or not at all.
    const fn keeps(&mut self) -> bool {
        matches!(self.fate(), Fate::Kept)
    }

    /// Whether what has this span can have reached the disk before `at`, when not synced.
    const fn may_be_there(&self, span: Span, at: Micros) -> bool {
        match self.keep {
            Keep::Everything => span.end <= at,
            Keep::Nothing | Keep::Some | Keep::Most => span.start <= at,
        }
    }
}

impl History {
    /// How many answers there were.
    pub const fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Right after answer `number`, counted from 1.
    pub fn right_after(&self, number: usize, keep: Keep, seed: u64) -> Cut {
        let at = number.checked_sub(1).and_then(|index| self.answers.get(index)).copied().unwrap_or(0);
        self.cut_at(at, keep, seed)
    }

    /// So many cuts between the first answer and the last: every other one right after an answer, the
    /// others at any moment.
    pub fn cuts(&self, count: u64, seed: u64) -> Vec<Cut> {
        let (first, last) = (self.answers.first().copied(), self.answers.last().copied());
        let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
        let mut luck = Luck::new(seed, Keep::Nothing);
        let answers = self.answers.len() as u64;
        let one = |n: u64| {
            let keep = [Keep::Nothing, Keep::Some, Keep::Most, Keep::Everything]
                [usize::try_from(n / 2 % 4).unwrap_or(0)];
            let at = if n.is_multiple_of(2) {
                self.answers[usize::try_from(luck.below(answers)).unwrap_or(0)]
            } else {
                first + luck.below(last - first + 1)
            };
            self.cut_at(at, keep, seed.wrapping_mul(1000) + n)
        };
        (0..count).map(one).collect()
    }

    /// A cut right after each thing that was done between the first answer and the last.
    pub fn cuts_at_each_step(&self, seed: u64) -> Vec<Cut> {
        let (first, last) = (self.answers.first().copied(), self.answers.last().copied());
        let changes = self.files.iter().flat_map(|file| &file.changes).map(|(span, _)| span);
        let names = self.names.iter().map(|(span, _)| span);
        let mut moments: Vec<Micros> = changes.chain(names).chain(&self.syncs).map(|span| span.end).collect();
        moments.retain(|at| Some(*at) >= first && Some(*at) <= last);
        moments.sort_unstable();
        moments.dedup();
        let keeps = [Keep::Everything, Keep::Nothing, Keep::Some, Keep::Most].into_iter().cycle();
        let seeded = moments.into_iter().zip(keeps).zip(seed..);
        seeded.map(|((at, keep), seed)| self.cut_at(at, keep, seed)).collect()
    }

    /// Another program's folder at the moment of a cut, as if that program had been killed then.
    pub fn killed_at(&self, cut: &Cut) -> Cut {
        self.cut_at(cut.at, Keep::Everything, cut.seed)
    }

    fn cut_at(&self, at: Micros, keep: Keep, seed: u64) -> Cut {
        Cut { answers: self.answers.iter().filter(|answer| **answer <= at).count(), keep, at, seed }
    }

    /// Puts the folder as the disk may hold it at a cut into `to`, in the place of what is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rebuild(&self, cut: &Cut, to: &Path) -> Result<()> {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        for (path, found) in self.tree(cut.at, &mut Luck::new(cut.seed, cut.keep)) {
            let path = to.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            match found {
                Found::Folder => fs::create_dir_all(&path)?,
                Found::Link(target) => std::os::unix::fs::symlink(target, &path)?,
                Found::File(bytes) => {
                    fs::write(&path, bytes)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn tree(&self, at: Micros, luck: &mut Luck) -> BTreeMap<PathBuf, Found> {
        let safe = safe_until(&self.syncs, at);
        let mut names: Names = self.settled.clone();
        for (span, naming) in &self.names {
            if span.end + APART <= safe || (luck.may_be_there(*span, at) && luck.keeps()) {
                naming.apply(&mut names);
            }
        }
        let found = |thing| match thing {
            Thing::Folder => Found::Folder,
            Thing::Link(target) => Found::Link(target),
            Thing::File(number) => {
                Found::File(self.files.get(number).map(|file| file.content(at, luck)).unwrap_or_default())
            }
        };
        let mut found = found;
        names.into_iter().map(|(path, thing)| (path, found(thing))).collect()
    }
}

/// What had ended by then is on the disk: the newest sync that had ended at `at` began then.
fn safe_until(syncs: &[Span], at: Micros) -> Micros {
    syncs.iter().filter(|sync| sync.end <= at).map(|sync| sync.start).max().unwrap_or(0)
}

impl File {
    fn content(&self, at: Micros, luck: &mut Luck) -> Vec<u8> {
        let safe = safe_until(&self.syncs, at);
        let mut content = self.settled.clone();
        for (span, change) in &self.changes {
            let fate = if span.end + APART <= safe {
                Fate::Kept
            } else if luck.may_be_there(*span, at) {
                luck.fate()
            } else {
                Fate::Lost
            };
            match (fate, change) {
                (Fate::Lost, _) | (Fate::InPart, Change::Size(_)) => {}
                (Fate::Kept, Change::Size(size)) => {
                    content.resize(usize::try_from(*size).unwrap_or(usize::MAX), 0);
                }
                (Fate::Kept, Change::Write { at, bytes }) => lay(&mut content, *at, bytes),
                (Fate::InPart, Change::Write { at, bytes }) => lay_in_part(&mut content, *at, bytes, luck),
            }
        }
        content
    }
}

fn lay(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let end = at.saturating_add(bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// Each sector that the write touches is written or not.
fn lay_in_part(content: &mut Vec<u8>, mut at: u64, mut bytes: &[u8], luck: &mut Luck) {
    while !bytes.is_empty() {
        let to_next = usize::try_from(SECTOR - at % SECTOR).unwrap_or(usize::MAX).min(bytes.len());
        let (sector, rest) = bytes.split_at(to_next);
        if luck.below(2) == 0 {
            lay(content, at, sector);
        }
        (at, bytes) = (at + sector.len() as u64, rest);
    }
}
