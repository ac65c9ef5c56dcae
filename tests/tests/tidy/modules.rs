//! The modules of each crate and the arrows between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{files_ending, none, read};

/// Crates whose topmost modules stand in layers: where two needed each other, neither could be read
/// alone.
const LAYERED: [&str; 8] = [
    "common/runtime/src",
    "common/src",
    "mn/core/src",
    "mn/src",
    "node-agent/src",
    "sn/proto/src",
    "sn/src",
    "tests/src",
];

/// Modules of tests alone, which may name any.
const OF_TESTS: [&str; 3] = ["cost", "fixture", "tests"];

/// The modules that a text names by `crate::`, groups of them included.
fn named(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let end = group.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth < 0
        });
        let group = group.get(..end.unwrap_or(group.len())).unwrap_or_default();
        // Inner groups name what is inside a module that is named already.
        let mut depth = 0;
        let outer: String = group
            .chars()
            .filter(|c| {
                depth += i32::from(*c == '{');
                let is_outer = depth == 0;
                depth -= i32::from(*c == '}');
                is_outer
            })
            .collect();
        found.extend(outer.split(',').map(|part| word(part.trim())));
    }
    // A type or a function at the crate's root is no module.
    found.retain(|name: &String| name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// A source file without its comments and without the tests at its end.
fn code(path: &str) -> String {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Which topmost module of a crate names which.
fn arrows(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files_ending(".rs") {
        let Some(inner) = path.strip_prefix(folder).and_then(|inner| inner.strip_prefix('/')) else {
            continue;
        };
        let module = inner.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        if inner.contains("tests")
            || matches!(module.as_str(), "lib" | "main")
            || OF_TESTS.contains(&module.as_str())
        {
            continue;
        }
        let mut others = named(&code(&path));
        others.remove(&module);
        arrows.entry(module).or_default().extend(others);
    }
    arrows
}

/// All that a module needs, by whatever way.
fn reached<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(module) = open.pop() {
        for next in arrows.get(module).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

#[test]
fn no_two_modules_need_each_other() {
    let mut broken = Vec::new();
    for folder in LAYERED {
        let arrows = arrows(folder);
        assert!(arrows.len() > 2, "{folder} is no crate of ours");
        for (module, others) in &arrows {
            for other in others.iter().filter(|other| reached(&arrows, other).contains(module.as_str())) {
                broken.push(format!("{folder}: {module} names {other}, which needs {module}"));
            }
        }
    }
    none(&broken, "modules stand in layers");
}

#[test]
fn groups_and_single_names_are_both_seen() {
    let text = "use crate::{alpha, beta::{self, Gamma}, delta::x};\nuse crate::epsilon::y; crate::Zeta::z()";
    assert_eq!(named(text).into_iter().collect::<Vec<_>>(), ["alpha", "beta", "delta", "epsilon"]);
}
