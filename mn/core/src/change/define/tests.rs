//! The corners of `mkdef` and `chdef`, where xCAT has words of its own.

use crate::change::tests::Bench;

pub(super) const NODES: &[&str] = &[
    "nodelist node=n1 groups=all,g1",
    "nodelist node=n2 groups=all",
    "nodehm node=n1 mgt=ipmi",
    "postscripts node=xcatdefaults postscripts=syslog,remoteshell",
];

#[test]
fn names_that_cannot_be_stop_mkdef_and_not_chdef() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef a,b!c,d.e groups=all"), @"
    ! Error: [mn]: The object name 'd.e' is invalid, Cannot use '.' in node name.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef a,b!c,d.e groups=all"), @r#"
    ! Error: [mn]: The object name 'd.e' is invalid, Cannot use '.' in node name.
    ! Error: [mn]: The object name 'b!c' is invalid, please refer to "man xcatdb" for the valid "xCAT Object Name Format"
    1 object definitions have been created or modified.
    New object definitions 'a' have been created.
    = 1
    "#);
    insta::assert_snapshot!(bench.run("mkdef -t group [x] members=n1"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -s"), @"
    a  (node)
    n1  (node)
    n2  (node)
    ");
}

#[test]
fn conditions_of_a_dynamic_group_are_a_list() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef -t group dyn -d -w nosuch==x"), @"
    ! Error: [mn]: Incorrect attribute 'nosuch' in the selection string specified with -w flag.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group dyn -d"), @"
    ! Error: [mn]: The 'where' attributes and values were not provided for dynamic group 'dyn'.
    ! Error: [mn]: Skipping to the next group.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group dyn -d -w mgt==ipmi members=n1"), @"
    ! Error: [mn]: Can not assign attributes to dynamic node group 'dyn'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group dyn -d -w mgt==ipmi"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef -t group dyn -d -p -w groups=~all"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t group dyn -i members,wherevals"), @"
    Object name: dyn
        members=n1
        wherevals=mgt==ipmi::groups=~all
    ");
    insta::assert_snapshot!(bench.run("chdef -t group dyn -d -m -w mgt==ipmi"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef -t group dyn -d -m -w mgt==ipmi"), @"
    ! Error: [mn]: mgt==ipmi is not in the attribute of 'wherevals' for the 'dyn' definition.
    No object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t group dyn members=n1"), @"
    ! Error: [mn]: Can not assign attributes to dynamic node group 'dyn'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    let stanza = bench.run("lsdef -t group -z dyn");
    let mut again = Bench::new(NODES).with_stdin(&stanza);
    insta::assert_snapshot!(again.run("mkdef -z"), @"1 object definitions have been created or modified.");
    assert_eq!(again.run("lsdef -t group -z dyn"), stanza);
}

#[test]
fn members_come_and_go() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef -t group g2 -p members=n1,n2"), @"
    1 object definitions have been created or modified.
    New object definitions 'g2' have been created.
    ");
    insta::assert_snapshot!(bench.run("chdef -t group g2 -m members=n1"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef -t group g2 -m members=n1"), @"
    ! Error: [mn]: n1 is not a member of 'g2'.
    1 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -t group g2"), @"
    Object name: g2
        grouptype=static
        members=n2
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group g3 members=n1 -w mgt==ipmi"), @"
    ! Error: [mn]: Cannot use a list of members together with the '-w' option.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t group g2"), @"No object definitions have been created or modified.");
}

#[test]
fn scripts_that_every_node_runs_are_not_written_twice() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef n1 -p postscripts=syslog,mine"), @"
    ! Warning: [mn]: n1: postscripts 'syslog' is already included in the 'xcatdefaults'.
    1 object definitions have been created or modified.
    ");
    insta::assert_snapshot!(bench.run("tabdump postscripts"), @r#"
    #node,postscripts,postbootscripts,comments,disable
    "n1","mine",,,
    "xcatdefaults","syslog,remoteshell",,,
    "#);
    insta::assert_snapshot!(bench.run("lsdef n1 -i postscripts -c"), @"n1: postscripts=syslog,remoteshell,mine");
}

#[test]
fn an_attribute_goes_although_its_condition_went_with_it() {
    let mut bench = Bench::new(NODES);
    bench.run("chdef n1 bmc=10.1.0.1");
    insta::assert_snapshot!(bench.run("chdef n1 mgt= bmc="), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("tabdump ipmi"), @"#node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable");
    insta::assert_snapshot!(bench.run("chdef n1 nodetype=ppc,osi username=hmc"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef n1 nodetype=ppcx username=hmc"), @"
    ! Error: [mn]: Cannot set the attr='username' attribute unless nodetype value is hmc or ivm or mm or pdu or ppc or switch or websrv.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1 -m arch=x"), @"
    ! Error: [mn]: No value got for attribute 'arch' for the 'n1' definition.
    No object definitions have been created or modified.
    = 1
    ");
}

#[test]
fn templates_say_what_must_be_given() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef x1 --template ppc64le-template"), @r#"
    ! Error: [mn]: The attribute "bmc" must be specified!
    !   because  it is the name or address of the BMC
    = 1
    "#);
    insta::assert_snapshot!(bench.run("mkdef x1 --template ppc64le-template bmc=b1 ip=10.0.0.1 groups=rack1"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef x1 -i arch,bmc,groups,mac,netboot"), @"
    Object name: x1
        arch=ppc64le
        bmc=b1
        groups=rack1
        mac=
        netboot=petitboot
    ");
    insta::assert_snapshot!(bench.run("mkdef x2 --template x1"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef x2 -i arch,groups,ip"), @"
    Object name: x2
        arch=ppc64le
        groups=rack1
        ip=
    ");
    insta::assert_snapshot!(bench.run("mkdef x3 --template x3 groups=all"), @"
    ! Error: [mn]: Could not find the template object named 'x3' of type 'node'.
    !   try      lsdef --template, to see those there are
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef n1 --template n1 -f"), @"
    ! Error: [mn]: The template node cannot be the same as the node to create.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef --template switch-template -l -i groups,mgt,switchtype"), @"
    Object name: switch-template
        groups=switch
        mgt=switch
        switchtype=OPTIONAL:whose switch it is, such as Mellanox, Cisco, BNT or Juniper
    ");
    insta::assert_snapshot!(bench.run("lsdef --template nosuch"), @"
    ! Error: [mn]: Could not find nosuch in xCAT templates.
    = 1
    ");
}

#[test]
fn an_image_is_filled_in() {
    let mut bench = Bench::new(&["site key=installdir value=/install"]);
    let files = "--file /opt/xcat/share/xcat/netboot/alma/compute.alma9.pkglist \
                 --file /opt/xcat/share/xcat/netboot/alma/compute.exlist \
                 --file /install/custom/netboot/alma/compute.aarch64.otherpkgs.pkglist";
    insta::assert_snapshot!(bench.run("mkdef -t osimage i1 -u profile=compute"), @"
    ! Error: [mn]: The profile and provmethod are all need to be specified.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t osimage i1 -u profile=compute provmethod=boot"), @"
    ! Error: [mn]: The provmethod: boot is incorrect.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run(&format!("mkdef -t osimage i1 -u profile=compute provmethod=netboot {files}")), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t osimage i1"), @"
    Object name: i1
        exlist=/opt/xcat/share/xcat/netboot/alma/compute.exlist
        imagetype=linux
        osarch=x86_64
        osdistroname=alma9.4-x86_64
        osname=Linux
        osvers=alma9.4
        otherpkgdir=/install/post/otherpkgs/alma9.4/x86_64
        pkgdir=/install/alma9.4/x86_64
        pkglist=/opt/xcat/share/xcat/netboot/alma/compute.alma9.pkglist
        profile=compute
        provmethod=netboot
        rootimgdir=/install/netboot/alma9.4/x86_64/compute
    ");
    insta::assert_snapshot!(bench.run("chdef -t osimage i1 -u provmethod=install osvers=alma10.0"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t osimage i1"), @"
    Object name: i1
        imagetype=linux
        osarch=x86_64
        osdistroname=alma10.0-x86_64
        osname=Linux
        osvers=alma10.0
        otherpkgdir=/install/post/otherpkgs/alma10.0/x86_64
        pkgdir=/install/alma10.0/x86_64
        pkglist=/opt/xcat/share/xcat/netboot/alma/compute.alma9.pkglist
        profile=compute
        provmethod=install
    ");
    insta::assert_snapshot!(bench.run("chdef -t osimage i2 profile=x"), @"
    1 object definitions have been created or modified.
    New object definitions 'i2' have been created.
    ");
    insta::assert_snapshot!(bench.run("lsdef -t osimage i2"), @"
    Object name: i2
        imagetype=NIM
        profile=x
    ");
}

#[test]
fn what_a_stanza_leaves_out_is_said() {
    let stanza = "n5:\n  groups=all\nn6:\n  objtype=nodes\nn7:\n  objtype=node\n  groups=all\n  nosuch=1\n";
    let mut bench = Bench::new(NODES).with_stdin(stanza);
    insta::assert_snapshot!(bench.run("mkdef -z"), @"
    ! Error: [mn]: 
    No objtype value was specified for 'n5'. Cannot create object definition.
    ! Error: [mn]: 
    Type 'nodes' is not a valid xCAT object type.
      try      node
    ! Error: [mn]: 'nosuch' is not a valid attribute name for an object type of 'node'.
    = 1
    ");
    let mut bench = Bench::new(NODES).with_stdin(stanza);
    insta::assert_snapshot!(bench.run("chdef -z"), @"
    ! Error: [mn]: 
    No objtype value was specified for 'n5'. Cannot create object definition.
    ! Error: [mn]: 
    Type 'nodes' is not a valid xCAT object type.
      try      node
    ! Error: [mn]: 'nosuch' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    !   done     1 object definitions have been created or modified.
    = 1
    ");
    let mut bench = Bench::new(NODES).with_stdin("# nothing\n");
    insta::assert_snapshot!(bench.run("chdef -z"), @"
    ! Error: [mn]: No object names were provided.
    !   because  the stanza file holds no object: `name:` and below it `    objtype=TYPE`
    = 1
    ");
}

#[test]
fn a_stanza_file_that_cannot_be_read_says_what_to_try() {
    let refused = |stanza: &str| Bench::new(NODES).with_stdin(stanza).run("mkdef -z");
    let text = refused("n5:\n    objtype=node\n  what is this\n");
    assert!(text.contains("\n!   try      an object as `name:`, its attributes below it"), "{text}");
    // Defaults that make far more of the file than it is.
    let defaults: String = (0..400).map(|at| format!("    a{at}=1\n")).collect();
    let nodes: String = (0..400).map(|at| format!("x{at}:\n    objtype=node\n")).collect();
    let text = refused(&format!("default-node:\n{defaults}{nodes}"));
    assert!(text.contains("\n!   try      these attributes in the definition of a group"), "{text}");
}

#[test]
fn values_that_nobody_can_mean_are_refused() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("chdef n1 setupdhcp=maybe"), @"
    ! Error: [mn]: n1: setupdhcp=maybe cannot be used
      because  it is yes or no
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t site dhcplease=long"), @"
    ! Error: [mn]: clustersite: dhcplease=long cannot be used
      because  it is a number
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t site dhcpleese=43200 mine=1"), @"
    ! Warning: [mn]: 'dhcpleese' is no setting that is known here; it is kept.
    !   try      dhcplease
    1 object definitions have been created or modified.
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group g9 grouptype=statik"), @"
    ! Error: [mn]: grouptype=statik cannot be used for the group 'g9': it is static or dynamic
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
}

#[test]
fn a_monitor_has_settings_of_its_own() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef -t monitoring m1 nodestatmon=Y ping-interval=5"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t monitoring m1"), @"
    Object name: m1
        nodestatmon=Y
        ping-interval=5
    ");
    insta::assert_snapshot!(bench.run("rmdef -t monitoring m1"), @"1 object definitions have been removed.");
    insta::assert_snapshot!(bench.run("tabdump monsetting"), @"#name,key,value,comments,disable");
}

#[test]
fn what_verbose_says_is_the_names() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("mkdef -V a2,a1 groups=all"), @"
    The database was updated for the following objects:
    a1
    a2
    2 object definitions have been created or modified.
    ");
    insta::assert_snapshot!(bench.run("mkdef -V a1 groups=all"), @"
    ! Warning: [mn]: A definition for 'a1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    ! Error: [mn]: The database was not updated.
    ! Error: [mn]: 0 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -V a1,A3 groups=all"), @"
    The database was updated for the following objects:
    A3
    a1
    ");
    insta::assert_snapshot!(bench.run("chdef A4 groups=all"), @"
    1 object definitions have been created or modified.
    New object definitions 'A4' have been created.
    ! Warning: [mn]: The node name 'A4' contains capital letters which may not be resolved correctly by the dns server.
    ");
    insta::assert_snapshot!(bench.run("rmdef -V a2,a1"), @"
    The following objects were removed:
    a1
    a2
    ");
}

#[test]
fn a_service_node_that_is_needed_stays() {
    let mut bench = Bench::new(&[
        "nodelist node=sn1 groups=service",
        "nodelist node=sn2 groups=service",
        "nodelist node=n1 groups=all",
        "nodelist node=n2 groups=all",
        "servicenode node=service dhcpserver=1",
        "noderes node=all servicenode=sn1,sn2",
    ]);
    insta::assert_snapshot!(bench.run("rmdef sn2"), @"
    ! Warning: [mn]: The service node 'sn2' was a backup of 2 nodes (n1,n2): their servicenode still names it.
    1 object definitions have been removed.
    ");
    insta::assert_snapshot!(bench.run("rmdef sn1"), @"
    ! Error: [mn]: The service node 'sn1' still owns 2 nodes (n1,n2) and is not removed.
    !   try      snmove -s sn1 -d SN, or -f to remove it all the same
    No objects have been removed from the xCAT database.
    = 1
    ");
    insta::assert_snapshot!(bench.run("rmdef sn1,n1,n2"), @"3 object definitions have been removed.");
}

#[test]
fn an_image_is_shown_after_its_node() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all",
        "nodelist node=n2 groups=all",
        "nodelist node=n3 groups=all",
        "nodetype node=n1 provmethod=i1",
        "nodetype node=n2 provmethod=i2",
        "osimage imagename=i1 imagetype=linux osvers=alma9",
    ]);
    insta::assert_snapshot!(bench.run("lsdef n1,n2,n3 --osimage"), @"
    Object name: n1
        groups=all
        provmethod=i1
        imagetype=linux
        objtype=osimage
        osvers=alma9
    ! Warning: [mn]: n2: could not find information for osimage i2
    Object name: n2
        groups=all
        provmethod=i2
    ! Error: [mn]: Missing attributes for node n3, check the node attributes 'os', 'arch','profile' and 'provmethod'.
    Object name: n3
        groups=all
    = 1
    ");
}

#[test]
fn what_there_is_none_of_is_said() {
    let mut bench = Bench::new(NODES);
    insta::assert_snapshot!(bench.run("lsdef -t rack"), @"Could not find any object definitions to display.");
    insta::assert_snapshot!(bench.run("lsdef /zz.*"), @"
    ! Error: [mn]: No node in '/zz.*', check the noderange syntax.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -w nodetyp==x"), @"
    ! Warning: [mn]: 'nodetyp' is not a valid attribute name for an object type of 'node'.
    !   try      nodetype
    No object definitions have been found
    ");
    insta::assert_snapshot!(bench.run("lsdef -t site -i nosuch"), @"Object name: clustersite");
}

#[test]
fn an_attribute_is_every_column_that_it_may_be() {
    let mut bench = Bench::new(NODES);
    bench.run("mkdef p1 groups=pdu nodetype=pdu pdutype=irpdu");
    insta::assert_snapshot!(bench.run("lsdef -t pdu p1"), @"
    Object name: p1
        nodetype=pdu
    ");
    insta::assert_snapshot!(bench.run("mkdef -t pdu p2 outlet=4 nodetype=pdu"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t pdu -l"), @"
    Object name: p1
        nodetype=pdu
    Object name: p2
        nodetype=pdu
        outlet=4
    ");
    insta::assert_snapshot!(bench.run("mkdef -t pdu p3 outlet=4"), @"
    ! Error: [mn]: Cannot set the attr='outlet' attribute unless nodetype value is pdu.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    bench.run("mkdef b1 groups=all mgt=blade mpa=mm1 id=3");
    insta::assert_snapshot!(bench.run("tabdump mp"), @r#"
    #node,mpa,id,nodetype,comments,disable
    "b1","mm1","3",,,
    "#);
    insta::assert_snapshot!(bench.run("chdef b1 switch=sw1 switchport=2 switchvlan=7"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("chdef b1 switchport=3"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef b1 -i switch,switchport,switchvlan,id"), @"
    Object name: b1
        id=3
        switch=sw1
        switchport=3
        switchvlan=7
    ");
}

#[test]
fn an_interface_may_have_a_template() {
    let mut bench = Bench::new(NODES);
    bench.run("chdef -t group g1 nicips.eth1=|\\D+(\\d+)|10.1.0.($1)|");
    insta::assert_snapshot!(bench.run("lsdef -t group g1 -i nicips"), @r#"
    Object name: g1
        nicips.eth1=|\D+(\d+)|10.1.0.($1)|
    "#);
    insta::assert_snapshot!(bench.run("lsdef n1 --nics"), @"
    Object name: n1
        nicips.eth1=10.1.0.1
    ");
    let mut bench =
        Bench::new(&["nodelist node=n7 groups=g1", "nics node=g1 nicips=|n(\\d+)|ib0!10.2.0.($1)|"]);
    insta::assert_snapshot!(bench.run("lsdef -t group g1 -i nicips"), @"
    Object name: g1
        nicips.ib0=10.2.0.($1)
    ");
    insta::assert_snapshot!(bench.run("lsdef n7 -i nicips.ib0"), @"
    Object name: n7
        nicips.ib0=10.2.0.7
    ");
}
