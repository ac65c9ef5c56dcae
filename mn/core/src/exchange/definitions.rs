//! What a file says, whatever it was written in: subjects with attributes, each with its place.

use super::subject::{self, Subject};
use super::text::{Document, Mistake, Said, Stanza, Value, short};
use super::view;
use crate::object::CLUSTERSITE;
use crate::table::attribute::{self, ObjectType};
use crate::table::{TableId, nearest};

/// What is said of one subject.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// Where.
    pub line: usize,
    /// Of whom.
    pub subject: Subject,
    /// What, each attribute once.
    pub attributes: Vec<Said>,
    /// A group's `members`, a noderange.
    pub members: Option<String>,
    /// Attributes that are no cells of the subject's own rows (the port of a switch), set as `chdef`
    /// sets them; what the file does not say of those stays.
    pub others: Vec<Said>,
    /// Attributes of state, which are not applied.
    pub state: Vec<String>,
    /// The attributes that the format can say; the others of the subject are none of its business.
    /// None where it says everything.
    pub only: Option<&'static [&'static str]>,
}

impl Definition {
    /// The attribute of this name, where it is said.
    pub(crate) fn said(&self, name: &str) -> Option<&Said> {
        self.attributes.iter().find(|said| said.name == name)
    }
}

/// Definitions of a document of stanzas, in its order.
///
/// # Errors
/// Every stanza that means nothing.
pub(crate) fn of_document(document: Document) -> Result<Vec<Definition>, Vec<Mistake>> {
    let mut definitions = Vec::new();
    let mut mistakes = Vec::new();
    let mut advice = Advice { left: ADVISED };
    for stanza in document.stanzas {
        match of_stanza(stanza, &mut advice) {
            Ok(definition) => definitions.push(definition),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(definitions) } else { Err(mistakes) }
}

/// How many mistakes of a file are answered with the nearest names: each costs a look at all names, and
/// who has made more of them knows by then what is meant.
const ADVISED: usize = 100;

/// What is said of names that are not known, as long as it is few.
struct Advice {
    left: usize,
}

impl Advice {
    /// A text, with the names that are probably meant.
    fn on(&mut self, text: String, nearest: impl FnOnce() -> Vec<&'static str>) -> String {
        let Some(left) = self.left.checked_sub(1) else { return text };
        self.left = left;
        nearest::hinted(text, &nearest())
    }
}

fn of_stanza(stanza: Stanza, advice: &mut Advice) -> Result<Definition, Vec<Mistake>> {
    let fail = |text: String| vec![Mistake { line: stanza.line, text }];
    let Some(kind) = stanza.kind.as_deref() else {
        return Err(fail(format!("{} has no objtype", short(&stanza.name))));
    };
    if let Some(table) = subject::row_type(kind) {
        return of_row(table, &stanza, advice);
    }
    let known = attribute::object_type(kind).filter(|kind| !subject::tables_of(kind.name).is_empty());
    let Some(kind) = known else {
        let text = format!("there is no type {} to apply", short(kind));
        return Err(fail(advice.on(text, || nearest::names(kind, subject::kinds()))));
    };
    if kind.name == "site" && stanza.name != CLUSTERSITE {
        return Err(fail(format!("the site is called {CLUSTERSITE}, not {}", short(&stanza.name))));
    }
    of_object(kind, stanza, advice)
}

fn of_object(
    kind: &'static ObjectType,
    stanza: Stanza,
    advice: &mut Advice,
) -> Result<Definition, Vec<Mistake>> {
    let mut definition = Definition {
        line: stanza.line,
        subject: Subject::object(kind, &stanza.name),
        attributes: Vec::new(),
        members: None,
        others: Vec::new(),
        state: Vec::new(),
        only: None,
    };
    let mut mistakes = Vec::new();
    let is_dynamic = |said: &Said| said.name == "grouptype" && said.value == Value::Text("dynamic".into());
    let is_dynamic = stanza.attributes.iter().any(is_dynamic);
    for said in stanza.attributes {
        match (kind.name, said.name.as_str(), &said.value) {
            ("group", "members", Value::Text(range)) => {
                definition.members = (!is_dynamic).then(|| range.clone());
            }
            // An empty value is what is not there, but where it says that an implied cell is not.
            (_, name, Value::Text(text))
                if text.is_empty() && name != "nodegroup.members" && kind.name != "site" => {}
            (_, name, _) if name == kind.key && said.value == Value::Text(stanza.name.clone()) => {}
            (_, name, _) if view::may_be_state(kind.name, name) => definition.state.push(said.name),
            (_, name, Value::Text(_))
                if !view::may_mean(kind.name, name)
                    && view::column(kind.name, name).is_none()
                    && kind.name != "site"
                    && is_set_elsewhere(kind, name) =>
            {
                definition.others.push(said);
            }
            _ => match add(kind, &mut definition.attributes, said, advice) {
                Ok(()) => {}
                Err(mistake) => mistakes.push(mistake),
            },
        }
    }
    // As mkdef does: what is not said to be anything else is an image of Linux.
    let of_type = |said: &Said| {
        attribute::named(kind.name, &said.name)
            .any(|a| a.condition.as_ref().is_some_and(|c| c.attribute == "imagetype"))
    };
    if kind.name == "osimage"
        && definition.said("imagetype").is_none()
        && definition.attributes.iter().any(of_type)
    {
        let value = Value::Text("linux".to_owned());
        definition.attributes.push(Said { line: stanza.line, name: "imagetype".to_owned(), value });
    }
    if mistakes.is_empty() { Ok(definition) } else { Err(mistakes) }
}

/// Whether `chdef` knows an attribute that is in rows of another key.
fn is_set_elsewhere(kind: &ObjectType, name: &str) -> bool {
    crate::object::split_nic(name).is_none() && crate::object::is_known(kind, name)
}

/// Adds an attribute; one interface of a packed one (`nicips.eth0`) goes into that.
fn add(
    kind: &'static ObjectType,
    attributes: &mut Vec<Said>,
    said: Said,
    advice: &mut Advice,
) -> Result<(), Mistake> {
    if super::write::is_known(kind, &said.name) {
        attributes.push(said);
        return Ok(());
    }
    let mut unknown = |said: &Said| {
        let text = format!(
            "'{}' is not a valid attribute name for an object type of '{}'",
            short(&said.name),
            kind.name
        );
        Mistake { line: said.line, text: advice.on(text, || attribute::nearest(kind.name, &said.name)) }
    };
    let packed = crate::object::split_nic(&said.name).filter(|(packed, _)| view::may_mean(kind.name, packed));
    let (Some((packed, nic)), Value::Text(value)) = (packed, &said.value) else { return Err(unknown(&said)) };
    match attributes.iter_mut().find(|known| known.name == packed) {
        Some(Said { value: Value::Text(held), .. }) => *held = crate::object::repack(held, nic, value),
        _ => attributes.push(Said {
            line: said.line,
            name: packed.to_owned(),
            value: Value::Text(crate::object::repack("", nic, value)),
        }),
    }
    Ok(())
}

fn of_row(table: TableId, stanza: &Stanza, advice: &mut Advice) -> Result<Definition, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    for said in &stanza.attributes {
        if table.table().column(&said.name).is_none() {
            let columns = table.table().columns.iter().map(|column| column.name);
            let text = format!("the table {table} has no column {}", short(&said.name));
            let text = advice.on(text, || nearest::names(&said.name, columns));
            mistakes.push(Mistake { line: said.line, text });
        }
    }
    let part = |column: &&'static str| match stanza.attributes.iter().find(|said| said.name == *column) {
        Some(Said { value: Value::Text(text), .. }) => text.as_str(),
        _ => "",
    };
    let keys = &table.table().key;
    if keys.iter().all(|column| part(column).is_empty()) {
        let text = format!("a row of {table} has a key: {}", keys.join(", "));
        mistakes.push(Mistake { line: stanza.line, text });
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let key = crate::table::RowKey::of(keys.iter().map(part));
    let mut attributes = stanza.attributes.clone();
    attributes.retain(|said| said.value != Value::Text(String::new()));
    let subject = Subject::Row { table, key };
    Ok(Definition {
        line: stanza.line,
        subject,
        attributes,
        members: None,
        others: Vec::new(),
        state: Vec::new(),
        only: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::text;

    #[test]
    fn so_many_mistakes_are_answered_with_advice_and_the_rest_without() {
        let stanza = |at: usize| format!("n{at}:\n    objtype=node\n    servicnode=sn1\n\n");
        let file: String = (0..ADVISED + 20).map(stanza).collect();
        let mistakes = of_document(text::parse(&file).unwrap()).unwrap_err();
        let is_advised = |mistake: &Mistake| mistake.text.contains("try      servicenode");
        assert!(mistakes[..ADVISED].iter().all(is_advised), "{mistakes:?}");
        assert_eq!(mistakes.len(), ADVISED + 20);
        assert!(!mistakes[ADVISED..].iter().any(is_advised), "{mistakes:?}");
    }
}
