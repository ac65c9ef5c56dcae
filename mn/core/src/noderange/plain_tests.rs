//! A second reading of noderanges, written from the rules alone: text cut with text, sets of names,
//! every node looked at for every word. What the real one finds over its indexes must be the same,
//! for any model and any range.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fixture;

type Names = BTreeSet<String>;

/// Name, groups in order, `nodehm.mgt` of its own, switches.
type Node = (String, Vec<String>, String, Vec<String>);

/// A small cluster as plain lists.
#[derive(Clone, Debug)]
struct Cluster {
    nodes: Vec<Node>,
    /// `nodehm.mgt` of groups.
    groups: Vec<(String, String)>,
    excluded: Option<&'static str>,
}

/// What the file `list` holds.
const LIST: &str = "# nothing\nn1 # a node\nn2:more\n^other\n-n3\ng1@g2\nnosuch\n";

impl Cluster {
    fn model(&self) -> Model {
        let mut lines = vec![
            "nodegroup dyn grouptype=dynamic members=dynamic wherevals=mgt==ipmi".to_owned(),
            "nodegroup none grouptype=static".to_owned(),
        ];
        for (name, groups, mgt, switches) in &self.nodes {
            lines.push(format!("nodelist {name} groups={}", groups.join(",")));
            lines.push(format!("nodehm {name} mgt={mgt}"));
            lines.extend(switches.iter().map(|switch| format!("switch {name}/{switch}/1 vlan=1")));
        }
        lines.extend(self.groups.iter().map(|(name, mgt)| format!("nodehm {name} mgt={mgt}")));
        lines.extend(self.excluded.map(|range| format!("site excludenodes value={range}")));
        fixture::model(&lines.join("\n"))
    }

    fn all(&self) -> Names {
        self.nodes.iter().map(|node| node.0.clone()).collect()
    }

    fn having(&self, wanted: impl Fn(&Node) -> bool) -> Names {
        self.nodes.iter().filter(|node| wanted(node)).map(|node| node.0.clone()).collect()
    }

    /// The node's own word, else that of the first of its groups that has one. A node that is called
    /// like the group has the same row.
    fn mgt(&self, node: &Node) -> String {
        let rows = || {
            self.groups.iter().cloned().chain(self.nodes.iter().map(|node| (node.0.clone(), node.2.clone())))
        };
        let of = |group: &String| rows().find(|(name, mgt)| name == group && !mgt.is_empty());
        match node.2.as_str() {
            "" => node.1.iter().find_map(of).map(|(_, mgt)| mgt).unwrap_or_default(),
            own => own.to_owned(),
        }
    }

    fn switches<'a>(&'a self, node: &'a Node) -> &'a [String] {
        let of = |group: &String| self.nodes.iter().find(|node| node.0 == *group && !node.3.is_empty());
        match node.3.as_slice() {
            [] => node.1.iter().find_map(of).map_or(&[], |node| &node.3),
            own => own,
        }
    }

    fn select(&self, word: &str) -> Names {
        let (key, op, value) = ["!=", "=~", "==", "=", "!~"]
            .iter()
            .find_map(|op| word.split_once(op).map(|(key, value)| (key, *op, value)))
            .unwrap();
        let holds = |found: &str| match op {
            "!=" => found != value,
            "=~" => regex::Regex::new(value).unwrap().is_match(found),
            "!~" => !regex::Regex::new(value).unwrap().is_match(found),
            _ => found == value,
        };
        match key {
            "mgt" | "nodehm.mgt" => self.having(|node| holds(&self.mgt(node))),
            "groups" => self.having(|node| holds(&node.1.join(","))),
            "switch.switch" => self.having(|node| match self.switches(node) {
                [] => holds(""),
                switches => switches.iter().any(|switch| holds(switch)),
            }),
            _ => Names::new(),
        }
    }
}

/// Reads a range; names that there are not go to `missing`.
fn read(cluster: &Cluster, text: &str, missing: &mut Names) -> Names {
    let text = text.replace(['\'', '"'], "");
    let mut found = Names::new();
    let mut rest = text.as_str();
    if let Some(open) = text.find('(') {
        let close = partner(&text, open);
        let (start, middle) = (&text[..open], &text[open + 1..close]);
        let inner = |text: &str, missing: &mut Names| read(cluster, text, missing);
        if let Some(start) = start.strip_suffix('@') {
            found = inner(start, missing);
            let middle = inner(middle, missing);
            found.retain(|name| middle.contains(name));
        } else if let Some(start) = start.strip_suffix('-') {
            found = inner(start.trim_end_matches(','), missing);
            let middle = inner(middle, missing);
            found.retain(|name| !middle.contains(name));
        } else {
            found = inner(start.trim_end_matches(','), missing);
            found.extend(inner(middle, missing));
        }
        rest = &text[close + 1..];
    }
    let mut elements = cut(rest, ',');
    let mut is_chain = false;
    if elements.len() == 1 {
        elements = cut(rest, '@');
        is_chain = true;
    }
    let mut excluded = Names::new();
    for (at, element) in elements.iter().enumerate() {
        let intersects = element.starts_with('@') || (is_chain && at > 0);
        let excludes = element.starts_with('-') && !intersects;
        let word = element.strip_prefix(['@', '-']).unwrap_or(element);
        if word.is_empty() {
            continue;
        }
        let names = element_of(cluster, word, missing);
        if intersects {
            found.retain(|name| names.contains(name));
        } else if excludes {
            excluded.extend(names);
        } else {
            found.extend(names);
        }
    }
    &found - &excluded
}

fn element_of(cluster: &Cluster, word: &str, missing: &mut Names) -> Names {
    if word == "^list" {
        let lines = LIST.lines().filter(|line| !line.starts_with(['#', '^']));
        return lines.fold(Names::new(), |mut names, line| {
            names.extend(read(cluster, line.split([' ', ':']).next().unwrap(), missing));
            names
        });
    }
    if word.contains('@') || word.starts_with('(') && word.ends_with(')') {
        return read(cluster, word, missing);
    }
    atom(cluster, word, missing)
}

fn atom(cluster: &Cluster, word: &str, missing: &mut Names) -> Names {
    if cluster.all().contains(word) {
        return Names::from([word.to_owned()]);
    }
    if word == "dyn" {
        return cluster.having(|node| cluster.mgt(node) == "ipmi");
    }
    let members = cluster.having(|node| node.1.iter().any(|group| group == word));
    if !members.is_empty() || word == "none" {
        return members;
    }
    if word.contains(['=', '~']) {
        return cluster.select(word);
    }
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return atom(cluster, &format!("node{word}"), missing);
    }
    if let Some(pattern) = word.strip_prefix('/') {
        let regex = regex::Regex::new(&format!("^{pattern}$")).unwrap();
        return cluster.having(|node| regex.is_match(&node.0));
    }
    if let Some(names) = counted(word) {
        return names.into_iter().fold(Names::new(), |mut found, name| {
            found.extend(atom(cluster, &name, missing));
            found
        });
    }
    if word.contains(['*', '?']) {
        let pattern = word.replace('.', "\\.").replace('*', ".*").replace('?', ".");
        let regex = regex::Regex::new(&format!("^{pattern}$")).unwrap();
        let found = cluster.having(|node| regex.is_match(&node.0));
        if !found.is_empty() {
            return found;
        }
    }
    missing.insert(word.to_owned());
    Names::new()
}

/// The names of `PRE[LIST]POST`, `A+N` and `A-B`, for the words that this test knows.
fn counted(word: &str) -> Option<Vec<String>> {
    if let Some((before, rest)) = word.split_once('[') {
        let (list, after) = rest.split_once(']')?;
        let items = list.split(',').flat_map(|item| match item.split_once('-') {
            Some((first, last)) => numbers(first, last),
            None => vec![item.to_owned()],
        });
        let names = items.map(|number| format!("{before}{number}{after}"));
        return Some(names.flat_map(|name| counted(&name).unwrap_or_else(|| vec![name])).collect());
    }
    if let Some((front, by)) = word.split_once('+') {
        let at = front.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
        let (first, by): (u64, u64) = (front[at..].parse().ok()?, by.parse().ok()?);
        return Some((first..=first + by).map(|number| format!("{}{number}", &front[..at])).collect());
    }
    // Both sides of the middle dash, each letters and a number at the end.
    let dashes: Vec<usize> = word.match_indices('-').map(|(at, _)| at).collect();
    let middle = *dashes.get(dashes.len() / 2).filter(|_| dashes.len() % 2 == 1)?;
    let (left, right) = (&word[..middle], &word[middle + 1..]);
    let cut = |name: &str| name.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (a, b) = (cut(left), cut(right));
    if left[..a] != right[..b] || a == left.len() || b == right.len() {
        return None;
    }
    Some(
        numbers(&left[a..], &right[b..])
            .into_iter()
            .map(|number| format!("{}{number}", &left[..a]))
            .collect(),
    )
}

/// Counts as text where zeros lead, else as numbers.
fn numbers(first: &str, last: &str) -> Vec<String> {
    let width = if first.starts_with('0') && first.len() > 1 { first.len() } else { 0 };
    if width > last.len() {
        return Vec::new();
    }
    let (from, to): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
    (from..=to).map(|number| format!("{number:0width$}")).collect()
}

fn partner(text: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices().skip(open) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    unreachable!("the texts of this test are balanced")
}

fn cut(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut round, mut square) = (0, 0);
    for c in text.chars() {
        match c {
            '(' => round += 1,
            ')' => round -= 1,
            '[' => square += 1,
            ']' => square -= 1,
            _ => {}
        }
        if c == separator && round == 0 && (square == 0 || separator == '@') {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    parts
}

fn a_cluster() -> impl Strategy<Value = Cluster> {
    let names = ["n1", "n2", "n3", "n4", "n10", "n01", "n02", "m1", "m2", "a-b-1", "a-b-2", "node7", "g3"];
    let mgt = || prop::sample::select(vec!["", "", "ipmi", "bmc"]);
    let node = (
        prop::sample::subsequence(vec!["g1", "g2", "g3", "dyn"], 0..4).prop_shuffle(),
        mgt(),
        prop::sample::subsequence(vec!["s1", "s2"], 0..3),
        prop::bool::weighted(0.8),
    );
    let nodes = prop::collection::vec(node, names.len());
    let excluded = prop::sample::select(vec![None, None, None, Some("n2"), Some("g2,nosuch")]);
    (nodes, mgt(), mgt(), excluded).prop_map(move |(nodes, g1, g2, excluded)| {
        let own = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let nodes = names.iter().zip(nodes).filter(|(_, node)| node.3);
        let nodes = nodes.map(|(name, (groups, mgt, switches, _))| {
            let groups = own(std::iter::once("all").chain(groups).collect());
            ((*name).to_owned(), groups, mgt.to_owned(), own(switches))
        });
        let groups = vec![("g1".to_owned(), g1.to_owned()), ("g2".to_owned(), g2.to_owned())];
        Cluster { nodes: nodes.collect(), groups, excluded }
    })
}

fn a_range() -> impl Strategy<Value = String> {
    let words = "n1 n2 n3 n10 m1 m2 g1 g2 g3 all dyn none nosuch n9 7 6-8 n[1-3] n[2,4-10] n[01-02] n[3-1] \
        n[1,01] n1-n3 n1-n10 n3-n1 n1+2 m1+1 g1-g3 g[1-2] a-b-[1-2] a-b-1-a-b-2 a-b-1 n1-m2 n* n? m? x* /n.* /m[12] \
        /n1|n2 /x mgt==ipmi mgt!=ipmi mgt= nodehm.mgt=~^b mgt!~ip groups=~g1 groups!~g1 switch.switch==s1 \
        switch.switch!=s1 nosuch.x==1 ^list";
    let word = prop::sample::select(words.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let term = word.prop_recursive(4, 24, 5, |inner| a_list(inner).prop_map(|list| format!("({list})")));
    a_list(term)
}

/// Elements with commas between, each of terms with `@` between.
fn a_list(term: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec!["", "", "", "-", "@"]);
    let chain = prop::collection::vec(term, 1..3).prop_map(|parts| parts.join("@"));
    prop::collection::vec((op, chain), 1..5).prop_map(|elements| {
        elements.iter().map(|(op, element)| format!("{op}{element}")).collect::<Vec<_>>().join(",")
    })
}

proptest! {
    #[test]
    fn the_indexes_say_what_a_plain_reading_says(cluster in a_cluster(), text in a_range()) {
        let files = |name: &str| (name == "list").then(|| LIST.to_owned());
        let found = expand_known(&text, &cluster.model(), Options::default(), &files).unwrap();
        let mut missing = Names::new();
        let mut wanted = read(&cluster, &text, &mut missing);
        if let Some(excluded) = cluster.excluded {
            let excluded = read(&cluster, excluded, &mut Names::new());
            wanted.retain(|name| !excluded.contains(name));
        }
        let nodes: Names = found.nodes.iter().map(ToString::to_string).collect();
        prop_assert_eq!(nodes, wanted, "{}", text);
        let unknown: Names = found.missing.into_iter().collect();
        prop_assert_eq!(unknown, missing, "{}", text);
    }
}
