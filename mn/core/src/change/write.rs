//! Sets one attribute of one object in a draft: finds the column by the attribute's condition, and
//! the row by the object's name.

use crate::draft::Draft;
use crate::object::{self, is_met, repack, split_nic};
use crate::table::attribute::{self, Attribute, ObjectType};
use crate::table::{Row, RowKey, schema};

/// Why an attribute cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// The type has no such attribute.
    #[error("'{name}' is not a valid attribute name for an object type of '{kind}'.")]
    Unknown {
        /// As typed.
        name: String,
        /// The type.
        kind: &'static str,
    },
    /// It means nothing unless another attribute has one of some values.
    #[error("Cannot set the attr='{name}' attribute unless {other} value is {}.", values.join(" or "))]
    Condition {
        /// The attribute.
        name: &'static str,
        /// The other one.
        other: &'static str,
        /// What that may be.
        values: Vec<&'static str>,
    },
    /// Another object has the row already.
    #[error("Cannot set {name}={value}: {table} {key} belongs to '{owner}' already.")]
    Taken {
        /// The attribute.
        name: &'static str,
        /// What it was to be.
        value: String,
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// Whose it is.
        owner: String,
    },
    /// Several rows belong to the object, and the attribute does not say which is meant.
    #[error("Cannot set the attr='{name}' attribute: the table {table} has {count} rows for it; use chtab.")]
    Several {
        /// The attribute.
        name: &'static str,
        /// The table.
        table: &'static str,
        /// How many.
        count: usize,
    },
    /// A name is changed with `-n`, not by an attribute.
    #[error("'{name}' names the object; give it another name with chdef -n.")]
    Name {
        /// The attribute.
        name: &'static str,
    },
}

/// Sets an attribute, or unsets it by an empty value.
///
/// # Errors
/// When there is no such attribute, or it cannot be set as things are.
pub(crate) fn set(
    draft: &mut Draft,
    kind: &'static ObjectType,
    object: &str,
    name: &str,
    value: &str,
) -> Result<(), WriteError> {
    if !object::is_known(kind, name) {
        return Err(WriteError::Unknown { name: name.to_owned(), kind: kind.name });
    }
    if kind.name == "site" {
        draft.set(schema::SITE, &RowKey::one(name), "value", value);
        return Ok(());
    }
    if kind.name == "monitoring" && attribute::named(kind.name, name).next().is_none() {
        draft.set(schema::MONSETTING, &RowKey::of([object, name]), "value", value);
        return Ok(());
    }
    let (name, nic) = split_nic(name).map_or((name, None), |(packed, nic)| (packed, Some(nic)));
    let mut is_set = false;
    for attribute in attribute::named(kind.name, name) {
        // Looked at again for each: `nodetype=pdu` is also the condition of `pdu.nodetype`.
        let is_itself = attribute.condition.as_ref().filter(|condition| condition.attribute == name);
        if !is_met(draft.model(), attribute, object) && !is_itself.is_some_and(|itself| itself.holds(value)) {
            continue;
        }
        is_set = true;
        if attribute.name == kind.key {
            return if value == object { Ok(()) } else { Err(WriteError::Name { name: attribute.name }) };
        }
        match nic {
            Some(nic) => {
                let packed = object::column(draft.model(), attribute, object).unwrap_or_default();
                set_column(draft, attribute, object, &repack(&packed, nic, value))?;
            }
            None => set_column(draft, attribute, object, value)?,
        }
    }
    match (is_set, value) {
        (true, _) => Ok(()),
        (false, "") => unset(draft, kind, object, name),
        (false, _) => Err(refusal(kind, name)),
    }
}

/// Empties every column that an attribute may be, whatever its condition was while it was set.
fn unset(draft: &mut Draft, kind: &ObjectType, object: &str, name: &str) -> Result<(), WriteError> {
    for attribute in attribute::named(kind.name, name) {
        if !object::rows(draft.model(), attribute, object).is_empty() {
            set_column(draft, attribute, object, "")?;
        }
    }
    Ok(())
}

/// The refusal of an attribute none of whose conditions is met.
pub(crate) fn refusal(kind: &ObjectType, name: &str) -> WriteError {
    let mut refusal = WriteError::Unknown { name: name.to_owned(), kind: kind.name };
    for attribute in attribute::named(kind.name, name) {
        let Some(condition) = &attribute.condition else { continue };
        match &mut refusal {
            WriteError::Condition { other, values, .. } if *other == condition.attribute => {
                values.extend(&condition.values);
            }
            WriteError::Unknown { .. } => {
                refusal = WriteError::Condition {
                    name: attribute.name,
                    other: condition.attribute,
                    values: condition.values.clone(),
                };
            }
            // Conditions on another attribute would be a second sentence; one way out is enough.
            _ => {}
        }
    }
    if let WriteError::Condition { values, .. } = &mut refusal {
        values.sort_unstable();
        values.dedup();
    }
    refusal
}

fn set_column(
    draft: &mut Draft,
    attribute: &'static Attribute,
    object: &str,
    value: &str,
) -> Result<(), WriteError> {
    let table = attribute.table.table();
    let selected: Vec<(&str, &str)> =
        attribute.row.iter().map(|(column, selector)| (*column, object::text(*selector, object))).collect();
    let part = |column: &str| selected.iter().find(|(known, _)| *known == column).map(|(_, value)| *value);
    if table.key.iter().all(|column| part(column).is_some()) {
        let key = RowKey::of(table.key.iter().map(|column| part(column).unwrap_or_default()));
        draft.set(attribute.table, &key, attribute.column, value);
        return Ok(());
    }
    let found = object::rows(draft.model(), attribute, object);
    let (old, row) = match found.as_slice() {
        [] if value.is_empty() => return Ok(()),
        [] => {
            let row = selected.iter().fold(Row::new(), |row, (column, value)| row.with(column, value));
            (None, row)
        }
        [(key, row)] => (Some((*key).clone()), (*row).clone()),
        _ => {
            return Err(WriteError::Several { name: attribute.name, table: table.name, count: found.len() });
        }
    };
    let row = row.with(attribute.column, value);
    let key = row.key(attribute.table);
    if old.as_ref() != Some(&key) {
        refuse_taken(draft, attribute, &key, value)?;
        old.iter().for_each(|old| draft.remove_row(attribute.table, old));
    }
    draft.put_row(attribute.table, &key, row);
    Ok(())
}

/// A row that changes its key must not swallow another object's row (a second network with the
/// same net and mask).
fn refuse_taken(
    draft: &Draft,
    attribute: &'static Attribute,
    key: &RowKey,
    value: &str,
) -> Result<(), WriteError> {
    let Some(other) = draft.model().tables().row(attribute.table, key.as_str()) else { return Ok(()) };
    let owner = attribute.row.first().and_then(|(column, _)| other.cell(column)).unwrap_or_default();
    Err(WriteError::Taken {
        name: attribute.name,
        value: value.to_owned(),
        table: attribute.table.name(),
        key: key.to_string(),
        owner: owner.to_owned(),
    })
}
