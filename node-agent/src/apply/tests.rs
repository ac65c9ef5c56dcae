//! The steps, in a folder that is the node's root.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use common::id::{Digest, Epoch};
use common::wire::agent::HostsLine;
use tempfile::TempDir;

use super::*;

struct Node {
    dir: TempDir,
    host: Host,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        let root = Root::open(&dir.path().join("root")).unwrap();
        let state = State::open(&dir.path().join("agent")).unwrap();
        let mut host = Host::new(root, state);
        // No test touches this machine's routes.
        host.routes = dir.path().join("routes");
        host.ip = dir.path().join("ip");
        Self { dir, host }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn outcomes(&self, desired: &Desired) -> Vec<String> {
        self.host.apply(desired).iter().map(|one| format!("{} {:?}", one.step, one.outcome)).collect()
    }
}

fn desired() -> Desired {
    Desired {
        node: "n1".parse().unwrap(),
        epoch: Epoch::new(1),
        owner: "sn1".parse().unwrap(),
        pool: vec![],
        agent_port: 7701,
        log: Some([10, 0, 0, 1].into()),
        ntp: vec![[10, 0, 0, 1].into()],
        nameservers: vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()],
        domain: "lab".to_owned(),
        hosts: vec![HostsLine {
            address: [10, 0, 0, 9].into(),
            names: vec!["n1.lab".to_owned(), "n1".to_owned()],
        }],
        gateway: None,
        scripts: vec![],
        rests: false,
    }
}

#[test]
fn an_empty_root_is_filled_and_the_second_time_all_is_kept() {
    let node = Node::new();
    assert_eq!(
        node.outcomes(&desired()),
        ["syslog Changed", "ntp Changed", "resolver Changed", "hosts Changed"]
    );
    assert_eq!(node.text("etc/rsyslog.d/remote.conf"), "# drover begin\n*.* @10.0.0.1:514\n# drover end\n");
    assert!(node.text("etc/chrony.conf").ends_with("# drover begin\nserver 10.0.0.1 iburst\n# drover end\n"));
    let resolver = node.text("etc/resolv.conf");
    assert!(resolver.ends_with("search lab\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"), "{resolver}");
    assert!(node.text("etc/hosts").contains("\n10.0.0.9 n1.lab n1\n"));
    assert_eq!(node.outcomes(&desired()), ["syslog Kept", "ntp Kept", "resolver Kept", "hosts Kept"]);
}

#[test]
fn a_move_changes_our_lines_and_nobody_elses() {
    let node = Node::new();
    node.put("etc/chrony/chrony.conf", "pool ntp.example iburst\n");
    node.put("etc/hosts", "127.0.0.1 localhost\n10.1.1.1 mine\n");
    node.host.apply(&desired());
    let mut moved = desired();
    moved.ntp = vec![[10, 0, 0, 2].into()];
    node.host.apply(&moved);
    assert_eq!(
        node.text("etc/chrony/chrony.conf"),
        "pool ntp.example iburst\n# drover begin\nserver 10.0.0.2 iburst\n# drover end\n"
    );
    assert_eq!(node.text("etc/chrony/chrony.conf.orig"), "pool ntp.example iburst\n");
    assert!(node.text("etc/hosts").starts_with("127.0.0.1 localhost\n10.1.1.1 mine\n"));
    assert!(!node.path("etc/chrony.conf").exists());
}

#[test]
fn our_own_file_is_not_taken_for_an_original() {
    let node = Node::new();
    node.host.apply(&desired());
    let mut moved = desired();
    moved.log = Some([10, 0, 0, 2].into());
    moved.nameservers = vec![[10, 0, 0, 2].into()];
    node.host.apply(&moved);
    assert!(!node.path("etc/rsyslog.d/remote.conf.orig").exists());
    assert!(!node.path("etc/resolv.conf.orig").exists());
}

#[test]
fn a_resolver_that_was_a_link_becomes_a_file_and_the_link_is_kept() {
    let node = Node::new();
    node.put("run/stub.conf", "nameserver 127.0.0.53\n");
    fs::create_dir_all(node.path("etc")).unwrap();
    symlink("../run/stub.conf", node.path("etc/resolv.conf")).unwrap();
    node.host.apply(&desired());
    assert!(node.text("etc/resolv.conf").contains("nameserver 10.0.0.1"));
    assert_eq!(node.text("run/stub.conf"), "nameserver 127.0.0.53\n");
    assert!(fs::symlink_metadata(node.path("etc/resolv.conf.orig")).unwrap().is_symlink());
}

#[test]
fn a_step_that_fails_does_not_keep_the_others_from_being_done() {
    let node = Node::new();
    fs::create_dir_all(node.path("etc/hosts")).unwrap();
    symlink("../../elsewhere", node.path("etc/rsyslog.d")).unwrap();
    let outcomes = node.outcomes(&desired());
    assert!(outcomes[0].starts_with("syslog Failed"), "{outcomes:?}");
    assert!(outcomes[0].contains("leads out of the root"), "{outcomes:?}");
    assert_eq!(outcomes[1..3], ["ntp Changed", "resolver Changed"]);
    assert!(outcomes[3].starts_with("hosts Failed"), "{outcomes:?}");
    assert!(!node.dir.path().join("elsewhere").exists());
}

#[test]
fn what_is_not_asked_for_is_left_alone() {
    let node = Node::new();
    let mut bare = desired();
    (bare.log, bare.ntp, bare.nameservers, bare.hosts) = (None, vec![], vec![], vec![]);
    assert_eq!(node.outcomes(&bare), [""; 0]);
    assert_eq!(fs::read_dir(node.path("")).unwrap().count(), 0);
}

#[test]
fn names_that_could_not_stand_in_a_line_are_left_out() {
    let node = Node::new();
    let mut odd = desired();
    let names = vec!["good".to_owned(), "bad\n6.6.6.6 bank".to_owned()];
    odd.hosts = vec![HostsLine { address: [10, 0, 0, 9].into(), names }];
    odd.domain = "lab\nnameserver 6.6.6.6".to_owned();
    node.host.apply(&odd);
    assert!(node.text("etc/hosts").contains("10.0.0.9 good\n"));
    assert!(!node.text("etc/hosts").contains("6.6.6.6"));
    assert!(!node.text("etc/resolv.conf").contains("6.6.6.6"));
}

#[test]
fn the_default_route_is_changed_and_believed_when_the_kernel_shows_it() {
    let node = Node::new();
    let table = |gateway: &str| {
        format!(
            "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 {gateway} 0003 0 0 0 00000000\n"
        )
    };
    fs::write(&node.host.routes, table("0100000A")).unwrap();
    let program = |body: &str| {
        fs::write(&node.host.ip, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&node.host.ip, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let mut routed = desired();
    (routed.log, routed.ntp, routed.nameservers, routed.hosts) = (None, vec![], vec![], vec![]);
    routed.gateway = Some([10, 0, 0, 1].into());
    assert_eq!(node.outcomes(&routed), ["gateway Kept"]);

    routed.gateway = Some([10, 0, 0, 2].into());
    program("echo no such device >&2; exit 2");
    let refused = node.outcomes(&routed);
    assert!(refused[0].contains("no such device"), "{refused:?}");
    program("exit 0");
    let ignored = node.outcomes(&routed);
    assert!(ignored[0].contains("goes through 10.0.0.1 all the same"), "{ignored:?}");
    let routes = node.host.routes.display();
    program(&format!(
        "[ \"$*\" = 'route replace default via 10.0.0.2' ] || exit 3\ncat > {routes} <<X\n{}X",
        table("0200000A")
    ));
    assert_eq!(node.outcomes(&routed), ["gateway Changed"]);
    assert_eq!(node.outcomes(&routed), ["gateway Kept"]);
}

#[test]
fn a_file_is_put_with_its_mode_and_then_found_there() {
    let node = Node::new();
    let source = node.dir.path().join("source");
    fs::write(&source, "content").unwrap();
    let file = common::wire::work::SyncFile {
        hash: Digest::of(b"content"),
        size: 7,
        path: "/opt/site/tool".to_owned(),
        mode: 0o750,
    };
    assert!(!sync::looks_right(&node.host, &file).unwrap());
    assert_eq!(sync::put(&node.host, &file, &source).unwrap(), Change::Changed);
    assert!(sync::looks_right(&node.host, &file).unwrap());
    let mode = fs::metadata(node.path("opt/site/tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
    fs::write(&source, "other").unwrap();
    assert!(sync::put(&node.host, &file, &source).is_err(), "content that is not the file's is noticed");
}
