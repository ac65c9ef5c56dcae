//! The shapes of words that spell several names: `n[1-3]`, `n1+2`, `n1-n3`, `n1:n3`, `17`.
//!
//! A shape is the text's alone; whether a word is a node or a group is asked before.

/// What a bare number is a number of: what stands before it, and behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affixes<'a> {
    pub(super) prefix: &'a str,
    pub(super) suffix: &'a str,
}

/// What a word spells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One name, to be looked up.
    Name(String),
    /// Names that count up.
    Count(Count),
    /// Words to be read one after the other, from the items in one pair of brackets.
    Items(Vec<String>),
    /// Words to be spelt, then glued to more text with brackets, then read.
    Glued { items: Vec<String>, rest: String },
    /// Nothing.
    Plain,
}

/// Names with one number that counts up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    before: String,
    first: u64,
    last: u64,
    /// The least number of digits.
    width: usize,
    after: String,
}

impl Count {
    /// How many names; none where the last is before the first.
    pub(super) fn len(&self) -> u64 {
        if self.last < self.first { 0 } else { (self.last - self.first).saturating_add(1) }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let (before, width, after) = (&self.before, self.width, &self.after);
        (self.first..=self.last).map(move |number| format!("{before}{number:0width$}{after}"))
    }
}

/// The shape of a word.
pub(super) fn of(word: &str, affixes: Affixes<'_>) -> Shape {
    let Affixes { prefix, suffix } = affixes;
    if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
        // Without either, it would be the same number again.
        let is_same = prefix.is_empty() && suffix.is_empty();
        return if is_same { Shape::Plain } else { Shape::Name(format!("{prefix}{word}{suffix}")) };
    }
    if let Some(shape) = brackets(word) {
        return shape;
    }
    if let Some((front, increment)) = word.split_once('+') {
        return plus(front, increment, affixes).map_or(Shape::Plain, Shape::Count);
    }
    if let Some((left, right)) = sides(word) {
        if left == right {
            return Shape::Name(left.to_owned());
        }
        return between(left, right).map_or(Shape::Plain, Shape::Count);
    }
    Shape::Plain
}

/// Whether a word is what it is: no character in it spells other names. Nearly every word that a range
/// spells is such a one.
pub(super) fn is_plain(word: &str) -> bool {
    let mut has_other = false;
    let mut spells = false;
    for byte in word.bytes() {
        has_other |= !byte.is_ascii_digit();
        spells |= matches!(byte, b'[' | b'+' | b'-' | b':' | b'=' | b'~' | b'/');
    }
    has_other && !spells
}

/// About how many names the brackets of a word spell, so that a product too large is refused before
/// its first factor is written out.
pub(super) fn size(word: &str) -> u64 {
    let lists = word.split('[').skip(1).filter_map(|part| part.split_once(']')).map(|(list, _)| list);
    let counts = lists.map(|list| list.split(',').map(count).fold(0, u64::saturating_add));
    counts.fold(1, u64::saturating_mul)
}

/// How many numbers an item within brackets means.
fn count(item: &str) -> u64 {
    let sides = item.split_once(['-', ':']).and_then(|(a, b)| a.parse::<u64>().ok().zip(b.parse().ok()));
    sides.map_or(1, |(first, last): (u64, u64)| last.saturating_sub(first).saturating_add(1))
}

/// How many letters the brackets of a word are written out to. What stands around them is repeated at
/// each number of each item, so that a long text with many dashes becomes a very long one.
pub(super) fn letters(word: &str) -> usize {
    let Some(Brackets { before, list, after, .. }) = Brackets::of(word) else { return 0 };
    let numbers = list.split([',', '-', ':']).count();
    numbers.saturating_mul(before.len() + after.len()).saturating_add(list.len())
}

/// The first pair of brackets of a word that are read.
struct Brackets<'a> {
    before: &'a str,
    list: &'a str,
    /// What stands behind, where there are no more brackets.
    after: &'a str,
    /// What stands behind, where there are.
    rest: Option<&'a str>,
}

impl<'a> Brackets<'a> {
    fn of(word: &'a str) -> Option<Self> {
        // At least one character before the bracket and one in it, which may itself be a bracket.
        let (open, _) = word.bytes().enumerate().skip(1).find(|(_, byte)| *byte == b'[')?;
        let inside = word.get(open + 1..)?;
        let first = inside.chars().next()?.len_utf8();
        let close = first + inside.get(first..)?.find(']')?;
        let (before, list, rest) = (word.get(..open)?, inside.get(..close)?, inside.get(close + 1..)?);
        let has_more =
            rest.find('[').is_some_and(|at| rest.get(at + 2..).is_some_and(|rest| rest.contains(']')));
        let (after, rest) = if has_more { ("", Some(rest)) } else { (rest, None) };
        Some(Self { before, list, after, rest })
    }
}

/// `PRE[LIST]POST`: each item of the list is written out with what stands around it, `n[1-3]x` as
/// `n1x-n3x`, so that one rule reads both.
fn brackets(word: &str) -> Option<Shape> {
    let Brackets { before, list, after, rest } = Brackets::of(word)?;
    let items = list.split(',').map(|item| {
        let mut text = String::new();
        for part in item.split_inclusive(['-', ':']) {
            let number = part.trim_end_matches(['-', ':']);
            let operator = part.get(number.len()..).unwrap_or_default();
            text.extend([before, number, after, operator]);
        }
        if item.ends_with(['-', ':']) || item.is_empty() {
            text.extend([before, after]);
        }
        text
    });
    let items = items.collect();
    Some(match rest {
        Some(rest) => Shape::Glued { items, rest: rest.to_owned() },
        None => Shape::Items(items),
    })
}

/// `FRONT+N`: FRONT ends in a number, or in a number and a domain.
fn plus(front: &str, increment: &str, affixes: Affixes<'_>) -> Option<Count> {
    let mut at = 0;
    for run in Runs::of(front) {
        let (before, after) = (front.get(..at)?, front.get(at + run.len()..)?);
        at += run.len();
        let is_number = run.starts_with(|c: char| c.is_ascii_digit());
        if !is_number || !(after.is_empty() || after.len() > 1 && after.starts_with('.')) {
            continue;
        }
        let digits = increment.bytes().take_while(u8::is_ascii_digit).count();
        let by: u64 =
            increment.get(..digits).filter(|digits| !digits.is_empty()).unwrap_or("0").parse().ok()?;
        let first: u64 = run.parse().ok()?;
        let is_bare = before.is_empty() && after.is_empty();
        let (before, after) = if is_bare { (affixes.prefix, affixes.suffix) } else { (before, after) };
        let width = if run.starts_with('0') { run.len() } else { 0 };
        let last = first.checked_add(by)?;
        return Some(Count { before: before.to_owned(), first, last, width, after: after.to_owned() });
    }
    None
}

/// The two sides of `A:B` (a third part is dropped), or of `A-B`, whose dash is the middle one of
/// an odd number.
fn sides(word: &str) -> Option<(&str, &str)> {
    if word.contains(':') {
        let mut parts = word.split(':');
        return parts.next().zip(parts.next());
    }
    let dashes = word.bytes().filter(|byte| *byte == b'-').count();
    if dashes % 2 == 0 || word.starts_with('-') {
        return None;
    }
    let mut places = word.bytes().enumerate().filter(|(_, byte)| *byte == b'-');
    let (middle, _) = places.nth(dashes / 2)?;
    word.get(..middle).zip(word.get(middle + 1..))
}

/// The names between two that differ in one number alone.
fn between(left: &str, right: &str) -> Option<Count> {
    // Most words with a dash are names, as `n1-ib0` is: their sides differ in a letter first.
    let differ = left.bytes().zip(right.bytes()).find(|(a, b)| a != b);
    if differ.is_some_and(|(a, b)| !a.is_ascii_digit() && !b.is_ascii_digit()) {
        return None;
    }
    let (mut from, mut to) = (Runs::of(left), Runs::of(right));
    let mut at = 0;
    let (first, last) = loop {
        match (from.next()?, to.next()?) {
            (a, b) if a == b => at += a.len(),
            differing => break differing,
        }
    };
    if !first.starts_with(|c: char| c.is_ascii_digit()) || from.rest != to.rest {
        return None;
    }
    let (number, end): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    // A number with zeros before it keeps its width, and counts only to one at least as wide.
    let width = if first.len() > 1 && first.starts_with('0') { first.len() } else { 0 };
    let end = if width > last.len() { None } else { Some(end) };
    let (number, end) = end.map_or((1, 0), |end| (number, end));
    let (before, after) = (left.get(..at)?.to_owned(), from.rest.to_owned());
    Some(Count { before, first: number, last: end, width, after })
}

/// Runs of digits and of others, in turns; the first is of others and may be empty.
struct Runs<'a> {
    rest: &'a str,
    is_first: bool,
    digits: bool,
}

impl<'a> Runs<'a> {
    const fn of(text: &'a str) -> Self {
        Self { rest: text, is_first: true, digits: false }
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() && !self.is_first {
            return None;
        }
        let is_other = |byte: u8| byte.is_ascii_digit() != self.digits;
        // A digit is a byte of its own in any text.
        let length = self.rest.bytes().position(is_other).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(length)?;
        *self = Self { rest, is_first: false, digits: !self.digits };
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_product_is_known_before_it_is_written() {
        assert_eq!((size("n1"), size("n[1-3,7]"), size("a[1-10]b[1-10]c[1:10]")), (1, 4, 1000));
        assert_eq!(size("n[0-18446744073709551615][1-2]"), u64::MAX);
    }

    proptest::proptest! {
        #[test]
        fn a_plain_word_spells_nothing(word in "[n19\\[\\]+:=~/*é-]{0,6}") {
            let affixes = Affixes { prefix: "node", suffix: "" };
            if is_plain(&word) {
                proptest::prop_assert_eq!((of(&word, affixes), size(&word), letters(&word)), (Shape::Plain, 1, 0));
                proptest::prop_assert!(!word.contains(['=', '~', '/']));
            }
        }
    }

    #[test]
    fn the_letters_of_brackets_are_known_before_they_are_written() {
        for word in
            ["n1", "n[1-3]x", "n[1-3,5]x", "n[]", "n[-]x", "n[1-2-3-4]longer", "a[1,2-3]b[4]", "[1]", "n[--]"]
        {
            let written = match brackets(word) {
                Some(Shape::Items(items) | Shape::Glued { items, .. }) => items.concat().len(),
                _ => 0,
            };
            assert!(written <= letters(word), "{word}: {written}, {}", letters(word));
        }
        assert!(letters(&format!("{}[{}]", "n".repeat(1000), "1-".repeat(1000))) > 1_000_000);
    }

    fn show(word: &str) -> String {
        match of(word, Affixes { prefix: "node", suffix: "" }) {
            Shape::Name(name) => name,
            Shape::Count(count) => count.names().collect::<Vec<_>>().join(" "),
            Shape::Items(items) => format!("[{}]", items.join(" ")),
            Shape::Glued { items, rest } => format!("[{}]{rest}", items.join(" ")),
            Shape::Plain => "plain".to_owned(),
        }
    }

    #[test]
    fn a_bare_number_is_of_what_the_operator_says() {
        let affixes = Affixes { prefix: "x", suffix: "-ib" };
        assert_eq!(of("17", affixes), Shape::Name("x17-ib".to_owned()));
        let Shape::Count(count) = of("9+1", affixes) else { panic!() };
        assert!(count.names().eq(["x9-ib", "x10-ib"]));
        assert_eq!(of("17", Affixes { prefix: "", suffix: "" }), Shape::Plain);
    }

    #[test]
    fn words_are_spelt_as_xcat_does() {
        let cases = [
            ("17", "node17"),
            ("n1", "plain"),
            ("n[1-3]", "[n1-n3]"),
            ("n[1-3,5,7:9]x", "[n1x-n3x n5x n7x:n9x]"),
            ("f[1,2]n[1-2]", "[f1 f2]n[1-2]"),
            ("n[]", "plain"),
            ("n[-3]", "[n-n3]"),
            ("n[3-]", "[n3-n]"),
            ("[1-2]", "plain"),
            ("n1+2", "n1 n2 n3"),
            ("n09+2", "n09 n10 n11"),
            ("10+1", "node10 node11"),
            ("w1.dom+1", "w1.dom w2.dom"),
            ("f1n1+1", "f1n1 f1n2"),
            ("n1-n2+1", "n1-n2 n1-n3"),
            ("n1-mgt+1", "plain"),
            ("n1+x", "n1"),
            ("n8-n10", "n8 n9 n10"),
            ("n1-n03", "n1 n2 n3"),
            ("n098-n101", "n098 n099 n100 n101"),
            ("n01-n3", ""),
            ("n3-n1", ""),
            ("n1-mgt-n2-mgt", "n1-mgt n2-mgt"),
            ("n1:n2:n3", "n1 n2"),
            ("a-b-c", "plain"),
            ("n1-m2", "plain"),
            ("f1n1-f2n2", "plain"),
            ("-n1", "plain"),
            ("n1-n1", "n1"),
            ("n1-n99999999999999999999999", "plain"),
        ];
        for (word, want) in cases {
            assert_eq!(show(word), want, "{word}");
        }
    }
}
