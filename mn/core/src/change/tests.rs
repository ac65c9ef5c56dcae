//! The commands on small fixtures: words in, text and tables out.
//!
//! Words are split at blanks (`_` in a value stands for a blank), so that a test reads like the
//! terminal. The grammar here is a small copy of `mn::applet`'s, whose own tests hold the rest.

use crate::command::{Command, Define, Derivation, ListEdit, Mode, Range, Rmdef};
use crate::model::Model;
use crate::plan;
use crate::talk::{Context, Line};
use common::id::Revision;

use crate::command::{Lsdef, Nodels, Query, Tabdump};
use crate::model::tests::model;
use crate::query;

/// A model of these rows (`table column=value …`), with an answering context.
pub(crate) struct Bench {
    model: Model,
    context: Context,
    stdin: Option<String>,
}

impl Bench {
    pub(crate) fn new(rows: &[&str]) -> Self {
        let context = Context { server: "mn".to_owned(), ..Context::default() };
        Self { model: model(rows), context, stdin: None }
    }

    pub(crate) fn with_stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Runs a command line, commits what it plans, and gives everything said, with the streams
    /// and the exit status.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
        let (name, words) = words.split_first().unwrap();
        let mut said: Vec<Line> = Vec::new();
        let status = match name.as_str() {
            "lsdef" | "nodels" | "tabdump" => {
                let query = question(name, words);
                query::answer(&self.model, &query, &self.context, &mut |line| said.push(line))
            }
            _ => {
                let command = command(name, words, self.stdin.take());
                let outcome = plan(&self.model, &command, &self.context);
                if let Some(change) = &outcome.change {
                    let next = self.model.revision().next();
                    assert_eq!(change.base(), self.model.revision());
                    self.model.apply(change.edits(), next);
                }
                said = outcome.lines;
                outcome.status
            }
        };
        shown(said, status)
    }
}

/// What was said, with the streams and the exit status.
pub(crate) fn shown(lines: Vec<Line>, status: u8) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&match line {
            Line::Out(line) => line + "\n",
            Line::Err(line) => format!("! {line}\n"),
            Line::Record(record) => format!("{record}\n"),
        });
    }
    if status != 0 {
        text.push_str(&format!("= {status}\n"));
    }
    text
}

/// Options with and without values, operands, `attr=value` words.
#[derive(Default)]
struct Words {
    flags: Vec<String>,
    valued: Vec<(String, String)>,
    operands: Vec<String>,
    attributes: Vec<(String, String)>,
}

impl Words {
    fn read(words: &[String], with_value: &[&str]) -> Self {
        let mut read = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if with_value.contains(&word.as_str()) {
                read.valued.push((word.clone(), words.next().unwrap().clone()));
            } else if word.starts_with('-') {
                read.flags.push(word.clone());
            } else if let Some((name, value)) =
                word.split_once('=').filter(|(_, v)| !v.starts_with(['=', '~']))
            {
                read.attributes.push((name.to_owned(), value.to_owned()));
            } else {
                read.operands.push(word.clone());
            }
        }
        read
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    fn all(&self, option: &str) -> Vec<String> {
        self.valued.iter().filter(|(known, _)| known == option).map(|(_, value)| value.clone()).collect()
    }

    fn list(&self, option: &str) -> Option<Vec<String>> {
        self.all(option).first().map(|list| list.split(',').map(str::to_owned).collect())
    }

    fn range(&self) -> Option<Range> {
        self.operands.first().map(Range::new)
    }
}

fn question(name: &str, words: &[String]) -> Query {
    let read = Words::read(words, &["-t", "-i", "-w", "--template"]);
    match name {
        "lsdef" => Query::Lsdef(Lsdef {
            types: read.list("-t").unwrap_or_default(),
            objects: read.range(),
            all: read.has("-a"),
            long: read.has("-l"),
            short: read.has("-s"),
            compress: read.has("-c"),
            attributes: read.list("-i"),
            select: read.all("-w"),
            stanza: read.has("-z"),
            hidden: read.has("-S"),
            nics: read.has("--nics"),
            osimage: read.has("--osimage"),
            verbose: read.has("-V"),
            template: read.list("--template").map(|names| names.into_iter().filter(|n| n != "_").collect()),
        }),
        "nodels" => {
            // Criteria are words here, not attributes.
            let plain: Vec<String> = words.iter().filter(|word| !word.starts_with('-')).cloned().collect();
            Query::Nodels(Nodels {
                nodes: plain.first().map(Range::new),
                words: plain.into_iter().skip(1).collect(),
                blame: read.has("-b"),
                header: read.has("-H"),
                hidden: read.has("-S"),
            })
        }
        _ => Query::Tabdump(Tabdump {
            table: read.operands.first().cloned(),
            describe: read.has("-d"),
            select: read.all("-w"),
            last: None,
            own: false,
        }),
    }
}

fn command(name: &str, words: &[String], stdin: Option<String>) -> Command {
    let read = Words::read(words, &["-t", "-o", "-w", "-n", "--template", "--file"]);
    let mode = Mode { dry_run: read.has("--dry-run"), atomic: read.has("--atomic"), no_wait: false };
    let types = read.list("-t").unwrap_or_default();
    if name == "rmdef" {
        let (all, force, verbose) = (read.has("-a"), read.has("-f"), read.has("-V"));
        return Command::Rmdef(Rmdef { mode, types, objects: read.range(), all, force, verbose });
    }
    let list = match (read.has("-p"), read.has("-m")) {
        (true, _) => ListEdit::Add,
        (_, true) => ListEdit::Remove,
        _ => ListEdit::Replace,
    };
    let define = Define {
        mode,
        types,
        objects: read.range(),
        force: read.has("-f"),
        dynamic: read.has("-d"),
        select: read.all("-w"),
        list,
        rename: read.all("-n").pop(),
        template: read.all("--template").pop(),
        stanza: stdin,
        verbose: read.has("-V"),
        derive: read.has("-u").then(|| Derivation {
            osvers: "alma9.4".to_owned(),
            osarch: "x86_64".to_owned(),
            files: read.all("--file").join("\n"),
        }),
        attributes: read.attributes,
    };
    if name == "mkdef" { Command::Mkdef(define) } else { Command::Chdef(define) }
}

const TWO_NODES: &[&str] = &["nodelist node=n1 groups=all,g1", "nodelist node=n2 groups=all"];

#[test]
fn a_node_is_made_shown_changed_and_removed() {
    let mut bench = Bench::new(&[]);
    insta::assert_snapshot!(bench.run("mkdef n1,n2 groups=all,g1 mgt=ipmi bmc=10.1.0.1"), @"2 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n1"), @"
    Object name: n1
        bmc=10.1.0.1
        groups=all,g1
        mgt=ipmi
    ");
    insta::assert_snapshot!(bench.run("chdef n2,n3 groups=all bmc="), @"
    2 object definitions have been created or modified.
    New object definitions 'n3' have been created.
    ");
    insta::assert_snapshot!(bench.run("lsdef"), @"
    n1  (node)
    n2  (node)
    n3  (node)
    ");
    insta::assert_snapshot!(bench.run("rmdef n1,n2,n9"), @"
    ! Error: [mn]: Could not find an object named 'n9' of type 'node'.
      try      n1, n2, n3
    2 object definitions have been removed.
    = 1
    ");
    insta::assert_snapshot!(bench.run("tabdump ipmi"), @"#node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable");
}

#[test]
fn a_node_needs_groups_and_a_proper_name() {
    let mut bench = Bench::new(TWO_NODES);
    insta::assert_snapshot!(bench.run("mkdef n6 mgt=ipmi"), @"
    ! Error: [mn]: Attribute 'groups' is not specified for node 'n6', skipping to the next node.
      try      groups=all, to make it, or n1, n2
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef n7.dom groups=all"), @"
    ! Error: [mn]: The object name 'n7.dom' is invalid, Cannot use '.' in node name.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef NODE groups=all"), @"
    ! Warning: [mn]: The node name 'NODE' contains capital letters which may not be resolved correctly by the dns server.
    1 object definitions have been created or modified.
    ");
    insta::assert_snapshot!(bench.run("mkdef n8"), @"
    ! Error: [mn]: No object definitions have been created or modified: no attributes were specified.
    !   try      attr=value words, a stanza file (-z) or a template (--template)
    = 1
    ");
}

#[test]
fn what_is_there_is_left_alone_or_replaced_as_a_whole() {
    let mut bench = Bench::new(&["nodelist node=n1 groups=all", "nodetype node=n1 arch=aarch64"]);
    insta::assert_snapshot!(bench.run("mkdef n1 groups=g2"), @"
    ! Warning: [mn]: A definition for 'n1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    ! Error: [mn]: 0 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef n1,n2 groups=g2"), @"
    ! Warning: [mn]: A definition for 'n1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    1 object definitions have been created or modified.
    ");
    insta::assert_snapshot!(bench.run("mkdef -f n1 groups=g2"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n1"), @"
    Object name: n1
        groups=g2
    ");
}

#[test]
fn an_attribute_that_does_not_exist_stops_mkdef_and_not_chdef() {
    let mut bench = Bench::new(TWO_NODES);
    insta::assert_snapshot!(bench.run("mkdef n5 groups=all netbot=xnba"), @"
    ! Error: [mn]: 'netbot' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: Skipping to the next attribute.
    !   try      netboot
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1 netbot=xnba arch=aarch64"), @"
    ! Error: [mn]: 'netbot' is not a valid attribute name for an object type of 'node'.
    ! Error: [mn]: Skipping to the next attribute.
    !   try      netboot
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    !   done     1 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1 -i arch,netbot"), @"
    ! Error: [mn]: 'netbot' is not a valid attribute name for an object type of 'node'.
    !   try      netboot
    Object name: n1
        arch=aarch64
    = 1
    ");
}

#[test]
fn a_conditional_attribute_needs_its_condition() {
    let mut bench = Bench::new(TWO_NODES);
    insta::assert_snapshot!(bench.run("chdef n1 bmc=10.1.0.1"), @"
    ! Error: [mn]: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1 bmc=10.1.0.1 mgt=openbmc"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n1 -V -i bmc,mgt"), @"
    Object name: n1
        bmc=10.1.0.1	(Table:openbmc - Key:node - Column:bmc)
        mgt=openbmc	(Table:nodehm - Key:node - Column:mgt)
    ");
}

#[test]
fn lists_grow_at_the_end_and_shrink_by_what_is_there() {
    let mut bench = Bench::new(TWO_NODES);
    bench.run("chdef -p n1 groups=g2,all");
    insta::assert_snapshot!(bench.run("nodels n1 groups"), @"n1: all,g1,g2");
    insta::assert_snapshot!(bench.run("chdef -m n1,n2 groups=g1"), @"
    ! Error: [mn]: g1 is not in the attribute of 'groups' for the 'n2' definition.
    1 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("nodels n1,n2 groups"), @"
    n1: all,g2
    n2: all
    ");
    insta::assert_snapshot!(bench.run("chdef -m n9 groups=g1"), @"
    ! Error: [mn]: The '-m' option is not valid since the 'n9' definition does not exist.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
}

#[test]
fn a_network_needs_its_address_and_its_own() {
    let mut bench = Bench::new(&[]);
    insta::assert_snapshot!(bench.run("mkdef -t network mgt net=10.0.0.0"), @"
    ! Error: [mn]: Net or mask value should not be empty for xCAT network object 'mgt'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t network mgt net=10.0.0.0 mask=255.255.255.0 gateway=10.0.0.1"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("mkdef -t network other net=10.0.0.0 mask=255.255.255.0"), @"
    ! Error: [mn]: A network definition called 'mgt' already exists that contains the same net and mask values. Cannot create a definition for 'other'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef -t network mgt mask=255.255.0.0"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("tabdump networks"), @r#"
    #netname,net,mask,mgtifname,gateway,dhcpserver,tftpserver,nameservers,ntpservers,logservers,dynamicrange,staticrange,staticrangeincrement,nodehostname,ddnsdomain,vlanid,domain,mtu,comments,disable
    "mgt","10.0.0.0","255.255.0.0",,"10.0.0.1",,,,,,,,,,,,,,,
    "#);
    insta::assert_snapshot!(bench.run("lsdef -t network mgt"), @"
    Object name: mgt
        gateway=10.0.0.1
        mask=255.255.0.0
        net=10.0.0.0
    ");
    insta::assert_snapshot!(bench.run("rmdef -t network mgt,other"), @"
    ! Error: [mn]: Could not find an object named 'other' of type 'network'.
    1 object definitions have been removed.
    = 1
    ");
}

#[test]
fn a_group_has_members_and_attributes_that_they_inherit() {
    let mut bench = Bench::new(TWO_NODES);
    insta::assert_snapshot!(bench.run("mkdef -t group g2 members=n1,n9 netboot=xnba"), @"
    ! Error: [mn]: Could not find a node named 'n9', skipping to the next node.
    1 object definitions have been created or modified.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -t group g2"), @"
    Object name: g2
        grouptype=static
        members=n1
        netboot=xnba
    ");
    insta::assert_snapshot!(bench.run("nodels n1,n2 noderes.netboot -b"), @"
    n1: xnba (inherited from group g2)
    n2:
    ");
    insta::assert_snapshot!(bench.run("chdef -t group g2 members=n2"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("nodels n1,n2 groups"), @"
    n1: all,g1
    n2: all,g2
    ");
    insta::assert_snapshot!(bench.run("rmdef -t group g2"), @"1 object definitions have been removed.");
    insta::assert_snapshot!(bench.run("nodels n1,n2 groups"), @"
    n1: all,g1
    n2: all
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group g3"), @"
    ! Warning: [mn]: Cannot determine a member list for group 'g3'.
    1 object definitions have been created or modified.
    ");
}

#[test]
fn a_group_can_be_selected_once_or_for_ever() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all",
        "nodelist node=n2 groups=all",
        "nodehm node=n1 mgt=ipmi",
    ]);
    insta::assert_snapshot!(bench.run("mkdef -t group once -w mgt==ipmi"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef -t group once"), @"
    Object name: once
        grouptype=static
        members=n1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group ever -d -w mgt==ipmi -w groups=~all"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("tabdump nodegroup"), @r#"
    #groupname,grouptype,members,membergroups,wherevals,comments,disable
    "ever","dynamic","dynamic",,"mgt==ipmi::groups=~all",,
    "once","static","static",,,,
    "#);
    insta::assert_snapshot!(bench.run("chdef -t group ever netboot=xnba"), @"
    ! Error: [mn]: Can not assign attributes to dynamic node group 'ever'.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("mkdef -t group bad -d -w mgt"), @"
    ! Error: [mn]: Incorrect selection string specified with -w flag.
    = 1
    ");
}

#[test]
fn the_site_is_one_object_with_any_attribute() {
    let mut bench = Bench::new(&["site key=master value=10.0.0.1"]);
    bench.run("chdef -t site domain=cluster.local");
    insta::assert_snapshot!(bench.run("lsdef -t site -l"), @"
    Object name: clustersite
        domain=cluster.local
        master=10.0.0.1
    ");
    insta::assert_snapshot!(bench.run("chdef -t site domain="), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("tabdump site"), @r#"
    #key,value,comments,disable
    "master","10.0.0.1",,
    "#);
    insta::assert_snapshot!(bench.run("rmdef -t site"), @"
    ! Error: [mn]: Removing the site removes all of its settings; use the '-f' option to do it.
    = 1
    ");
}

#[test]
fn an_interface_of_a_packed_column_is_an_attribute() {
    let mut bench = Bench::new(TWO_NODES);
    bench.run("chdef n1 nicips.eth0=10.0.0.1 nicips.ib0=10.9.0.1");
    bench.run("chdef n1 nicips.eth0=10.0.0.2");
    insta::assert_snapshot!(bench.run("lsdef n1 --nics"), @"
    Object name: n1
        nicips.eth0=10.0.0.2
        nicips.ib0=10.9.0.1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1 -i nicips.ib0,nictypes -c"), @"n1: nicips.ib0=10.9.0.1");
    insta::assert_snapshot!(bench.run("chdef -p n1 nicips.eth0=10.0.0.3"), @"
    ! Error: [mn]: chdef does not support to change the nic related attributes with -m or -p flag.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    bench.run("chdef n1 nicips.eth0=");
    insta::assert_snapshot!(bench.run("tabdump nics -w nicips=~%ib0%"), @r#"
    #node,nicips,nichostnamesuffixes,nichostnameprefixes,nictypes,niccustomscripts,nicnetworks,nicaliases,nicextraparams,nicdevices,nicsadapter,comments,disable
    "n1","ib0!10.9.0.1",,,,,,,,,,,
    "#);
}

#[test]
fn stanzas_go_in_and_come_out() {
    let stanza = "default-node:\n  groups=all\nn5:\n  objtype=node\n  arch=aarch64\nnet1:\n  objtype=network\n  net=10.0.0.0\n  mask=255.255.255.0\n";
    let mut bench =
        Bench::new(&["postscripts node=xcatdefaults postscripts=syslog,remoteshell"]).with_stdin(stanza);
    insta::assert_snapshot!(bench.run("mkdef -z"), @"2 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n5 -z"), @"
    # <xCAT data object stanza file>

    n5:
        objtype=node
        arch=aarch64
        groups=all
    ");
    insta::assert_snapshot!(bench.run("lsdef n5"), @"
    Object name: n5
        arch=aarch64
        groups=all
        postscripts=syslog,remoteshell
    ");
    let out = bench.run("lsdef -t node,network -z -l");
    let mut again = Bench::new(&[]).with_stdin(&out);
    again.run("mkdef -z");
    assert_eq!(again.run("lsdef -t node,network -z -l"), out, "what comes out goes in");
}

#[test]
fn a_template_fills_in_what_is_not_given() {
    let mut bench = Bench::new(&["nodelist node=n1 groups=all", "nodetype node=n1 arch=aarch64 os=alma9"]);
    insta::assert_snapshot!(bench.run("mkdef n2 --template n1 os=alma10"), @"1 object definitions have been created or modified.");
    insta::assert_snapshot!(bench.run("lsdef n2"), @"
    Object name: n2
        arch=aarch64
        groups=all
        os=alma10
    ");
    insta::assert_snapshot!(bench.run("mkdef n3 --template n9 groups=all"), @"
    ! Error: [mn]: Could not find the template object named 'n9' of type 'node'.
    !   try      lsdef --template, to see those there are
    = 1
    ");
}

#[test]
fn an_object_gets_another_name_everywhere() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all,g1",
        "nodetype node=n1 arch=aarch64",
        "noderes node=g1 netboot=xnba",
        "nodelist node=n2 groups=all",
    ]);
    insta::assert_snapshot!(bench.run("chdef n1 -n n2"), @"
    ! Error: [mn]: Object n2 already exists.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1 -n n3"), @"Changed the object name from n1 to n3.");
    insta::assert_snapshot!(bench.run("chdef -t group g1 -n rack1"), @"Changed the object name from g1 to rack1.");
    insta::assert_snapshot!(bench.run("lsdef n3"), @"
    Object name: n3
        arch=aarch64
        groups=all,rack1
        netboot=xnba
    ");
    insta::assert_snapshot!(bench.run("lsdef n1"), @"
    ! Error: [mn]: Could not find an object named 'n1' of type 'node'.
      try      n2, n3
    No object definitions have been found
    = 1
    ");
}

#[test]
fn objects_that_are_refused_do_not_stop_the_others_unless_asked() {
    let rows =
        &["nodelist node=n1 groups=all", "nodelist node=n2 groups=all", "mac node=n2 mac=52:54:00:00:00:02"];
    let mut bench = Bench::new(rows);
    insta::assert_snapshot!(bench.run("chdef n1 mac=52:54:00:00:00:02 arch=aarch64"), @"
    ! Error: [mn]: n1: 52:54:00:00:00:02 is the hardware address of n2 already
      try      take it from n2 first, or mark one of them 52:54:00:00:00:02!*NOIP*
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1"), @"
    Object name: n1
        groups=all
    ");
    insta::assert_snapshot!(bench.run("chdef n1,n2 bmc=10.0.0.1 --atomic"), @"
    ! Error: [mn]: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    ! Error: [mn]: Cannot set the attr='bmc' attribute unless mgt value is ipmi or openbmc.
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    ! Error: [mn]: Nothing is changed: with --atomic, all objects change or none.
    = 1
    ");
    insta::assert_snapshot!(bench.run("chdef n1,n9 arch=aarch64 --atomic"), @"
    ! Error: [mn]: Attribute 'groups' is not specified for node 'n9', skipping to the next node.
      try      groups=all, to make it, or n1, n2
    ! Error: [mn]: One or more errors occured when attempting to create or modify xCAT object definitions.
    ! Error: [mn]: Nothing is changed: with --atomic, all objects change or none.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n1"), @"
    Object name: n1
        groups=all
    ");
}

#[test]
fn two_nodes_may_swap_their_addresses_in_one_command() {
    let rows = &[
        "nodelist node=n1 groups=all",
        "nodelist node=n2 groups=all",
        "mac node=n1 mac=52:54:00:00:00:01",
        "mac node=n2 mac=52:54:00:00:00:02",
    ];
    let swap = "n1:\n objtype=node\n mac=52:54:00:00:00:02\nn2:\n objtype=node\n mac=52:54:00:00:00:01\n";
    let mut bench = Bench::new(rows).with_stdin(swap);
    insta::assert_snapshot!(bench.run("chdef -z"), @"2 object definitions have been created or modified.");
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let mut bench = Bench::new(&["nodelist node=n1 groups=all", "nodetype node=n1 arch=aarch64"]);
    insta::assert_snapshot!(bench.run("chdef n1,n2 groups=all,g2 arch= --dry-run"), @"
    n1: groups: all -> all,g2
    n2: groups: (unset) -> all,g2
    n1: arch: aarch64 -> (unset)
    Dry run: 3 values would change; nothing is changed.
    ");
    insta::assert_snapshot!(bench.run("rmdef n1 --dry-run"), @"
    n1: groups: all -> (unset)
    n1: arch: aarch64 -> (unset)
    Dry run: 2 values would change; nothing is changed.
    ");
    insta::assert_snapshot!(bench.run("lsdef n1,n2"), @"
    Object name: n1
        arch=aarch64
        groups=all
    ! Error: [mn]: Could not find an object named 'n2' of type 'node'.
      try      n1
    = 1
    ");
}

#[test]
fn lsdef_selects_by_what_is_set() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all",
        "nodelist node=n2 groups=all hidden=1",
        "nodelist node=n3 groups=all",
        "nodehm node=n1 mgt=ipmi",
    ]);
    insta::assert_snapshot!(bench.run("lsdef -w mgt!=openbmc"), @"n1  (node)");
    insta::assert_snapshot!(bench.run("lsdef -w mgt==openbmc"), @"No object definitions have been found");
    insta::assert_snapshot!(bench.run("lsdef -w groups=~all"), @"
    n1  (node)
    n3  (node)
    ");
    insta::assert_snapshot!(bench.run("lsdef -w mgt"), @"
    ! Error: [mn]: Incorrect selection string specified with -w flag.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef n2"), @"");
    insta::assert_snapshot!(bench.run("lsdef -S -s n2"), @"n2  (node)");
    insta::assert_snapshot!(bench.run("lsdef nosuch"), @"
    ! Error: [mn]: Could not find an object named 'nosuch' of type 'node'.
    No object definitions have been found
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -t nosuch"), @"
    ! Error: [mn]: 
    Type 'nosuch' is not a valid xCAT object type.
    = 1
    ");
    insta::assert_snapshot!(bench.run("lsdef -a"), @"
    all (group)
    n1 (node)
    n3 (node)
    clustersite (site)
    ");
}

#[test]
fn nodels_shows_columns_as_xcat_does() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all,g1",
        "nodelist node=n2 groups=all",
        "nodelist node=n3 groups=all hidden=1",
        "nodehm node=g1 mgt=ipmi",
        "switch node=n1 switch=sw1 port=1",
        "switch node=n1 switch=sw2 port=2",
    ]);
    insta::assert_snapshot!(bench.run("nodels"), @"
    n1
    n2
    ");
    insta::assert_snapshot!(bench.run("nodels all -S"), @"
    n1
    n2
    n3
    ");
    insta::assert_snapshot!(bench.run("nodels all mgt"), @"
    n1: ipmi
    n2:
    ");
    insta::assert_snapshot!(bench.run("nodels all mgt groups"), @"
    n1: mgt: ipmi
    n1: groups: all,g1
    n2: mgt: 
    n2: groups: all
    ");
    insta::assert_snapshot!(bench.run("nodels all nodehm.mgt==ipmi"), @"n1");
    insta::assert_snapshot!(bench.run("nodels all nodehm.mgt!=ipmi groups"), @"n2: groups: all");
    insta::assert_snapshot!(bench.run("nodels n1 switch.switch"), @"
    n1: sw1
    n1: sw2
    ");
    insta::assert_snapshot!(bench.run("nodels n1 nosuch mgt"), @"
    ! Error: [mn]: nosuch not a valid table.column description
    n1: ipmi
    = 1
    ");
    insta::assert_snapshot!(bench.run("nodels all nodehm.mgt==a nodehm.mgt==b"), @"
    ! Error: [mn]: Multiple selection critera for nodehm.mgt
    = 1
    ");
    insta::assert_snapshot!(bench.run("nodels nosuch1,n1,nosuch2"), @"
    ! Error: Invalid nodes and/or groups in noderange: nosuch1,nosuch2
      try      nodels, to see the nodes; lsdef -t group, to see the groups
    = 1
    ");
}

#[test]
fn tabdump_quotes_and_selects() {
    let mut bench = Bench::new(&["site key=a value=say_\"hi\"", "site key=b value=2", "site key=c value=10"]);
    insta::assert_snapshot!(bench.run("tabdump site"), @r#"
    #key,value,comments,disable
    "a","say ""hi""",,
    "b","2",,
    "c","10",,
    "#);
    // As text, in which 10 comes before 2.
    insta::assert_snapshot!(bench.run("tabdump site -w value>2"), @r#"
    #key,value,comments,disable
    "a","say ""hi""",,
    "#);
    insta::assert_snapshot!(bench.run("tabdump site -w key==b -w value!=2"), @"#key,value,comments,disable");
    insta::assert_snapshot!(bench.run("tabdump site -w nosuch==b"), @r#"
    ! Error: [mn]: No column "nosuch" in table "site"
    = 1
    "#);
    insta::assert_snapshot!(bench.run("tabdump site -w master"), @"
    ! Error: [mn]: Unsupported operator:master on -w flag input
    = 1
    ");
    insta::assert_snapshot!(bench.run("tabdump nosuch"), @"
    ! Error: [mn]: No such table: nosuch
    = 1
    ");
    insta::assert_snapshot!(bench.run("tabdump routes -d"), @"
    routename:	name of the route

    net:		address of the network (an address)

    mask:		its mask (an address)

    gateway:	where to send; <xcatmaster> for the node's server (a name or address)

    ifname:		interface to send from

    comments:	a note for people

    disable:	hides the row when set, unless it is 0 or no
    ");
}

#[test]
fn removing_takes_everything_that_is_meant_and_no_more() {
    let mut bench = Bench::new(&[
        "nodelist node=n1 groups=all",
        "mac node=n1 mac=52:54:00:00:00:01",
        "networks net=10.0.0.0 mask=255.0.0.0 netname=mgt",
        "site key=a value=1",
        "policy priority=1 name=root rule=allow",
        "ownership node=n1 epoch=7",
    ]);
    insta::assert_snapshot!(bench.run("rmdef -a"), @"
    ! Error: [mn]: You must use the '-f' option when using the '-a' option.
    = 1
    ");
    insta::assert_snapshot!(bench.run("rmdef nosuch"), @"
    ! Error: [mn]: Could not find an object named 'nosuch' of type 'node'.
    No objects have been removed from the xCAT database.
    = 1
    ");
    insta::assert_snapshot!(bench.run("rmdef -a -f"), @"3 object definitions have been removed.");
    insta::assert_snapshot!(bench.run("lsdef -a"), @"
    1 (policy)
    clustersite (site)
    ");
    insta::assert_snapshot!(bench.run("tabdump ownership"), @r#"
    #node,epoch,from,was,wrote,rests
    "n1","7",,,,
    "#);
}

#[test]
fn a_change_and_its_inverse_come_to_nothing() {
    let bench = Bench::new(TWO_NODES);
    let outcome = plan(&bench.model, &command("rmdef", &["n1".to_owned()], None), &bench.context);
    let change = outcome.change.unwrap();
    let mut model = bench.model.clone();
    model.apply(change.edits(), Revision::new(2));
    model.apply(&change.inverse(), Revision::new(3));
    let dump = |model: &Model| {
        let nodes = model.tables().rows(crate::table::schema::NODELIST);
        nodes.map(|(key, row)| format!("{key} {row:?}")).collect::<Vec<_>>()
    };
    assert_eq!(dump(&model), dump(&bench.model));
}
