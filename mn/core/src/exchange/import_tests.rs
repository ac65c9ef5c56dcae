use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::id::Revision;

use super::import;
use super::tests::said;
use crate::change::Outcome;
use crate::command::{Clash, Import, Mode, Source};
use crate::fixture;
use crate::model::Model;
use crate::table::{TableId, schema};
use crate::talk::Context;

fn args(source: Source, files: &[(&str, &str)]) -> Import {
    Import {
        mode: Mode::default(),
        source,
        files: files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        clash: Clash::Refuse,
        existing: false,
        groups: "all".to_owned(),
        skip: false,
        verbose: false,
    }
}

fn planned(model: &Model, args: &Import) -> Outcome {
    import::plan(model, args, import::read(args), &Context::default())
}

fn after(model: &Model, outcome: Outcome) -> Model {
    let mut after = model.clone();
    after.apply(outcome.change.unwrap().edits(), Revision::new(2));
    after
}

#[test]
fn what_differs_stands_in_the_way_until_somebody_says_which_counts() {
    let model = fixture::model("nodelist n1 groups=rack1\nhosts n1 ip=10.0.0.9 hostnames=web");
    let mut args = args(Source::Hosts, &[("hosts", "10.0.0.1 n1 www\n10.0.0.2 n2\n")]);
    insta::assert_snapshot!(said(&planned(&model, &args)), @r"
    2> import: n1: ip is 10.0.0.9 here, and 10.0.0.1 in hosts:1
    2> import: 1 values differ from those that are here
      try      --overwrite to take the imported ones, --keep to keep these
    2> import: nothing is changed
    ");
    args.clash = Clash::Keep;
    let outcome = planned(&model, &args);
    insta::assert_snapshot!(said(&outcome), @r"
    kept: hosts:1: n1: ip is 10.0.0.9 here, and 10.0.0.1 there
    node n1: changed
    node n2: created
    hosts: 2 taken
    1 created, 1 changed, 0 unchanged, 0 removed.
    ");
    let kept = after(&model, outcome);
    assert_eq!(kept.tables().row(schema::HOSTS, "n1").unwrap().cell("hostnames"), Some("web,www"));
    assert!(kept.is_member("n2", "all") && !kept.is_member("n1", "all"));
    args.clash = Clash::Overwrite;
    let over = after(&model, planned(&model, &args));
    assert_eq!(over.tables().row(schema::HOSTS, "n1").unwrap().cell("ip"), Some("10.0.0.1"));
    args.existing = true;
    assert!(!after(&model, planned(&model, &args)).has_node("n2"));
}

#[test]
fn an_object_that_is_refused_may_be_left_out() {
    let mut args = args(
        Source::Ethers,
        &[("ethers", "52:54:00:00:00:01 n1\n52:54:00:00:00:01 n2\n52:54:00:00:00:03 n3\n")],
    );
    let model = fixture::model("");
    let outcome = planned(&model, &args);
    assert!(outcome.change.is_none() && outcome.status == 1, "{}", said(&outcome));
    args.skip = true;
    let outcome = planned(&model, &args);
    insta::assert_snapshot!(said(&outcome), @r#"
    not taken: ethers:1: n1: 52:54:00:00:00:01 is the hardware address of n2 already
    not taken: ethers:2: n2: 52:54:00:00:00:01 is the hardware address of n1 already
    node n3: created
    ethers: 1 taken, 2 left out as told
    1 created, 0 changed, 0 unchanged, 0 removed.
    "#);
    assert_eq!(outcome.status, 1);
    assert_eq!(after(&model, outcome).node_count(), 1);
}

#[test]
fn a_damaged_file_is_not_half_imported() {
    let files = [("nodelist.csv", "#node,groups\n\"n1\",\"all\"\n"), ("mac.csv", "#node,mac\n\"n1\",\"x\n")];
    let model = fixture::model("");
    insta::assert_snapshot!(said(&planned(&model, &args(Source::Xcat, &files))), @r#"
    2> import: mac.csv: mac: CSV unmatched " in record on line 1, character 5: "n1","x
    2> import: a file is damaged
      try      mend it, or leave it out with --skip-refused
    2> import: nothing is changed
    "#);
}

/// Tables as `dumpxCATdb` writes them, in the making.
#[derive(Default)]
struct Dump(BTreeMap<&'static str, String>);

impl Dump {
    /// Adds a row: `COLUMN=VALUE` with tabs between.
    fn put(&mut self, table: &'static str, row: &str) {
        let columns = &TableId::named(table).unwrap().table().columns;
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let text = self.0.entry(table).or_insert_with(|| format!("#{}\n", names.join(",")));
        let set: BTreeMap<&str, &str> = row.split('\t').map(|cell| cell.split_once('=').unwrap()).collect();
        assert!(set.keys().all(|name| names.contains(name)), "{table} {row}");
        let quoted = |value: &&str| format!("\"{}\"", value.replace('"', "\"\""));
        let cells = names.iter().map(|name| set.get(name).map(quoted).unwrap_or_default());
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
    }

    /// What there is once, rows of groups with templates among it.
    fn site(&mut self) {
        for row in [
            "key=domain\tvalue=hpc.example",
            "key=master\tvalue=10.0.0.1",
            "key=dhcpinterfaces\tvalue=eth1",
            "key=nameservers\tvalue=10.0.0.1",
        ] {
            self.put("site", row);
        }
        self.put("networks", "netname=mgt\tnet=10.0.0.0\tmask=255.0.0.0\tgateway=<xcatmaster>\tdynamicrange=10.255.0.1-10.255.9.254");
        self.put("osimage", "imagename=rhels9-x86_64-netboot-compute\tprofile=compute\timagetype=linux\tprovmethod=netboot\tosvers=rhels9\tosarch=x86_64");
        self.put(
            "linuximage",
            "imagename=rhels9-x86_64-netboot-compute\trootimgdir=/install/netboot/rhels9/x86_64/compute",
        );
        self.put("policy", "priority=1\tname=root\trule=allow");
        self.put(
            "nodegroup",
            "groupname=gpu\tgrouptype=dynamic\tmembers=dynamic\twherevals=usercomment=~gpu",
        );
        self.put("passwd", "key=system\tusername=root\tpassword=$6$x\"y");
        self.put("postscripts", "node=xcatdefaults\tpostscripts=syslog,remoteshell");
        self.put("postscripts", "node=service\tpostscripts=servicenode");
        self.put("servicenode", "node=service\tdhcpserver=1\ttftpserver=1\tnameserver=1\tnfsserver=1");
        self.put("nodehm", "node=compute\tmgt=ipmi\tcons=ipmi");
        self.put("ipmi", "node=compute\tbmc=|n(\\d+)|10.200.(($1-1)/250).(($1-1)%250+1)|\tusername=ADMIN\tpassword=PASSW0RD");
        self.put(
            "nodetype",
            "node=compute\tos=rhels9\tarch=x86_64\tprovmethod=rhels9-x86_64-netboot-compute\tnodetype=osi",
        );
    }

    /// What years leave behind: disabled rows, rows of nodes that are gone, logs.
    fn oddities(&mut self) {
        self.put(
            "policy",
            "priority=6.1\tname=joe\tcommands=nodels\tnoderange=compute\trule=allow\tdisable=1",
        );
        self.put("noderes", "node=gone17\tnetboot=xnba");
        self.put("mac", "node=n1\tmac=00:00:00:00:00:01\tdisable=yes");
        self.put("auditlog", "recid=1\tuserid=root");
    }

    /// A rack of a hundred nodes: its service node, and its group.
    fn rack(&mut self, rack: usize, of: usize) {
        self.put("nodelist", &format!("node=sn{rack}\tgroups=service,all\tstatus=booted"));
        self.put("hosts", &format!("node=sn{rack}\tip=10.100.{}.{}", rack / 250, rack % 250 + 1));
        let pool = format!("servicenode=sn{rack},sn{}", (rack + 1) % of);
        self.put("noderes", &format!("node=rack{rack}\tnetboot=xnba\t{pool}\txcatmaster=sn{rack}"));
    }

    fn node(&mut self, n: usize) {
        let rack = (n - 1) / 100;
        self.put(
            "nodelist",
            &format!("node=n{n}\tgroups=compute,rack{rack},all\tstatus=booted\tstatustime=x"),
        );
        self.put("hosts", &format!("node=n{n}\tip=10.{}.{}.{}", 1 + n / 60_000, n / 250 % 250, n % 250 + 1));
        if n > 1 {
            self.put(
                "mac",
                &format!("node=n{n}\tmac=52:54:00:{:02x}:{:02x}:{:02x}", n >> 16, n >> 8 & 255, n & 255),
            );
        }
        self.put("switch", &format!("node=n{n}\tswitch=sw{rack}\tport={}\tinterface=eth0", n % 100));
        self.put("switch", &format!("node=n{n}\tswitch=isw{rack}\tport={}\tinterface=ib0", n % 100));
        self.put("chain", &format!("node=n{n}\tcurrstate=netboot rhels9-x86_64-compute\tcurrchain=boot"));
        let boot = "kernel=xcat/kernel\tinitrd=xcat/initrd\tkcmdline=imgurl=http://10.0.0.1";
        self.put("bootparams", &format!("node=n{n}\t{boot}"));
        self.put("nodepos", &format!("node=n{n}\track=r{rack}\tu={}", n % 40));
    }
}

/// A dump of a cluster as large as many are: racks with a service node each, groups with templates,
/// images, ports of switches, a policy, and odd rows. One table has a column of another version, and
/// one is of another version altogether.
fn dump(nodes: usize) -> Vec<(String, String)> {
    let mut dump = Dump::default();
    dump.site();
    dump.oddities();
    let racks = nodes.div_ceil(100);
    (0..racks).for_each(|rack| dump.rack(rack, racks));
    (1..=nodes).for_each(|n| dump.node(n));
    if let Some(text) = dump.0.get_mut("nodepos") {
        *text = text.replace("\n\"n", "\n\"x\",\"n").replacen("#node,", "#shelf9,node,", 1);
    }
    let mut files: Vec<_> = dump.0.into_iter().map(|(table, text)| (format!("{table}.csv"), text)).collect();
    files.push(("oldtable.csv".to_owned(), "#a,b\n1,2\n".to_owned()));
    files
}

#[test]
fn a_dump_of_xcat_is_imported_with_a_report_that_is_right() {
    let model = fixture::model("site master value=10.9.9.9\nsite domain value=hpc.example");
    let files = dump(300);
    let args = Import { files, ..args(Source::Xcat, &[]) };
    let outcome = planned(&model, &args);
    insta::assert_snapshot!(said(&outcome), @r#"
    not taken: auditlog.csv: auditlog: its one line is what the old system saw or did
    not taken: nodepos.csv:1: shelf9: nodepos has no such column
    not taken: site.csv:3: site master: the address of this management node stays; chdef -t site master=… sets it
    not taken: oldtable.csv: oldtable: there is no such table
    not taken: bootparams.csv: column initrd: nodeset writes it, and derives it here (300 rows)
    not taken: bootparams.csv: column kcmdline: nodeset writes it, and derives it here (300 rows)
    not taken: bootparams.csv: column kernel: nodeset writes it, and derives it here (300 rows)
    not taken: chain.csv: column currchain: it is state of the old system (300 rows)
    not taken: chain.csv: column currstate: it is state of the old system (300 rows)
    not taken: nodelist.csv: column status: it is state of the old system (303 rows)
    not taken: nodelist.csv: column statustime: it is state of the old system (300 rows)
    look: noderes.csv:2: noderes gone17: taken, but gone17 is no node and no group of the dump
    auditlog.csv: 0 taken, 1 left out as told
    bootparams.csv: 0 taken, 3 left out as told
    chain.csv: 0 taken, 2 left out as told
    hosts.csv: 303 taken
    ipmi.csv: 1 taken
    linuximage.csv: 1 taken
    mac.csv: 300 taken
    networks.csv: 1 taken
    nodegroup.csv: 1 taken
    nodehm.csv: 1 taken
    nodelist.csv: 303 taken, 2 left out as told
    nodepos.csv: 300 taken, 1 left out as told
    noderes.csv: 4 taken
    nodetype.csv: 1 taken
    oldtable.csv: 0 taken, 1 left out as told
    osimage.csv: 1 taken
    passwd.csv: 1 taken
    policy.csv: 2 taken
    postscripts.csv: 2 taken
    servicenode.csv: 1 taken
    site.csv: 3 taken, 1 left out as told
    switch.csv: 600 taken
    1825 created, 0 changed, 1 unchanged, 0 removed.
    "#);
    assert_eq!(outcome.status, 0);
    let model = after(&model, outcome);
    assert_eq!(model.node_count(), 303);
    assert_eq!(model.attr("n251", "bmc").as_deref(), Some("10.200.1.1"));
    assert_eq!(model.pool("n1").iter().map(|sn| sn.as_str()).collect::<Vec<_>>(), ["sn0", "sn1"]);
    assert_eq!(model.tables().count(TableId::named("switch").unwrap()), 600);
    assert_eq!(model.site("master"), Some("10.9.9.9"));
    assert!(model.tables().row(schema::MAC, "n1").is_some_and(|row| !row.is_live()));
    let outcome = planned(&model, &args);
    assert!(outcome.change.is_none(), "a second import finds everything there");
}

#[test]
fn a_cluster_of_five_thousand_nodes_is_planned_at_once() {
    let model = fixture::model("");
    let outcome = planned(&model, &Import { files: dump(5000), ..args(Source::Xcat, &[]) });
    assert_eq!(outcome.status, 0, "{}", said(&outcome));
    assert_eq!(after(&model, outcome).node_count(), 5050);
}

#[test]
fn files_of_a_dump_that_have_no_rows_are_not_told() {
    let files = [
        ("site.csv", "#key,value,comments,disable\n\"a\",\"1\",,\n"),
        ("nodehm.csv", "#node,mgt\n"),
        ("auditlog.csv", "#recid,audittime\n"),
        ("oldtable.csv", "#a,b\n\n"),
    ];
    insta::assert_snapshot!(said(&planned(&fixture::model(""), &args(Source::Xcat, &files))), @"
    site.csv: 1 taken
    1 created, 0 changed, 0 unchanged, 0 removed.
    ");
}
