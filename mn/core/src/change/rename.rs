//! `chdef -n`: an object gets another name, in every table that names it.

use serde_json::json;

use super::delete;
use super::verify::Part;
use crate::command::Define;
use crate::draft::Draft;
use crate::table::attribute::{ObjectType, Selector};
use crate::table::{RowKey, schema};
use crate::talk::Talk;
use crate::{object, target};

/// Renames the one object that is named.
pub(super) fn build(draft: &mut Draft, talk: &mut Talk<'_>, args: &Define, new: &str) -> Option<Vec<Part>> {
    let found = target::named(draft.model(), &args.types, args.objects.as_ref(), talk)?;
    let [(kind, old)] = found.as_slice() else {
        talk.error("The '-n' option (changing object name) can only work on one object.");
        return None;
    };
    if let Some(text) = refusal(draft, kind, old, new) {
        talk.error(&text);
        return None;
    }
    rename(draft, kind, old, new);
    talk.info(format!("Changed the object name from {old} to {new}."));
    talk.record(|| json!({"type": kind.name, "name": new, "result": "renamed", "from": old}));
    Some(vec![Part { kind, name: new.to_owned(), is_new: true }])
}

fn refusal(draft: &Draft, kind: &'static ObjectType, old: &str, new: &str) -> Option<String> {
    if kind.name == "site" {
        return Some("The site cannot have another name.".to_owned());
    }
    if !object::exists(draft.model(), kind, old) {
        return Some(format!("The {old} is not a valid object."));
    }
    if object::exists(draft.model(), kind, new) {
        return Some(format!("Object {new} already exists."));
    }
    target::is_misnamed(draft.model(), kind, new).then(|| {
        format!(
            "The new object name '{new}' is not valid.Please refer to \"man xcatdb\" for the valid \"xCAT Object Name Format\" "
        )
    })
}

fn rename(draft: &mut Draft, kind: &'static ObjectType, old: &str, new: &str) {
    let members: Vec<String> = match kind.name {
        "group" => draft.model().members(old).into_iter().map(|node| node.to_string()).collect(),
        _ => Vec::new(),
    };
    for (table, key) in delete::rows_of(draft.model(), kind, old) {
        // A certificate and a token are bound to the name; the node joins again under the new one.
        if matches!(table, schema::MEMBER | schema::JOINTOKEN) {
            draft.remove_row(table, &key);
            continue;
        }
        let Some(row) = draft.model().tables().row(table, key.as_str()).cloned() else { continue };
        let named = kind.attributes.iter().filter(|attribute| attribute.table == table);
        let named =
            named.flat_map(|attribute| &attribute.row).find(|(_, selector)| *selector == Selector::Name);
        let first = table.table().key.first().copied();
        let Some(column) = named.map(|(column, _)| *column).or(first) else { continue };
        let row = row.with(column, new);
        draft.remove_row(table, &key);
        draft.put_row(table, &row.key(table), row);
    }
    for node in members {
        let groups = object::cell(draft.model(), schema::NODELIST, &node, "groups").unwrap_or_default();
        let groups: Vec<&str> =
            groups.split(',').map(|group| if group == old { new } else { group }).collect();
        let groups = groups.join(",");
        draft.set(schema::NODELIST, &RowKey::one(&node), "groups", &groups);
    }
}
