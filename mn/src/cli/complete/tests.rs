use super::*;

/// A daemon that knows a small cluster.
fn known(what: What, prefix: &str) -> Vec<String> {
    let names: &[&str] = match what {
        What::Nodes => &["n1", "n2", "compute", "sn1"],
        What::Objects(kind) if kind == "group" => &["compute", "service"],
        What::Objects(kind) if kind == "network" => &["mgt"],
        What::Objects(kind) if kind == "osimage" => &["demo"],
        What::Objects(_) => &[],
        What::ServiceNodes => &["sn1", "sn2"],
        What::Revisions => &["812\tchdef n1", "811\trmdef n9"],
    };
    names.iter().filter(|name| name.starts_with(prefix)).map(|&name| name.to_owned()).collect()
}

/// What is offered for the last word of a line.
fn offered(line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let found = offers(&words, words.len() - 1, &known);
    found.words.into_iter().map(|(word, _)| word).collect()
}

#[track_caller]
fn check(line: &str, expected: &[&str]) {
    assert_eq!(offered(line), expected, "{line}");
}

#[test]
fn names_are_offered_where_they_belong() {
    check("lsdef n", &["n1", "n2"]);
    check("nodels n1,-n", &["n1,-n1", "n1,-n2"]);
    check("nodels n1@c", &["n1@compute"]);
    check("lsdef -t group ", &["compute", "service"]);
    check("lsdef -t network m", &["mgt"]);
    check("lsslice s", &["sn1", "sn2"]);
    check("snmove n1 -d s", &["sn1", "sn2"]);
    check("mn snmove -s s", &["sn1", "sn2"]);
    check("mn --dir /x lsdef n1", &["n1"]);
    check("/usr/bin/lsdef n1", &["n1"]);
    check("nodeset n1 osimage=", &["osimage=demo"]);
    check("explain n1 netb", &["netboot"]);
}

#[test]
fn attributes_and_their_values_are_offered() {
    check("chdef n1 netbo", &["netboot="]);
    check("chdef n1 netboot=p", &["netboot=petitboot", "netboot=pxe"]);
    check("chdef n1 groups=service,c", &["groups=service,compute"]);
    check("chdef n1 servicenode=sn2,sn1", &["servicenode=sn2,sn1"]);
    check("chdef -t network -o mgt gatew", &["gateway="]);
    check("lsdef -i netboo", &["netboot"]);
    check("lsdef -i ip,netboo", &["ip,netboot"]);
    check("lsdef -w netboo", &["netboot=="]);
    check("nodels n1 noderes.netbo", &["noderes.netboot"]);
}

#[test]
fn tables_types_revisions_and_options_are_offered() {
    check("tabdump nodeli", &["nodelist"]);
    check("lsdef -t netw", &["network"]);
    check("history 81", &["811", "812"]);
    check("diff 811..", &["811..811", "811..812"]);
    check("lsdef --at 812", &["812"]);
    check("lsdef --at=81", &["--at=811", "--at=812"]);
    check("history --tab", &["--table"]);
    check("history --command chd", &["chdef"]);
    check("mn tok", &["token"]);
    check("mn token cr", &["create"]);
    check("mn ls", &["lsdef", "lsmn", "lsslice", "lsxcatd"]);
    check("nosuch n", &[]);
}

#[test]
fn bash_gets_what_replaces_its_own_word() {
    let words = ["chdef", "n1", "netboot", "=", "p"].map(str::to_owned);
    let (line, index) = place::rejoined(&words, 4);
    assert_eq!((line.join(" ").as_str(), index), ("chdef n1 netboot=p", 2));
    let found = offers(&line, index, &known);
    let reply = |breaks| scripts::reply(Shell::Bash, "netboot=p", breaks, found.words.clone());
    assert_eq!(reply(" =:@"), "petitboot\npxe\n");
    assert_eq!(reply(" "), "netboot=petitboot\nnetboot=pxe\n");
    // The cursor stands behind the sign, or on a new word.
    assert_eq!(place::rejoined(&words, 3), (vec!["chdef".into(), "n1".into(), "netboot=".into()], 2));
    assert_eq!(place::rejoined(&words[..2], 2), (vec!["chdef".into(), "n1".into(), String::new()], 2));
}

#[test]
fn a_daemon_that_is_down_is_silence() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(names(&Place::Here(folder.path().to_owned()), What::Nodes, ""), Vec::<String>::new());
}

#[test]
fn a_daemon_that_does_not_answer_is_waited_for_a_moment_only() {
    let folder = tempfile::tempdir().unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(folder.path().join(client::SOCKET)).unwrap();
    assert_eq!(names(&Place::Here(folder.path().to_owned()), What::Nodes, ""), Vec::<String>::new());
}
