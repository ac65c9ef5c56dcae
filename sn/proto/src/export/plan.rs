//! The exports of a slice, and the tree that they show.
//!
//! **Invariants**: every path and pseudo path in a [`Plan`] is made of characters that need no
//! quoting in any server's configuration; no two exports have the same number; a service node with
//! the service switched off plans nothing.

use std::collections::{BTreeMap, BTreeSet};

use common::id::Digest;
use common::slice::{Entry, FilePath, Net, Slice};

/// The view of a slice is the plan: everything that is to be done.
pub type View = Plan;

/// What is to be exported, and which files lie below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The exports, by pseudo path.
    pub exports: Vec<Planned>,
    /// The files of the tree.
    pub files: BTreeMap<FilePath, Placed>,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its number, 1 to 65,535. It is part of the handles that clients keep, so it follows from
    /// the pseudo path alone (but for collisions): restarts and other service nodes have the same.
    pub id: u16,
    /// The name under which clients mount it.
    pub pseudo: String,
    /// The directory in the served tree.
    pub path: FilePath,
    /// Whether clients may write.
    pub writable: bool,
    /// Who may mount it.
    pub clients: Vec<Net>,
}

/// A file of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Of its content.
    pub hash: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// How it gets there.
    pub placing: Placing,
    /// Whether it may be run. Links of one content have one answer: it may where any of them may.
    pub executable: bool,
}

/// How a file gets into the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// As another name of the content, which nobody can write.
    Link,
    /// As a copy: clients may write it, and must not write the content that is served to others.
    Copy,
}

impl Plan {
    /// The plan of a slice.
    ///
    /// # Errors
    /// Each export whose name or path holds a character that a server's configuration might
    /// misread.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        let switched_on =
            slice.entries().any(|entry| matches!(entry, Entry::Services(services) if services.nfs));
        if !switched_on {
            return Ok(Self::default());
        }
        let (mut exports, mut taken, mut refused) = (Vec::new(), BTreeSet::new(), Vec::new());
        for entry in slice.entries() {
            let Entry::Export(export) = entry else { continue };
            if let Err(why) = check(&export.pseudo, export.path.as_str()) {
                refused.push(why);
                continue;
            }
            exports.push(Planned {
                id: number(&export.pseudo, &mut taken),
                pseudo: export.pseudo.clone(),
                path: export.path.clone(),
                writable: export.writable,
                clients: export.clients.clone(),
            });
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        Ok(Self { files: files(slice, &exports), exports })
    }
}

/// The files that any export shows.
fn files(slice: &Slice, exports: &[Planned]) -> BTreeMap<FilePath, Placed> {
    let files = slice.entries().filter_map(|entry| match entry {
        Entry::File(file) => {
            let placing = placing(exports, &file.path)?;
            let placed = Placed { hash: file.hash, size: file.size, placing, executable: file.executable };
            Some((file.path.clone(), placed))
        }
        _ => None,
    });
    let mut files: BTreeMap<FilePath, Placed> = files.collect();
    let is_linked = |placed: &Placed| placed.placing == Placing::Link;
    let run: BTreeSet<Digest> = files
        .values()
        .filter(|placed| is_linked(placed) && placed.executable)
        .map(|placed| placed.hash)
        .collect();
    for placed in files.values_mut().filter(|placed| is_linked(placed)) {
        placed.executable = run.contains(&placed.hash);
    }
    files
}

/// How a file is placed: not at all outside every export, as a copy where any export that shows it
/// is writable.
fn placing(exports: &[Planned], path: &FilePath) -> Option<Placing> {
    let mut showing = exports.iter().filter(|export| is_below(path, &export.path)).peekable();
    showing.peek()?;
    Some(if showing.any(|export| export.writable) { Placing::Copy } else { Placing::Link })
}

fn is_below(path: &FilePath, directory: &FilePath) -> bool {
    path.as_str().strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// A number for the pseudo path that is not in `taken`. There are as many numbers as a server
/// takes; with all taken (65,535 exports) two share the last, which the server then refuses.
fn number(pseudo: &str, taken: &mut BTreeSet<u16>) -> u16 {
    let hash = Digest::of(pseudo.as_bytes());
    let [high, low, ..] = *hash.as_bytes();
    let mut id = u16::from_be_bytes([high, low]).max(1);
    for _ in 0..u16::MAX {
        if taken.insert(id) {
            break;
        }
        id = id.checked_add(1).unwrap_or(1);
    }
    id
}

fn check(pseudo: &str, path: &str) -> Result<(), String> {
    let parts = pseudo.strip_prefix('/').map(|rest| rest.split('/'));
    let is_rooted =
        pseudo == "/" || parts.is_some_and(|mut parts| parts.all(|part| !matches!(part, "" | "." | "..")));
    if !is_rooted || pseudo.len() > 1024 || !is_plain(pseudo) {
        return Err(format!("export {pseudo:?}: not a name to mount; write it like /install, {PLAIN}"));
    }
    if !is_plain(path) {
        return Err(format!("export {pseudo:?}: the directory {path:?} cannot be exported; {PLAIN}"));
    }
    Ok(())
}

const PLAIN: &str = "of letters, digits and / . _ - + @ ~";

/// Whether a path needs no quoting in Ganesha's configuration or on `exportfs`'s command line
/// (where `:` ends the client).
pub fn is_plain(path: &str) -> bool {
    path.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'@' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::slice::{Export, File, Services};
    use proptest::prelude::*;

    pub(super) fn plan(exports: &[(&str, &str, bool)], files: &[&str]) -> Result<Plan, Vec<String>> {
        let mut slice = Slice::new();
        slice.put(services(true)).unwrap();
        for (pseudo, path, writable) in exports {
            let clients = vec!["10.0.0.0/24".parse().unwrap()];
            let (pseudo, path) = ((*pseudo).to_owned(), path.parse().unwrap());
            slice.put(Entry::Export(Export { pseudo, path, writable: *writable, clients })).unwrap();
        }
        for path in files {
            let file = File {
                path: path.parse().unwrap(),
                hash: Digest::of(path.as_bytes()),
                size: 1,
                executable: false,
            };
            slice.put(Entry::File(file)).unwrap();
        }
        Plan::build(&slice)
    }

    fn services(nfs: bool) -> Entry {
        let (sn, dhcp_interfaces) = ("sn1".parse().unwrap(), Vec::new());
        let (dhcp, tftp, http, dns, ntp, syslog) = (true, true, true, true, true, true);
        Entry::Services(Services { sn, dhcp, tftp, http, dns, ntp, syslog, nfs, dhcp_interfaces })
    }

    #[test]
    fn only_files_below_an_export_are_in_the_tree() {
        let plan =
            plan(&[("/install", "install", false)], &["install/a", "install2/b", "tftpboot/c"]).unwrap();
        let paths: Vec<&str> = plan.files.keys().map(FilePath::as_str).collect();
        assert_eq!(paths, ["install/a"]);
    }

    #[test]
    fn what_clients_may_write_is_a_copy() {
        let exports = [("/i", "i", false), ("/state", "i/state", true)];
        let plan = plan(&exports, &["i/a", "i/state/b"]).unwrap();
        let placings: Vec<Placing> = plan.files.values().map(|file| file.placing).collect();
        assert_eq!(placings, [Placing::Link, Placing::Copy]);
    }

    #[test]
    fn links_of_one_content_may_all_be_run_or_none() {
        let mut slice = Slice::new();
        slice.put(services(true)).unwrap();
        let (pseudo, path) = ("/i".to_owned(), "i".parse().unwrap());
        slice.put(Entry::Export(Export { pseudo, path, writable: false, clients: Vec::new() })).unwrap();
        for (path, content, executable) in [("i/a", "x", true), ("i/b", "x", false), ("i/c", "y", false)] {
            let (path, hash) = (path.parse().unwrap(), Digest::of(content.as_bytes()));
            slice.put(Entry::File(File { path, hash, size: 1, executable })).unwrap();
        }
        let run: Vec<bool> =
            Plan::build(&slice).unwrap().files.values().map(|file| file.executable).collect();
        assert_eq!(run, [true, true, false]);
    }

    #[test]
    fn a_name_that_a_server_could_misread_is_refused() {
        for pseudo in ["install", "/a b", "/a\"", "/a;", "/a/../b", "/a//b", "/a#", "/a:b", "/a/", ""] {
            assert!(plan(&[(pseudo, "i", false)], &[]).is_err(), "{pseudo:?}");
        }
        assert!(plan(&[("/a", "a{b", false)], &[]).is_err());
        assert!(plan(&[("/", "i", false)], &[]).is_ok());
    }

    #[test]
    fn switched_off_it_plans_nothing() {
        let mut slice = Slice::new();
        slice.put(services(false)).unwrap();
        let (pseudo, path) = ("/i".to_owned(), "i".parse().unwrap());
        slice.put(Entry::Export(Export { pseudo, path, writable: false, clients: Vec::new() })).unwrap();
        assert_eq!(Plan::build(&slice), Ok(Plan::default()));
    }

    proptest! {
        #[test]
        fn numbers_are_stable_and_never_shared(names in prop::collection::btree_set("[a-z]{1,4}", 0..60)) {
            let pseudos: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
            let exports: Vec<_> = pseudos.iter().map(|pseudo| (pseudo.as_str(), "i", false)).collect();
            let planned = plan(&exports, &[]).unwrap().exports;
            let ids: BTreeSet<u16> = planned.iter().map(|export| export.id).collect();
            prop_assert_eq!(ids.len(), planned.len());
            prop_assert!(!ids.contains(&0));
            if let Some(first) = exports.first() {
                // Alone it has the number that it has in company, since nothing was before it.
                prop_assert_eq!(&plan(&[*first], &[]).unwrap().exports[..], &planned[..1]);
            }
        }
    }
}
