//! Many names as a short noderange: `n1,n2,n3,n7-mgt` is `n7-mgt,n[1-3]`.
//!
//! Names that differ in their last number alone are folded; what comes out means exactly the names
//! that went in (a property test holds that), except where a node or group is called like one of
//! its words.

use std::collections::BTreeMap;

/// Numbers of names that are otherwise the same: of the width to which they are padded, 0 for none.
type Numbers = BTreeMap<usize, Vec<u64>>;

/// The names, folded; the words sorted by their bytes.
///
/// ```
/// let names = ["n1", "n2", "n3", "n7-mgt"];
/// assert_eq!(mn_core::noderange::fold(names), "n7-mgt,n[1-3]");
/// ```
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut families: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for name in names {
        match cut(name) {
            Some((before, number, after)) => families.entry((before, after)).or_default().push(number),
            None => words.push(name.to_owned()),
        }
    }
    for ((before, after), numbers) in families {
        words.push(family(before, after, &numbers));
    }
    words.sort_unstable();
    words.join(",")
}

/// What stands before the last number, the number, and what stands behind; none where that cannot
/// be written with brackets.
fn cut(name: &str) -> Option<(&str, &str, &str)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name.get(..end)?.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let number = name.get(start..end)?;
    // A name that does not fit is no number to count from, and a range needs something before it.
    (start > 0 && number.parse::<u64>().is_ok()).then_some((name.get(..start)?, number, name.get(end..)?))
}

fn family(before: &str, after: &str, numbers: &[&str]) -> String {
    if let [only] = numbers {
        return format!("{before}{only}{after}");
    }
    let is_padded = |number: &&&str| number.len() > 1 && number.starts_with('0');
    let widths: Vec<usize> = numbers.iter().filter(is_padded).map(|number| number.len()).collect();
    let mut found = Numbers::new();
    for number in numbers {
        // `10` follows `09`, and `9` when nothing is padded.
        let width = if widths.contains(&number.len()) { number.len() } else { 0 };
        found.entry(width).or_default().extend(number.parse::<u64>());
    }
    let mut items = Vec::new();
    for (width, mut numbers) in found {
        numbers.sort_unstable();
        numbers.dedup();
        items.extend(runs(&numbers).map(|(first, last)| match last - first {
            0 => format!("{first:0width$}"),
            _ => format!("{first:0width$}-{last:0width$}"),
        }));
    }
    format!("{before}[{}]{after}", items.join(","))
}

/// Runs of consecutive numbers, first and last.
fn runs(numbers: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    numbers
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .filter_map(|run| Some((*run.first()?, *run.last()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_at_their_last_number() {
        let cases = [
            ("n1 n2 n3", "n[1-3]"),
            ("n1 n3 n7", "n[1,3,7]"),
            ("n8 n9 n10", "n[8-10]"),
            ("n08 n09 n10 n1", "n[1,08-10]"),
            ("n1-mgt n2-mgt n1", "n1,n[1-2]-mgt"),
            ("f1n1 f1n2 f2n1", "f1n[1-2],f2n1"),
            ("w1.dom w2.dom", "w[1-2].dom"),
            ("a b n1", "a,b,n1"),
            ("1 2", "1,2"),
            ("n99999999999999999999 n99999999999999999998", "n99999999999999999998,n99999999999999999999"),
            ("", ""),
        ];
        for (names, want) in cases {
            assert_eq!(fold(names.split_whitespace()), want, "{names}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_folded_means_the_same(
            names in proptest::collection::btree_set("[ab]{1,2}(-[a-c])?[0-2]{0,3}(-m|\\.d)?", 0..40),
        ) {
            use crate::noderange::{Options, expand};
            let lines: Vec<String> = names.iter().map(|name| format!("nodelist {name} groups=all")).collect();
            let model = crate::fixture::model(&lines.join("\n"));
            let folded = fold(names.iter().map(String::as_str));
            let found = expand(&folded, &model, Options::default(), &|_| None).unwrap();
            let found: Vec<&str> = found.nodes.iter().map(|node| node.as_str()).collect();
            let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
            proptest::prop_assert_eq!(found, wanted, "{}", folded);
        }
    }
}
