use super::*;
use crate::command::{Command, Mode, Range};
use crate::fixture::model;
use crate::plan;
use crate::talk::Line;

const MODEL: &str = "
    nodelist n1 groups=all,compute
    nodelist n2 groups=all
    nodelist n3 groups=all,compute
    nodegroup dyn1 grouptype=dynamic members=dynamic wherevals=mgt==ipmi
    nodehm compute mgt=ipmi
    nodehm n1 power=ipmi
    nodehm n3 mgt=openbmc
    hosts n1 ip=10.0.0.1
    switch n2/s1/1 vlan=7
    switch n2/s2/2 vlan=8
";

/// Runs commands on the model, one a line; what they say (`!` before standard error, `= STATUS`
/// where not 0) and every value that they changed.
#[track_caller]
fn run(lines: &str) -> String {
    let mut model = model(MODEL);
    let mut said = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (name, range) = (words.next().unwrap(), words.next().unwrap());
        let words: Vec<String> = words.map(str::to_owned).collect();
        let nodes = Range::new(range);
        let delete = words.iter().any(|word| word == "-d");
        let words: Vec<String> = words.into_iter().filter(|word| word != "-d").collect();
        let args = Nodech { mode: Mode::default(), nodes: nodes.clone(), words, delete };
        let command = match name {
            "nodeadd" => Command::Nodeadd(args),
            "nodech" => Command::Nodech(args),
            "nodegrpch" => Command::Nodegrpch(args),
            _ => Command::Noderm(Noderm { mode: Mode::default(), nodes }),
        };
        let context = Context { server: "mn".to_owned(), ..Context::default() };
        let outcome = plan(&model, &command, &context);
        said.extend(outcome.lines.into_iter().map(|line| match line {
            Line::Out(text) => text,
            Line::Err(text) => format!("!{text}"),
            Line::Record(value) => value.to_string(),
        }));
        if outcome.status != 0 {
            said.push(format!("= {}", outcome.status));
        }
        if let Some(change) = outcome.change {
            for edit in change.edits() {
                let after = edit.after.as_ref().map_or_else(
                    || "gone".to_owned(),
                    |row| {
                        let cells = row.cells().filter(|(name, _)| !edit.table.table().key.contains(name));
                        cells.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
                    },
                );
                said.push(format!("{} {}: {after}", edit.table, edit.key).trim_end().to_owned());
            }
            model.apply(change.edits(), model.revision());
        }
    }
    said.join("\n")
}

#[test]
fn nodeadd_makes_nodes_and_overwrites_what_is_given() {
    insta::assert_snapshot!(run("nodeadd n[7-8] groups=all,new nodehm.mgt=ipmi"), @"
    nodehm n7: mgt=ipmi
    nodehm n8: mgt=ipmi
    nodelist n7: groups=all,new
    nodelist n8: groups=all,new
    ");
    insta::assert_snapshot!(run("nodeadd compute groups=foo"), @"
    nodelist n1: groups=foo
    nodelist n3: groups=foo
    ");
    insta::assert_snapshot!(run("nodeadd ZZ5,ZZ6,w1.dom groups=all"), @"
    !Warning: [mn]: The node name 'ZZ5,ZZ6' contains capital letters which may not be resolved correctly by the dns server.
    nodelist ZZ5: groups=all
    nodelist ZZ6: groups=all
    nodelist w1.dom: groups=all
    ");
    insta::assert_snapshot!(run("nodeadd n9 groups=dyn1"), @"
    nodegroup dyn1 is a dynamic node group, should not add a node into a dynamic node group statically.

    nodelist n9: groups=dyn1
    ");
}

#[test]
fn nodeadd_refuses_what_would_be_no_node() {
    insta::assert_snapshot!(run("nodeadd n1,n9 nodehm.mgt=ipmi"), @"
    !Error: [mn]: Attribute 'groups' is not specified for node 'n9', skipping to the next node.
    = 1
    nodehm n1: mgt=ipmi power=ipmi
    ");
    insta::assert_snapshot!(run("nodeadd n9 groups=all nosuch.x=1"), @"
    !Error: [mn]: nosuch.x not a valid table.column description
    = 1
    ");
    insta::assert_snapshot!(run("nodeadd n9 groups=all foo"), @"
    !Error: [mn]: Malformed argument foo ignored.
    = 1
    nodelist n9: groups=all
    ");
    insta::assert_snapshot!(run("nodeadd n9;x,n8 groups=all"), @r#"
    !Error: [mn]: "n9;x" is not a node name: it holds a character that no name may hold; use letters, digits, '-', '_' and '.', starting with a letter or digit
    = 1
    nodelist n8: groups=all
    "#);
}

#[test]
fn nodech_changes_lists_from_what_holds() {
    insta::assert_snapshot!(run("nodech n1 groups,=rack1,gpu groups^=compute"), @"nodelist n1: groups=gpu,rack1,all");
    insta::assert_snapshot!(run("nodech n1 nodehm.mgt,=x"), @"nodehm n1: mgt=x,ipmi power=ipmi");
    insta::assert_snapshot!(run("nodech n1 groups^=nosuch"), @"");
    insta::assert_snapshot!(run("nodech all mgt==ipmi nodehm.cons=ipmi"), @"nodehm n1: cons=ipmi power=ipmi");
    insta::assert_snapshot!(run("nodech n1 nodelist.comments=@=foo"), @"nodelist n1: comments==foo groups=all,compute");
}

#[test]
fn an_empty_value_hides_what_groups_say() {
    insta::assert_snapshot!(run("nodech n1 nodehm.mgt=
        nodech n1 mgt==ipmi nodehm.cons=x
        nodech n1 mgt== nodehm.cons=y"), @"
    nodehm n1: mgt=|^.*$|| power=ipmi
    nodehm n1: cons=y mgt=|^.*$|| power=ipmi
    ");
}

#[test]
fn nodech_deletes_rows() {
    insta::assert_snapshot!(run("nodech n1,n2 -d nodehm switch"), @"
    nodehm n1: gone
    switch n2,s1,1: gone
    switch n2,s2,2: gone
    ");
    insta::assert_snapshot!(run("nodech n1 -d nosuch nodehm.mgt agent hosts"), @"
    !Error: [mn]: ERROR: Unable to open table nosuch in configuration
    !Error: [mn]: . and = not valid in delete mode.
    !Error: [mn]: agent is kept by the management node itself, and not to be written
    = 1
    hosts n1: gone
    ");
}

#[test]
fn a_table_with_several_rows_is_written_in_all() {
    insta::assert_snapshot!(run("nodech n2 switch.vlan=9"), @"
    switch n2,s1,1: vlan=9
    switch n2,s2,2: vlan=9
    ");
    insta::assert_snapshot!(run("nodech n2 switch.switch=s9 switch.port=1"), @"
    !Error: [mn]: the table switch has 2 rows for n2, and two of them would become one
    = 1
    ");
    insta::assert_snapshot!(run("nodech n1 switch.switch=s9 switch.port=1
        nodech n1 switch.port=2"), @"
    switch n1,s9,1:
    switch n1,s9,1: gone
    switch n1,s9,2:
    ");
}

#[test]
fn what_the_rules_refuse_leaves_the_other_nodes_changed() {
    insta::assert_snapshot!(run("nodech n2,n3 hosts.ip=|n(\\d+)|10.0.0.($1-1)|"), @r#"
    !Error: [mn]: n2: 10.0.0.1 is an address of n1 already
      try      give n2 another address
    = 1
    hosts n3: ip=|n(\d+)|10.0.0.($1-1)|
    "#);
}

#[test]
fn an_unknown_node_stops_the_whole_command() {
    insta::assert_snapshot!(run("nodech n1,n9 groups=x"), @"
    !Error: Invalid nodes and/or groups in noderange: n9
      try      n1, n2, n3
    = 1
    ");
    insta::assert_snapshot!(run("noderm n1,n9"), @"
    !Error: Invalid nodes and/or groups in noderange: n9
      try      n1, n2, n3
    = 1
    ");
}

#[test]
fn nodegrpch_sets_the_group_and_clears_its_members() {
    insta::assert_snapshot!(run("nodegrpch compute nodehm.mgt=bmc nodehm.power=bmc"), @"
    nodehm compute: mgt=bmc power=bmc
    nodehm n1: gone
    nodehm n3: gone
    ");
    insta::assert_snapshot!(run("nodegrpch newgroup noderes.netboot=pxe"), @"noderes newgroup: netboot=pxe");
}

#[test]
fn nodegrpch_refuses_what_it_does_not_do() {
    insta::assert_snapshot!(run("nodegrpch compute groups=x"), @"
    !Error: [mn]: Group membership is not changeable via nodegrpch
    = 1
    ");
    insta::assert_snapshot!(run("nodegrpch compute nodehm.mgt,=x"), @"
    !Error: [mn]: ,= and ^= are not supported by nodegrpch
    = 1
    ");
    insta::assert_snapshot!(run("nodegrpch dyn1,n2 nodehm.mgt=x"), @"
    !Error: [mn]: the group 'dyn1' is dynamic: its members inherit nothing from it
    !Error: [mn]: n2 is a node and no group
      try      nodech n2
    = 1
    ");
}

#[test]
fn noderm_leaves_the_rows_of_groups() {
    insta::assert_snapshot!(run("noderm n1,n2"), @"
    hosts n1: gone
    nodehm n1: gone
    nodelist n1: gone
    nodelist n2: gone
    switch n2,s1,1: gone
    switch n2,s2,2: gone
    ");
}
