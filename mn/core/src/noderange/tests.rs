//! Every case that was observed on xCAT, and a slow evaluator to compare with.

use std::collections::BTreeSet;

use common::id::Revision;
use proptest::prelude::*;

use super::*;
use crate::table::{Row, TableId, Tables};

/// The nodes of the cases, with their groups.
const NODES: &[(&str, &str)] = &[
    ("n1", "gpu,rack1,all,compute"),
    ("n2", "gpu,rack1,all,compute"),
    ("n3", "rack1,all,compute"),
    ("n4", "rack2,all,compute"),
    ("n5", "rack2,all,compute"),
    ("n6", "rack2,all,compute"),
    ("n01", "pad2"),
    ("n02", "pad2"),
    ("node10", "short"),
    ("node11", "short"),
    ("node12", "short"),
    ("f1n1", "frame"),
    ("f1n2", "frame"),
    ("f2n1", "frame"),
    ("f2n2", "frame"),
    ("n1-mgt", "mgt"),
    ("n2-mgt", "mgt"),
    ("a-b-1", "hyph"),
    ("a-b-2", "hyph"),
    ("w1.dom", "dotted"),
    ("w2.dom", "dotted"),
    ("x9", "xg"),
    ("x10", "xg"),
    ("x099", "xg"),
    ("x100", "xg"),
    ("c1", "grp1"),
    ("c2", "grp2"),
    ("c3", "grp3"),
    ("N7", "upper"),
    ("rack9", "other"),
    ("c9", "rack9"),
    ("sw1p1", "multi"),
    ("sw1p2", "multi"),
];

const ROWS: &[&str] = &[
    "nodehm node=n1 mgt=ipmi",
    "nodehm node=n2 mgt=ipmi",
    "nodehm node=n4 mgt=ipmi",
    "nodehm node=n5 mgt=openbmc",
    "nodetype node=n1 os=rhels8.4 arch=x86_64",
    "nodetype node=n2 os=rhels8.4 arch=x86_64",
    "nodetype node=n3 os=rhels8.4 arch=x86_64",
    "nodetype node=n4 os=rhels7.6 arch=ppc64le",
    "nodegroup groupname=emptyg grouptype=static",
    "nodegroup groupname=dynipmi grouptype=dynamic members=dynamic wherevals=mgt==ipmi",
];

/// Where we differ on purpose: (noderange, nodes, names reported), with names verified.
const DIFFERENT: &[(&str, &str, &str)] = &[
    // A file is excluded and intersected like anything else, and its unknown names are reported.
    ("-^/tmp/nodelist.nr", "", ""),
    ("n6,-^/tmp/missing.nr", "n6", "nosuch"),
    ("^/tmp/missing.nr", "n1,n2", "nosuch"),
    ("^/tmp/missing.nr,n6", "n1,n2,n6", "nosuch"),
    ("n1@^/tmp/nodelist.nr", "n1", ""),
    // Globs.
    ("n?", "n1,n2,n3,n4,n5,n6", ""),
    ("n*", "n01,n02,n1,n1-mgt,n2,n2-mgt,n3,n4,n5,n6,node10,node11,node12", ""),
    // The word, where xCAT reports an empty name.
    ("n1,--n1", "n1", "-n1"),
];

fn fixture() -> Model {
    let mut tables = Tables::new();
    let mut put = |table: &str, row: Row| {
        let table = TableId::named(table).unwrap();
        tables.load(table, row.key(table), row);
    };
    for (node, groups) in NODES {
        put("nodelist", Row::new().with("node", node).with("groups", groups));
    }
    for row in ROWS {
        let (table, cells) = row.split_once(' ').unwrap();
        put(table, cells.split(' ').map(|cell| cell.split_once('=').unwrap()).collect());
    }
    Model::new(tables, Revision::ZERO)
}

fn files(path: &str) -> Option<String> {
    Some(match path {
        "/tmp/nodelist.nr" => {
            "# comment\nn1 trailing words\nn2:colon text\nn3\ttab text\n^/tmp/otherfile\nn4-n5\n-n1\n\n/n[6]\nrack1@gpu\n".to_owned()
        }
        "/tmp/missing.nr" => "n1\nnosuch\nn2\n".to_owned(),
        "/tmp/missing2.nr" => "n1\nn2\nnosuch\n".to_owned(),
        "/tmp/loop.nr" => "n1,^/tmp/loop.nr\n".to_owned(),
        _ => return None,
    })
}

fn read(text: &str, model: &Model, verify: bool) -> Result<Expansion, NoderangeError> {
    expand_known(text, model, Options { verify, ..Options::default() }, &files)
}

#[test]
fn as_many_long_names_as_may_be_are_spelt() {
    let text = format!("{}[000001-{MOST_NAMES}]", "n".repeat(57));
    assert_eq!(read(&text, &fixture(), false).unwrap().nodes.len(), MOST_NAMES);
}

fn joined(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(",")
}

#[test]
fn brackets_that_spell_too_much_are_refused_before_they_are_written() {
    // A megabyte a word, for hundreds of words: it was written out before it was counted.
    let text = format!("n[{}1]n[000-111]n[015-037]", "003-".repeat(4000));
    let refused = expand(&text, &fixture(), Options::default(), &|_| None);
    assert!(matches!(refused, Err(NoderangeError::TooMuchWork)), "{refused:?}");
}

/// Each is read anew, which takes longer than a look at a small cluster.
#[test]
fn a_text_of_thousands_of_expressions_is_refused() {
    let of = |word: &str| (0..5000).map(|n| format!("{word}{n}*")).collect::<Vec<_>>().join(",");
    let read = |text: &str| expand_known(text, &fixture(), Options::default(), &|_| None);
    assert!(matches!(read(&of("/n")), Err(NoderangeError::TooMuchWork)));
    // `n0*` to `n6*` name some.
    assert_eq!(read(&of("n")).unwrap().missing.len(), 4993);
}

#[test]
fn every_observed_case_means_the_observed_nodes() {
    let model = fixture();
    for case in include_str!("cases.tsv").lines().skip(1) {
        let [text, nodes, missing, fatal, _] = case.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{case:?}")
        };
        let found = read(text, &model, true);
        if !fatal.is_empty() {
            assert_eq!(found.unwrap_err().to_string(), fatal, "{text}");
            continue;
        }
        let different = DIFFERENT.iter().find(|different| different.0 == text);
        let (nodes, missing) = different.map_or((nodes, missing), |(_, nodes, missing)| (*nodes, *missing));
        let found = found.unwrap();
        let names =
            |text: &str| text.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>().join(",");
        assert_eq!(joined(&found.nodes), nodes, "{text}");
        assert_eq!(found.missing.join(","), names(missing), "{text}");
    }
}

#[test]
fn every_observed_case_without_verification_means_the_observed_names() {
    let model = fixture();
    for case in include_str!("cases.tsv").lines().skip(1) {
        let [text, .., names] = case.split('\t').collect::<Vec<_>>()[..] else { panic!("{case:?}") };
        let different = DIFFERENT.iter().find(|different| different.0 == text && text.contains('^'));
        let Ok(found) = read(text, &model, false) else { continue };
        let mut all: BTreeSet<&str> = found.nodes.iter().map(NodeName::as_str).collect();
        all.extend(found.missing.iter().map(String::as_str));
        let wanted: BTreeSet<&str> = match different {
            // A name that need not exist is not reported where it is only taken away.
            Some((_, nodes, _)) if text.contains('-') => nodes.split(',').collect(),
            Some((_, nodes, missing)) => nodes.split(',').chain(missing.split(',')).collect(),
            None => names.split(',').collect(),
        };
        let wanted: BTreeSet<&str> = wanted.into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!(all, wanted, "{text}");
    }
}

#[test]
fn where_we_differ_is_on_purpose() {
    let model = fixture();
    for (text, nodes, missing) in DIFFERENT {
        let found = read(text, &model, true).unwrap();
        assert_eq!(
            (joined(&found.nodes).as_str(), found.missing.join(",").as_str()),
            (*nodes, *missing),
            "{text}"
        );
    }
}

#[test]
fn unknown_names_are_listed_in_the_order_met() {
    let model = fixture();
    let error = expand("n1,zz,aa", &model, Options::default(), &files).unwrap_err();
    assert_eq!(error.to_string(), "Invalid nodes and/or groups in noderange: zz,aa");
    let many = expand("zz[1-600]", &model, Options::default(), &files).unwrap_err().to_string();
    assert!(many.ends_with("zz500 and 100 more"), "{many}");
}

#[test]
fn what_means_nothing_says_so() {
    let model = fixture();
    let warned = |text| read(text, &model, true).unwrap().warnings.len();
    for text in ["n3-n1", "n[01-3]", "~x", "nosuch.mgt==x", "^/nosuch", "/n1/"] {
        assert_eq!(warned(text), 1, "{text}");
    }
    assert_eq!(warned("n1-n3,all,/n.*,mgt==ipmi"), 0);
}

#[test]
fn too_much_is_refused_at_once() {
    let model = fixture();
    let refused = |text: &str| read(text, &model, true).unwrap_err().to_string();
    assert_eq!(refused("n1-n99999999"), "n1-n99999999 means more than 250000 names");
    assert_eq!(refused("n[1-2000]m[1-2000]"), "n[1-2000]m[1-2000] means more than 250000 names");
    assert_eq!(refused("^/tmp/loop.nr"), "the noderange is nested too deep");
    assert_eq!(refused("/n["), "Invalid regular expression /n[, check the noderange syntax.");
    let guarded = Options { max: 2, ..Options::default() };
    let error = expand("all", &model, guarded, &files).unwrap_err();
    assert_eq!(error.to_string(), "the noderange means 6 nodes, more than the 2 allowed");
    let prefixed = Options { prefix: "c", ..Options::default() };
    assert_eq!(joined(&expand("1-3", &model, prefixed, &files).unwrap().nodes), "c1,c2,c3");
}

#[test]
fn the_site_may_exclude_nodes() {
    let mut tables = fixture().tables().clone();
    let site = TableId::named("site").unwrap();
    let row = Row::new().with("key", "excludenodes").with("value", "rack2,nosuch");
    tables.load(site, row.key(site), row);
    let model = Model::new(tables, Revision::ZERO);
    assert_eq!(joined(&read("all,n5", &model, true).unwrap().nodes), "n1,n2,n3");
    let all = Options { exclude_nodes: false, ..Options::default() };
    assert_eq!(expand("all", &model, all, &files).unwrap().nodes.len(), 6);
}

/// A range as a tree, written out for us and evaluated slowly for comparison.
#[derive(Clone, Debug)]
enum Tree {
    Word(&'static str, &'static [&'static str]),
    List(Vec<(char, Self)>),
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Word(text, _) => (*text).to_owned(),
            Self::List(parts) => {
                let part = |(op, part): &(char, Self)| match op {
                    '+' => part.inner(),
                    op => format!("{op}{}", part.inner()),
                };
                parts.iter().map(part).collect::<Vec<_>>().join(",")
            }
        }
    }

    /// Within a list, a list stands in parentheses.
    fn inner(&self) -> String {
        match self {
            Self::Word(text, _) => (*text).to_owned(),
            Self::List(_) => format!("({})", self.text()),
        }
    }

    fn nodes(&self) -> BTreeSet<&'static str> {
        match self {
            Self::Word(_, nodes) => nodes.iter().copied().collect(),
            Self::List(parts) => {
                let (mut nodes, mut excluded) = (BTreeSet::new(), BTreeSet::new());
                // The first parentheses act at once on what stands before them, which is a range of
                // its own: its exclusions are over by then.
                let first = parts.iter().position(|(_, part)| matches!(part, Self::List(_)));
                for (at, (op, part)) in parts.iter().enumerate() {
                    let found = part.nodes();
                    if Some(at) == first {
                        nodes = &nodes - &excluded;
                        excluded.clear();
                    }
                    match op {
                        '+' => nodes.extend(found),
                        '@' => nodes = &nodes & &found,
                        _ if Some(at) == first => nodes = &nodes - &found,
                        _ => excluded.extend(found),
                    }
                }
                &nodes - &excluded
            }
        }
    }
}

fn a_tree() -> impl Strategy<Value = Tree> {
    let word = prop::sample::select(vec![
        Tree::Word("n1", &["n1"]),
        Tree::Word("n2", &["n2"]),
        Tree::Word("rack1", &["n1", "n2", "n3"]),
        Tree::Word("gpu", &["n1", "n2"]),
        Tree::Word("n[2-4]", &["n2", "n3", "n4"]),
        Tree::Word("n4-n6", &["n4", "n5", "n6"]),
        Tree::Word("/n[135]", &["n1", "n3", "n5"]),
        Tree::Word("mgt==ipmi", &["n1", "n2", "n4"]),
        Tree::Word("all", &["n1", "n2", "n3", "n4", "n5", "n6"]),
        Tree::Word("emptyg", &[]),
    ]);
    word.prop_recursive(3, 24, 5, |inner| {
        let op = prop::sample::select(vec!['+', '+', '-', '@']);
        // An element of its own is cut at `@` instead, so a list has two.
        prop::collection::vec((op, inner), 2..5).prop_map(Tree::List)
    })
}

proptest! {
    #[test]
    fn a_range_means_what_the_slow_evaluator_says(tree in a_tree()) {
        let found = read(&tree.text(), &fixture(), true).unwrap();
        let wanted: Vec<&str> = tree.nodes().into_iter().collect();
        prop_assert_eq!(joined(&found.nodes), wanted.join(","), "{}", tree.text());
        prop_assert!(found.missing.is_empty());
    }

    #[test]
    fn no_text_panics_or_hangs(text in "\\PC{0,60}", verify: bool) {
        let _ = read(&text, &fixture(), verify);
    }

    #[test]
    fn no_range_panics_or_hangs(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "n", "1", "09", "3", "-", ":", "+", "[", "]", ",", "(", ")", "@", "^", "/", "all", "rack1", "==",
                "=~", "!~", "~", "mgt", ".", "*", "?", "'", "|", "99999999", "dynipmi", "^/tmp/loop.nr",
            ]),
            0..40,
        ),
        verify: bool,
    ) {
        if let Ok(found) = read(&words.concat(), &fixture(), verify) {
            prop_assert!(found.nodes.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}

/// Found by `no_range_panics_or_hangs`: each step spelt two longer words of one.
#[test]
fn brackets_that_spell_ever_longer_words_are_refused() {
    for verify in [false, true] {
        let error = read("][,1-]^/tmp/loop.nr[3dynipmi:", &fixture(), verify).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the noderange asks for too much work; name fewer groups or expressions at once"
        );
    }
}

/// Two hundred words of a hundred thousand letters took two seconds to be no names.
#[test]
fn words_far_longer_than_any_name_cost_more() {
    let text = format!("n{}1+200", "[".repeat(100_000));
    let error = read(&text, &fixture(), true).unwrap_err();
    assert!(matches!(error, NoderangeError::TooMuchWork), "{error}");
    let list: Vec<String> = (1..=2000).map(|number| number.to_string()).collect();
    let found = read(&format!("f[1-20]n[{}]", list.join(",")), &fixture(), false).unwrap();
    assert_eq!(found.nodes.len(), 40_000);
}
