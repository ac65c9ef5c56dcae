//! Segments of the log: `DIR/FIRST.log`, one line an entry, which is a checksum (the first eight
//! digits of the line's BLAKE3) and JSON. `FIRST` is the number of the first entry, in twenty digits.
//!
//! A line that was cut short by a power cut, or that somebody has written into, fails its checksum and
//! is passed over; at the end of the last segment it is cut off before anything is appended. Segments
//! are only ever removed from the front.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mn_core::audit::Entry;

use super::Prune;

/// How long a segment gets, in bytes: what is rewritten at most to take a part of it away.
const SEGMENT: u64 = 2 << 20;

/// The longest line that is believed.
const LONGEST: usize = 64 << 10;

/// How much the log may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many entries.
    pub entries: u64,
    /// How old they get, in days.
    pub days: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 100_000, days: 400 }
    }
}

/// The log, to be written by one.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    limits: Limits,
    /// The number of the next entry.
    next: u64,
    file: File,
    /// Where the next line goes: what is behind it is not whole.
    length: u64,
}

/// The log from its newest entry back, a segment at a time; what is pruned meanwhile is passed over.
#[derive(Debug)]
pub(crate) struct Back {
    dir: PathBuf,
    /// The segments that are not read yet; none before the first was asked for.
    segments: Option<Vec<(u64, PathBuf)>>,
    /// Of the one that is being gone through.
    entries: Vec<Entry>,
}

/// The log, to be read by anyone, beside the one who writes.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    dir: PathBuf,
}

impl Files {
    pub(super) fn open(dir: &Path, limits: Limits) -> io::Result<Self> {
        runtime::disk::create_dir(dir, 0o700)?;
        let (first, next, length) = match segments(dir)?.pop() {
            Some((first, path)) => {
                let (entries, length) = read(&path)?;
                (first, entries.last().map_or(first, |entry| entry.id + 1), length)
            }
            None => (1, 1, 0),
        };
        let file = segment(dir, first)?;
        file.set_len(length)?;
        runtime::disk::sync_dir(dir)?;
        Ok(Self { dir: dir.to_owned(), limits, next, file, length })
    }

    /// Numbers entries and writes them; on the disk when this returns. After an error nothing of them
    /// is there.
    pub(super) fn append(&mut self, entries: &mut [Entry]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (entry, id) in entries.iter_mut().zip(self.next..) {
            entry.id = id;
            line(entry, &mut bytes);
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // What was written of it would stand before the next line.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.next += entries.len() as u64;
        if self.length >= SEGMENT { self.rotate() } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = segment(&self.dir, self.next)?;
        self.length = 0;
        runtime::disk::sync_dir(&self.dir)
    }

    /// Removes segments that are beyond the limits, whole ones alone.
    pub(super) fn trim(&self, now: u64) -> io::Result<()> {
        let segments = segments(&self.dir)?;
        for pair in segments.windows(2) {
            let [(_, path), (after, _)] = pair else { continue };
            let is_old = || {
                let (entries, _) = read(path)?;
                let oldest = now.saturating_sub(self.limits.days * 86_400);
                io::Result::Ok(entries.last().is_none_or(|entry| entry.at < oldest))
            };
            if self.next - after < self.limits.entries && !is_old()? {
                break;
            }
            std::fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Takes the oldest entries away and gives them.
    pub(super) fn prune(&mut self, what: Prune) -> io::Result<Vec<Entry>> {
        let all = Reader::new(&self.dir).newest(usize::MAX)?;
        let count = all.len() as u64;
        let is_to_go = |index: u64, entry: &Entry| match what {
            Prune::All => true,
            Prune::Oldest(most) => index < most,
            Prune::Below(id) => entry.id < id,
            Prune::Percent(percent) => index < count * u64::from(percent.min(100)) / 100,
            Prune::Before(at) => entry.at < at,
        };
        let gone = (0..).zip(&all).take_while(|(index, entry)| is_to_go(*index, entry)).count();
        let kept = all.get(gone).map_or(self.next, |entry| entry.id);
        self.cut(kept)?;
        Ok(all.into_iter().take(gone).collect())
    }

    /// Removes everything with a lower number.
    fn cut(&mut self, kept: u64) -> io::Result<()> {
        // The number of the next entry survives in the name of a segment.
        self.rotate()?;
        let segments = segments(&self.dir)?;
        for pair in segments.windows(2) {
            let [(first, path), (after, _)] = pair else { continue };
            if *first >= kept {
                break;
            }
            if *after > kept {
                let mut bytes = Vec::new();
                let (entries, _) = read(path)?;
                entries.iter().filter(|entry| entry.id >= kept).for_each(|entry| line(entry, &mut bytes));
                runtime::disk::write_durably(&name(&self.dir, kept), &bytes, 0o600)?;
            }
            std::fs::remove_file(path)?;
        }
        runtime::disk::sync_dir(&self.dir)
    }
}

impl Reader {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The entries, newest first.
    pub(super) fn back(&self) -> Back {
        Back { dir: self.dir.clone(), segments: None, entries: Vec::new() }
    }

    /// The newest entries, at most so many, oldest first.
    pub(super) fn newest(&self, most: usize) -> io::Result<Vec<Entry>> {
        let mut parts: Vec<Vec<Entry>> = Vec::new();
        let mut found = 0;
        for (_, path) in segments(&self.dir)?.iter().rev() {
            if found >= most {
                break;
            }
            match read(path) {
                Ok((entries, _)) => {
                    found += entries.len();
                    parts.push(entries);
                }
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let entries = parts.into_iter().rev().flatten().skip(found.saturating_sub(most));
        Ok(entries.collect())
    }
}

impl Back {
    /// The next entry; none at the beginning of the log.
    fn step(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.entries.pop() {
                return Ok(Some(entry));
            }
            let left = match &mut self.segments {
                Some(left) => left,
                left @ None => left.insert(segments(&self.dir)?),
            };
            let Some((_, path)) = left.pop() else { return Ok(None) };
            match read(&path) {
                Ok((entries, _)) => self.entries = entries,
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Iterator for Back {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn name(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

fn segment(dir: &Path, first: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(name(dir, first))
}

/// The segments, oldest first, by the numbers of their first entries.
fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// The entries of a segment, and how long it is up to the last that is whole.
fn read(path: &Path) -> io::Result<(Vec<Entry>, u64)> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut entries, mut at, mut whole) = (Vec::new(), 0, 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        let length = file.read_until(b'\n', &mut text)?;
        if length == 0 {
            return Ok((entries, whole));
        }
        at += length as u64;
        if let Some(entry) = parse(&text) {
            entries.push(entry);
            whole = at;
        }
    }
}

fn line(entry: &Entry, into: &mut Vec<u8>) {
    // Plain data always encodes.
    let json = serde_json::to_string(entry).unwrap_or_default();
    into.extend_from_slice(format!("{} {json}\n", check(json.as_bytes())).as_bytes());
}

fn parse(line: &[u8]) -> Option<Entry> {
    let (sum, json) = line.strip_suffix(b"\n")?.split_at_checked(8)?;
    let json = json.strip_prefix(b" ").filter(|json| json.len() <= LONGEST)?;
    if check(json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn check(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(count: usize) -> Vec<Entry> {
        let entry = |at| Entry { at, user: "u".repeat(300), ..Entry::default() };
        (0..count as u64).map(entry).collect()
    }

    fn ids(dir: &Path) -> Vec<u64> {
        Reader::new(dir).newest(usize::MAX).unwrap().iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn numbers_go_on_after_a_torn_line_and_after_everything_was_pruned() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Files::open(dir.path(), Limits::default()).unwrap();
        open().append(&mut entries(3)).unwrap();
        let path = name(dir.path(), 1);
        let mut torn = std::fs::read(&path).unwrap();
        torn.truncate(torn.len() - 5);
        std::fs::write(&path, &torn).unwrap();
        let mut files = open();
        files.append(&mut entries(2)).unwrap();
        assert_eq!(ids(dir.path()), [1, 2, 3, 4]);
        files.prune(Prune::All).unwrap();
        assert_eq!(ids(dir.path()), Vec::<u64>::new());
        drop(files);
        open().append(&mut entries(1)).unwrap();
        assert_eq!(ids(dir.path()), [5]);
    }

    #[test]
    fn what_is_pruned_is_the_oldest_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::open(dir.path(), Limits::default()).unwrap();
        files.append(&mut entries(100)).unwrap();
        let mut pruned = |what| files.prune(what).unwrap().len();
        assert_eq!(pruned(Prune::Oldest(10)), 10);
        assert_eq!(pruned(Prune::Below(21)), 10);
        assert_eq!(pruned(Prune::Percent(50)), 40);
        assert_eq!(pruned(Prune::Before(80)), 20);
        assert_eq!(pruned(Prune::Oldest(0)), 0);
        assert_eq!(ids(dir.path()), (81..=100).collect::<Vec<_>>());
        assert_eq!(Reader::new(dir.path()).newest(2).unwrap().len(), 2);
    }

    #[test]
    fn the_log_is_bounded_by_number_and_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::open(dir.path(), Limits { entries: 10_000, days: 1 }).unwrap();
        for _ in 0..30 {
            files.append(&mut entries(1000)).unwrap();
            files.trim(0).unwrap();
        }
        let left = ids(dir.path());
        assert_eq!(left.last(), Some(&30_000));
        let back: Vec<u64> = Reader::new(dir.path()).back().map(|entry| entry.unwrap().id).collect();
        assert!(back.iter().eq(left.iter().rev()), "the same entries, newest first");
        assert!((10_000..20_000).contains(&left.len()), "{}", left.len());
        files.trim(1_000_000).unwrap();
        assert!(ids(dir.path()).len() < 10_000, "all but the last segment is a day old");
    }

    proptest! {
        #[test]
        fn no_bytes_in_a_segment_panic(bytes: Vec<u8>) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(name(dir.path(), 1), bytes).unwrap();
            let mut files = Files::open(dir.path(), Limits::default()).unwrap();
            files.append(&mut entries(1)).unwrap();
            prop_assert_eq!(ids(dir.path()).len(), 1);
        }
    }
}
