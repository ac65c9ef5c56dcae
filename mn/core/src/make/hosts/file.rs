//! A hosts file, changed line by line.
//!
//! A line belongs to an entry when it begins with its address, or with any other address and its
//! name first: so the address of a node may change and its old line goes. Everything else, comments
//! and lines that are no text included, is nobody's and stays.
//!
//! An `-o` line has another name first and is found by its address alone, as in xCAT.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::Entry;

/// A file as it shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Lines that went, without their ends.
    pub removed: Vec<String>,
    /// Lines that came.
    pub added: Vec<String>,
}

impl Edited {
    /// Whether the file stays as it is.
    pub const fn is_same(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The same file, with what came and went since another.
    #[must_use]
    pub fn since(self, before: &[u8]) -> Self {
        let (old, new): (HashSet<&[u8]>, HashSet<&[u8]>) =
            (lines(before).collect(), lines(&self.bytes).collect());
        let only = |of: &[u8], other: &HashSet<&[u8]>| -> Vec<String> {
            lines(of).filter(|line| !other.contains(line)).map(text).collect()
        };
        Self { removed: only(before, &new), added: only(&self.bytes, &old), bytes: self.bytes }
    }
}

/// The file with a line for each of the entries.
pub fn edit(before: &[u8], entries: &[Entry]) -> Edited {
    let mut file = File::read(before);
    let addresses: HashSet<IpAddr> = entries.iter().map(|entry| entry.ip).collect();
    let mut appended = Vec::new();
    for entry in entries {
        let mut places = file.places(entry, &addresses).into_iter();
        match places.next() {
            Some(place) => file.put(place, &entry.text),
            None => appended.push(entry.text.clone()),
        }
        places.for_each(|place| file.take(place));
    }
    file.finish(appended)
}

/// The file without the lines of the entries.
pub fn delete(before: &[u8], entries: &[Entry]) -> Edited {
    let mut file = File::read(before);
    for entry in entries {
        for place in file.places(entry, &HashSet::new()) {
            file.take(place);
        }
    }
    file.finish(Vec::new())
}

/// The first address that a file has for each of its names.
pub(super) fn addresses(file: &[u8]) -> HashMap<&str, IpAddr> {
    let mut addresses = HashMap::new();
    for line in lines(file).filter_map(read) {
        for name in line.names() {
            addresses.entry(name).or_insert(line.ip);
        }
    }
    addresses
}

#[derive(Debug)]
struct File<'a> {
    lines: Vec<Line<'a>>,
    by_ip: HashMap<IpAddr, Vec<usize>>,
    /// Lines whose first name is this, with or without a domain.
    by_name: HashMap<&'a str, Vec<usize>>,
}

/// A line with its end, and what becomes of it.
#[derive(Debug)]
struct Line<'a> {
    bytes: &'a [u8],
    now: Now,
}

#[derive(Debug)]
enum Now {
    Kept,
    Gone,
    Replaced(String),
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut file = Self { lines: Vec::new(), by_ip: HashMap::new(), by_name: HashMap::new() };
        for (at, bytes) in lines(bytes).enumerate() {
            file.lines.push(Line { bytes, now: Now::Kept });
            let Some(line) = read(bytes) else { continue };
            file.by_ip.entry(line.ip).or_default().push(at);
            if let Some(first) = line.names().next() {
                let short = first.split('.').next().unwrap_or(first);
                file.by_name.entry(first).or_default().push(at);
                if short != first {
                    file.by_name.entry(short).or_default().push(at);
                }
            }
        }
        file
    }

    /// The lines that belong to an entry and to none of the other addresses.
    fn places(&self, entry: &Entry, others: &HashSet<IpAddr>) -> BTreeSet<usize> {
        let by_ip = self.by_ip.get(&entry.ip).into_iter().flatten();
        let by_name = self.by_name.get(entry.name.as_str()).into_iter().flatten();
        let is_its = |at: &&usize| {
            let line = self.lines.get(**at).and_then(|line| read(line.bytes));
            line.is_some_and(|line| {
                !others.contains(&line.ip) && line.is_family_of(entry.ip) && line.is_of(entry)
            })
        };
        let found = by_ip.chain(by_name.filter(is_its));
        // A line that an earlier entry has is no place for another: one address, one line.
        let is_free = |at: &&usize| self.lines.get(**at).is_some_and(|line| matches!(line.now, Now::Kept));
        found.filter(is_free).copied().collect()
    }

    fn put(&mut self, at: usize, text: &str) {
        if let Some(line) = self.lines.get_mut(at) {
            line.now = Now::Replaced(text.to_owned());
        }
    }

    fn take(&mut self, at: usize) {
        if let Some(line) = self.lines.get_mut(at) {
            line.now = Now::Gone;
        }
    }

    fn finish(self, appended: Vec<String>) -> Edited {
        let mut edited = Edited::default();
        for line in self.lines {
            match line.now {
                Now::Kept => edited.bytes.extend_from_slice(line.bytes),
                Now::Gone => edited.removed.push(text(line.bytes)),
                Now::Replaced(new) if line.bytes.strip_suffix(b"\n") == Some(new.as_bytes()) => {
                    edited.bytes.extend_from_slice(line.bytes);
                }
                Now::Replaced(new) => {
                    edited.removed.push(text(line.bytes));
                    edited.push(new);
                }
            }
        }
        appended.into_iter().for_each(|line| edited.push(line));
        edited
    }
}

impl Edited {
    fn push(&mut self, line: String) {
        // The last line of a file may have no end, and would swallow this one.
        if self.bytes.last().is_some_and(|last| *last != b'\n') {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
        self.added.push(line);
    }
}

/// The lines of a file, each with its end.
fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split_inclusive(|byte| *byte == b'\n')
}

/// A line without its end, for people.
fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// A line that says something.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    ip: IpAddr,
    rest: &'a str,
}

/// Reads a line; none where it begins with no address.
fn read(line: &[u8]) -> Option<Said<'_>> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.split('#').next().unwrap_or(text);
    let (ip, rest) = text.split_once(|c: char| c.is_ascii_whitespace())?;
    Some(Said { ip: ip.parse().ok()?, rest })
}

impl<'a> Said<'a> {
    fn names(self) -> impl Iterator<Item = &'a str> {
        self.rest.split_ascii_whitespace()
    }

    /// Whether both addresses are of the same kind: a node has a line for each kind.
    const fn is_family_of(self, ip: IpAddr) -> bool {
        self.ip.is_ipv4() == ip.is_ipv4()
    }

    /// Whether its first name is the entry's: as it is, with the entry's domain, or with another
    /// domain where the name stands by itself too. `login.example.org` alone is not about `login`.
    fn is_of(self, entry: &Entry) -> bool {
        let Some(first) = self.names().next() else { return false };
        first == entry.name || first == entry.long || self.names().skip(1).any(|name| name == entry.name)
    }
}
