//! `n*`, `n?01`: any text, and any character, in names of nodes.
//!
//! Not a regular expression: a text with thousands of such words would spend its time on reading them.

/// A word with `*` and `?`.
#[derive(Debug)]
pub(super) struct Glob {
    /// Without two `*` in a row.
    word: Vec<u8>,
    /// How long a name must be at least.
    least: usize,
}

impl Glob {
    pub(super) fn new(word: &str) -> Self {
        let mut word = word.as_bytes().to_vec();
        word.dedup_by(|next, before| *next == b'*' && *before == b'*');
        let least = word.iter().filter(|byte| **byte != b'*').count();
        Self { word, least }
    }

    /// Whether it means this name, which is of ASCII, as all names are.
    pub(super) fn means(&self, name: &str) -> bool {
        if self.least > name.len() {
            return false;
        }
        let name = name.as_bytes();
        let (mut at, mut in_name) = (0, 0);
        // Behind the last `*`, and how far it reaches.
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(in_name) {
            match (self.word.get(at), star) {
                (Some(b'*'), _) => {
                    at += 1;
                    star = Some((at, in_name));
                }
                (Some(wanted), _) if *wanted == b'?' || wanted == byte => {
                    at += 1;
                    in_name += 1;
                }
                (_, Some((behind, reach))) => {
                    // It takes one more.
                    (at, in_name) = (behind, reach + 1);
                    star = Some((behind, reach + 1));
                }
                (_, None) => return false,
            }
        }
        self.word.iter().skip(at).all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_any_text_and_question_marks_one_character() {
        let cases = [
            ("n*", "n1 n n12", "m1 1n"),
            ("*", "n1 a", ""),
            ("n?", "n1 nx", "n n12"),
            ("*1*", "n1 1 n12", "n2"),
            ("n*1*-ib", "n1-ib n211-ib", "n1-ib0 n2-ib"),
            ("a**b?", "abc axbc", "ab abcd"),
            ("?", "n", "n1"),
        ];
        for (word, means, not) in cases {
            let glob = Glob::new(word);
            assert!(means.split_whitespace().all(|name| glob.means(name)), "{word}");
            assert!(!not.split_whitespace().any(|name| glob.means(name)), "{word}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_means_what_an_expression_means(word in "[ab*?.]{0,8}", name in "[ab.]{0,8}") {
            let pattern = regex::escape(&word).replace(r"\*", ".*").replace(r"\?", ".");
            let expression = regex::Regex::new(&format!("^{pattern}$")).unwrap();
            proptest::prop_assert_eq!(Glob::new(&word).means(&name), expression.is_match(&name));
        }
    }
}
