//! What a program did to the files and names below a folder, in the order in which it did it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::Micros;
use super::cut::Luck;
use super::strace::Call;
use crate::Result;

/// From when to when something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Micros,
    pub(super) end: Micros,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// The file of this number: a file keeps it when it is renamed.
    File(usize),
    Folder,
    Link(PathBuf),
}

/// A file, whatever its name.
#[derive(Debug, Default)]
pub(super) struct File {
    /// What was in it when the recording began.
    pub(super) settled: Vec<u8>,
    pub(super) changes: Vec<(Span, Change)>,
    pub(super) syncs: Vec<Span>,
    size: u64,
}

/// A change of a file's bytes.
#[derive(Debug)]
pub(super) enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Size(u64),
}

/// A change of names. Paths are below the folder.
#[derive(Debug)]
pub(super) enum Naming {
    Put(PathBuf, Thing),
    /// A folder takes along what is in it.
    Move {
        from: PathBuf,
        to: PathBuf,
        thing: Thing,
    },
    Gone(PathBuf),
}

/// Names, and what they stand for.
pub(super) type Names = BTreeMap<PathBuf, Thing>;

/// All that was done, ready to be cut.
#[derive(Debug)]
pub struct History {
    pub(super) settled: Names,
    pub(super) files: Vec<File>,
    pub(super) names: Vec<(Span, Naming)>,
    /// Syncs after which names are on the disk.
    pub(super) syncs: Vec<Span>,
    /// When each answer was on its way.
    pub(super) answers: Vec<Micros>,
}

/// What a descriptor is at.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: u64,
    appends: bool,
    syncs: bool,
}

/// Reads calls.
#[derive(Debug)]
pub(super) struct Reader {
    folder: PathBuf,
    now: Names,
    places: HashMap<u64, Place>,
    /// When something was said on a socket or a pipe.
    words: Vec<Micros>,
    history: History,
}

impl Reader {
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        let (mut settled, mut files) = (Names::new(), Vec::new());
        for (path, found) in look(folder)? {
            let thing = match found {
                Found::Folder => Thing::Folder,
                Found::Link(target) => Thing::Link(target),
                Found::File(bytes) => {
                    files.push(File { size: bytes.len() as u64, settled: bytes, ..File::default() });
                    Thing::File(files.len() - 1)
                }
            };
            settled.insert(path, thing);
        }
        let now = settled.clone();
        let history = History { settled, files, names: Vec::new(), syncs: Vec::new(), answers: Vec::new() };
        let (places, words) = (HashMap::new(), Vec::new());
        Ok(Self { folder: folder.to_owned(), now, places, words, history })
    }

    /// Takes in the calls of one run of a program, in the order in which they ended.
    pub(super) fn run(&mut self, calls: &[Call]) -> Result<()> {
        self.places.clear();
        calls.iter().try_for_each(|call| {
            self.call(call).map_or_else(|| Err(format!("strace's {call:?} is not understood").into()), Ok)
        })
    }

    /// The history, with answers that were had at these times.
    pub(super) fn end(self, answers: &[Micros]) -> History {
        let Self { mut words, mut history, .. } = self;
        words.sort_unstable();
        let dated = |had: &Micros| {
            let before = words.partition_point(|word| word < had);
            before.checked_sub(1).map_or(*had, |last| words[last])
        };
        history.answers = answers.iter().map(dated).collect();
        history
    }

    /// Gives none where the call is not what its name promises.
    fn call(&mut self, call: &Call) -> Option<()> {
        let span = Span { start: call.start, end: call.end };
        match call.name.as_str() {
            "open" | "creat" => self.open(call, span, 0),
            "openat" => self.open(call, span, 1),
            "sync" | "syncfs" => {
                self.history.files.iter_mut().for_each(|file| file.syncs.push(span));
                self.history.syncs.push(span);
                Some(())
            }
            "rename" => self.rename(span, &call.path(0)?, &call.path(1)?),
            "renameat" | "renameat2" => self.rename(span, &call.path(1)?, &call.path(3)?),
            "unlink" | "rmdir" => self.gone(span, &call.path(0)?),
            "unlinkat" => self.gone(span, &call.path(1)?),
            "mkdir" => self.put(span, &call.path(0)?, Thing::Folder),
            "mkdirat" => self.put(span, &call.path(1)?, Thing::Folder),
            "symlink" => self.put(span, &call.path(1)?, Thing::Link(link_target(call))),
            "symlinkat" => self.put(span, &call.path(2)?, Thing::Link(link_target(call))),
            "link" => self.link(span, &call.path(0)?, &call.path(1)?),
            "linkat" => self.link(span, &call.path(1)?, &call.path(3)?),
            "truncate" => {
                let below = self.below(&call.path(0)?);
                self.change(below.as_deref(), span, Change::Size(call.number(1)?))
            }
            _ => self.on_descriptor(call, span),
        }
    }

    fn on_descriptor(&mut self, call: &Call, span: Span) -> Option<()> {
        // Calls without one (a socket that was closed meanwhile) are none of files.
        let Some((number, path)) = call.descriptor(0) else { return Some(()) };
        let text = path.to_string_lossy();
        if text.starts_with("socket:") || text.starts_with("pipe:") {
            if call.name.starts_with("write") || call.name.starts_with("send") {
                self.words.push(call.start);
            }
            return Some(());
        }
        let below = self.below(&path);
        let file = below.as_deref();
        match call.name.as_str() {
            "fsync" | "fdatasync" => {
                // `fdatasync` need not bring names along.
                if call.name == "fsync" {
                    self.history.syncs.push(span);
                }
                if let Some(file) = self.file(file) {
                    file.syncs.push(span);
                }
                Some(())
            }
            "ftruncate" => self.change(file, span, Change::Size(call.number(1)?)),
            "fallocate" => {
                let size = call.number(2)? + call.number(3)?;
                let grows = self.file(file).is_some_and(|file| size > file.size);
                if grows { self.change(file, span, Change::Size(size)) } else { Some(()) }
            }
            "write" | "writev" => {
                let place = self.places.entry(number).or_default();
                let (appends, mut at) = (place.appends, place.at);
                if appends {
                    at = self.file(file).map_or(0, |file| file.size);
                }
                self.places.entry(number).or_default().at = at + call.result;
                self.write(call, span, file, at, number)
            }
            "pwrite64" | "pwritev" | "pwritev2" => self.write(call, span, file, call.number(3)?, number),
            "read" | "readv" => {
                self.places.entry(number).or_default().at += call.result;
                Some(())
            }
            "lseek" => {
                self.places.entry(number).or_default().at = call.result;
                Some(())
            }
            "close" => {
                self.places.remove(&number);
                Some(())
            }
            // What else moves bytes (`copy_file_range`) is not followed; the comparison would tell.
            _ => Some(()),
        }
    }

    fn open(&mut self, call: &Call, span: Span, argument: usize) -> Option<()> {
        let Some(path) = self.below(&call.path(argument)?) else { return Some(()) };
        let creates = call.name == "creat" || call.has_flag("O_CREAT");
        if creates && !self.now.contains_key(&path) {
            self.history.files.push(File::default());
            let file = Thing::File(self.history.files.len() - 1);
            self.now.insert(path.clone(), file.clone());
            self.history.names.push((span, Naming::Put(path.clone(), file)));
        }
        if call.name == "creat" || call.has_flag("O_TRUNC") {
            self.change(Some(&path), span, Change::Size(0))?;
        }
        let syncs = call.has_flag("O_SYNC") || call.has_flag("O_DSYNC");
        let place = Place { at: 0, appends: call.has_flag("O_APPEND"), syncs };
        self.places.insert(call.result, place);
        Some(())
    }

    fn write(&mut self, call: &Call, span: Span, file: Option<&Path>, at: u64, number: u64) -> Option<()> {
        let Some(path) = file else { return Some(()) };
        let mut bytes = call.bytes(1);
        bytes.truncate(usize::try_from(call.result).ok()?);
        self.change(Some(path), span, Change::Write { at, bytes })?;
        if self.places.get(&number).is_some_and(|place| place.syncs) {
            // On the disk when it ends.
            let at_its_end = Span { start: span.end + 3, end: span.end };
            self.file(file)?.syncs.push(at_its_end);
        }
        Some(())
    }

    fn change(&mut self, path: Option<&Path>, span: Span, change: Change) -> Option<()> {
        // Outside of the folder, or removed and still open.
        let Some(file) = self.file(path) else { return Some(()) };
        file.size = match &change {
            Change::Size(size) => *size,
            Change::Write { at, bytes } => file.size.max(at + bytes.len() as u64),
        };
        file.changes.push((span, change));
        Some(())
    }

    fn rename(&mut self, span: Span, from: &Path, to: &Path) -> Option<()> {
        // Nothing of ours is renamed into or out of the folder.
        let (Some(from), Some(to)) = (self.below(from), self.below(to)) else { return Some(()) };
        let Some(thing) = self.now.get(&from).cloned() else { return Some(()) };
        let naming = Naming::Move { from, to, thing };
        naming.apply(&mut self.now);
        self.history.names.push((span, naming));
        Some(())
    }

    fn link(&mut self, span: Span, from: &Path, to: &Path) -> Option<()> {
        let thing = self.below(from).and_then(|from| self.now.get(&from).cloned());
        match thing {
            Some(thing) => self.put(span, to, thing),
            None => Some(()),
        }
    }

    fn gone(&mut self, span: Span, path: &Path) -> Option<()> {
        if let Some(path) = self.below(path).filter(|path| self.now.contains_key(path)) {
            self.now.remove(&path);
            self.history.names.push((span, Naming::Gone(path)));
        }
        Some(())
    }

    fn put(&mut self, span: Span, path: &Path, thing: Thing) -> Option<()> {
        if let Some(path) = self.below(path) {
            self.now.insert(path.clone(), thing.clone());
            self.history.names.push((span, Naming::Put(path, thing)));
        }
        Some(())
    }

    /// A path relative to the folder, where it is in it or the folder itself.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.folder).ok().map(Path::to_owned)
    }

    fn file(&mut self, path: Option<&Path>) -> Option<&mut File> {
        match self.now.get(path?) {
            Some(Thing::File(number)) => self.history.files.get_mut(*number),
            _ => None,
        }
    }
}

impl Naming {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Put(path, thing) => drop(names.insert(path.clone(), thing.clone())),
            Self::Gone(path) => drop(names.remove(path)),
            Self::Move { from, to, thing } => {
                let within = |path: &&PathBuf| path.starts_with(from);
                let moved: Vec<PathBuf> = names.keys().filter(within).cloned().collect();
                for path in moved {
                    let thing = names.remove(&path);
                    let rest = path.strip_prefix(from).ok().filter(|rest| !rest.as_os_str().is_empty());
                    if let (Some(thing), Some(rest)) = (thing, rest) {
                        names.insert(to.join(rest), thing);
                    }
                }
                names.insert(to.clone(), thing.clone());
            }
        }
    }
}

impl History {
    /// Where a replay of everything is not what the folder holds.
    pub(super) fn differences(&self, folder: &Path) -> Result<Vec<String>> {
        let real = look(folder)?;
        let replayed = self.tree(Micros::MAX, &mut Luck::everything());
        let paths = real.keys().chain(replayed.keys());
        let wrong = paths.filter(|path| real.get(*path) != replayed.get(*path));
        let mut wrong: Vec<String> = wrong.map(|path| path.display().to_string()).collect();
        wrong.dedup();
        Ok(wrong)
    }
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(Vec<u8>),
    Folder,
    Link(PathBuf),
}

/// What is in a folder, sockets left out; the folder itself by the empty path. Nothing where there is none.
pub(super) fn look(folder: &Path) -> Result<BTreeMap<PathBuf, Found>> {
    let mut found = BTreeMap::new();
    let mut ahead: Vec<PathBuf> = if folder.is_dir() { vec![PathBuf::new()] } else { Vec::new() };
    while let Some(path) = ahead.pop() {
        for entry in fs::read_dir(folder.join(&path))? {
            let entry = entry?;
            let (path, kind) = (path.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                ahead.push(path);
            } else if kind.is_symlink() {
                found.insert(path, Found::Link(fs::read_link(entry.path())?));
            } else if kind.is_file() {
                found.insert(path, Found::File(fs::read(entry.path())?));
            }
        }
        found.insert(path, Found::Folder);
    }
    Ok(found)
}

fn link_target(call: &Call) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(call.bytes(0)))
}
