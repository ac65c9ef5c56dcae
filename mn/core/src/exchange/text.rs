//! The text of definitions: stanzas, as xCAT's operators know them, sorted, one value a line.
//!
//! ```text
//! # drover definitions 1
//!
//! n1:
//!     objtype=node
//!     groups=all,compute
//!     usercomment="two\nlines"
//! ```
//!
//! A name or value that could not be read again as it stands is in double quotes with JSON's
//! escapes. `<secret>` without quotes is a secret that is not told. `%prune TYPE` before the first
//! stanza says that objects of a type that are not in the file are to go.
//!
//! A file without the first line is read as xCAT's stanza files are: quotes around a value go, and
//! nothing is escaped. `default-node:` gives values that objects of a type have unless they say
//! otherwise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The first line of a file in this form.
pub(crate) const HEADER: &str = "# drover definitions 1";

/// What every version's first line begins with.
const HEADER_OF_ANY: &str = "# drover definitions ";

/// What stands in the place of a secret.
pub(crate) const SECRET: &str = "<secret>";

/// How many mistakes of one file are worth telling.
const TOLD: usize = 100;

/// A value in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// This.
    Text(String),
    /// A secret that the file does not tell.
    Secret,
}

/// One attribute of a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The line.
    pub line: usize,
    /// The attribute.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// One object or row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stanza {
    /// The line of its name.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// What `objtype` says; none where it is not there.
    pub kind: Option<String>,
    /// The other attributes, in order, each once.
    pub attributes: Vec<Said>,
}

/// A file, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its stanzas in order.
    pub stanzas: Vec<Stanza>,
    /// What `%prune` names, in order.
    pub prune: Vec<String>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub(crate) struct Mistake {
    /// Which.
    pub line: usize,
    /// What.
    pub text: String,
}

/// Writes one stanza, a newline at its end.
pub(crate) fn render<'a>(
    name: &str,
    kind: &str,
    attributes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> String {
    let mut text = format!(
        "{}:\n    objtype={kind}\n",
        if is_plain_name(name) { name.to_owned() } else { quoted(name) }
    );
    for (attribute, value) in attributes {
        // Writing to a string does not fail.
        let _ = match value {
            None => writeln!(text, "    {attribute}={SECRET}"),
            Some(value) if is_plain(value) => writeln!(text, "    {attribute}={value}"),
            Some(value) => writeln!(text, "    {attribute}={}", quoted(value)),
        };
    }
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a value is read again as it stands.
fn is_plain(value: &str) -> bool {
    value.trim() == value && !value.starts_with('"') && value != SECRET && !value.chars().any(is_odd)
}

/// Characters that an editor or a terminal may not leave as they are.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn is_plain_name(name: &str) -> bool {
    let starts = ["#", "%", "default-"].iter().any(|start| name.starts_with(start));
    !name.is_empty() && is_plain(name) && !name.contains('=') && !starts
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, up to a hundred mistakes.
pub(crate) fn parse(text: &str) -> Result<Document, Vec<Mistake>> {
    let mut reader = Reader::new(text);
    for (index, line) in text.lines().enumerate() {
        if reader.mistakes.len() >= TOLD {
            break;
        }
        reader.line = index + 1;
        if let Err(text) = reader.read(line.trim()) {
            reader.mistakes.push(Mistake { line: index + 1, text });
        }
    }
    reader.finish()
}

/// Whether a text looks like stanzas rather than like anything else.
pub(crate) fn is_stanzas(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().find(|line| !line.starts_with('#'));
    lines.next().is_some_and(|line| line.starts_with(HEADER_OF_ANY))
        || first.is_some_and(|line| line.ends_with(':') || line.starts_with('%'))
}

struct Reader {
    /// Whether quotes hold JSON's escapes.
    is_ours: bool,
    line: usize,
    document: Document,
    defaults: BTreeMap<String, Vec<Said>>,
    /// Into which default the attributes go; none while they belong to the last stanza.
    default: Option<String>,
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let mut mistakes = Vec::new();
        if first.starts_with(HEADER_OF_ANY) && first != HEADER {
            let text =
                format!("this is {first:?}, and only {HEADER:?} is read here; a newer Drover wrote it");
            mistakes.push(Mistake { line: 1, text });
        }
        Self {
            is_ours: first == HEADER,
            line: 0,
            document: Document::default(),
            defaults: BTreeMap::new(),
            default: None,
            mistakes,
        }
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(directive) = line.strip_prefix('%') {
            return self.directive(directive);
        }
        if let Some(name) = self.header(line)? {
            self.default =
                name.strip_prefix("default-").filter(|_| !line.starts_with('"')).map(str::to_owned);
            if self.default.is_none() {
                let stanza = Stanza { line: self.line, name, kind: None, attributes: Vec::new() };
                self.document.stanzas.push(stanza);
            }
            return Ok(());
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!("neither `name:` nor `attr=value`: {}", short(line)));
        };
        let (name, value) = (name.trim().to_owned(), self.value(value.trim())?);
        self.attribute(name, value)
    }

    fn directive(&mut self, directive: &str) -> Result<(), String> {
        match directive.trim().split_once(char::is_whitespace) {
            Some(("prune", what)) if self.document.stanzas.is_empty() => {
                self.document.prune.push(what.trim().to_owned());
                Ok(())
            }
            Some(("prune", _)) => Err("%prune stands before the first stanza".to_owned()),
            _ => Err(format!("%{} is not known; there is %prune TYPE or NODERANGE", short(directive))),
        }
    }

    /// The name, where a line is the first of a stanza.
    fn header(&self, line: &str) -> Result<Option<String>, String> {
        if !line.starts_with('"') {
            let name = line.strip_suffix(':').map(str::trim_end);
            return Ok(name.filter(|name| !name.contains('=')).map(str::to_owned));
        }
        let mut words = serde_json::Deserializer::from_str(line).into_iter::<String>();
        let name = words
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| format!("the quotes do not close: {}", short(line)))?;
        match line.get(words.byte_offset()..).map(str::trim) {
            Some(":") => Ok(Some(name)),
            _ => Err(format!("a name in quotes is followed by a colon: {}", short(line))),
        }
    }

    fn value(&self, text: &str) -> Result<Value, String> {
        if !self.is_ours {
            let inner = text.strip_prefix('"').map_or(text, |inner| inner.strip_suffix('"').unwrap_or(inner));
            return Ok(Value::Text(inner.trim().to_owned()));
        }
        if text == SECRET {
            return Ok(Value::Secret);
        }
        if !text.starts_with('"') {
            return Ok(Value::Text(text.to_owned()));
        }
        let read: Result<String, _> = serde_json::from_str(text);
        read.map(Value::Text).map_err(|error| format!("the value in quotes cannot be read: {error}"))
    }

    fn attribute(&mut self, name: String, value: Value) -> Result<(), String> {
        let said = Said { line: self.line, name, value };
        if let Some(kind) = &self.default {
            if said.name != "objtype" {
                self.defaults.entry(kind.clone()).or_default().push(said);
            }
            return Ok(());
        }
        let Some(stanza) = self.document.stanzas.last_mut() else {
            return Err(format!("{}= stands before the first `name:`", short(&said.name)));
        };
        if said.name == "objtype" {
            let Value::Text(kind) = said.value else { return Err("objtype is no secret".to_owned()) };
            stanza.kind = Some(kind);
            return Ok(());
        }
        stanza.attributes.push(said);
        Ok(())
    }

    fn finish(mut self) -> Result<Document, Vec<Mistake>> {
        for stanza in &mut self.document.stanzas {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for said in &stanza.attributes {
                if let Some(first) = seen.insert(said.name.clone(), said.line)
                    && self.mistakes.len() < TOLD
                {
                    let text = format!(
                        "{} says {} a second time, after line {first}",
                        short(&stanza.name),
                        short(&said.name)
                    );
                    self.mistakes.push(Mistake { line: said.line, text });
                }
            }
            let given = stanza.kind.as_ref().and_then(|kind| self.defaults.get(kind)).into_iter().flatten();
            stanza.attributes.extend(given.filter(|said| !seen.contains_key(&said.name)).cloned());
        }
        if self.mistakes.is_empty() { Ok(self.document) } else { Err(self.mistakes) }
    }
}

/// As much of a text as a message needs.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_values_are_quoted_and_plain_ones_are_not() {
        let odd = render(
            "n1",
            "node",
            [
                ("a", Some("x=1|2 \"y\"")),
                ("b", Some(" z")),
                ("c", Some("1\n2")),
                ("d", None),
                ("e", Some("<secret>")),
            ],
        );
        insta::assert_snapshot!(odd, @r#"
        n1:
            objtype=node
            a=x=1|2 "y"
            b=" z"
            c="1\n2"
            d=<secret>
            e="<secret>"
        "#);
    }

    #[test]
    fn a_stanza_file_of_xcat_is_read_with_its_defaults() {
        let text = "# <xCAT data object stanza file>\ndefault-node:\n  mgt=ipmi\nn1:\n  objtype=node\n  usercomment=\" a \\n \"\n";
        let read = parse(text).unwrap();
        let said: Vec<_> =
            read.stanzas[0].attributes.iter().map(|said| (said.name.as_str(), &said.value)).collect();
        assert_eq!(
            said,
            [("usercomment", &Value::Text("a \\n".into())), ("mgt", &Value::Text("ipmi".into()))]
        );
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = format!("{HEADER}\nx=1\nn1:\n  a=1\n  a=2\n  b=\"\\q\"\n  what\n%prune node\n");
        let told: Vec<_> = parse(&text).unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        line 2: x= stands before the first `name:`
        line 6: the value in quotes cannot be read: invalid escape at line 1 column 3
        line 7: neither `name:` nor `attr=value`: what
        line 8: %prune stands before the first stanza
        line 5: n1 says a a second time, after line 4
        "#);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(# drover definitions 1\n)?([a-z:=\"#%\\\\ \n\t-]|<secret>){0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(
            name in "(\\PC|[\n\t:=\"#%]){1,12}",
            values in prop::collection::btree_map("[a-z]{1,8}", prop::option::of("(\\PC|[\r\n\t\u{feff}\u{85}\u{2028}=|\"\\\\ ]|<secret>){0,20}"), 0..6),
        ) {
            let values: Vec<_> = values.into_iter().filter(|(name, _)| name != "objtype").collect();
            let text = render(&name, "node", values.iter().map(|(a, v)| (a.as_str(), v.as_deref())));
            let read = parse(&format!("{HEADER}\n\n{text}")).unwrap();
            prop_assert_eq!(&read.stanzas[0].name, &name);
            let said: Vec<_> = read.stanzas[0].attributes.iter().map(|said| match &said.value {
                Value::Text(text) => (said.name.clone(), Some(text.clone())),
                Value::Secret => (said.name.clone(), None),
            }).collect();
            prop_assert_eq!(said, values);
        }
    }
}
