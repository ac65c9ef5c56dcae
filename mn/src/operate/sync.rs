//! The files that an image's list brings to its nodes (`osimage.synclists`).
//!
//! A list is a file of the served tree with lines `SOURCE… -> TARGET`; the sources are files of the
//! tree too, so that every service node can have them. Clauses (`EXECUTE:`, `APPEND:`, `MERGE:`) and
//! node lists in front are refused and not skipped.

use std::path::Path;

use common::id::{Digest, NodeName};
use common::report::Refusal;
use common::wire::work::SyncFile;
use mn_core::model::Model;
use mn_core::node;
use mn_core::table::schema::{FILE, OSIMAGE};

/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// The files for a node.
pub(super) fn files(model: &Model, tree: &Path, node: &NodeName) -> Result<Vec<SyncFile>, Refusal> {
    let Some(image) = node::image_of(model, node) else { return Ok(Vec::new()) };
    let row = model.tables().row(OSIMAGE, image.as_str());
    let lists = row.and_then(|row| row.cell("synclists")).unwrap_or_default();
    let mut files = Vec::new();
    for list in lists.split(',').map(str::trim).filter(|list| !list.is_empty()) {
        let text = read(tree, list)?;
        for (number, line) in text.lines().enumerate() {
            let refuse = |why: &str| Refusal::new(format!("{list} line {}: {why}", number + 1));
            parse(line, model, &mut files).map_err(|why| {
                refuse(&why)
                    .attempt("write `SOURCE -> TARGET` with sources below tree/install of the mn folder")
            })?;
        }
    }
    Ok(files)
}

fn read(tree: &Path, list: &str) -> Result<String, Refusal> {
    let absent = || {
        Refusal::new(format!("there is no list {list}"))
            .attempt(format!("put it into tree/{} of the mn folder", list.trim_start_matches('/')))
    };
    let path: common::slice::FilePath = list.parse().map_err(|_| absent())?;
    let place = tree.join(path.as_str());
    let size = std::fs::metadata(&place).map_err(|_| absent())?.len();
    if size > MAX_LIST {
        return Err(Refusal::new(format!("{list} is longer than a list may be")));
    }
    std::fs::read_to_string(place).map_err(|error| Refusal::new(format!("cannot read {list}: {error}")))
}

fn parse(line: &str, model: &Model, files: &mut Vec<SyncFile>) -> Result<(), String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    if line.is_empty() {
        return Ok(());
    }
    let (sources, target) = line.split_once("->").ok_or("it has no `->`")?;
    let (sources, target) = (sources.split_whitespace().collect::<Vec<_>>(), target.trim());
    if !target.starts_with('/') || target.contains("/../") {
        return Err(format!("{target:?} is no absolute path"));
    }
    let into_folder = target.ends_with('/') || sources.len() > 1;
    for source in sources {
        let name = source.rsplit('/').next().unwrap_or(source);
        let path =
            if into_folder { format!("{}/{name}", target.trim_end_matches('/')) } else { target.to_owned() };
        let row = model.tables().row(FILE, source.trim_start_matches('/'));
        let file = row.and_then(|row| {
            let mode = row.cell("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok());
            let hash: Digest = row.cell("hash")?.parse().ok()?;
            Some(SyncFile { hash, size: row.cell("size")?.parse().ok()?, path, mode: mode.unwrap_or(0o644) })
        });
        files.push(file.ok_or_else(|| format!("{source} is no file of the tree"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::Revision;
    use mn_core::table::{Row, RowKey, Tables};

    #[test]
    fn a_line_names_files_of_the_tree() {
        let mut tables = Tables::new();
        let row =
            Row::new().with("hash", &Digest::of(b"x").to_string()).with("size", "1").with("mode", "600");
        tables.load(FILE, RowKey::one("install/a"), row);
        let model = Model::new(tables, Revision::ZERO);
        let mut files = Vec::new();
        parse("/install/a -> /etc/a # why", &model, &mut files).unwrap();
        parse("/install/a /install/a -> /opt", &model, &mut files).unwrap();
        let paths: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.mode)).collect();
        assert_eq!(paths, [("/etc/a", 0o600), ("/opt/a", 0o600), ("/opt/a", 0o600)]);
        for bad in ["/install/a", "/install/b -> /etc/b", "/install/a -> etc/a", "EXECUTE:"] {
            assert!(parse(bad, &model, &mut Vec::new()).is_err(), "{bad}");
        }
        assert_eq!(parse("  # nothing", &model, &mut Vec::new()), Ok(()));
    }
}
