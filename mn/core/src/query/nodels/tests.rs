use super::*;
use crate::command::Range;
use crate::fixture::model;
use common::wire::operator::View;

const MODEL: &str = "
    nodelist n1 groups=rack1,all
    nodelist n2 groups=all
    nodelist n3 groups=all hidden=1
    nodehm n1 power=ipmi
    nodehm rack1 mgt=ipmi cons=ipmi
    nodehm n2 mgt=openbmc
    switch n2/s1/1 vlan=7
    switch n2/s2/2 vlan=8
    switches n2 snmpversion=3
";

/// What `nodels` prints, `!` before what goes to standard error, and its status where not 0.
fn run(line: &str, json: bool) -> String {
    let (flags, mut words): (Vec<&str>, Vec<&str>) =
        line.split_whitespace().partition(|w| w.starts_with('-'));
    let nodes = (!words.is_empty()).then(|| Range::new(words.remove(0)));
    let args = Nodels {
        nodes,
        words: words.into_iter().map(str::to_owned).collect(),
        blame: flags.contains(&"-b"),
        header: flags.contains(&"-H"),
        hidden: flags.contains(&"-S"),
    };
    let context = Context { server: "mn".to_owned(), view: View { json, ..View::default() } };
    let mut said = Vec::new();
    let status = answer(&model(MODEL), &args, &context, &mut |line| {
        said.push(match line {
            Line::Out(text) => text,
            Line::Err(text) => format!("!{text}"),
            Line::Record(value) => value.to_string(),
        });
    });
    if status != 0 {
        said.push(format!("= {status}"));
    }
    said.join("\n")
}

#[test]
fn names_alone_are_sorted_and_hidden_ones_left_out() {
    assert_eq!(run("", false), "n1\nn2");
    assert_eq!(run("-S", false), "n1\nn2\nn3");
    assert_eq!(run("n3", false), "");
    assert_eq!(run("all -S", true), "{\"node\":\"n1\"}\n{\"node\":\"n2\"}\n{\"node\":\"n3\"}");
}

#[test]
fn one_column_has_no_label_and_two_words_have() {
    assert_eq!(run("n1,n2 mgt", false), "n1: ipmi\nn2: openbmc");
    assert_eq!(run("n2 nodehm.power", false), "n2: ");
    assert_eq!(run("n1 mgt -H", false), "n1: mgt: ipmi");
    assert_eq!(run("n1 mgt groups", false), "n1: mgt: ipmi\nn1: groups: rack1,all");
    assert_eq!(
        run("n1 nodehm.power nodehm.termport nodehm.cons", false),
        "n1: nodehm.power: ipmi\nn1: nodehm.termport: \nn1: nodehm.cons: ipmi"
    );
    assert_eq!(run("n1 mgt mgt", false), "n1: mgt: ipmi", "each word counts");
    assert_eq!(run("n1 groups nodelist.groups", false), "n1: nodelist.groups: rack1,all");
}

#[test]
fn criteria_are_asked_columns_that_are_not_shown() {
    assert_eq!(run("all mgt==ipmi", false), "n1");
    assert_eq!(run("all mgt!=ipmi nodehm.power", false), "n2: nodehm.power: ");
    assert_eq!(run("all mgt=~/^ip/ mgt", false), "n1: mgt: ipmi");
    assert_eq!(run("all mgt mgt=~^ip", false), "n1: mgt: ipmi");
    assert_eq!(run("all nodehm.power!~ipmi", false), "n2");
    assert_eq!(run("all nodehm.power==", false), "n2");
    assert_eq!(
        run("all mgt==ipmi nodehm.mgt!=x", false),
        "!Error: [mn]: Multiple selection critera for nodehm.mgt\n= 1"
    );
}

#[test]
fn every_row_of_a_node_is_a_line_and_must_fulfil_the_criteria() {
    assert_eq!(run("n2 switch.switch", false), "n2: s1\nn2: s2");
    assert_eq!(run("n2 switch.switch==s1", false), "");
    assert_eq!(run("n2 switch.switch=~^s", false), "n2");
    assert_eq!(
        run("n2 switch.port switch.vlan", false),
        "n2: switch.port: 1\nn2: switch.vlan: 7\nn2: switch.port: 2\nn2: switch.vlan: 8"
    );
    assert_eq!(run("n2 switch.port", true), r#"{"node":"n2","values":{"switch.port":["1","2"]}}"#);
}

#[test]
fn a_table_shows_every_column_with_its_name() {
    let said = run("n1 nodehm", false);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), schema::NODEHM.table().columns.len());
    for line in ["n1: nodehm.node: n1", "n1: nodehm.mgt: ipmi", "n1: nodehm.termport: "] {
        assert!(lines.contains(&line), "{said}");
    }
    assert!(run("n2 switches", false).contains("n2: switches.snmpversion: 3\n"));
}

#[test]
fn what_is_inherited_says_so() {
    assert_eq!(
        run("n1 nodehm.cons nodehm.power -b", false),
        "n1: nodehm.cons: ipmi (inherited from group rack1)\nn1: nodehm.power: ipmi"
    );
}

#[test]
fn a_word_that_is_no_column_is_said_and_the_others_are_shown() {
    assert_eq!(
        run("n1 nosuch mgt", false),
        "!Error: [mn]: nosuch not a valid table.column description\nn1: ipmi\n= 1"
    );
    assert_eq!(
        run("n1 mgt=ipmi", false),
        "!Error: [mn]: mgt=ipmi not a valid table.column description\n  try      mgt==ipmi\n= 1"
    );
    assert!(run("nosuch", false).starts_with("!Error: Invalid nodes and/or groups in noderange: nosuch"));
}
