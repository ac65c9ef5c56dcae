use std::collections::BTreeMap;

use common::id::Revision;
use proptest::prelude::*;

use super::verdict::Verdict;
use super::{apply, export};
use crate::change::Outcome;
use crate::command::{Apply, Export, Mode, Range};
use crate::fixture;
use crate::model::Model;
use crate::table::{Row, RowKey, TableId, Tables};
use crate::talk::{Context, Line};

fn exported(model: &Model, secrets: bool) -> String {
    let mut text = String::new();
    let args = Export { secrets, ..Export::default() };
    let status = export::answer(model, &args, &Context::default(), &mut |line| match line {
        Line::Out(line) => text.push_str(&format!("{line}\n")),
        other => panic!("{other:?}"),
    });
    assert_eq!(status, 0);
    text
}

fn args(text: &str) -> Apply {
    Apply { file: "f".into(), text: text.into(), ..Apply::default() }
}

fn planned(model: &Model, args: &Apply) -> Outcome {
    apply::plan(model, args, &apply::read(args), &Context::default())
}

pub(super) fn said(outcome: &Outcome) -> String {
    let lines = outcome.lines.iter().map(|line| match line {
        Line::Out(text) => text.clone(),
        Line::Err(text) => format!("2> {text}"),
        Line::Record(value) => value.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The model after a command that must not be refused.
fn applied(model: &Model, args: &Apply) -> Model {
    let outcome = planned(model, args);
    assert_eq!(outcome.status, 0, "{}", said(&outcome));
    let mut after = model.clone();
    if let Some(change) = outcome.change {
        after.apply(change.edits(), Revision::new(2));
    }
    after
}

fn empty() -> Model {
    Model::new(Tables::new(), Revision::new(1))
}

#[test]
fn a_cluster_is_exported_as_text_and_made_again_of_it() {
    let text = exported(&fixture::model(fixture::CLUSTER), false);
    insta::assert_snapshot!(text.lines().take(22).collect::<Vec<_>>().join("\n"), @r"
    # drover definitions 1

    service:
        objtype=group
        setupdhcp=1
        setupnameserver=1
        setupnfs=1
        setupntp=1
        setuptftp=1

    rack:
        objtype=network
        gateway=<xcatmaster>
        mask=255.255.255.0
        net=10.0.0.0

    n1:
        objtype=node
        groups=compute
        ip=10.0.0.101
        mac=52:54:00:00:00:01
        servicenode=sn1,sn2
    ");
    let again = applied(&empty(), &args(&text));
    assert_eq!(exported(&again, false), text);
    assert_eq!(said(&planned(&again, &args(&text))), "0 created, 0 changed, 9 unchanged, 0 removed.");
}

#[test]
fn what_the_file_does_not_say_of_an_object_goes_and_its_state_stays() {
    let model = fixture::model(
        "nodelist n1 groups=all,old status=booted\nnoderes n1 netboot=xnba\nchain n1 currstate=boot\nnodelist n2 groups=all\nmac n2 mac=52:54:00:00:00:02",
    );
    let text = "n1:\n  objtype=node\n  groups=all\n  arch=x86_64\n  status=off\n";
    let outcome = planned(&model, &Apply { mode: Mode { dry_run: true, ..Mode::default() }, ..args(text) });
    insta::assert_snapshot!(said(&outcome), @r"
    2> apply: warning: status is state and is left as it is (1 times in the file)
    n1: groups: all,old -> all
    n1: netboot: xnba -> (unset)
    n1: arch: (unset) -> x86_64
    Dry run: 0 created, 1 changed, 0 unchanged, 0 removed; nothing is changed.
    ");
    let after = applied(&model, &args(text));
    let cell = |table, column| {
        after.tables().row(TableId::named(table).unwrap(), "n1").and_then(|row| row.cell(column))
    };
    assert_eq!((cell("nodelist", "status"), cell("chain", "currstate")), (Some("booted"), Some("boot")));
    assert_eq!((cell("noderes", "netboot"), cell("nodetype", "arch")), (None, Some("x86_64")));
    assert!(after.has_node("n2"), "what is not named stays");
}

#[test]
fn a_secret_that_is_not_told_is_kept_and_one_that_is_missing_is_said() {
    let model = fixture::model(
        "nodelist n1 groups=all\nnodehm n1 mgt=ipmi\nipmi n1 bmc=10.1.1.1 password=PASSW0RD\npasswd system/root password=cluster",
    );
    let text = exported(&model, false);
    assert!(!text.contains("PASSW0RD") && !text.contains("=cluster"), "{text}");
    assert!(exported(&model, true).contains("bmcpassword=PASSW0RD"));
    assert_eq!(exported(&applied(&model, &args(&text)), true), exported(&model, true));
    insta::assert_snapshot!(said(&planned(&empty(), &args(&text))), @r"
    2> apply: warning: n1: bmcpassword is a secret that the file does not tell, and it is not set here
      try      set it: bmcpassword=…
    2> apply: warning: passwd system,root: password is a secret that the file does not tell, and it is not set here
      try      set it: password=…
    node n1: created
    table.passwd system,root: created
    2 created, 0 changed, 0 unchanged, 0 removed.
    ");
    let new = text.replace("bmcpassword=<secret>", "bmcpassword=other");
    let outcome = planned(&model, &Apply { mode: Mode { dry_run: true, ..Mode::default() }, ..args(&new) });
    assert!(said(&outcome).contains("n1: bmcpassword: <secret> -> <secret>"), "{}", said(&outcome));
}

#[test]
fn a_condition_of_a_group_tells_which_column_an_attribute_is() {
    let text = "g1:\n  objtype=group\n  mgt=openbmc\nn1:\n  objtype=node\n  groups=g1\n  bmc=10.1.1.1\n  nicips.eth0=10.0.0.1\n  nicips.eth1=10.0.0.2\n";
    let after = applied(&empty(), &args(text));
    let row = |table, key| after.tables().row(TableId::named(table).unwrap(), key).cloned();
    assert_eq!(row("openbmc", "n1").unwrap().cell("bmc"), Some("10.1.1.1"));
    assert_eq!(row("nics", "n1").unwrap().cell("nicips"), Some("eth0!10.0.0.1,eth1!10.0.0.2"));
    let outcome =
        planned(&after, &args("n1:\n  objtype=node\n  groups=all\n  bmc=10.1.1.1\n  frobnicate=1\n"));
    insta::assert_snapshot!(said(&outcome), @r"
    2> apply: f:5: 'frobnicate' is not a valid attribute name for an object type of 'node'
    2> apply: nothing is changed
    ");
    let outcome = planned(&after, &args("n1:\n  objtype=node\n  groups=all\n  bmc=10.1.1.1\n"));
    insta::assert_snapshot!(said(&outcome), @r"
    2> apply: f:1: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    2> apply: nothing is changed
    ");
}

#[test]
fn pruning_takes_what_is_not_named_and_asks_before_it_takes_much() {
    let rows: String = (1..=20).map(|n| format!("nodelist n{n} groups=all\n")).collect();
    let model = fixture::model(&rows);
    let text = "n1:\n  objtype=node\n  groups=all\n";
    let prune =
        |text: &str, prune: &str, force| Apply { prune: vec![Range::new(prune)], force, ..args(text) };
    insta::assert_snapshot!(said(&planned(&model, &prune(text, "node", false))), @r"
    2> apply: --prune node would remove 19 of 20
      try      look at them with --dry-run --force, and say --force if it is meant
    2> apply: nothing is changed
    ");
    assert_eq!(applied(&model, &prune(text, "node", true)).node_count(), 1);
    assert_eq!(applied(&model, &prune(text, "n2-n4", false)).node_count(), 17);
    assert_eq!(applied(&model, &args(&format!("%prune n5\n{text}"))).node_count(), 19);
}

#[test]
fn a_list_of_perceus_says_four_attributes_and_leaves_the_others() {
    let model = fixture::model("nodelist n1 groups=old\nnoderes n1 netboot=pxe");
    let text =
        "# nodes\nn1 52:54:00:aa:00:01 compute centos 10.0.0.1 old words\nn2 52:54:00:AA:00:02 compute\n";
    let after = applied(&model, &args(text));
    insta::assert_snapshot!(exported(&after, false), @r"
    # drover definitions 1

    n1:
        objtype=node
        groups=compute
        ip=10.0.0.1
        mac=52:54:00:AA:00:01
        netboot=pxe
        provmethod=centos

    n2:
        objtype=node
        groups=compute
        mac=52:54:00:AA:00:02
    ");
    insta::assert_snapshot!(said(&planned(&model, &args("n1 52:54:00:aa:00:01 c\nn2 junk c\nn3\n"))), @r"
    2> apply: f:2: junk is not a hardware address
    2> apply: f:3: a node is `name MAC group vnfs ip`, not n3
    2> apply: nothing is changed
    ");
}

#[test]
fn members_of_a_group_and_groups_of_nodes_must_agree() {
    let text = "g1:\n  objtype=group\n  members=n1,n2\nn1:\n  objtype=node\n  groups=all,g1\nn2:\n  objtype=node\n  groups=all\n";
    insta::assert_snapshot!(said(&planned(&empty(), &args(text))), @r"
    2> apply: f:7: n2 cannot be what the file says
      because  its groups say one thing, and the members of a group another
    2> apply: nothing is changed
    ");
    let after = applied(&empty(), &args(&text.replace("members=n1,n2", "members=n1")));
    assert!(after.is_member("n1", "g1") && !after.is_member("n2", "g1"));
}

#[test]
fn a_stanza_file_of_xcat_may_say_the_port_of_a_switch() {
    let text = "n1:\n  objtype=node\n  groups=all\n  switch=sw1\n  switchport=3\n";
    let after = applied(&empty(), &args(text));
    assert!(
        exported(&after, false).ends_with("    node=n1\n    port=3\n    switch=sw1\n"),
        "{}",
        exported(&after, false)
    );
    assert_eq!(said(&planned(&after, &args(text))), "0 created, 0 changed, 1 unchanged, 0 removed.");
}

/// Rows of all kinds, those that no command would make among them.
fn models() -> impl Strategy<Value = Model> {
    let value = prop_oneof![
        prop::sample::select(vec![
            "ipmi", "openbmc", "linux", "static", "dynamic", "1", "yes", "g1,g2", "all", "<secret>", "\"", ""
        ])
        .prop_map(str::to_owned),
        "(\\PC|[\n\r\t|=!\"'\\\\ ]){1,12}",
    ];
    let tables: Vec<TableId> = crate::table::schema::TABLES.iter().map(|table| table.id()).collect();
    let likely: Vec<TableId> = [
        "nodelist",
        "nodehm",
        "ipmi",
        "openbmc",
        "nodegroup",
        "noderes",
        "switch",
        "networks",
        "osimage",
        "linuximage",
        "site",
        "policy",
        "postscripts",
    ]
    .iter()
    .map(|name| TableId::named(name).unwrap())
    .collect();
    let table = prop_oneof![2 => prop::sample::select(likely), 1 => prop::sample::select(tables)];
    let key =
        prop::sample::select(vec!["n1", "n2", "g1", "g2", "x", "img", "4.5", "a b", "master", "-x", "n1-n3"]);
    let row = (
        table,
        prop::collection::vec(key, 3),
        prop::collection::vec((any::<prop::sample::Index>(), value), 0..5),
    );
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let mut all: BTreeMap<(TableId, RowKey), Row> = BTreeMap::new();
        for (table, keys, cells) in rows {
            let schema = table.table();
            let key = RowKey::of(schema.key.iter().zip(&keys).map(|(_, part)| *part));
            let row = all.entry((table, key.clone())).or_default();
            for (column, part) in schema.key.iter().zip(key.parts()) {
                row.put(column, part);
            }
            for (column, value) in cells {
                let column = column.get(&schema.columns).name;
                if !schema.key.contains(&column) {
                    row.put(column, &value);
                }
            }
        }
        let mut tables = Tables::new();
        all.into_iter().for_each(|((table, key), row)| tables.load(table, key, row));
        Model::new(tables, Revision::new(1))
    })
}

/// What a file makes of a model, the model's rules aside.
fn written(model: &Model, text: &str) -> Result<Model, String> {
    let context = Context::default();
    let mut verdict = Verdict::new("apply", &context);
    let args = args(text);
    match apply::draft(model, &args, &apply::read(&args), &mut verdict) {
        Some(draft) => Ok(draft.model().clone()),
        None => Err(said(&verdict.refused())),
    }
}

/// The rows of definitions, state taken out.
fn definitions(model: &Model) -> BTreeMap<(TableId, RowKey), Row> {
    let mut found = BTreeMap::new();
    for table in model.tables().ids().filter(|table| crate::table::scope::is_definition(*table)) {
        for (key, row) in model.tables().rows(table) {
            let kept: Row =
                row.cells().filter(|(column, _)| !crate::table::scope::is_state(table, column)).collect();
            let is_state_alone =
                kept != *row && kept.cells().all(|(column, _)| table.table().key.contains(&column));
            if !is_state_alone || model.has_node(key.as_str()) && table.name() == "nodelist" {
                found.insert((table, key.clone()), kept);
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_exported_is_made_again_to_the_last_cell(model in models()) {
        let text = exported(&model, true);
        if text.lines().count() > 1 {
            let again = written(&empty(), &text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(definitions(&again), definitions(&model), "{}", text);
            prop_assert_eq!(exported(&again, true), text);
        }
    }

    #[test]
    fn applying_what_is_there_changes_nothing(model in models(), secrets in any::<bool>()) {
        let text = exported(&model, secrets);
        if text.lines().count() > 1 {
            let again = written(&model, &text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(definitions(&again), definitions(&model), "{}", text);
        }
    }

    #[test]
    fn one_model_becomes_another_by_its_text(before in models(), after in models()) {
        let text = exported(&after, true);
        if text.lines().count() > 1 {
            // A file that names what another object is in the way of is refused, never half done.
            if let Ok(made) = written(&before, &text) {
                prop_assert_eq!(exported(&written(&made, &text).map_err(TestCaseError::fail)?, true), exported(&made, true));
            }
        }
    }
}
