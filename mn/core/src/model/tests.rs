//! Inheritance, lookups and rules, each on a few rows; and that indexes follow every edit.

use proptest::prelude::*;

use super::*;
use crate::table::schema::{NETWORKS, NODERES, SERVICENODE};
use crate::table::{Row, RowKey, TableId};

/// Rows written as `table column=value column=value`; `_` stands for a blank.
pub(crate) fn model(rows: &[&str]) -> Model {
    let mut tables = Tables::new();
    for row in rows {
        let (table, row) = parse(row);
        tables.load(table, row.key(table), row);
    }
    Model::new(tables, Revision::new(1))
}

fn parse(text: &str) -> (TableId, Row) {
    let mut words = text.split(' ');
    let table = TableId::named(words.next().unwrap()).unwrap();
    let cells = words.map(|word| word.split_once('=').unwrap());
    let cells: Vec<(&str, String)> = cells.map(|(column, value)| (column, value.replace('_', " "))).collect();
    (table, cells.iter().map(|(column, value)| (*column, value.as_str())).collect())
}

fn edit(model: &Model, text: &str) -> Edit {
    let (table, row) = parse(text);
    let key = row.key(table);
    Edit { table, before: model.tables().row(table, key.as_str()).cloned(), after: Some(row), key }
}

/// What a change that writes these rows is told.
fn findings(rows: &[&str], change: &[&str]) -> (Vec<String>, Vec<String>) {
    let before = model(rows);
    let edits: Vec<Edit> = change.iter().map(|text| edit(&before, text)).collect();
    let mut after = before.clone();
    after.apply(&edits, Revision::new(2));
    let found = check::change(&before, &after, &edits);
    let text = |all: Vec<common::report::Refusal>| all.iter().map(ToString::to_string).collect();
    (text(found.refusals), text(found.warnings))
}

#[test]
fn each_column_is_inherited_by_itself_and_the_first_group_wins() {
    let model = model(&[
        "nodelist node=n1 groups=g2,g1",
        "noderes node=n1 netboot=xnba",
        "noderes node=g1 netboot=pxe xcatmaster=a tftpdir=/t",
        "noderes node=g2 xcatmaster=b",
    ]);
    let cell = |column| model.cell(NODERES, "n1", column).map(Value::into_owned);
    assert_eq!(cell("netboot").as_deref(), Some("xnba"));
    assert_eq!(cell("xcatmaster").as_deref(), Some("b"));
    assert_eq!(cell("tftpdir").as_deref(), Some("/t"));
    assert_eq!(cell("nfsserver"), None);
    let source = model.cell_source(NODERES, "n1", "tftpdir").unwrap();
    assert_eq!(source.origins, [Origin::Group("g1")]);
}

#[test]
fn a_disabled_row_says_nothing_and_a_disabled_node_is_none() {
    let model = model(&[
        "nodelist node=n1 groups=g1",
        "nodelist node=n2 groups=g1 disable=1",
        "noderes node=n1 netboot=xnba disable=yes",
        "noderes node=g1 netboot=pxe",
    ]);
    assert_eq!(model.cell(NODERES, "n1", "netboot").as_deref(), Some("pxe"));
    assert!(!model.has_node("n2") && model.members("g1").len() == 1);
}

#[test]
fn an_explicit_nothing_hides_the_group_but_an_empty_cell_does_not() {
    let model = model(&[
        "nodelist node=n1 groups=g1",
        "nodelist node=n2 groups=g1",
        "noderes node=n1 netboot=|^.*$||",
        "noderes node=n2 tftpdir=/x",
        "noderes node=g1 netboot=pxe",
    ]);
    assert_eq!(model.cell(NODERES, "n1", "netboot"), None);
    assert_eq!(model.cell(NODERES, "n2", "netboot").as_deref(), Some("pxe"));
}

#[test]
fn a_template_of_a_group_is_replaced_for_each_member_and_found_again() {
    let model = model(&[
        "nodelist node=n7 groups=g1",
        "hosts node=g1 ip=|n(\\d+)|10.0.0.($1+0)| otherinterfaces=-bmc:|x|",
        "mac node=n7 mac=52:54:00:00:00:07!n7-e1|52:54:00:00:00:08!*NOIP*",
    ]);
    assert_eq!(model.ip("n7"), Some([10, 0, 0, 7].into()));
    let stored = model.cell_source(HOSTS, "n7", "ip").unwrap();
    assert_eq!(
        (stored.stored.as_ref(), stored.value.as_deref()),
        ("|n(\\d+)|10.0.0.($1+0)|", Some("10.0.0.7"))
    );
    assert!(model.nodes_with_ip([10, 0, 0, 7].into()).map(NodeName::as_str).eq(["n7"]));
    let with = |mac: &str| model.nodes_with_mac(mac.parse().unwrap()).count();
    assert_eq!((with("52:54:00:00:00:07"), with("52:54:00:00:00:08")), (1, 0));
}

#[test]
fn values_go_on_with_the_next_record_or_are_joined_over_all() {
    let next = model(&[
        "nodelist node=n1 groups=g1,g2,g3",
        "postscripts node=n1 postscripts=a+=NEXTRECORD",
        "postscripts node=g1 postscripts=,b+=NEXTRECORD",
        "postscripts node=g2 postscripts=,c",
        "postscripts node=g3 postscripts=,d",
    ]);
    let table = crate::table::schema::POSTSCRIPTS;
    assert_eq!(next.cell(table, "n1", "postscripts").as_deref(), Some("a,b,c"));

    let joined = model(&[
        "site key=hierarchicalattrs value=postscripts,nicips:|",
        "nodelist node=n1 groups=g1,g2",
        "postscripts node=n1 postscripts=pI,pX",
        "postscripts node=g1 postscripts=pA,pI",
        "postscripts node=g2 postscripts=pB",
    ]);
    let source = joined.cell_source(table, "n1", "postscripts").unwrap();
    assert_eq!(source.value.as_deref(), Some("pI,pX,pA,pB"));
    assert_eq!(source.origins, [Origin::Node, Origin::Group("g1"), Origin::Group("g2")]);
}

#[test]
fn a_conditional_attribute_follows_its_condition() {
    let rows = |mgt| {
        model(&[
            "nodelist node=n1 groups=g1",
            &format!("nodehm node=g1 mgt={mgt}"),
            "ipmi node=n1 bmc=a",
            "openbmc node=n1 bmc=b",
        ])
    };
    assert_eq!(rows("ipmi").attr("n1", "bmc").as_deref(), Some("a"));
    assert_eq!(rows("openbmc").attr("n1", "bmc").as_deref(), Some("b"));
    assert_eq!(rows("hmc").attr("n1", "bmc"), None);
    assert_eq!(rows("hmc").attr("n1", "nodetype"), None, "its second column is conditioned on itself");
}

#[test]
fn service_nodes_are_those_of_which_the_table_says_something() {
    let model = model(&[
        "nodelist node=sn1",
        "nodelist node=sn2 groups=service",
        "nodelist node=sn3",
        "servicenode node=sn1 nfsserver=0",
        "servicenode node=service tftpserver=1",
        "servicenode node=sn3 comments=x",
        "nodelist node=n1 groups=g",
        "noderes node=g servicenode=sn2,sn1",
    ]);
    assert_eq!(model.service_nodes().iter().map(SnName::as_str).collect::<Vec<_>>(), ["sn1", "sn2"]);
    assert_eq!(model.pool("n1").iter().map(SnName::as_str).collect::<Vec<_>>(), ["sn2", "sn1"]);
    assert!(model.served_by("sn1").map(NodeName::as_str).eq(["n1"]));
}

#[test]
fn the_narrowest_network_has_the_address() {
    let model = model(&[
        "networks netname=wide net=10.0.0.0 mask=255.0.0.0",
        "networks netname=rack net=10.1.0.0 mask=255.255.0.0",
        "networks netname=off net=10.1.1.0 mask=255.255.255.0 disable=1",
    ]);
    let on = |ip: [u8; 4]| model.network_of(ip.into()).map(|network| network.name.to_string());
    assert_eq!(on([10, 1, 1, 1]).as_deref(), Some("rack"));
    assert_eq!(on([10, 2, 0, 1]).as_deref(), Some("wide"));
    assert_eq!(on([11, 0, 0, 1]), None);
}

#[test]
fn names_are_resolved_through_every_table() {
    let model = model(&[
        "site key=domain value=cluster.net",
        "nodelist node=n1",
        "hosts node=n1 ip=10.0.0.1 hostnames=first otherinterfaces=-bmc:10.1.0.1",
        "nics node=n1 nicips=eth1!10.2.0.1 nichostnamesuffixes=eth1!-e1",
    ]);
    let resolve = |name| model.resolve(name).iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    assert_eq!(resolve("n1"), "10.0.0.1");
    assert_eq!(resolve("first.cluster.net"), "10.0.0.1");
    assert_eq!(resolve("n1-bmc"), "10.1.0.1");
    assert_eq!(resolve("n1-e1"), "10.2.0.1");
    assert_eq!(resolve("192.0.2.1"), "192.0.2.1");
    assert_eq!(resolve("nobody"), "");
}

#[test]
fn two_nodes_may_not_share_an_address() {
    let rows = [
        "networks netname=mgt net=10.0.0.0 mask=255.255.255.0 dynamicrange=10.0.0.100-10.0.0.110",
        "nodelist node=n1",
        "nodelist node=n2",
        "hosts node=n1 ip=10.0.0.1",
        "mac node=n1 mac=52:54:00:00:00:01",
    ];
    let (refused, _) = findings(&rows, &["hosts node=n2 ip=10.0.0.1", "mac node=n2 mac=525400000001"]);
    assert_eq!(
        refused,
        [
            "n2: 52:54:00:00:00:01 is the hardware address of n1 already",
            "n2: 10.0.0.1 is an address of n1 already"
        ]
    );
    let quiet = findings(&rows, &["mac node=n2 mac=52:54:00:00:00:01!*NOIP*"]);
    assert_eq!(quiet, (vec![], vec![]));
    let (refused, warned) = findings(&rows, &["hosts node=n2 ip=10.0.0.105"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        warned,
        [
            "n2: 10.0.0.105 is in the dynamic range 10.0.0.100-10.0.0.110 of network mgt; a stranger may be given it"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_refused_when_it_is_written() {
    let rows = ["nodelist node=n1", "nodelist node=sn1", "networks netname=m net=10.0.0.0 mask=255.0.0.0"];
    let refused = |change| findings(&rows, &[change]).0.join("\n");
    assert_eq!(refused("hosts node=n1 ip=10.0.0.300"), "n1: ip=10.0.0.300 is not an address");
    assert_eq!(
        refused("hosts node=n1 ip=10.255.255.255"),
        "n1: 10.255.255.255 is not a host of network m (10.0.0.0/8)"
    );
    assert_eq!(refused("mac node=n1 mac=52:54"), "n1: \"52:54\" is not a hardware address");
    assert_eq!(
        refused("networks netname=x net=10.1.0.0 mask=255.0.255.0"),
        "x: it is not a network: mask \"255.0.255.0\" is not a mask; write it as 255.255.255.0"
    );
    assert_eq!(
        refused("networks netname=m net=10.0.0.0 mask=255.0.0.0 dynamicrange=11.0.0.1-11.0.0.2"),
        "m: dynamicrange cannot be used: \"11.0.0.1-11.0.0.2\" is not within 10.0.0.0/8"
    );
    assert!(refused("hosts node=n1 ip=|n(|x|").starts_with("n1: ip=|n(|x| is not a template"));
}

#[test]
fn what_is_odd_is_kept_with_a_warning() {
    let warned = |change| findings(&["nodelist node=n1"], &[change]);
    let (refused, warnings) = warned("noderes node=n1 tftpdir=/tftpboot/xcat/");
    assert_eq!(refused, [""; 0]);
    assert_eq!(warnings, ["n1: tftpdir=/tftpboot/xcat/ is read as a pattern, and gives n1"]);
    assert_eq!(warned("noderes node=n1 tftpdir=/tftpboot").1, [""; 0]);
    let (refused, warnings) = warned("noderes node=n1 netboot=yaboot");
    assert_eq!((refused.len(), warnings.len()), (0, 1), "{warnings:?}");
    let (refused, warnings) = warned("noderes node=n1 servicenode=sn9,sn9");
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        warnings,
        [
            "n1: servicenode=sn9,sn9: sn9 is not a service node; there is no node sn9",
            "n1: servicenode=sn9,sn9 names sn9 twice"
        ]
    );
    let (refused, warnings) = warned("mac node=n1 mac=80:00:00:48:fe:80:00:00:01!*NOIP*");
    assert_eq!((refused.len(), warnings.len()), (0, 1));
}

/// Small edits of the tables that indexes are made of, over few names, so that they meet.
fn an_edit() -> impl Strategy<Value = (TableId, RowKey, Option<Row>)> {
    let name = prop::sample::select(vec!["n1", "n2", "n3", "g1", "g2"]);
    let cells = prop::sample::select(vec![
        (NODELIST, "groups", "g1"),
        (NODELIST, "groups", "g2,g1"),
        (NODELIST, "groups", "n2"),
        (NODELIST, "status", "booted"),
        (NODELIST, "disable", "1"),
        (HOSTS, "ip", "10.0.0.1"),
        (HOSTS, "ip", "|n(\\d)|10.0.0.($1+1)|"),
        (HOSTS, "hostnames", "a b"),
        (NICS, "nicips", "eth1!10.0.0.2|10.0.0.9"),
        (MAC, "mac", "52:54:00:00:00:01|52:54:00:00:00:02!*NOIP*"),
        (NODERES, "servicenode", "n1,n2"),
        (NODERES, "servicenode", "n3+=NEXTRECORD"),
        (SERVICENODE, "tftpserver", "1"),
        (SITE, "hierarchicalattrs", "servicenode"),
        (NETWORKS, "netname", "x"),
    ]);
    (name, cells, prop::bool::weighted(0.8)).prop_map(|(name, (table, column, value), there)| {
        let key = table.table().key[0];
        let name = if table == SITE { "hierarchicalattrs" } else { name };
        let column = if table == SITE { "value" } else { column };
        let row = Row::new().with(key, name).with(column, value);
        (table, row.key(table), there.then_some(row))
    })
}

proptest! {
    #[test]
    fn indexes_follow_every_edit(changes in prop::collection::vec(prop::collection::vec(an_edit(), 1..4), 1..12)) {
        let mut followed = Model::new(Tables::new(), Revision::ZERO);
        for change in changes {
            let mut tables = followed.tables().clone();
            let mut edits = Vec::new();
            for (table, key, after) in change {
                let before = tables.row(table, key.as_str()).cloned();
                edits.push(Edit { table, key, before, after });
                tables.apply(&edits[edits.len() - 1]);
            }
            followed.apply(&edits, followed.revision().next());
            let built = Model::new(tables, followed.revision());
            prop_assert_eq!(&followed.index, &built.index);
            prop_assert_eq!(&followed.inherited, &built.inherited);
            prop_assert_eq!(followed.networks(), built.networks());
        }
    }
}
