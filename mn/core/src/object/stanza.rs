//! Stanza text: objects with their attributes, one to a line.
//!
//! ```text
//! # <xCAT data object stanza file>
//!
//! n1:
//!     objtype=node
//!     groups=all,compute
//! ```
//!
//! Reading is as forgiving as xCAT's: blanks around names and values do not matter, nor do
//! comment lines, and double quotes around a value go. `default-node:` gives values that objects
//! of a type have unless they say otherwise. Unlike xCAT, `objtype` may stand anywhere in its
//! stanza, a value may end in a colon, and a line that means nothing refuses the file, where xCAT
//! passes over the rest of the stanza and reports success.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

/// The first line of a stanza file.
pub(crate) const HEADER: &str = "# <xCAT data object stanza file>";

/// One object of a stanza file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stanza {
    /// Its name.
    pub name: String,
    /// What `objtype` says; none where it is not there.
    pub kind: Option<String>,
    /// The other attributes, in order.
    pub attributes: Vec<(String, String)>,
}

/// Why a stanza file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StanzaError {
    /// A line that is neither a name, an attribute nor a comment.
    #[error("line {line} of the stanza file is neither `name:` nor `attr=value`: {text}")]
    Line { line: usize, text: String },
    /// Many defaults times many stanzas.
    #[error("the defaults of the stanza file come to more than {most} attributes, written into its stanzas")]
    TooManyDefaults { most: usize },
}

impl StanzaError {
    /// What to do instead.
    pub(crate) const fn attempt(&self) -> &'static str {
        match self {
            Self::Line { .. } => {
                "an object as `name:`, its attributes below it as `    attr=value`, remarks behind #"
            }
            Self::TooManyDefaults { .. } => {
                "these attributes in the definition of a group of which the objects are members"
            }
        }
    }
}

/// How many attributes the defaults of a file may become: this many in any file, and in a large one
/// so many for each of its bytes. A stanza is some twenty bytes at least, and no type of object has
/// eighty attributes that are alike for all.
const DEFAULTS: usize = 20_000;
const DEFAULTS_PER_BYTE: usize = 4;

/// Reads a stanza file; defaults are filled in.
///
/// # Errors
/// At the first line that means nothing, and where defaults make far more of the file than it is.
pub(crate) fn parse(text: &str) -> Result<Vec<Stanza>, StanzaError> {
    // Of two values of one default the later counts, as in xCAT: each is filled in once a stanza.
    let mut defaults: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut stanzas: Vec<Stanza> = Vec::new();
    // Into which default the attributes go; none while they belong to the last stanza.
    let mut default: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refuse = || StanzaError::Line { line: index + 1, text: line.chars().take(80).collect() };
        if let Some(name) = line.strip_suffix(':').map(str::trim_end).filter(|name| !name.contains('=')) {
            default = name.strip_prefix("default-").map(str::to_owned);
            if default.is_none() {
                stanzas.push(Stanza { name: name.to_owned(), ..Stanza::default() });
            }
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(refuse)?;
        let (name, value) = (name.trim().to_owned(), unquoted(value).to_owned());
        match (&default, stanzas.last_mut()) {
            (Some(_), _) if name == "objtype" => {}
            (Some(kind), _) => {
                defaults.entry(kind.clone()).or_default().insert(name, value);
            }
            (None, Some(stanza)) if name == "objtype" => stanza.kind = Some(value),
            (None, Some(stanza)) => stanza.attributes.push((name, value)),
            (None, None) => return Err(refuse()),
        }
    }
    let most = DEFAULTS.max(text.len().saturating_mul(DEFAULTS_PER_BYTE));
    let mut left = most;
    for stanza in &mut stanzas {
        let Some(given) = stanza.kind.as_ref().and_then(|kind| defaults.get(kind)) else { continue };
        // What is looked through counts, whether it is filled in or not.
        left = left.checked_sub(given.len()).ok_or(StanzaError::TooManyDefaults { most })?;
        let own: HashSet<&str> = stanza.attributes.iter().map(|(name, _)| name.as_str()).collect();
        let missing = given.iter().filter(|(name, _)| !own.contains(name.as_str()));
        let missing: Vec<_> = missing.map(|(name, value)| (name.clone(), value.clone())).collect();
        stanza.attributes.extend(missing);
    }
    Ok(stanzas)
}

/// Writes one stanza, without a newline at the end.
pub(crate) fn render<'a>(
    name: &str,
    kind: &str,
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut text = format!("{name}:\n    objtype={kind}");
    for (attribute, value) in attributes {
        // Writing to a string does not fail.
        let _ = write!(text, "\n    {attribute}={value}");
    }
    text
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let value = value.strip_prefix('"').unwrap_or(value).trim_start();
    value.strip_suffix('"').unwrap_or(value).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stanza_file_is_read_with_its_defaults() {
        let text = "# <xCAT data object stanza file>\n\ndefault-node:\n  groups=all\n  mgt=ipmi\n\
                    n1:\n    objtype=node\n    usercomment=\" two words: \"\n n2 :\n\tmgt = openbmc\n\tobjtype=node\n";
        let read = parse(text).unwrap();
        insta::assert_snapshot!(
            read.iter()
                .map(|s| render(&s.name, s.kind.as_deref().unwrap(), s.attributes.iter().map(|(a, v)| (a.as_str(), v.as_str()))))
                .collect::<Vec<_>>()
                .join("\n"),
            @r"
        n1:
            objtype=node
            usercomment=two words:
            groups=all
            mgt=ipmi
        n2:
            objtype=node
            mgt=openbmc
            groups=all
        "
        );
    }

    /// A hundred thousand bytes that repeat themselves became a gigabyte.
    #[test]
    fn a_default_that_is_given_again_counts_once() {
        let text = "default-node:\n mgt=ipmi\ndefault-node:\n mgt=openbmc\nn1:\n objtype=node\n".repeat(1000);
        let read = parse(&text).unwrap();
        assert_eq!(read.len(), 1000);
        assert!(read.iter().all(|stanza| stanza.attributes == [("mgt".to_owned(), "openbmc".to_owned())]));
    }

    /// A hundred thousand bytes of many defaults and many stanzas became a gigabyte, too.
    #[test]
    fn defaults_do_not_make_a_small_file_a_large_one() {
        let file = |defaults: usize, stanzas: usize| {
            let mut text = "default-node:\n".to_owned();
            text.extend((0..defaults).map(|at| format!(" a{at}=x\n")));
            text.extend((0..stanzas).map(|at| format!("n{at}:\n objtype=node\n")));
            parse(&text).map(|read| read.iter().map(|stanza| stanza.attributes.len()).sum::<usize>())
        };
        assert_eq!((file(20, 5000), file(200, 100)), (Ok(100_000), Ok(20_000)));
        assert!(matches!(file(5000, 2500), Err(StanzaError::TooManyDefaults { .. })));
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        assert_eq!(
            parse("n1:\n  objtype=node\n  what\n").unwrap_err().to_string(),
            "line 3 of the stanza file is neither `name:` nor `attr=value`: what"
        );
        assert!(parse("  mgt=ipmi\n").is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[a-z:=\"# \n\t-]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(
            name in "[a-z][a-z0-9-]{0,8}",
            attributes in prop::collection::vec(("[a-z]{1,8}", "[a-z0-9,.!|]{0,20}"), 0..6),
        ) {
            let attributes: Vec<_> = attributes.into_iter().filter(|(name, _)| name != "objtype").collect();
            let text = render(&name, "node", attributes.iter().map(|(a, v)| (a.as_str(), v.as_str())));
            prop_assert_eq!(parse(&text).unwrap(), vec![Stanza { name, kind: Some("node".into()), attributes }]);
        }
    }
}
