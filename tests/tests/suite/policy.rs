//! Who may do what: real users of the machine before the policy table, and those who try to get
//! around it or to lock the others out.

use std::os::unix::fs::PermissionsExt as _;

use common::wire::PROTOCOL;
use common::wire::frame;
use common::wire::operator::{Request, View};
use mn_core::command::{Asked, Nodels, Query, Range, Sent};
use tests::cluster::Cluster;
use tests::process::{Ended, Run};
use tests::{Result, attack, sandbox, wait};

/// A management node with three nodes, and nothing that serves them.
fn management_node() -> Result<Cluster> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    cluster.ok("mkdef n1-n3 groups=all")?;
    Ok(cluster)
}

/// A command of the user `daemon`, who is on every machine and nobody's administrator.
fn as_daemon(cluster: &Cluster, line: &str) -> Result<Ended> {
    let become_daemon = "setpriv --reuid daemon --regid daemon --clear-groups";
    cluster.shell(&cluster.mn, &format!("{become_daemon} {line}"))
}

/// Each line by that user: whether he may.
fn each(cluster: &Cluster, lines: &[(&str, bool)]) -> Result<()> {
    for (line, want) in lines {
        let ended = as_daemon(cluster, line)?;
        let is_refused = ended.err.starts_with("Error: Permission denied for request\n");
        assert_eq!((ended.status == 0, is_refused), (*want, !*want), "{line}: {ended:?}");
    }
    Ok(())
}

#[test]
fn a_user_may_what_the_rows_say_and_from_the_moment_they_say_it() {
    sandbox::test_as_root("policy::a_user_may_what_the_rows_say_and_from_the_moment_they_say_it", || {
        let cluster = management_node()?;
        each(&cluster, &[("nodels n1", false), ("tabdump policy", false), ("chdef n1 ip=10.0.0.1", false)])?;
        cluster
            .ok("mkdef -t policy 6.1 name=daemon commands=nodels,lsdef,chdef noderange=n1-n2 rule=allow")?;
        each(
            &cluster,
            &[
                ("nodels n1-n2", true),
                ("nodels n1-n3", false),
                ("nodels", false),
                ("lsdef n2", true),
                ("chdef n1 ip=10.0.0.1", true),
                ("chdef n3 ip=10.0.0.3", false),
                ("chdef -t group all ip=10.0.0.3", false),
                ("chdef -t policy 6.1 noderange=", false),
                ("rmdef n1", false),
            ],
        )?;
        cluster.ok("mkdef -t policy 6.05 name=daemon noderange=n2 rule=deny")?;
        each(&cluster, &[("nodels n1", true), ("nodels n1-n2", false)])?;
        cluster.ok("rmdef -t policy 6.1")?;
        each(&cluster, &[("nodels n1", false)])
    });
}

#[test]
fn words_are_believed_only_where_they_are_what_runs() {
    sandbox::test_as_root("policy::words_are_believed_only_where_they_are_what_runs", || {
        let cluster = management_node()?;
        cluster.ok("mkdef -t policy 6 name=daemon commands=nodels parameters=^groups$ rule=allow")?;
        each(&cluster, &[("nodels n1 groups", true), ("nodels n1 passwd.password", false)])?;
        // The same by hand: the right words, and another command behind them.
        for (column, want) in [("groups", 0), ("status", 1)] {
            let words = ["nodels", "n1", "groups"].map(str::to_owned).to_vec();
            let nodes = Some(Range::new("n1"));
            let asked = Asked::Query(Query::Nodels(Nodels {
                nodes,
                words: vec![column.to_owned()],
                ..Nodels::default()
            }));
            let ended = forged(&cluster, words, asked)?;
            assert_eq!(ended.status, want, "{column}: {ended:?}");
        }
        Ok(())
    });
}

#[test]
fn a_row_may_name_the_table_that_is_restored() {
    sandbox::test_as_root("policy::a_row_may_name_the_table_that_is_restored", || {
        let cluster = management_node()?;
        cluster.ok("chdef n1 ip=10.0.0.1 mac=02:00:00:00:00:01")?;
        for table in ["hosts", "mac", "policy"] {
            let dump = cluster.ok(&format!("tabdump {table}"))?;
            std::fs::write(cluster.work.join(format!("{table}.csv")), dump)?;
        }
        let out = cluster.work.join("out");
        std::fs::create_dir(&out)?;
        std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o777))?;
        let row = "6:\n objtype=policy\n name=daemon\n commands=tabrestore,tabdump\n \
                   parameters=^(-f \\S+ )?hosts(\\.csv)?$\n rule=allow\n";
        cluster.command_with_input("mkdef -z", row)?.ok()?;
        each(
            &cluster,
            &[
                ("tabrestore hosts.csv", true),
                ("tabrestore mac.csv", false),
                ("tabrestore policy.csv", false),
                ("tabrestore -a hosts.csv", false),
                ("tabdump hosts", true),
                ("tabdump -f out/hosts.csv hosts", true),
                ("tabdump -f out/passwd.csv passwd", false),
                ("env TABEDITOR=true tabedit hosts", true),
                ("env TABEDITOR=true tabedit mac", false),
            ],
        )
    });
}

/// Sends a request as the user `daemon`: the words and what runs need not be the same.
fn forged(cluster: &Cluster, words: Vec<String>, asked: Asked) -> Result<Ended> {
    let command = postcard::to_stdvec(&Sent::V1(asked))?;
    let request = Request { protocol: PROTOCOL, words, command, view: View::default(), parts: 0 };
    raw(cluster, frame::encode(&request)?)
}

/// The program `forger`, as the user `daemon`.
fn forger(cluster: &Cluster) -> Run {
    let become_daemon = ["--reuid", "daemon", "--regid", "daemon", "--clear-groups"];
    let run = Run::new("setpriv").args(become_daemon).arg(env!("CARGO_BIN_EXE_forger"));
    run.arg(cluster.mn_dir().join("mn.sock"))
}

/// Sends bytes as the user `daemon`.
fn raw(cluster: &Cluster, bytes: Vec<u8>) -> Result<Ended> {
    forger(cluster).input(bytes).on(&cluster.mn)
}

#[test]
fn a_user_with_a_thousand_connections_locks_nobody_out() {
    sandbox::test_as_root("policy::a_user_with_a_thousand_connections_locks_nobody_out", || {
        let cluster = management_node()?;
        cluster.ok("mkdef -t policy 6 commands=nodels rule=allow")?;
        let log = cluster.work.join("forger.log");
        let mut holder = forger(&cluster).arg("1000").spawn(&cluster.mn, &log)?;
        holder.await_words("holding 1000 connections")?;
        // His own commands have no room any more, and he is told so.
        let ended = as_daemon(&cluster, "nodels n1")?;
        assert!(ended.status == 1 && ended.err.contains("the most for one user"), "{ended:?}");
        // Everybody else's have.
        cluster.ok("chdef n1 ip=10.0.0.1")?;
        let games = "setpriv --reuid games --regid games --clear-groups nodels n1";
        assert_eq!(cluster.shell(&cluster.mn, games)?.ok()?, "n1\n");
        drop(holder);
        let again = || as_daemon(&cluster, "nodels n1").ok()?.ok().ok();
        wait::until("the user's places", wait::LONG, again)?;
        Ok(())
    });
}

#[test]
fn a_request_that_is_too_long_is_not_taken_into_memory() {
    sandbox::test_as_root("policy::a_request_that_is_too_long_is_not_taken_into_memory", || {
        let cluster = management_node()?;
        let pid = cluster.mn_pid().ok_or("mn does not run")?;
        let before = attack::resident(pid)?;
        let request = Request {
            protocol: PROTOCOL,
            words: vec!["nodels".to_owned()],
            command: Vec::new(),
            view: View::default(),
            parts: u32::MAX,
        };
        let mut bytes = frame::encode(&request)?;
        let part = frame::encode(&vec![0_u8; 1 << 19])?;
        for _ in 0..200 {
            bytes.extend_from_slice(&part);
        }
        let ended = raw(&cluster, bytes)?;
        assert_eq!(ended.status, 99, "it is cut off without an answer: {ended:?}");
        // And what is no request at all.
        assert_eq!(raw(&cluster, vec![0xff; 1 << 16])?.status, 99);
        assert!(attack::resident(pid)? < before + (64 << 20));
        cluster.ok("nodels n1").map(drop)
    });
}
