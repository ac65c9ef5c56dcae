//! What a command on one node costs does not grow with the cluster.
//!
//! Times are noise on a machine that does other work, so rows are counted: each that is looked up or
//! walked over ([`crate::table::visits`]). A walk over all nodes, or over all members of a large
//! group, shows at once.

use std::fmt::Write as _;

use common::id::Revision;

use crate::command::{Command, Define, Lsdef, Nodels, Query, Range, Rmdef};
use crate::derive::{Derivation, Facts};
use crate::model::Model;
use crate::table::{TableId, schema, visits};
use crate::talk::Context;
use crate::{fixture, query};

/// How much larger the large cluster is. What is looked up in a tree grows by a step where the tree
/// does, and that is not counted.
const SIZES: [usize; 2] = [300, 3000];

const FACTS: Facts = Facts { authority: [7; 32] };

/// A cluster of racks of twenty nodes, each with a service node of its own; addresses by a template of
/// the group of all nodes, hardware addresses of the nodes' own.
fn cluster(nodes: usize) -> Model {
    let mut text = "
        site domain value=cluster.test
        networks 10.0.0.0/255.0.0.0 netname=rack gateway=<xcatmaster>
        servicenode service nameserver=1 dhcpserver=1 tftpserver=1
        hosts compute ip=|n(\\d+)|10.0.($1/250).($1%250+1)|
        noderes compute netboot=xnba
        nodetype compute provmethod=demo\n"
        .to_owned();
    for rack in 0..nodes.div_ceil(20) {
        let _ =
            writeln!(text, "nodelist sn{rack} groups=service\nhosts sn{rack} ip=10.1.0.{}", rack % 250 + 1);
        let _ = writeln!(text, "hosts sn{rack} ip=10.1.{}.{}", rack / 250, rack % 250 + 1);
        let _ = writeln!(text, "noderes rack{rack} servicenode=sn{rack}");
        let _ = writeln!(text, "member sn/sn{rack} key={}", "0".repeat(64));
    }
    for node in 0..nodes {
        let _ = writeln!(text, "nodelist n{node} groups=rack{},compute", node / 20);
        let _ = writeln!(text, "mac n{node} mac=52:54:00:00:{:02x}:{:02x}", node / 250, node % 250);
    }
    fixture::model(&text)
}

/// How many rows an act visits on a small cluster and on a large one.
#[track_caller]
fn is_independent(act: impl Fn(&Model, &mut Derivation)) {
    let counts = SIZES.map(|size| {
        let model = cluster(size);
        let mut derivation = Derivation::new(&model, FACTS);
        visits::of(|| act(&model, &mut derivation))
    });
    assert!(counts[0] > 0, "nothing was counted");
    assert_eq!(counts[0], counts[1], "rows visited on {SIZES:?} nodes");
}

/// Plans a command, carries it out, and follows it with the slices.
#[track_caller]
fn costs_one_node(command: &Command) {
    is_independent(|model, derivation| {
        let outcome = crate::plan(model, command, &Context::default());
        assert_eq!(outcome.status, 0, "{:?}", outcome.lines);
        let (edits, after) = outcome.change.unwrap().into_parts();
        let mut applied = model.clone();
        applied.apply(&edits, Revision::new(2));
        assert!(applied.tables().edits_since(after.tables()).is_empty());
        derivation.follow(model, &after.numbered(Revision::new(2)), &edits);
    });
}

fn chdef(node: &str, attribute: &str, value: &str) -> Command {
    Command::Chdef(Define {
        objects: Some(Range::new(node)),
        attributes: vec![(attribute.to_owned(), value.to_owned())],
        ..Define::default()
    })
}

#[test]
fn a_change_of_one_node_does_not_grow_with_the_cluster() {
    costs_one_node(&chdef("n25", "usercomment", "hello"));
    costs_one_node(&chdef("n25", "mac", "52:54:00:ff:00:01"));
    costs_one_node(&chdef("n25", "ip", "10.2.0.1"));
    costs_one_node(&chdef("n25", "servicenode", "sn2,sn1"));
    costs_one_node(&chdef("n25", "groups", "rack1"));
}

#[test]
fn a_node_that_comes_or_goes_does_not_cost_more_in_a_large_cluster() {
    let rmdef = Rmdef { objects: Some(Range::new("n25")), ..Rmdef::default() };
    costs_one_node(&Command::Rmdef(rmdef));
    costs_one_node(&Command::Mkdef(Define {
        objects: Some(Range::new("x1")),
        attributes: vec![("groups".to_owned(), "rack1".to_owned())],
        ..Define::default()
    }));
}

#[test]
fn a_look_at_one_node_does_not_grow_with_the_cluster() {
    let ask = |query: Query| {
        is_independent(|model, _| {
            let mut lines = 0;
            let status = query::answer(model, &query, &Context::default(), &mut |_| lines += 1);
            assert_eq!((status, lines > 0), (0, true));
        });
    };
    ask(Query::Nodels(Nodels { nodes: Some(Range::new("n25")), ..Nodels::default() }));
    ask(Query::Lsdef(Lsdef { objects: Some(Range::new("n25")), ..Lsdef::default() }));
}

#[test]
fn what_no_group_sets_is_not_looked_for_in_groups() {
    let model = cluster(SIZES[0]);
    let looks = |table: TableId, column: &str| visits::of(|| drop(model.cell(table, "n25", column)));
    assert_eq!(looks(schema::MAC, "mac"), 1);
    assert_eq!(looks(schema::NODERES, "nfsserver"), 1);
    // Its own row, its list of groups, and the row of its rack.
    assert_eq!(looks(schema::NODERES, "servicenode"), 3);
}
