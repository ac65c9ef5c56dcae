//! The pages that people read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use tests::programs::Programs;

use super::{crates, files, files_ending, none, read, root};

/// `ARCHITECTURE.md` is a map: what does not fit belongs beside the code.
const MAP_LINES: usize = 400;

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in files_ending(".md") {
        for link in links(&read(&page)) {
            if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { beside(&page, path) };
            if !root().join(&target).exists() {
                broken.push(format!("{page}: {link}"));
            } else if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{page}: {target} has no heading #{anchor}"));
            }
        }
    }
    none(&broken, "a link leads to a file, and to a heading of it");
}

/// The targets of `[text](target)`, outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            found.push(target.to_owned());
            rest = after;
        }
    }
    found
}

/// The lines of a page that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// A path as it is named on a page, from the root.
fn beside(page: &str, path: &str) -> String {
    let mut whole = PathBuf::from(page);
    whole.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::Normal(part) => whole.push(part),
            _ => {}
        }
    }
    whole.to_string_lossy().into_owned()
}

/// The headings of a page as anchors: lower case, blanks as hyphens, other signs left out.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_page_that_the_source_names_is_there() {
    let mut broken = Vec::new();
    for path in files_ending(".rs").into_iter().filter(|path| !path.starts_with("tests/tests/tidy/")) {
        for (number, line) in read(&path).lines().enumerate() {
            // Odd pieces are those between backquotes.
            for piece in line.split('`').skip(1).step_by(2).filter(|piece| piece.ends_with(".md")) {
                if line.contains("//") && !root().join(piece).is_file() {
                    broken.push(format!("{path}:{}: {piece}", number + 1));
                }
            }
        }
    }
    none(&broken, "a comment names pages of this repository, from its root");
}

#[test]
fn the_map_is_short_and_names_every_room() {
    let map = read("ARCHITECTURE.md");
    let lines = map.lines().count();
    assert!(lines < MAP_LINES, "ARCHITECTURE.md has {lines} lines");
    let mut broken = Vec::new();
    for folder in crates() {
        let heading = format!("### `{}/`", folder.display());
        let Some((_, room)) = map.split_once(&heading) else {
            broken.push(format!("{heading} is missing"));
            continue;
        };
        let room = room.split_once("\n#").map_or(room, |(room, _)| room);
        for module in modules(&folder).into_iter().filter(|module| !room.contains(&format!("`{module}`"))) {
            broken.push(format!("{heading} does not name `{module}`"));
        }
    }
    none(&broken, "the map of the rooms names every crate and every module of it");
}

/// The modules right below a crate's `src`.
fn modules(folder: &Path) -> BTreeSet<String> {
    let source = folder.join("src");
    let mut found = BTreeSet::new();
    for path in files() {
        let Ok(rest) = Path::new(&path).strip_prefix(&source) else { continue };
        let Some(first) = rest.iter().next().and_then(|part| part.to_str()) else { continue };
        let name = first.strip_suffix(".rs").unwrap_or(first);
        let is_module = rest.iter().count() > 1 || first.ends_with(".rs");
        if is_module && !matches!(name, "lib" | "main" | "bin" | "tests" | "fixture" | "testing") {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn the_readme_has_two_commands_and_the_checks_run_them() {
    let readme = read("README.md");
    let section = readme.split_once("## Two commands").and_then(|(_, rest)| rest.split_once("\n## "));
    let (section, _) = section.expect("README.md has a section of two commands");
    let blocks: Vec<&str> = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().trim())
        .collect();
    assert_eq!(blocks, ["cargo run --release --bin rehearsal", "tests/run"]);
    assert!(root().join("tests/src/bin/rehearsal.rs").is_file());
    assert!(read(".ci/run").contains("exec tests/run"), "the checks run what the README says");
}

#[test]
fn the_examples_for_administrators_are_right() {
    let programs = Programs::find().expect("mn, sn and node-agent are built");
    let page = read("docs/operations.md");
    let (_, example) = page.split_once("```toml\n").expect("an example of sn.toml");
    let (example, _) = example.split_once("```").expect("its end");
    let folder = std::env::temp_dir().join(format!("drover-tidy-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("sn.toml"), example).expect("a file");
    let checked = Command::new(programs.path("sn")).arg("check-config").arg(folder.join("sn.toml")).output();
    fs::remove_dir_all(folder).expect("it goes again");
    let checked = checked.expect("sn runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let mut broken = Vec::new();
    for unit in files_ending(".service") {
        let text = read(&unit);
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/"));
        let mut words = line.unwrap_or_default().split(' ');
        let program = programs.path(words.next().unwrap_or_default());
        let runs = Command::new(program).args(words).arg("--help").output();
        if !runs.is_ok_and(|output| output.status.success()) {
            broken.push(unit);
        }
    }
    none(&broken, "a unit starts one of our programs with words that it knows");
}

#[test]
fn every_decision_is_numbered_and_listed() {
    let index = read("docs/README.md");
    let mut broken = Vec::new();
    let decisions = files().into_iter().filter(|path| path.starts_with("docs/decisions/"));
    for (at, path) in decisions.enumerate() {
        let name = path.trim_start_matches("docs/");
        let number = format!("{:04}", at + 1);
        if !name.starts_with(&format!("decisions/{number}-")) {
            broken.push(format!("{path} should have the number {number}"));
        }
        if !read(&path).starts_with(&format!("# {number}: ")) {
            broken.push(format!("{path} does not begin with \"# {number}: \""));
        }
        if !index.contains(&format!("]({name})")) {
            broken.push(format!("docs/README.md does not list {name}"));
        }
    }
    none(&broken, "decisions are numbered without a gap, and listed");
}
