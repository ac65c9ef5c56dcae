//! What `mkdef`, `chdef` and `lsdef` say in the corners of xCAT's own code: texts and counts that
//! scripts match.

use super::tests::NODES;
use crate::change::tests::Bench;

#[test]
fn a_replacement_that_is_refused_leaves_what_was_there() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef n1 -f arch=x86-64"), @"
    ! Error: [mn]: Attribute 'groups' is not specified for node 'n1', skipping to the next node.
      try      groups=all, to make it, or n1, n2
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef n1 -f groups=all bmc=b1"), @"
    ! Error: [mn]: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef n1 -f groups=all nosuch=1"), @"
    ! Error: [mn]: 'nosuch' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: Skipping to the next attribute.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1 -i groups,mgt"), @"
    Object name: n1
        groups=all,g1
        mgt=ipmi
    ");
}

#[test]
fn all_that_is_wrong_with_an_object_is_said_at_once() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef n5 groups=all bmc=b5 id=3 consport=2200"), @"
    ! Error: [mn]: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    ! Error: [mn]: Cannot set the attr='consport' attribute unless mgt value is openbmc.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1 -m groups=x,g1,y"), @"
    ! Error: [mn]: x is not in the attribute of 'groups' for the 'n1' definition.
    ! Error: [mn]: y is not in the attribute of 'groups' for the 'n1' definition.
    No object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1 -i groups"), @"
    Object name: n1
        groups=all,g1
    ");
    insta::assert_snapshot!(bench.run("chdef nosuch nothing=1"), @"
    ! Error: [mn]: 'nothing' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: Skipping to the next attribute.
    ! Error: [mn]: Attribute 'groups' is not specified for node 'nosuch', skipping to the next node.
      try      groups=all, to make it
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
}

#[test]
fn an_image_needs_its_type_before_what_depends_on_it() {
    let mut bench = Bench::new(&[]);
    insta::assert_snapshot!(bench.run("mkdef -t osimage i1 pkglist=/a"), @"
    ! Error: [mn]: Cannot set the attr='pkglist' attribute unless imagetype value is linux.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t osimage i1 pkglist=/a"), @"
    ! Error: [mn]: Cannot set the attr='pkglist' attribute unless imagetype value is linux.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -t osimage"), @"Could not find any object definitions to display.");
}

#[test]
fn settings_are_lists_of_anything() {
    let mut bench = Bench::new(&["site key=x value=a,b"]);
    insta::assert_snapshot!(bench.run("chdef -t site -m x=nosuch"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef -t site -m x=a"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef -t site -p x=c"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t site -i x"), @"
    Object name: clustersite
        x=b,c
    ");
    insta::assert_snapshot!(bench.run("chdef -t site -m nosuch=a"), @"1 object definitions have been created or modified.");
}

#[test]
fn a_stanza_that_says_the_type_alone_is_an_object_without_attributes() {
    let mut bench = Bench::new(NODES).with_stdin("n5:\n  objtype=node\ni1:\n  objtype=osimage\n");
    insta::assert_snapshot!(bench.run("mkdef -z"), @"
    ! Error: [mn]: Attribute 'groups' is not specified for node 'n5', skipping to the next node.
      try      groups=all, to make it, or n1, n2
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    let mut bench = Bench::new(NODES).with_stdin("i1:\n  objtype=osimage\n");
    insta::assert_snapshot!(bench.run("mkdef -z"), @"
    ! Error: [mn]: 0 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -t osimage"), @"Could not find any object definitions to display.");
    let mut bench = Bench::new(NODES).with_stdin("n1:\n  objtype=node\n  usercomment=\"half\n  arch=x86\"\n");
    insta::assert_snapshot!(bench.run("chdef -z"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n1 -i usercomment,arch"), @"
    Object name: n1
        arch=x86
        usercomment=half
    ");
}

#[test]
fn members_that_were_selected_keep_their_conditions() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef -t group g5 -w mgt==ipmi"), @"
    1 object definitions have been created or modified.
    New object definitions 'g5' have been created.
    ");
    insta::assert_snapshot!(bench.run("lsdef -t group g5"), @"
    Object name: g5
        grouptype=static
        members=n1
        wherevals=mgt==ipmi
    ");
    insta::assert_snapshot!(bench.run("lsdef -t group g1"), @"
    Object name: g1
        members=n1
    ");
}

#[test]
fn a_service_node_may_be_named_before_there_is_one() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef n1 servicenode=sn9"), @"
    1 object definitions have been created or modified.
    ! Warning: [mn]: n1: servicenode=sn9: sn9 is not a service node
      because  there is no node sn9
      try      mn token create sn9 --define
    ");
    insta::assert_snapshot!(bench.run("lsdef n1 -i servicenode"), @"
    Object name: n1
        servicenode=sn9
    ");
}

#[test]
fn nothing_to_do_is_said_in_the_words_of_each() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef n1"), @"No object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef n1 -V"), @"No database was updated");
    insta::assert_snapshot!(bench.run("mkdef n1 groups=all -V"), @"
    ! Warning: [mn]: A definition for 'n1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    ! Error: [mn]: The database was not updated.
    ! Error: [mn]: 0 object definitions have been created or modified.
    = 1
    ");
}

#[test]
fn stanzas_and_lists_have_xcats_shape() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("lsdef -z n1,n2 -i groups"), @"
    # <xCAT data object stanza file>

    n1:
        objtype=node
        groups=all,g1

    n2:
        objtype=node
        groups=all
    ");
    insta::assert_snapshot!(bench.run("lsdef -z -s"), @"
    # <xCAT data object stanza file>

    n1:

    n2:
    ");
    insta::assert_snapshot!(bench.run("lsdef -t osimage -z"), @"Could not find any object definitions to display.");
    insta::assert_snapshot!(bench.run("lsdef -t kit"), @"Could not find any object definitions to display.");
    insta::assert_snapshot!(bench.run("lsdef -t node,group n1 -i groups,nosuch"), @"
    ! Error: [mn]: 'nosuch' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: 'groups' is not a valid attribute name for an object type of 'group'.
    ! Error: [mn]: 'nosuch' is not a valid attribute name for an object type of 'group'.
    Object name: n1  (node)
        groups=all,g1
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -w postscripts=~syslog"), @"
    n1  (node)
    n2  (node)
    ");
    insta::assert_snapshot!(bench.run("lsdef -w postscripts=~syslog -z -s"), @"# <xCAT data object stanza file>");
    insta::assert_snapshot!(bench.run("lsdef -w mgt="), @"
    ! Error: [mn]: Incorrect selection string specified with -w flag.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef --osimage"), @"
    n1  (node)
    n2  (node)
    ");
}

#[test]
fn where_an_attribute_is_kept_is_said_as_xcat_says_it() {
    let rows = [
        "nodelist node=n1 groups=all",
        "nodegroup groupname=all grouptype=static",
        "site key=x value=1",
        "networks netname=net1 net=10.0.0.0 mask=255.0.0.0",
        "monsetting name=m key=k value=v",
    ];
    let mut bench = Bench::new(&rows);
    insta::assert_snapshot!(bench.run("lsdef n1 -V"), @"
    Object name: n1
        groups=all	(Table:nodelist - Key:node - Column:groups)
    ");
    insta::assert_snapshot!(bench.run("lsdef -t site -l -V"), @"
    Object name: clustersite
        x=1	(Table:site - Key:x)
    ");
    insta::assert_snapshot!(bench.run("lsdef -t network net1 -V"), @"
    Object name: net1
        mask=255.0.0.0	(Table:networks - Key: netname - Column:mask)
        net=10.0.0.0	(Table:networks - Key: netname - Column:net)
    ");
    insta::assert_snapshot!(bench.run("lsdef -t group all -V"), @"
    Object name: all
        grouptype=static	(Table:nodegroup - Key: groupname - Column:grouptype)
        members=n1
    ");
}

#[test]
fn templates_are_listed_and_shown_when_they_are_named() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("lsdef --template switch-template"), @"switch-template  (node)");
    insta::assert_snapshot!(bench.run("lsdef --template switch-template -l -z -i groups,mgt"), @"
    # <xCAT data object stanza file>

    switch-template:
        objtype=node
        groups=switch
        mgt=switch
    ");
}

#[test]
fn a_network_of_ipv6_is_kept() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef -t network fd59::/64 net=fd59:: mask=/64"), @"
    1 object definitions have been created or modified.
    ! Warning: [mn]: fd59::/64: it is an IPv6 network
      because  it is kept, and nobody serves it yet
    ");
    insta::assert_snapshot!(bench.run("lsdef -t network fd59::/64 -i net,mask"), @"
    Object name: fd59::/64
        mask=/64
        net=fd59::
    ");
}

#[test]
fn tables_of_several_rows_a_node_are_inherited_column_by_column() {
    let mut bench = Bench::new(NODES);
    bench.run("mkdef s1,s2 groups=sw");
    bench.run(r"chdef -t group sw switch=a switchport=|\D+(\d+)|($1*2)|");
    let shown = |bench: &mut Bench| bench.run("lsdef s2 -i switch,switchport");
    assert_eq!(shown(&mut bench).trim_end(), "Object name: s2\n    switch=a\n    switchport=4");
    assert_eq!(bench.run("lsdef -w switch==a -s").trim_end(), "s1  (node)\ns2  (node)");
    bench.run("chdef s2 switch=b");
    assert_eq!(shown(&mut bench).trim_end(), "Object name: s2\n    switch=b\n    switchport=4");
}

#[test]
fn tables_that_name_the_node_otherwise_are_inherited() {
    let mut bench = Bench::new(NODES);
    bench.run("mkdef w1 groups=switches nodetype=switch");
    bench.run("chdef -t group switches nodetype=switch snmpversion=3 switchtype=BNT");
    assert_eq!(
        bench.run("lsdef w1 -i snmpversion,switchtype").trim_end(),
        "Object name: w1\n    snmpversion=3\n    switchtype=BNT"
    );
}

#[test]
fn a_mistyped_member_does_not_cost_a_group_the_others() {
    let mut bench = Bench::new(NODES);
    bench.run("mkdef -t group gg members=n1");
    let text = bench.run("chdef -t group gg members=nosuch");
    assert!(text.contains("Could not find a node named 'nosuch', skipping to the next node."), "{text}");
    assert_eq!(bench.run("lsdef -t group gg -i members").trim_end(), "Object name: gg\n    members=n1");
    bench.run("chdef -t group gg -w mgt==nosuch");
    assert_eq!(bench.run("lsdef -t group gg -i members").trim_end(), "Object name: gg\n    members=n1");
    // One that has a row of its own, and one that is in the lists of its members alone.
    let text = bench.run("chdef -t group gg -m members=nosuch");
    assert!(text.starts_with("1 object definitions") || text.contains("\n1 object definitions"), "{text}");
    let text = bench.run("chdef -t group g1 -m members=nosuch");
    assert!(text.contains("No value got for attribute 'members' for the 'g1' definition."), "{text}");
    let text = bench.run("chdef -t group gg mgt=ipmi");
    assert!(!text.contains("Error"), "{text}");
    let text = bench.run("chdef -t group gg -m mgt=hmc");
    assert!(text.contains("Error: [mn]: gg is not a member of 'hmc'."), "{text}");
    assert_eq!(
        bench.run("chdef -t group gg members=").trim_end(),
        "1 object definitions have been created or modified."
    );
    assert_eq!(bench.run("lsdef -t group gg -i members").trim_end(), "Object name: gg\n    members=");
}

#[test]
fn a_name_of_several_types_need_be_of_one() {
    let mut bench = Bench::new(NODES);
    let text = bench.run("mkdef -t node,group xx");
    assert!(text.contains("no attributes were specified"), "{text}");
    bench.run("mkdef xx groups=all");
    assert_eq!(bench.run("rmdef -t node,group xx").trim_end(), "1 object definitions have been removed.");
    let text = bench.run("rmdef -t node,group xx");
    assert!(text.contains("Could not find an object named 'xx' of type 'node'."), "{text}");
}
