use common::id::Revision;

use super::*;
use crate::fixture::{self, CLUSTER};
use crate::table::schema::{HOSTS, NODERES};

/// What each of some revisions sets: table, key, column, value; a row goes where the column is empty.
type Step<'a> = (TableId, &'a str, &'a str, &'a str);

/// Carries out the steps, one revision each from 2 on, then takes some back; gives the lines and
/// what differs from the beginning.
fn undone(steps: &[Step<'_>], which: std::ops::RangeInclusive<u64>) -> (String, String) {
    let first = fixture::model(CLUSTER);
    let mut model = first.clone();
    let mut deeds = Vec::new();
    for (revision, (table, key, column, value)) in (2..).zip(steps) {
        let mut draft = Draft::new(&model);
        match *column {
            "" => draft.remove_row(*table, &RowKey::one(key)),
            column => draft.set(*table, &RowKey::one(key), column, value),
        }
        let edits = draft.finish().edits().to_vec();
        model.apply(&edits, Revision::new(revision));
        let words = vec!["chdef".to_owned(), (*key).to_owned()];
        deeds.push(Deed {
            revision: Revision::new(revision),
            author: "root".to_owned(),
            words,
            edits,
            ..Deed::default()
        });
    }
    let mut later = |table: TableId, key: &RowKey, column: &str| {
        let cell = |row: &Option<Row>| row.as_ref().and_then(|row| row.cell(column).map(str::to_owned));
        let is_it =
            |edit: &Edit| edit.table == table && edit.key == *key && cell(&edit.before) != cell(&edit.after);
        let deed = deeds.iter().rev().find(|deed| deed.edits.iter().any(is_it))?;
        Some(Setter {
            revision: deed.revision.value(),
            author: deed.author.clone(),
            command: deed.command(),
            at: 0,
        })
    };
    let chosen: Vec<Deed> =
        deeds.iter().filter(|deed| which.contains(&deed.revision.value())).cloned().collect();
    let outcome = plan(&model, &Undo::default(), &chosen, &Context::default(), &mut later);
    let lines = outcome.lines.iter().map(|line| match line {
        Line::Out(text) | Line::Err(text) => text.clone(),
        Line::Record(_) => String::new(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if let Some(change) = &outcome.change {
        model.apply(change.edits(), Revision::new(99));
    }
    let mut left = String::new();
    for table in crate::table::schema::TABLES.iter().map(|table| table.id()) {
        let keys = first.tables().rows(table).chain(model.tables().rows(table)).map(|(key, _)| key.as_str());
        let keys: BTreeSet<&str> = keys.collect();
        for key in keys {
            let [was, is] = [&first, &model].map(|model| model.tables().row(table, key));
            if was != is {
                left.push_str(&format!("{table} {key}: {is:?}\n"));
            }
        }
    }
    (text, left)
}

#[test]
fn a_change_a_new_row_and_a_removed_row_are_taken_back() {
    for step in
        [(HOSTS, "n1", "ip", "10.0.0.9"), (NODERES, "compute", "netboot", "pxe"), (HOSTS, "n1", "", "")]
    {
        let (text, left) = undone(&[step], 2..=2);
        assert!(text.starts_with("Revision 2 is taken back by revision 3: "), "{text}");
        assert_eq!(left, "", "{step:?}");
    }
}

#[test]
fn a_later_change_of_the_same_cell_is_named() {
    let steps = [(HOSTS, "n1", "ip", "10.0.0.9"), (HOSTS, "n1", "ip", "10.0.0.8")];
    let (text, left) = undone(&steps, 2..=2);
    insta::assert_snapshot!(text, @r#"
    undo: n1: ip was changed since: it is "10.0.0.8" now
      because  revision 3 did it (root: chdef n1)
      try      undo 3 first; undo 3 --dry-run shows what that takes back
    "#);
    assert!(left.contains("10.0.0.8"), "{left}");
    assert_eq!(undone(&steps, 2..=3).1, "", "both together can be taken back");
}

#[test]
fn a_secret_that_was_changed_since_is_not_said() {
    let passwd = TableId::named("ipmi").unwrap();
    let steps = [(passwd, "n1", "password", "geheim"), (passwd, "n1", "password", "geheimer")];
    let (text, _) = undone(&steps, 2..=2);
    assert!(text.contains("was changed since: it is another") && !text.contains("geheim"), "{text}");
}

#[test]
fn of_many_conflicts_some_are_said_and_all_the_revisions() {
    let names: Vec<String> = (100..200).map(|number| format!("n{number}")).collect();
    let set = |value: &'static str| names.iter().map(move |name| (HOSTS, name.as_str(), "comments", value));
    let steps: Vec<Step<'_>> = set("a").chain(set("b")).collect();
    let (text, _) = undone(&steps, 2..=101);
    assert_eq!(text.lines().filter(|line| line.starts_with("undo: n1")).count(), SAID, "{text}");
    assert!(text.contains("undo: and 80 more like these"), "{text}");
    assert!(text.contains("nothing is taken back: 100 values were changed since"), "{text}");
    assert!(text.contains("  try      undo 201 && undo 200 && "), "{text}");
}

#[test]
fn later_changes_of_other_cells_stay() {
    let steps = [
        (HOSTS, "n1", "ip", "10.0.0.9"),
        (HOSTS, "n1", "comments", "x"),
        (NODELIST, "n1", "status", "booted"),
    ];
    let (_, left) = undone(&steps, 2..=2);
    assert_eq!(
        left,
        "hosts n1: Some({\"comments\": \"x\", \"ip\": \"10.0.0.101\", \"node\": \"n1\"})\n\
         nodelist n1: Some({\"groups\": \"compute\", \"node\": \"n1\", \"status\": \"booted\"})\n"
    );
}

#[test]
fn a_row_that_was_made_and_has_more_since_is_not_removed() {
    let made = (NODERES, "compute", "netboot", "pxe");
    let (text, _) = undone(&[made, (NODERES, "compute", "tftpdir", "/x")], 2..=2);
    assert!(text.contains("tftpdir was changed since") && text.contains("revision 3"), "{text}");
    // What a node has reported since does not hold up taking back its definition.
    let (text, left) =
        undone(&[(NODELIST, "n9", "groups", "x"), (NODELIST, "n9", "status", "booted")], 2..=2);
    assert_eq!(left, "", "{text}");
    // Gone, and made again by someone.
    let (text, _) = undone(&[(HOSTS, "n1", "", ""), (HOSTS, "n1", "ip", "10.0.0.7")], 2..=2);
    assert!(text.contains("it is \"10.0.0.7\" now") && text.contains("revision 3"), "{text}");
}

#[test]
fn what_the_rules_forbid_now_is_refused_with_their_reason() {
    let steps = [(HOSTS, "n1", "ip", "10.0.0.9"), (HOSTS, "n2", "ip", "10.0.0.101")];
    let (text, _) = undone(&steps, 2..=2);
    assert!(text.contains("10.0.0.101 is an address of n2 already"), "{text}");
}

#[test]
fn nothing_is_not_taken_back_twice() {
    let steps = [(HOSTS, "n1", "ip", "10.0.0.9"), (HOSTS, "n1", "ip", "10.0.0.101")];
    let (text, _) = undone(&steps, 2..=2);
    assert!(text.contains("everything is as it was before already"), "{text}");
    let (text, _) = undone(&[(TableId::named("ownership").unwrap(), "n1", "epoch", "9")], 2..=2);
    assert!(text.contains("keeps for itself"), "{text}");
}

#[test]
fn a_move_is_moved_back() {
    let (text, _) = undone(&[(MOVE, "9", "state", "prepared")], 2..=2);
    assert!(text.contains("is a step of a move") && text.contains("snmove"), "{text}");
}
