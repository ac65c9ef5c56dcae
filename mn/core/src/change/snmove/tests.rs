use crate::moves::{all_under_way, rests};
use common::slice::Role;

use super::*;
use crate::command::{Range, Snmove};
use crate::derive;
use crate::fixture::{self, CLUSTER};

fn to(nodes: &str, dest: &str) -> Snmove {
    Snmove { nodes: Some(Range::new(nodes)), dest: Some(dest.to_owned()), ..Snmove::default() }
}

fn named(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// Plans a move and carries it out to its end.
fn moved(model: &Model, arguments: &Snmove) -> Model {
    let mut model = model.clone();
    for plan in plan(&model.clone(), arguments).unwrap() {
        let (id, begun) = begin(&model, &plan, "root", "now");
        commit(&mut model, &begun);
        for step in [release, answer, finish] {
            let change = step(&model, id);
            commit(&mut model, &change);
        }
    }
    model
}

fn commit(model: &mut Model, change: &Change) {
    let revision = model.revision().next();
    model.apply(change.edits(), revision);
}

/// The six attributes of a node that a move may change.
fn attributes(model: &Model, node: &str) -> String {
    let cell = |table, column| model.cell(table, node, column).unwrap_or_default().into_owned();
    let columns = ["servicenode", "xcatmaster", "tftpserver", "nfsserver", "monserver"];
    let mut values: Vec<String> = columns.iter().map(|column| cell(table::NODERES, column)).collect();
    values.push(cell(table::NODEHM, "conserver"));
    values.join(" ")
}

/// What xCAT's `snmove` makes of each attribute, case by case.
#[test]
fn attributes_change_as_the_table_of_the_reference_says() {
    let cases = [
        // servicenode xcatmaster tftpserver nfsserver monserver conserver, then what they become
        ("T1", "sn1,sn2 sn1e sn1e sn1e sn1,sn1e sn1", "sn2,sn1 sn2e sn2e sn2e sn2,sn2e sn2"),
        ("T2", "sn1,sn2 sn1e sn1e nas sn1,sn1e sn1", "sn2,sn1 sn2e sn2e nas sn2,sn2e sn2"),
        ("T3", "sn1,sn2 sn1e 10.0.0.21 sn1e - -", "sn2,sn1 sn2e sn2e sn2e  "),
        ("T4", "sn1,sn3 sn1e - - - -", "sn2,sn1,sn3 sn2e    "),
        ("T9", "sn1,sn2 sn1e - - sn1 -", "sn2,sn1 sn2e   sn2 "),
        ("T10", "sn1,sn2 - sn1e - - -", "sn2,sn1 sn2e sn1e   "),
        ("other monserver", "sn1 sn1e - - mon,mone other", "sn2,sn1 sn2e   mon,mone other"),
        ("colon pair", "sn1 sn1e - - sn1:sn1e -", "sn2,sn1 sn2e   sn2:sn2e "),
    ];
    for (case, before, after) in cases {
        let v: Vec<&str> = before.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
        let rows = format!(
            "noderes n1 servicenode={} xcatmaster={} tftpserver={} nfsserver={} monserver={}\nnodehm n1 conserver={}",
            v[0], v[1], v[2], v[3], v[4], v[5]
        );
        let extra = "nodelist sn3 groups=service\nnodelist mon groups=x\nhosts sn3 ip=10.0.0.13";
        let model = fixture::model(&format!("{CLUSTER}\n{extra}\n{rows}"));
        let model = moved(&model, &Snmove { destn: Some("sn2e".to_owned()), ..to("n1", "sn2") });
        assert_eq!(attributes(&model, "n1"), after, "{case}");
    }
}

#[test]
fn blank_xcatmaster_counts_as_the_old_one_when_it_is_named() {
    let model = fixture::model(&format!("{CLUSTER}\nnoderes n1 tftpserver=sn1e"));
    let arguments =
        Snmove { sourcen: Some("sn1e".to_owned()), destn: Some("sn2e".to_owned()), ..to("n1", "sn2") };
    assert_eq!(attributes(&moved(&model, &arguments), "n1"), "sn2,sn1 sn2e sn2e   ");
}

#[test]
fn without_a_name_the_master_is_the_targets_address_on_the_nodes_network() {
    let model = moved(&fixture::model(CLUSTER), &to("n1", "sn2"));
    assert_eq!(attributes(&model, "n1"), "sn2,sn1 10.0.0.12    ");
}

#[test]
fn there_and_back_leaves_every_row_as_it_was() {
    let cases = [
        ("own rows", "noderes n1 xcatmaster=sn1e tftpserver=sn1e nfsserver=nas"),
        (
            "from a group",
            "nodelist n1 groups=one\nnoderes n1 servicenode=\nnoderes one servicenode=sn1,sn2 tftpserver=sn1e",
        ),
        ("blank master", ""),
        ("target not in the pool", "noderes n1 servicenode=sn1"),
    ];
    for (case, rows) in cases {
        let before = fixture::model(&format!("{CLUSTER}\n{rows}"));
        let there = moved(&before, &to("n1", "sn2"));
        assert_ne!(attributes(&there, "n1"), attributes(&before, "n1"), "{case}");
        let back = moved(&there, &to("n1", "sn1"));
        for table in [table::NODERES, table::NODEHM] {
            assert_eq!(back.tables().row(table, "n1"), before.tables().row(table, "n1"), "{case}");
        }
    }
}

#[test]
fn a_node_that_is_there_already_is_left_as_it_is_each_time() {
    for rows in ["", "noderes n1 xcatmaster=sn1e"] {
        let model = fixture::model(&format!("{CLUSTER}\n{rows}"));
        let plans = plan(&model, &to("n1", "sn1")).unwrap();
        assert_eq!((plans[0].nodes.len(), plans[0].settled.len()), (0, 1), "{rows}");
    }
    // What names another host is put right, once.
    let model = fixture::model(&format!("{CLUSTER}\nnoderes n1 xcatmaster=sn2e"));
    let model = moved(&model, &to("n1", "sn1"));
    assert_eq!(attributes(&model, "n1"), "sn1,sn2 10.0.0.11    ");
    assert!(plan(&model, &to("n1", "sn1")).unwrap()[0].nodes.is_empty());
}

#[test]
fn nodes_that_are_left_alone_rest_until_a_move_brings_them_along() {
    let model = fixture::model(CLUSTER);
    let alone = Snmove { ignore_nodes: true, ..to("n1", "sn2") };
    let there = moved(&model, &alone);
    assert!(rests(&there, &named("n1")) && !rests(&there, &named("n2")));
    assert!(plan(&there, &alone).unwrap()[0].nodes.is_empty(), "there is nothing left to do");
    let along = moved(&there, &to("n1", "sn2"));
    assert!(!rests(&along, &named("n1")));
    assert_eq!(attributes(&along, "n1"), attributes(&there, "n1"));
}

#[test]
fn a_new_name_for_the_same_owner_does_not_lose_the_way_back() {
    let before = fixture::model(CLUSTER);
    let there = moved(&before, &to("n1", "sn2"));
    let renamed = moved(&there, &Snmove { destn: Some("sn2e".to_owned()), ..to("n1", "sn2") });
    assert_eq!(attributes(&renamed, "n1"), "sn2,sn1 sn2e    ");
    let back = moved(&renamed, &to("n1", "sn1"));
    assert_eq!(back.tables().row(table::NODERES, "n1"), before.tables().row(table::NODERES, "n1"));
}

#[test]
fn what_an_operator_changed_in_between_is_not_put_back() {
    let there = moved(&fixture::model(CLUSTER), &to("n1", "sn2"));
    let mut draft = Draft::new(&there);
    draft.set(table::NODERES, &RowKey::one("n1"), "nfsserver", "nas");
    let mut there = there.clone();
    commit(&mut there, &draft.finish());
    let back = moved(&there, &to("n1", "sn1"));
    assert_eq!(attributes(&back, "n1"), "sn1,sn2 10.0.0.11  nas  ");
}

#[test]
fn a_source_selects_the_nodes_that_it_owns_and_no_others() {
    let arguments =
        Snmove { source: Some("sn1".to_owned()), dest: Some("sn2".to_owned()), ..Snmove::default() };
    let selected = |model: &Model, arguments: &Snmove| -> Vec<String> {
        let plans = plan(model, arguments).unwrap();
        plans.iter().flat_map(|plan| &plan.nodes).map(|moving| moving.node.to_string()).collect()
    };
    let model = fixture::model(CLUSTER);
    assert_eq!(selected(&model, &arguments), ["n1", "n2", "n3"]);
    // T8: a dot is a dot, and another spelling of the name means the same service node.
    let long = Snmove { source: Some("sn1.cluster.test".to_owned()), ..arguments.clone() };
    assert_eq!(selected(&model, &long), ["n1", "n2", "n3"]);
    let by_address = Snmove { source: Some("10.0.0.11".to_owned()), ..arguments };
    assert_eq!(selected(&model, &by_address), ["n1", "n2", "n3"]);
}

#[test]
fn service_nodes_are_never_moved_along() {
    let model = fixture::model(&format!("{CLUSTER}\nnoderes sn2 servicenode=sn1"));
    let arguments =
        Snmove { source: Some("sn1".to_owned()), dest: Some("sn2".to_owned()), ..Snmove::default() };
    let plans = plan(&model, &arguments).unwrap();
    assert_eq!(plans[0].nodes.len(), 3);
    let text = refusals(&model, &to("n1,sn2", "sn2"));
    insta::assert_snapshot!(text, @r"
    snmove: service nodes are not moved: sn2
      try      snmove 'n1,sn2,-sn2' …
    ");
}

fn refusals(model: &Model, arguments: &Snmove) -> String {
    let refusals = plan(model, arguments).unwrap_err();
    refusals.iter().map(|refusal| refusal.render("snmove")).collect::<Vec<_>>().join("\n")
}

#[test]
fn refusals_say_what_why_and_what_to_try() {
    let model = fixture::model(&format!(
        "{CLUSTER}
        noderes n3 servicenode=sn1
        networks 10.9.0.0/255.255.255.0 netname=far
        hosts n4 ip=10.9.0.4"
    ));
    insta::assert_snapshot!(refusals(&model, &to("n1", "sn9")), @r"
    snmove: sn9 is not a service node
      because  the service nodes are: sn1, sn2
      try      -d sn1
    ");
    // T5, T6: one node without a backup, and none moves.
    let without = Snmove { nodes: Some(Range::new("n1-n3")), ..Snmove::default() };
    insta::assert_snapshot!(refusals(&model, &without), @r"
    snmove: n3: has no backup service node to go to
      because  its servicenode has no second entry
      try      snmove n3 -d SN
    ");
    insta::assert_snapshot!(refusals(&model, &to("n4", "sn1")), @r"
    snmove: n4: stays on sn2: sn1 has no address on network far
      because  sn1's addresses are: 10.0.0.11
      try      another -d, or give sn1 an address on far
    ");
    let named = Snmove { destn: Some("sn1e".to_owned()), ..to("n4", "sn1") };
    insta::assert_snapshot!(refusals(&model, &named), @r"
    snmove: n4: stays where it is: sn1e is not on network far
      because  sn1e is 10.0.0.21
      try      another -D, or none
    ");
    let others = Snmove { destn: Some("10.0.0.1".to_owned()), ..to("n1", "sn2") };
    insta::assert_snapshot!(refusals(&model, &others), @r"
    snmove: n1: stays where it is: 10.0.0.1 is the management node, not sn2
      try      another -D, or none
    ");
    let script = Snmove { postscripts: Some("syslog,nosuch arg,all".to_owned()), ..to("n1", "sn2") };
    insta::assert_snapshot!(refusals(&model, &script), @r"
    snmove: The postscript /install/postscripts/nosuch does not exist.
      try      put it into the management node's folder as tree/install/postscripts/nosuch
    ");
    insta::assert_snapshot!(refusals(&model, &Snmove::default()), @r"
    snmove: nothing says which nodes are to move
      try      snmove NODERANGE -d SN, or snmove -s SN1 -d SN2
    ");
}

#[test]
fn a_move_hands_over_in_epochs_and_is_never_answered_by_two() {
    let mut model = fixture::model(CLUSTER);
    let [sn1, sn2] = ["sn1", "sn2"].map(|name| name.parse::<SnName>().unwrap());
    let roles = |model: &Model| [&sn1, &sn2].map(|sn| derive::role_of(model, sn, &named("n1")).unwrap());
    assert_eq!(roles(&model), [Role::Owner, Role::Backup]);
    let plans = plan(&model, &to("n1", "sn2")).unwrap();
    let (id, begun) = begin(&model, &plans[0], "root", "now");
    commit(&mut model, &begun);
    assert_eq!(roles(&model), [Role::Owner, Role::Held]);
    let change = release(&model, id);
    commit(&mut model, &change);
    assert_eq!(roles(&model), [Role::Backup, Role::Held]);
    let mut aborted = model.clone();
    let change = abort(&model, id);
    commit(&mut aborted, &change);
    assert_eq!(roles(&aborted), [Role::Owner, Role::Backup], "the old owner answers again");
    let change = answer(&model, id);
    commit(&mut model, &change);
    assert_eq!(roles(&model), [Role::Backup, Role::Owner]);
    let change = finish(&model, id);
    commit(&mut model, &change);
    assert_eq!(roles(&model), [Role::Backup, Role::Owner]);
    assert!(all_under_way(&model).is_empty());
}

#[test]
fn a_name_that_nothing_defines_is_used_with_a_warning() {
    let model = fixture::model(CLUSTER);
    let plans = plan(&model, &Snmove { destn: Some("sn2x".to_owned()), ..to("n1", "sn2") }).unwrap();
    insta::assert_snapshot!(plans[0].warnings.join("\n"), @"no definition says which address sn2x is; the nodes are told 10.0.0.12. To define it: chdef sn2 -p otherinterfaces=sn2x:ADDRESS");
    let odd = plan(&model, &to("n1,n9-n4", "sn2")).unwrap();
    insta::assert_snapshot!(odd[0].warnings.join("\n"), @"n9-n4 counts down or has too many zeros, and means no node");
}
