//! The case table of the reference, row by row, and what is decided otherwise here.

use super::*;
use crate::command::{Command, Define, Lsdef, Lsmn, Nodels, Query, Range, Rmdef, Tabch, Tabdump};
use crate::fixture;

const NODES: &str = "
    nodelist n1 groups=all,rack1
    nodelist n2 groups=all,rack1
    nodelist n3 groups=all,rack2
    nodelist n4 groups=all,rack2
    policy 1 name=root rule=allow
    policy 2.3 commands=lsxcatd rule=allow
";

/// A caller and the rows before him.
struct Table {
    model: Model,
    caller: Caller,
}

impl Table {
    fn bob(rows: &str) -> Self {
        let caller =
            Caller { name: Some("bob".to_owned()), hosts: vec!["localhost".to_owned()], trusted: false };
        Self { model: fixture::model(&format!("{NODES}\n{rows}")), caller }
    }

    fn root(rows: &str) -> Self {
        let caller = Caller { name: Some("root".to_owned()), trusted: true, ..Caller::default() };
        Self { caller, ..Self::bob(rows) }
    }

    fn nobody(rows: &str) -> Self {
        Self { caller: Caller::default(), ..Self::bob(rows) }
    }

    fn judge(&self, asked: &Asked, words: Option<&str>) -> Result<Option<String>, Denial> {
        judge(&self.model, &self.caller, asked, &mut || words.map(str::to_owned))
    }

    fn may(&self, line: &str) -> bool {
        self.judge(&asked(line), Some(arguments(line))).is_ok()
    }

    fn each(&self, lines: &[(&str, bool)]) {
        for (line, want) in lines {
            assert_eq!(self.may(line), *want, "{line}");
        }
    }
}

/// What stands behind the noderange.
fn arguments(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or_default()
}

fn asked(line: &str) -> Asked {
    let mut words = line.split(' ');
    let name = words.next().unwrap();
    let (kind, mut words) = match line.split_once(" -t ") {
        Some((_, rest)) => {
            let mut rest = rest.split(' ');
            (vec![rest.next().unwrap().to_owned()], rest.collect::<Vec<_>>())
        }
        None => (Vec::new(), words.collect()),
    };
    let nodes = (!words.is_empty()).then(|| Range::new(words.remove(0)));
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    let define = || Define {
        types: kind.clone(),
        objects: nodes.clone(),
        attributes: pairs.clone().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Define::default()
    };
    match name {
        "nodels" => Asked::Query(Query::Nodels(Nodels { nodes, ..Nodels::default() })),
        "lsdef" => Asked::Query(Query::Lsdef(Lsdef { types: kind, objects: nodes, ..Lsdef::default() })),
        "tabdump" => Asked::Query(Query::Tabdump(Tabdump::default())),
        "chdef" => Asked::Change(Command::Chdef(define())),
        "mkdef" => Asked::Change(Command::Mkdef(define())),
        "rmdef" => {
            let all = nodes.is_none();
            Asked::Change(Command::Rmdef(Rmdef { types: kind, objects: nodes, all, ..Rmdef::default() }))
        }
        _ => panic!("{name}"),
    }
}

#[test]
fn without_a_row_nothing_is_allowed() {
    Table::bob("").each(&[("nodels n1", false), ("tabdump", false)]);
}

#[test]
fn a_row_allows_the_commands_that_it_names() {
    let table = Table::bob("policy 6.1 name=bob commands=nodels,lsdef rule=allow");
    table.each(&[("nodels n1", true), ("lsdef n1", true), ("chdef n1 groups=x", false)]);
}

#[test]
fn a_row_with_a_noderange_allows_its_nodes_alone() {
    let table = Table::bob("policy 6.1 name=bob commands=nodels,lsdef noderange=n1-n2 rule=allow");
    table.each(&[
        ("nodels n1", true),
        ("nodels n1-n2", true),
        ("nodels n1-n3", false),
        ("nodels n3", false),
        ("nodels", false),
        // A name that is unknown is the command's to complain about.
        ("nodels n1,nosuch", true),
        ("nodels nosuch", false),
        ("nodels n1,(", false),
    ]);
}

#[test]
fn rows_that_allow_parts_add_up() {
    let table = Table::bob(
        "policy 6.1 name=bob commands=nodels noderange=n1-n2 rule=allow
         policy 6.2 name=bob commands=nodels noderange=n3 rule=allow",
    );
    table.each(&[("nodels n1-n3", true), ("nodels n1-n4", false)]);
}

#[test]
fn a_row_that_denies_a_part_denies_the_whole() {
    let table = Table::bob(
        "policy 6.1 name=bob commands=nodels noderange=n1-n2 rule=allow
         policy 6.2 name=bob commands=nodels noderange=n3 rule=allow
         policy 6.05 name=bob commands=nodels noderange=n2 rule=deny",
    );
    table.each(&[("nodels n1", true), ("nodels n1-n3", false)]);
}

#[test]
fn parameters_are_a_regular_expression_over_the_arguments() {
    let table = Table::bob("policy 6.1 name=bob commands=nodels parameters=^groups$ rule=allow");
    table.each(&[("nodels n1 groups", true), ("nodels n1 nodehm.mgt", false)]);
}

#[test]
fn a_row_for_another_host_says_nothing() {
    assert!(!Table::bob("policy 6.1 name=bob host=otherhost commands=nodels rule=allow").may("nodels n1"));
    assert!(Table::bob("policy 6.1 name=bob host=localhost commands=nodels rule=allow").may("nodels n1"));
}

#[test]
fn a_rule_that_does_not_allow_denies_and_a_disabled_row_says_nothing() {
    for row in ["rule=deny", "rule=foo", "comments=empty", "rule=allow disable=1"] {
        let table = Table::bob(&format!("policy 6.1 name=bob commands=nodels {row}"));
        assert!(!table.may("nodels n1"), "{row}");
    }
}

#[test]
fn a_star_is_everybody_who_has_a_name() {
    let row = "policy 7 name=* commands=nodels rule=allow";
    assert!(Table::bob(row).may("nodels n1") && !Table::nobody(row).may("nodels n1"));
}

/// xCAT allows this one; see the module.
#[test]
fn a_row_without_a_name_is_for_nobody_without_a_name() {
    let row = "policy 7 commands=nodels rule=allow";
    assert!(Table::bob(row).may("nodels n1") && !Table::nobody(row).may("nodels n1"));
}

#[test]
fn root_is_denied_by_name_alone_and_never_kept_from_the_table() {
    let by_name = Table::root("policy 0.5 name=root commands=nodels rule=deny");
    by_name.each(&[("nodels n1", false), ("lsdef n1", true)]);
    let tabch = Asked::Change(Command::Tabch(Tabch::default()));
    let all = Table::root("policy 0.5 name=root rule=deny");
    assert!(all.judge(&tabch, None).is_ok() && !all.may("nodels n1"));
    let named = Table::bob("policy 6 name=bob commands=chtab rule=allow");
    assert!(named.judge(&tabch, None).is_ok() && Table::bob("").judge(&tabch, None).is_err());
    let everybody = Table::root("policy 0.5 rule=deny\npolicy 0.6 name=* rule=deny");
    everybody.each(&[("nodels n1", true), ("chdef -t policy 0.5 rule=allow", true)]);
    assert!(!Table::bob("policy 0.5 rule=deny\npolicy 6 name=bob rule=allow").may("nodels n1"));
}

#[test]
fn a_record_has_the_name_that_was_typed() {
    let tabch = Asked::Change(Command::Tabch(Tabch::default()));
    let known_as = |typed| Facts::of(&tabch).known_as(typed);
    assert_eq!((known_as("chtab"), known_as("tabch")), ("chtab", "tabch"));
    assert_eq!(known_as("lsmn"), "tabch", "another name is not believed");
    let lsmn = Asked::Query(Query::Lsmn(Lsmn::default()));
    assert_eq!((Facts::of(&lsmn).known_as("lsmn"), Facts::of(&lsmn).command), ("lsmn", "lsxcatd"));
}

#[test]
fn definitions_are_about_the_nodes_that_they_name() {
    let table =
        Table::bob("policy 6 name=bob commands=chdef,mkdef,rmdef,lsdef noderange=n1-n2,n[10-19] rule=allow");
    table.each(&[
        ("chdef n1 ip=10.0.0.1", true),
        ("chdef n1-n3 ip=10.0.0.1", false),
        ("mkdef n11 groups=all", true),
        ("mkdef n20 groups=all", false),
        ("rmdef n2", true),
        ("rmdef", false),
        ("lsdef n1", true),
        ("lsdef", false),
        ("chdef -t group rack1 ip=x", false),
        ("chdef -t network net1 gateway=x", false),
    ]);
}

#[test]
fn a_denied_node_is_not_reached_by_way_of_its_group() {
    let table = Table::bob("policy 6 name=bob rule=allow\npolicy 5 name=bob noderange=n2 rule=deny");
    table.each(&[
        ("chdef -t group rack1 ip=x", false),
        ("chdef -t group rack2 ip=x", true),
        ("chdef -t group rack2 members=n2", false),
        ("nodels n1", true),
        ("nodels", false),
        ("tabdump", true),
    ]);
}

#[test]
fn a_row_that_does_not_match_changes_nothing_for_those_behind_it() {
    let table = Table::bob(
        "policy 5 name=bob noderange=n4 rule=deny
         policy 6 name=bob commands=chdef noderange=n1-n2 rule=allow",
    );
    assert!(!table.may("chdef -t group rack1 ip=x"), "a group is no noderange");
}

#[test]
fn stanzas_are_about_the_nodes_in_them() {
    let table = Table::bob("policy 6 name=bob commands=chdef noderange=n1 rule=allow");
    let stanza = |text: &str| {
        let define = Define { stanza: Some(text.to_owned()), ..Define::default() };
        table.judge(&Asked::Change(Command::Chdef(define)), None).is_ok()
    };
    assert!(stanza("n1:\n    objtype=node\n    ip=1\n"));
    assert!(!stanza("n1:\n    objtype=node\n    ip=1\nn2:\n    objtype=node\n    ip=2\n"));
    assert!(!stanza("rack1:\n    objtype=group\n    ip=1\n"));
}

#[test]
fn a_rename_is_about_both_names() {
    let table = Table::bob("policy 6 name=bob commands=chdef noderange=n1 rule=allow");
    let rename = |to: &str| {
        let objects = Some(Range::new("n1"));
        let define = Define { objects, rename: Some(to.to_owned()), ..Define::default() };
        table.judge(&Asked::Change(Command::Chdef(define)), None).is_ok()
    };
    assert!(rename("n1") && !rename("n9"));
}

#[test]
fn a_row_that_names_commands_does_not_let_anyone_change_the_policy() {
    let line = "chdef -t policy 6 name=bob";
    assert!(!Table::bob("policy 6 name=bob commands=chdef rule=allow").may(line));
    assert!(Table::bob("policy 6 name=bob rule=allow").may(line));
    let denial = Table::bob("policy 6 name=bob commands=chdef rule=allow").judge(&asked(line), None);
    assert!(denial.unwrap_err().why.contains("row 6 names commands"));
    let stanza = Define { stanza: Some("6:\n objtype=policy\n name=bob".to_owned()), ..Define::default() };
    let sly = Asked::Change(Command::Chdef(stanza));
    assert!(Table::bob("policy 6 name=bob commands=chdef rule=allow").judge(&sly, None).is_err());
}

#[test]
fn a_row_that_names_commands_lets_no_member_in_by_way_of_a_dump() {
    let restore = |full| {
        let args = crate::command::RestoreDb { full, ..Default::default() };
        let table = Table::bob("policy 6 name=bob commands=restorexCATdb rule=allow");
        table.judge(&Asked::Change(Command::RestoreDb(args)), None).is_ok()
    };
    assert!(restore(false) && !restore(true));
}

#[test]
fn what_cannot_be_told_is_taken_for_the_worse() {
    for row in ["time=8-17", "parameters=("] {
        let allow = Table::bob(&format!("policy 6 name=bob {row} rule=allow"));
        assert!(!allow.may("nodels n1"), "{row}");
        let deny = Table::bob(&format!("policy 5 name=bob {row} rule=deny\npolicy 6 name=bob rule=allow"));
        assert!(!deny.may("nodels n1"), "{row}");
    }
    // Words that nobody has proven.
    let allow = Table::bob("policy 6 name=bob parameters=. rule=allow");
    assert!(allow.judge(&asked("nodels n1"), None).unwrap_err().why.contains("cannot be shown"));
    let deny = Table::bob("policy 5 name=bob parameters=x rule=deny\npolicy 6 name=bob rule=allow");
    assert!(deny.judge(&asked("nodels n1"), None).is_err());
}

#[test]
fn a_refusal_says_what_why_and_what_to_try() {
    let table = Table::bob("policy 6 name=bob commands=nodels noderange=n1 rule=allow");
    let denial = table.judge(&asked("nodels n1-n3"), None).unwrap_err();
    insta::assert_snapshot!(denial.render(), @r"
    Error: Permission denied for request
      because  no row of the policy table lets bob run nodels on n2,n3
      try      ask who administers the management node for a row in the policy table: mkdef -t policy 7 name=bob commands=nodels rule=allow
    ");
}
