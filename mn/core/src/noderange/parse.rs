//! The grammar between words: parentheses, commas, `@` and `-`.
//!
//! ```text
//! RANGE   = [ START "(" RANGE ")" ] LIST          START may end in "," "-" or "@"
//! LIST    = ELEMENT { "," ELEMENT }  |  [ELEMENT] { "@" ELEMENT }
//! ELEMENT = [ "-" | "@" ] ( "(" RANGE ")" | RANGE with "@" | "^" FILE | WORD )
//! ```
//!
//! The first parentheses of a range are taken before anything else, and act at once on what stands
//! before them; commas bind looser than `@` inside an element. Commas within brackets or
//! parentheses separate nothing.

use super::NoderangeError;

/// How deep parentheses may be nested; the parser and the evaluator call themselves once for each.
pub(super) const DEEPEST: usize = 64;

/// Steps over one accumulated set, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps(pub(super) Vec<(Op, Term)>);

/// What a step does with the nodes of its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Adds them.
    Add,
    /// Keeps only those that are among them.
    Intersect,
    /// Takes them away at once.
    Subtract,
    /// Takes them away at the end.
    Exclude,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// A range of its own.
    Range(Steps),
    /// The lines of a file.
    File(String),
    /// A node, a group, a selection, or a shape that spells some.
    Word(String),
}

/// Reads a range; quotes are to be gone already.
pub(super) fn range(text: &str, depth: usize) -> Result<Steps, NoderangeError> {
    if depth > DEEPEST {
        return Err(NoderangeError::TooDeep);
    }
    let mut steps = Vec::new();
    let mut rest = text;
    if text.contains('(') {
        let (start, middle, after) = parenthesised(text).ok_or(NoderangeError::Unbalanced)?;
        let op = match start.as_bytes().last() {
            Some(b'-') => Op::Subtract,
            Some(b'@') => Op::Intersect,
            _ => Op::Add,
        };
        let start = start.strip_suffix(",-").unwrap_or(start);
        let start = start.strip_suffix(',').unwrap_or(start);
        let start = start.strip_suffix('@').unwrap_or(start);
        steps.push((Op::Add, Term::Range(range(start, depth + 1)?)));
        steps.push((op, Term::Range(range(middle, depth + 1)?)));
        rest = after;
    }
    let elements = split(rest, b',');
    let (elements, between) = match elements.as_slice() {
        [only] => (split(only, b'@'), Op::Intersect),
        _ => (elements, Op::Add),
    };
    let alone = elements.len() == 1;
    for (at, element) in elements.into_iter().enumerate() {
        let between = if at == 0 { Op::Add } else { between };
        let (op, word) = match element.as_bytes().first() {
            // `a@-b` is `a@b`.
            Some(b'-') if between == Op::Intersect => (between, &element[1..]),
            Some(b'-') => (Op::Exclude, &element[1..]),
            Some(b'@') => (Op::Intersect, &element[1..]),
            _ => (between, element),
        };
        if !word.is_empty() {
            steps.push((op, term(word, alone && word.len() == text.len(), depth)?));
        }
    }
    Ok(Steps(steps))
}

/// What one element is; `whole` when it is all there was to read, so that reading it again as a
/// range would not end.
fn term(word: &str, whole: bool, depth: usize) -> Result<Term, NoderangeError> {
    // The first parenthesis must be the partner of the last: `(a)@(b)` is two.
    if word.starts_with('(')
        && let Some(("", inner, "")) = parenthesised(word)
    {
        return range(inner, depth + 1).map(Term::Range);
    }
    // Before files: `^list@gpu` is cut at the `@` alone in a range, so it is in a list too.
    if word.contains('@') && !whole {
        return range(word, depth + 1).map(Term::Range);
    }
    if let Some(path) = word.strip_prefix('^') {
        return Ok(Term::File(path.to_owned()));
    }
    Ok(Term::Word(word.to_owned()))
}

/// What stands before the first parentheses, in them, and behind.
fn parenthesised(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(['(', ')'])?;
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'(' => open += 1,
            b')' => open = open.checked_sub(1)?,
            _ => {}
        }
        if open == 0 {
            return Some((&text[..start], &text[start + 1..at], &text[at + 1..]));
        }
    }
    None
}

/// Cuts a text at a separator. A comma within brackets separates nothing, nor anything within
/// parentheses, however deep (xCAT looks for the next parenthesis alone, and cuts `(a,(b))` in two).
fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut end = text.len();
    let (mut in_brackets, mut parentheses) = (false, 0_usize);
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b'[' => in_brackets = false,
            b']' => in_brackets = true,
            b'(' => parentheses = parentheses.saturating_sub(1),
            b')' => parentheses += 1,
            _ => {}
        }
        if byte == separator && parentheses == 0 && !(separator == b',' && in_brackets) {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(steps: &Steps) -> String {
        let one = |(op, term): &(Op, Term)| {
            let op = match op {
                Op::Add => '+',
                Op::Intersect => '&',
                Op::Subtract => '\\',
                Op::Exclude => '-',
            };
            match term {
                Term::Range(inner) => format!("{op}({})", show(inner)),
                Term::File(path) => format!("{op}^{path}"),
                Term::Word(word) => format!("{op}{word}"),
            }
        };
        steps.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(show(&range(text, 0).unwrap()), want, "{text}");
    }

    #[test]
    fn commas_are_looser_than_at() {
        check("a,b@c", "+a +(+b &c)");
        check("a@b,c", "+(+a &b) +c");
        check("a@b@-c", "+a &b &c");
        check("a,@b,-c", "+a &b -c");
        check(",a,,@,-,b", "+a +b");
    }

    #[test]
    fn parentheses_act_at_once_on_what_stands_before() {
        check("a,-(b),c", "+(+a) \\(+b) +c");
        check("a@(b,c)", "+(+a) &(+b +c)");
        check("((a))", "+() +(+() +(+a))");
        check("(a),(b)@c", "+() +(+a) +(+() +(+b) &c)");
        check("(a),(b)@(c)", "+() +(+a) +(+() +(+b) &(+c))");
        check("(a),(b,(c,d)),e", "+() +(+a) +(+(+b) +(+c +d)) +e");
    }

    #[test]
    fn commas_within_brackets_separate_nothing() {
        check("a[1,2]b,c", "+a[1,2]b +c");
        check("a[1,2,b", "+a[1 +2 +b");
        check("-^/tmp/x,@^y", "-^/tmp/x &^y");
        check("^x@a,b", "+(+^x &a) +b");
    }

    #[test]
    fn parentheses_must_match() {
        for bad in ["(a", "a)(b", "((a)", ")(", "a,(b,(c)"] {
            assert!(matches!(range(bad, 0), Err(NoderangeError::Unbalanced)), "{bad}");
        }
        assert!(matches!(range(&"(".repeat(1000), 0), Err(NoderangeError::Unbalanced)));
        let deep = "(".repeat(1000) + &")".repeat(1000);
        assert!(matches!(range(&deep, 0), Err(NoderangeError::TooDeep)));
    }

    #[test]
    fn a_word_that_cannot_be_cut_is_read_once() {
        check("a@b)", "+a@b)");
        check("a)", "+a)");
    }
}
