//! Definitions and a file before, the file after.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::command::Makehosts;
use crate::fixture;
use crate::talk::{Context, Line, Talk};

const SITE: &str = "
    site domain value=cluster.test
    networks 10.0.0.0/255.255.255.0 netname=rack
    networks 10.1.0.0/255.255.255.0 netname=ib domain=ib.test
    nodelist n1 groups=all
    nodelist n2 groups=all
    nodelist n3 groups=all
    hosts n1 ip=10.0.0.1 hostnames=login,www.cluster.test otherinterfaces=-bmc:10.0.0.201
    hosts n2 ip=10.0.0.2
    mac n1 mac=52:54:00:00:00:01";

/// What is said, on lines that begin with `out` or `err`.
fn said(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = match line {
            Line::Out(line) => writeln!(text, "out {line}"),
            Line::Err(line) => writeln!(text, "err {line}"),
            Line::Record(value) => writeln!(text, "json {value}"),
        };
        text
    })
}

/// The file after, and what was said.
fn make(definitions: &str, args: &Makehosts, nodes: &[&str], before: &str) -> (String, String) {
    let model = fixture::model(definitions);
    let context = Context { server: "mn".to_owned(), ..Context::default() };
    let mut talk = Talk::new(&context);
    let nodes: Vec<String> = nodes.iter().map(|&node| node.to_owned()).collect();
    let nodes = (!nodes.is_empty()).then_some(nodes.as_slice());
    let wanted = wanted(&model, args, nodes, before.as_bytes(), &mut talk);
    let edited = match args.delete {
        true => delete(before.as_bytes(), &wanted.entries),
        false => edit(before.as_bytes(), &wanted.entries),
    };
    let again = match args.delete {
        true => delete(&edited.bytes, &wanted.entries),
        false => edit(&edited.bytes, &wanted.entries),
    };
    assert!(again.is_same() && again.bytes == edited.bytes, "doing it again changes nothing");
    (String::from_utf8(edited.bytes).unwrap(), said(&talk.finish(None).lines))
}

#[test]
fn every_node_has_a_line_in_xcats_form() {
    let (file, said) = make(SITE, &Makehosts::default(), &[], "127.0.0.1 localhost\n");
    assert_eq!(said, "");
    // A line without other names ends in a blank, as xCAT's does.
    insta::assert_debug_snapshot!(file.lines().collect::<Vec<_>>(), @r#"
    [
        "127.0.0.1 localhost",
        "10.0.0.1 n1 www.cluster.test login ",
        "10.0.0.201 n1-bmc n1-bmc.cluster.test ",
        "10.0.0.2 n2 n2.cluster.test ",
    ]
    "#);
}

#[test]
fn a_row_without_an_address_is_an_error_where_all_rows_are_meant() {
    let definitions = format!("{SITE}\nhosts n3 hostnames=x\nhosts strange otherinterfaces=-a:10.0.0.9");
    let (file, said) = make(&definitions, &Makehosts::default(), &[], "");
    assert_eq!(
        said,
        "err Error: [mn]: Invalid IP Addr '' for node 'n3'.\nerr Error: [mn]: Invalid IP Addr '' for node 'strange'.\n"
    );
    assert!(file.contains("10.0.0.9 strange-a ") && !file.contains("n3"), "{file}");
    let (_, said) = make(&definitions, &Makehosts::default(), &["n3"], "");
    assert_eq!(said, "err Warning: [mn]: Ignoring node 'n3', it can not be resolved.\n");
}

#[test]
fn options_change_the_order_of_the_names() {
    let line = |args: Makehosts| {
        let (file, _) = make(&SITE.replace("www.cluster.test", "www"), &args, &["n1"], "");
        file.lines().next().unwrap().to_owned()
    };
    let base = Makehosts::default;
    assert_eq!(line(base()), "10.0.0.1 n1 n1.cluster.test login www");
    assert_eq!(line(Makehosts { long_first: true, ..base() }), "10.0.0.1 n1.cluster.test n1 login www");
    assert_eq!(line(Makehosts { others_first: true, ..base() }), "10.0.0.1 login www n1.cluster.test n1");
    assert_eq!(
        line(Makehosts { add_domain: true, ..base() }),
        "10.0.0.1 n1 n1.cluster.test www.cluster.test login.cluster.test login www"
    );
    let (file, _) = make(&format!("{SITE}\nsite FQDNfirst value=Yes"), &base(), &["n2"], "");
    assert_eq!(file, "10.0.0.2 n2.cluster.test n2 \n");
}

#[test]
fn a_line_stays_in_its_place_and_foreign_ones_as_they_are() {
    let before = "# mine\r\n10.0.0.99 n2 n2.old.test\n\n10.9.9.9\tn2.elsewhere.org\n10.0.0.1\tlogin # x\n#10.0.0.2 n2\nlast";
    let (file, _) = make(SITE, &Makehosts::default(), &["n1", "n2"], before);
    insta::assert_debug_snapshot!(file.split('\n').collect::<Vec<_>>(), @r##"
    [
        "# mine\r",
        "10.0.0.2 n2 n2.cluster.test ",
        "",
        "10.9.9.9\tn2.elsewhere.org",
        "10.0.0.1 n1 www.cluster.test login ",
        "#10.0.0.2 n2",
        "last",
        "10.0.0.201 n1-bmc n1-bmc.cluster.test ",
        "",
    ]
    "##);
}

#[test]
fn lines_go_with_all_their_interfaces() {
    let nics = "nics n1 nicips=ib0!10.1.0.1";
    let before =
        "10.0.0.1 n1 n1.cluster.test\n10.0.0.2 n2\n10.0.0.201 n1-bmc\n10.1.0.1 n1-ib0 x\n10.7.7.7 n1\n";
    let args = Makehosts { delete: true, ..Makehosts::default() };
    let (file, said) = make(&format!("{SITE}\n{nics}"), &args, &["n1"], before);
    assert_eq!((file.as_str(), said.as_str()), ("10.0.0.2 n2\n", ""));
}

#[test]
fn interfaces_have_names_of_their_own_and_their_networks_domain() {
    let nics = "nics n1 nicips=eth0!10.0.0.1,ib0!10.1.0.1|10.1.0.2,eth1.5!10.0.0.9,ib9!|n(\\d+)|10.1.0.($1+90)| \
         nichostnamesuffixes=ib0!-ib|-ibb nicaliases=eth0!front,ib0!fast nicnetworks=ib9!rack";
    let definitions = format!("{SITE}\n{nics}").replace("netname=rack", "netname=rack domain=r.test");
    let (file, said) = make(&definitions, &Makehosts::default(), &["n1"], "");
    insta::assert_snapshot!(file.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"), @r"
    10.0.0.1 n1 www.cluster.test login front
    10.0.0.201 n1-bmc n1-bmc.r.test
    10.1.0.1 n1-ib n1-ib.ib.test fast
    10.1.0.2 n1-ibb n1-ibb.ib.test
    10.1.0.91 n1-ib9 n1-ib9.ib.test
    ");
    insta::assert_snapshot!(said, @r"
    err Error: [mn]: n1: since 'eth1.5' contains dot, nics.nichostnamesuffixes.eth1.5 should be configured without dot for 'eth1.5' interface.
    err Warning: [mn]: The xCAT network name listed for
    'n1-ib9' is 'rack' however the nic IP address '10.1.0.91' seems to be in the 'ib' network.
    If there is an error then makes corrections to the database definitions and re-run this command.
    ");
}

#[test]
fn what_cannot_be_a_line_is_said() {
    let odd = "
        nodelist lo groups=all
        nodelist bad groups=all
        nodelist a.b groups=all
        hosts lo ip=127.0.0.1
        hosts bad ip=10.0.0.300
        hosts a.b ip=10.0.0.8
        hosts n3 hostnames=x
        hosts stray ip=10.0.0.77";
    let definitions = format!("{SITE}\n{odd}");
    let (file, said) =
        make(&definitions, &Makehosts::default(), &["a.b", "bad", "lo", "n3"], "127.0.0.1 localhost\n");
    assert_eq!(file, "127.0.0.1 localhost\n");
    insta::assert_snapshot!(said, @r"
    err Error: [mn]: Invalid short node name 'a.b'. The short node name may not contain a dot. The short node name is considered to be anything preceeding the network domain name in the fully qualified node name 'a.b.cluster.test'.
    err Warning: [mn]: Ignoring node 'bad', its ip address '10.0.0.300' is not valid.
    err Warning: [mn]: Ignoring node 'lo', its ip address '127.0.0.1' is this host's own.
    err Warning: [mn]: Ignoring node 'n3', it can not be resolved.
    ");
    let (file, said) = make(&definitions, &Makehosts::default(), &[], "");
    assert!(file.contains("10.0.0.77 stray stray.cluster.test "), "{file}");
    assert!(said.contains("Error: [mn]: Invalid IP Addr '10.0.0.300' for node 'bad'."), "{said}");
    let without = definitions.replace("site domain value=cluster.test", "");
    let (_, said) = make(&without, &Makehosts::default(), &["n2"], "");
    insta::assert_snapshot!(said, @"err Warning: [mn]: No domain can be determined for node 'n2'. The domain of the xCAT node must be provided in an xCAT network definition or the xCAT site definition.");
}

#[test]
fn an_address_that_only_the_file_knows_is_taken_from_it() {
    let (file, said) = make(SITE, &Makehosts::default(), &["n3"], "10.5.0.3 other n3\n");
    assert_eq!((file.as_str(), said.as_str()), ("10.5.0.3 n3 n3.cluster.test \n", ""));
}

#[test]
fn link_local_addresses_stand_beside_the_others() {
    let args = Makehosts { link_local: true, ..Makehosts::default() };
    let (file, _) = make(SITE, &args, &["n1", "n2"], "10.0.0.1 n1 n1.cluster.test\n");
    assert_eq!(file, "10.0.0.1 n1 n1.cluster.test\nfe80::5054:ff:fe00:1 n1 n1.cluster.test \n");
}

#[test]
fn several_addresses_of_a_node_keep_their_lines() {
    let definitions = SITE.replace("hosts n2 ip=10.0.0.2", "hosts n2 ip=10.0.0.2|10.0.0.3");
    let (file, _) = make(&definitions, &Makehosts::default(), &["n2"], "10.0.0.3 n2\n10.0.0.9 x\n");
    assert_eq!(file, "10.0.0.3 n2 n2.cluster.test \n10.0.0.9 x\n10.0.0.2 n2 n2.cluster.test \n");
}

#[test]
fn a_fresh_file_is_compared_with_the_one_that_was() {
    let entries = [line::entry(Style::default(), [10, 0, 0, 1].into(), "n1", "x.test", "").unwrap()];
    let edited = edit(b"127.0.0.1 localhost\n", &entries).since(b"127.0.0.1 localhost\n10.9.9.9 mine\n");
    assert_eq!(
        (edited.removed, edited.added),
        (vec!["10.9.9.9 mine".into()], vec!["10.0.0.1 n1 n1.x.test ".into()])
    );
}

#[test]
fn ten_thousand_nodes_are_quick() {
    let mut entries = Vec::new();
    for at in 0..10_000_u32 {
        let ip = std::net::Ipv4Addr::from(0x0a00_0001 + at);
        entries.push(line::entry(Style::default(), ip.into(), &format!("n{at}"), "x.test", "").unwrap());
    }
    let file = edit(b"", &entries);
    // A line is looked for by an index: twice as many cost twice as much. A quadratic search would
    // take minutes here.
    assert!(edit(&file.bytes, &entries).is_same());
    assert_eq!(file.added.len(), 10_000);
}

proptest! {
    /// Whatever is in the file: nothing panics, other lines stay in their order, and a second time
    /// changes nothing.
    #[test]
    fn any_file_keeps_its_foreign_lines(before in prop::collection::vec(any::<u8>(), 0..200), text in "[ #.a-z0-9\n\t:]{0,120}") {
        let entries = [line::entry(Style::default(), [10, 0, 0, 1].into(), "n1", "x.test", "").unwrap()];
        for before in [before.as_slice(), text.as_bytes()] {
            let edited = edit(before, &entries);
            prop_assert!(edit(&edited.bytes, &entries).is_same());
            let gone = delete(&edited.bytes, &entries);
            let kept = before.split_inclusive(|byte| *byte == b'\n').filter(|line| !edited.removed.iter().any(|gone| line.starts_with(gone.as_bytes())));
            let kept: Vec<u8> = kept.flatten().copied().collect();
            prop_assert!(gone.bytes.starts_with(&kept));
        }
    }
}
