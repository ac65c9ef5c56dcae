use common::id::{Digest, Revision};
use common::slice::{Boot, Node, Role};
use common::wire::join::Kind;
use proptest::prelude::*;

use super::*;
use crate::change::snmove;
use crate::command::{Range, Snmove};
use crate::draft::Draft;
use crate::fixture::{self, CLUSTER};
use crate::member;
use crate::table::{Edit, Row, RowKey, schema as table};

const FACTS: Facts = Facts { authority: [7; 32] };

fn of(model: &Model, sn: &str) -> Slice {
    slice(model, &sn.parse().unwrap(), &FACTS)
}

fn node(slice: &Slice, name: &str) -> Node {
    slice.nodes().find(|node| node.name.as_str() == name).unwrap().clone()
}

#[test]
fn a_slice_holds_its_own_nodes_and_nothing_of_anyone_elses() {
    let text =
        format!("{CLUSTER}\nnodelist sn3 groups=service\nhosts sn3 ip=10.0.0.13\nnoderes n4 servicenode=sn3");
    let model = fixture::model(&text);
    let names = |sn| -> Vec<String> { of(&model, sn).nodes().map(|node| node.name.to_string()).collect() };
    assert_eq!(names("sn1"), ["n1", "n2", "n3"]);
    assert_eq!(names("sn3"), ["n4"]);
    let text = format!("{:?}", of(&model, "sn3"));
    assert!(!text.contains("10.0.0.101") && !text.contains("sn1"), "{text}");
}

#[test]
fn a_node_is_told_of_its_owner() {
    let slice = of(&fixture::model(CLUSTER), "sn1");
    let n1 = node(&slice, "n1");
    assert_eq!(n1.role, Role::Owner);
    let pool: Vec<String> =
        n1.pool.iter().map(|member| format!("{} {}", member.sn, member.address)).collect();
    assert_eq!(pool, ["sn1 10.0.0.11", "sn2 10.0.0.12"]);
    let servers = n1.servers;
    assert_eq!(servers.router, Some([10, 0, 0, 11].into()));
    assert!(servers.router_is_master);
    assert_eq!(
        (servers.nameservers, servers.ntp),
        (vec![[10, 0, 0, 11].into()], vec![[10, 0, 0, 11].into()])
    );
    assert_eq!(servers.domain, "cluster.test");
}

#[test]
fn a_prepared_node_is_as_it_will_be() {
    let model = fixture::model(CLUSTER);
    let ask = Snmove { nodes: Some(Range::new("n1")), dest: Some("sn2".to_owned()), ..Snmove::default() };
    let plans = snmove::plan(&model, &ask).unwrap();
    let (_, change) = snmove::begin(&model, &plans[0], "root", "now");
    let mut model = model;
    model.apply(change.edits(), Revision::new(2));
    let held = node(&of(&model, "sn2"), "n1");
    assert_eq!((held.role, held.servers.master), (Role::Held, [10, 0, 0, 12].into()));
    let owned = node(&of(&model, "sn1"), "n1");
    assert_eq!((owned.role, owned.servers.master), (Role::Owner, [10, 0, 0, 11].into()));
}

#[test]
fn an_image_is_booted_where_its_kernel_is_there_and_the_disk_otherwise() {
    let image = "
        osimage demo provmethod=netboot osvers=debian12 osarch=x86_64 profile=compute
        linuximage demo addkcmdline=quiet
        nodetype n1 provmethod=demo
        chain n1 currstate=netboot";
    let with = |file: Option<&str>| {
        let mut model = fixture::model(&format!("{CLUSTER}{image}"));
        if let Some(path) = file {
            let mut draft = Draft::new(&model);
            let hash = Digest::of(b"kernel").to_string();
            draft.put_row(table::FILE, &RowKey::one(path), Row::new().with("hash", &hash).with("size", "6"));
            model.apply(draft.finish().edits(), Revision::new(2));
        }
        node(&of(&model, "sn1"), "n1").boot
    };
    assert_eq!(with(None), Boot::Disk);
    let Boot::Kernel { kernel, cmdline, initrd, .. } = with(Some("tftpboot/xcat/osimage/demo/vmlinuz"))
    else {
        panic!("no kernel")
    };
    assert_eq!(
        (kernel.as_str(), cmdline.as_str(), initrd),
        ("tftpboot/xcat/osimage/demo/vmlinuz", "quiet", None)
    );
}

/// Makes a member of a service node, or lets it go.
fn member(draft: &mut Draft, sn: &str, is_one: bool) {
    let key = member::row_key(Kind::ServiceNode, sn);
    if is_one {
        draft.set(table::MEMBER, &key, "key", &Digest::of(sn.as_bytes()).to_string());
    } else {
        draft.remove_row(table::MEMBER, &key);
    }
}

/// The model with an edit carried out.
fn edited(model: &Model, edit: impl FnOnce(&mut Draft)) -> (Model, Vec<Edit>) {
    let mut draft = Draft::new(model);
    edit(&mut draft);
    let (edits, after) = draft.finish().into_parts();
    (after.numbered(model.revision().next()), edits)
}

/// Edits that a cluster sees, as small numbers.
fn edit(draft: &mut Draft, kind: u8, which: u8, value: u8) {
    let node = format!("n{}", which % 5 + 1);
    let key = RowKey::one(&node);
    let pools = ["", "sn1", "sn2", "sn1,sn2", "sn2,sn1", "sn9"];
    match kind {
        0 => draft.set(table::NODERES, &key, "servicenode", pools[usize::from(value) % pools.len()]),
        1 => draft.set(table::HOSTS, &key, "ip", &format!("10.0.{}.{}", value % 2, 100 + which % 5)),
        2 => draft.set(table::MAC, &key, "mac", &format!("52:54:00:00:01:{value:02x}")),
        3 => draft.set(
            table::NODELIST,
            &key,
            "groups",
            ["compute", "gpu", "gpu,compute"][usize::from(value) % 3],
        ),
        4 => draft.set(
            table::NODERES,
            &RowKey::one("gpu"),
            "xcatmaster",
            ["", "sn1e", "10.0.0.12", "sn9e"][usize::from(value) % 4],
        ),
        5 => draft.set(
            table::CHAIN,
            &key,
            "currstate",
            ["boot", "offline", "netboot x"][usize::from(value) % 3],
        ),
        6 => draft.remove_row(table::NODELIST, &key),
        7 => draft.set(table::SITE, &RowKey::one("domain"), "value", &format!("d{value}.test")),
        8 => draft.set(
            table::SERVICENODE,
            &RowKey::one("sn2"),
            "dhcpserver",
            ["0", "1"][usize::from(value) % 2],
        ),
        9 => draft.set(table::AGENT, &key, "connected", "1"),
        11 => draft.set(
            table::NODERES,
            &RowKey::one("sn1"),
            "servicenode",
            pools[usize::from(value) % pools.len()],
        ),
        // Service nodes may have an address from a group.
        12 => draft.set(
            table::HOSTS,
            &RowKey::one("service"),
            "hostnames",
            ["", "sn9e"][usize::from(value) % 2],
        ),
        13 => draft.remove_row(table::HOSTS, &RowKey::one("sn2")),
        14 => draft.set(table::HOSTS, &RowKey::one("service"), "ip", &format!("10.0.0.{}", 20 + value % 3)),
        // Nodes are named as servers, and have other addresses then.
        17 => draft.set(table::NODERES, &key, "nfsserver", ["", "n2", "n3.d1.test"][usize::from(value) % 3]),
        18 => draft.set(table::SITE, &RowKey::one("ntpservers"), "value", ["", "n5"][usize::from(value) % 2]),
        19 => draft.set(table::NODERES, &key, "xcatmaster", ["", "n4", "far"][usize::from(value) % 3]),
        20 => draft.set(table::HOSTS, &key, "hostnames", ["", "far"][usize::from(value) % 2]),
        21 => draft.set(table::MAC, &key, "mac", &format!("52:54:00:00:02:{which:02x}!far")),
        // A service node joins, and its membership is taken away.
        16 => member(draft, ["sn1", "sn2"][usize::from(which) % 2], value.is_multiple_of(2)),
        15 => draft.set(table::POSTSCRIPTS, &key, "postscripts", ["", "a,b", "b"][usize::from(value) % 3]),
        _ => draft.set(table::HOSTS, &RowKey::one("sn2"), "ip", &format!("10.0.0.{}", 12 + value % 3)),
    }
}

#[test]
fn a_node_that_is_named_as_a_server_may_get_another_address() {
    let text = format!(
        "{CLUSTER}\n member sn/sn1 key={}\n nodelist store groups=all\n hosts store ip=10.0.0.50\n noderes n1 \
         nfsserver=store",
        Digest::of(b"sn1")
    );
    let model = fixture::model(&text);
    let mut derivation = Derivation::new(&model, FACTS);
    let (after, edits) = edited(&model, |draft| {
        draft.set(table::HOSTS, &RowKey::one("store"), "ip", "10.0.0.51");
    });
    let sn1: SnName = "sn1".parse().unwrap();
    assert_eq!(derivation.follow(&model, &after, &edits), BTreeSet::from([sn1.clone()]));
    let anew = of(&after, "sn1");
    assert_eq!(node(&anew, "n1").servers.nfs_server, std::net::Ipv4Addr::new(10, 0, 0, 51));
    assert_eq!(derivation.outline(&sn1), Some(&Outline::from(&anew)));
}

#[test]
fn a_service_node_that_never_joined_costs_nothing_until_it_does() {
    let model = fixture::model(CLUSTER);
    let mut derivation = Derivation::new(&model, FACTS);
    let (after, edits) = edited(&model, |draft| {
        draft.set(table::CHAIN, &RowKey::one("n1"), "currstate", "offline");
    });
    let visited = crate::table::visits::of(|| {
        assert!(derivation.follow(&model, &after, &edits).is_empty());
    });
    assert_eq!((visited, derivation.outlines().count()), (0, 0));

    let sn1: SnName = "sn1".parse().unwrap();
    let (joined, edits) = edited(&after, |draft| member(draft, "sn1", true));
    assert_eq!(derivation.follow(&after, &joined, &edits), BTreeSet::from([sn1.clone()]));
    assert_eq!(derivation.outline(&sn1), Some(&Outline::from(&of(&joined, "sn1"))));
    assert_eq!(roles(&joined, &sn1), [Role::Owner, Role::Owner, Role::Owner, Role::Backup]);

    let (gone, edits) = edited(&joined, |draft| member(draft, "sn1", false));
    assert_eq!(derivation.follow(&joined, &gone, &edits), BTreeSet::from([sn1]));
    assert_eq!(derivation.outlines().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Following changes gives the slices that deriving everything anew gives, and says whose
    /// digests differ.
    #[test]
    fn following_is_deriving(changes in prop::collection::vec(prop::collection::vec((0u8..22, any::<u8>(), any::<u8>()), 1..4), 1..12)) {
        let (mut model, _) = edited(&fixture::model(CLUSTER), |draft| member(draft, "sn1", true));
        let mut derivation = Derivation::new(&model, FACTS);
        for edits in changes {
            let mut draft = Draft::new(&model);
            for (kind, which, value) in edits {
                edit(&mut draft, kind, which, value);
            }
            let change = draft.finish();
            let before = model.clone();
            let old: BTreeMap<SnName, Digest> = derivation.digests();
            let revision = model.revision().next();
            model.apply(change.edits(), revision);
            let changed = derivation.follow(&before, &model, change.edits());
            for sn in model.service_nodes() {
                if !member::has_joined(&model, &sn) {
                    prop_assert_eq!(derivation.outline(&sn), None);
                    prop_assert_eq!(changed.contains(&sn), old.contains_key(&sn));
                    continue;
                }
                let anew = slice(&model, &sn, &FACTS);
                prop_assert_eq!(derivation.outline(&sn), Some(&Outline::from(&anew)), "{}", sn);
                let all = Outline::default().changed_to(derivation.outline(&sn).unwrap());
                let mut filled = Slice::new();
                filled.apply(derivation.filled(&model, &sn, &all)).unwrap();
                prop_assert_eq!(&filled, &anew);
                prop_assert_eq!(changed.contains(&sn), old.get(&sn) != Some(&anew.digest()));
            }
        }
    }
}
