//! The past and completion, as operators meet them: the program under its names, a daemon of its own,
//! a shell.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod shells;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use self::shells::Shell;

/// A management node in a folder of its own, its commands in another.
struct Site {
    folder: tempfile::TempDir,
    daemon: Option<Child>,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Site {
    fn new() -> Self {
        let mut site = Self { folder: tempfile::tempdir().unwrap(), daemon: None };
        let init = ["init", "--name", "mn1", "--domain", "c.test", "--address", "10.0.0.1"];
        assert_eq!(site.run("mn", &init).status, 0);
        let bin = site.bin();
        assert_eq!(site.run("mn", &["install-applets", "--all", bin.to_str().unwrap()]).status, 0);
        site.start();
        site
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// A command with the folder and the names in its environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        command
            .env("DROVER_DIR", self.folder.path().join("mn"))
            .env("PATH", format!("{}:{path}", self.bin().display()))
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    fn start(&mut self) {
        let mut serve = self.command(Path::new(env!("CARGO_BIN_EXE_mn")));
        let mut daemon =
            serve.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(lines.any(|line| line.contains("management node ready")));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.daemon = Some(daemon);
    }

    fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    fn run(&self, name: &str, words: &[&str]) -> Said {
        let program = match name {
            "mn" => PathBuf::from(env!("CARGO_BIN_EXE_mn")),
            name => self.bin().join(name),
        };
        said(self.command(&program).args(words))
    }

    /// Runs a line that must be done; gives what it said.
    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let said = self.line(line);
        assert_eq!(said.status, 0, "{line}: {said:?}");
        said.out
    }

    /// Runs a line whose words have no blanks in them.
    fn line(&self, line: &str) -> Said {
        let words: Vec<&str> = line.split(' ').collect();
        self.run(words[0], &words[1..])
    }

    /// The newest revision.
    fn newest(&self) -> u64 {
        let shown: serde_json::Value = serde_json::from_str(&self.ok("lsmn --json")).unwrap();
        shown[0]["revision"].as_u64().unwrap()
    }

    /// The oldest revision that the history has.
    fn oldest(&self) -> u64 {
        let records: Vec<serde_json::Value> =
            serde_json::from_str(&self.ok("history -a -n all --json")).unwrap();
        // Commands are on record longer than what they changed.
        let changes = records.iter().filter(|record| record["kind"] == "change");
        changes.filter_map(|record| record["revision"].as_u64()).min().unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            self.kill();
        }
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn what_was_is_shown_explained_and_taken_back() {
    let mut site = Site::new();
    site.ok("mkdef n[1-3] groups=compute");
    site.ok("chdef -t group compute netboot=pxe");
    let before = site.newest();
    site.ok("chdef n1 usercomment=first");
    site.ok("chdef n1,n2 usercomment=second");
    let list = site.ok("history n1");
    let commands: Vec<&str> = list.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap()).collect();
    let wanted =
        ["chdef n1,n2 usercomment=second", "chdef n1 usercomment=first", "mkdef 'n[1-3]' groups=compute"];
    assert_eq!(commands, wanted, "{list}");
    assert!(site.ok(&format!("history {}", before + 1)).contains("n1: usercomment: (unset) -> first"));
    assert_eq!(
        site.ok(&format!("diff {before}..")),
        "n1: usercomment: (unset) -> second\nn2: usercomment: (unset) -> second\n"
    );
    // As it was, also after a start.
    site.kill();
    site.start();
    assert!(site.ok(&format!("lsdef n1 -i usercomment --at {}", before + 1)).contains("usercomment=first"));
    assert!(site.ok(&format!("lsdef n1 -i usercomment --at={before}")).contains("usercomment=\n"));
    assert_eq!(site.line("nodels n1 --at 1").status, 1);
    let explained = site.ok("explain n1 netboot usercomment");
    assert!(explained.contains("group compute: noderes.netboot of compute"), "{explained}");
    assert!(explained.contains("chdef n1,n2 usercomment=second"), "{explained}");
    // The older of the two is in the way of nobody but itself.
    let refused = site.line(&format!("undo {}", before + 1));
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains(&format!("revision {} did it", before + 2)), "{}", refused.err);
    let dry = site.ok(&format!("undo {} --dry-run", before + 2));
    assert!(dry.contains("n1: usercomment: second -> first") && dry.contains("nothing is changed"), "{dry}");
    site.ok(&format!("undo {}..{}", before + 1, before + 2));
    assert_eq!(site.ok(&format!("diff {before}..")), "");
    // Forgotten is gone, and said to be.
    site.ok(&format!("history --prune {before}"));
    assert_eq!(site.oldest(), before);
    let gone = site.line("lsdef n1 --at 1");
    assert!(gone.status == 1 && gone.err.contains("does not go back"), "{gone:?}");
    site.kill();
    site.start();
    assert!(site.ok("explain n1 groups").contains("before the history that is kept"));
}

#[test]
fn nonsense_is_refused_with_what_to_write() {
    let site = Site::new();
    for (line, status, words) in [
        ("lsdef --at 99", 1, "the newest is"),
        ("lsdef --at 2999-01-01", 1, "in the future"),
        ("lsdef --at soon", 1, "no point of the history"),
        ("chdef n1 a=b --at 1", 1, "only read"),
        ("lsslice --at 1", 1, "not kept"),
        ("undo 99", 1, "no revision 99"),
        ("undo 1", 1, "made the management node"),
        ("undo", 2, "say which"),
        ("history --table nodelits", 1, "nodelist"),
        ("history 99", 1, "no revision 99"),
        ("explain nosuch", 1, "nosuch"),
        ("mn lsdeff", 2, "mn lsdef"),
        ("history --autor x", 2, "--author"),
    ] {
        let said = site.line(line);
        assert!(said.status == status && said.err.contains(words), "{line}: {said:?}");
    }
    // Files are compared by the system's own.
    let same = site.run("diff", &["/dev/null", "/dev/null"]);
    assert_eq!((same.status, same.out.as_str()), (0, ""), "{}", same.err);
}

#[test]
fn operators_at_once_change_nodes_wholly_and_one_after_the_other() {
    let site = Site::new();
    site.ok("mkdef n[1-20] groups=compute");
    let start = site.newest();
    std::thread::scope(|scope| {
        for client in 0..8 {
            let site = &site;
            scope.spawn(move || {
                for turn in 0..4 {
                    // Both attributes of all nodes in one command: any mixture would show.
                    let value = format!("c{client}t{turn}");
                    site.ok(&format!("chdef n[1-20] usercomment={value} room={value} --no-wait"));
                }
            });
        }
        // And one that makes and removes a node that others name in the same moment.
        scope.spawn(|| {
            for _ in 0..4 {
                site.ok("mkdef n99 groups=compute usercomment=x --no-wait");
                let changed = site.line("chdef n99 room=y --no-wait");
                assert_eq!(changed.status, 0, "{changed:?}");
                site.ok("rmdef n99 --no-wait");
            }
        });
    });
    let records: Vec<serde_json::Value> =
        serde_json::from_str(&site.ok(&format!("history {start}.. --json"))).unwrap();
    let changes = records.iter().filter(|record| record["command"].as_str().unwrap().contains("n[1-20]"));
    assert_eq!(changes.count(), 32 + 1, "each is a revision");
    // Every state between is whole: one client's value in every node, both attributes alike.
    for revision in start + 1..=site.newest() {
        let shown = site.ok(&format!("lsdef n[1-20] -c -i usercomment,room --at {revision}"));
        let values: std::collections::BTreeSet<&str> =
            shown.lines().map(|line| line.split_once('=').unwrap().1).collect();
        assert_eq!(values.len(), 1, "revision {revision} is a mixture: {shown}");
    }
    // Two who take the same thing back: one does, the other is told why not.
    site.ok("chdef n1 usercomment=again");
    let last = site.newest();
    let both: Vec<Said> = std::thread::scope(|scope| {
        let undo = || site.line(&format!("undo {last}"));
        let clients: Vec<_> = (0..2).map(|_| scope.spawn(undo)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let done = both.iter().filter(|said| said.status == 0).count();
    assert_eq!(done, 1, "{both:?}");
    assert!(both.iter().any(|said| said.err.contains("as it was before already")), "{both:?}");
}

#[test]
fn an_apply_and_a_chdef_at_once_are_whole_both() {
    let site = Site::new();
    site.ok("mkdef n[1-200] groups=compute usercomment=none room=none");
    let start = site.newest();
    let stanza =
        |n: usize, word: &str| format!("n{n}:\n  objtype=node\n  usercomment={word}\n  room={word}\n");
    std::thread::scope(|scope| {
        for client in 0..3 {
            let site = &site;
            scope.spawn(move || {
                for turn in 0..4 {
                    let word = format!("a{client}t{turn}");
                    let text: String = (1..=200).map(|n| stanza(n, &word)).collect();
                    let file = site.folder.path().join(&word);
                    std::fs::write(&file, text).unwrap();
                    site.ok(&format!("apply --no-wait {}", file.display()));
                }
            });
            scope.spawn(move || {
                for turn in 0..4 {
                    let word = format!("c{client}t{turn}");
                    site.ok(&format!("chdef n[1-200] usercomment={word} room={word} --no-wait"));
                }
            });
        }
        // Readers see one or the other, whole, while it happens.
        scope.spawn(|| (0..10).for_each(|_| whole(&site.ok("lsdef n[1-200] -c -i usercomment,room"))));
    });
    assert_eq!(site.newest(), start + 24, "each is a revision");
    for revision in start..=site.newest() {
        whole(&site.ok(&format!("lsdef n[1-200] -c -i usercomment,room --at {revision}")));
    }
}

/// Every line says the same value.
#[track_caller]
fn whole(shown: &str) {
    let value = |line: &str| line.split_once('=').unwrap().1.to_owned();
    let values: std::collections::BTreeSet<String> = shown.lines().map(value).collect();
    assert_eq!((shown.lines().count(), values.len()), (400, 1), "a mixture: {values:?}");
}

#[test]
fn every_shell_completes_what_the_daemon_knows_now() {
    let mut site = Site::new();
    site.ok("mkdef node[1-3] groups=compute");
    site.ok("mkdef -t network mgt net=10.0.0.0 mask=255.255.255.0");
    for shell in Shell::ALL {
        let check = |line: &str, expected: &[&str]| {
            assert_eq!(shell.completed(&site, line), expected, "{shell:?}: {line}");
        };
        check("lsdef nod", &["node1", "node2", "node3"]);
        check("nodels node1,-no", &["node1,-node1", "node1,-node2", "node1,-node3"]);
        check("lsdef -t group com", &["compute"]);
        check("lsdef -t network m", &["mgt"]);
        check("chdef node1 netbo", &["netboot="]);
        check("tabdump nodeli", &["nodelist"]);
        check("mn lsd", &["lsdef"]);
        check("mn nodels node3", &["node3"]);
        check("lsdef --comp", &["--compress"]);
        let newest = site.newest().to_string();
        check(&format!("undo {newest}"), &[&newest]);
        // bash replaces what stands behind the `=` alone.
        let [values, groups] = match shell {
            Shell::Bash => [["petitboot", "pxe"].as_slice(), &["compute"]],
            Shell::Fish | Shell::Zsh => {
                [["netboot=petitboot", "netboot=pxe"].as_slice(), &["groups=compute"]]
            }
        };
        check("chdef node1 netboot=p", values);
        check("chdef node1 groups=com", groups);
    }
    // Made a moment ago, known at once.
    site.ok("mkdef node9 groups=compute");
    for shell in Shell::ALL {
        assert_eq!(shell.completed(&site, "lsdef node9"), ["node9"], "{shell:?}");
    }
    // A daemon that is down is silence, and what needs none works on.
    site.kill();
    for shell in Shell::ALL {
        assert_eq!(shell.completed(&site, "lsdef nod"), Vec::<String>::new(), "{shell:?}");
        assert_eq!(shell.completed(&site, "tabdump nodeli"), ["nodelist"], "{shell:?}");
    }
}

#[test]
fn what_changes_nothing_is_no_revision_and_is_on_record_all_the_same() {
    let site = Site::new();
    site.ok("mkdef n1,n2 groups=all arch=ppc64");
    let before = site.newest();
    let refused = [
        ("chdef n1 nosuch=1", "'nosuch' is not a valid attribute name"),
        ("nodech n1 nosuch.x=1", "nosuch.x not a valid table.column"),
        ("noderm n9", "Invalid nodes and/or groups in noderange: n9"),
        ("nodeset n1 osimage=q", "Cannot find the OS image q"),
        ("snmove n1 -d sn9 --dry-run", "sn9 is not a service node"),
        ("snmove n1 -d sn9", "sn9 is not a service node"),
        ("updatenode n1 -P nosuch", "nosuch does not exist"),
        ("updatenode n9", "n9"),
        ("undo 99", "there is no revision 99"),
        ("makenetworks --dry-run", ""),
    ];
    for (line, _) in refused {
        site.line(line);
    }
    site.ok("chdef --dry-run n1 arch=x86_64");
    site.ok("chdef n1 arch=ppc64");
    site.ok("nodech n1 nodetype.arch=ppc64");
    assert_eq!(site.newest(), before);
    let all = site.ok("history --all");
    for (line, why) in refused {
        assert!(all.lines().any(|shown| shown.contains(line) && shown.contains(why)), "{line}: {all}");
    }
    // Nodes that go together are one change.
    site.ok("noderm n1,n2");
    assert_eq!(site.newest(), before + 1);
}

#[test]
fn a_service_node_that_has_never_joined_is_no_reason_to_complain() {
    let site = Site::new();
    let said = site.line("mkdef sn1 groups=service setupdhcp=1");
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    site.ok("mkdef n1 groups=all");
    let said = site.line("chdef n1 servicenode=sn1 mac=52:54:00:00:00:01");
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    assert!(site.line("lsslice").out.contains("sn1"));
    let said = site.line("makenetworks -d");
    assert!(!said.err.contains("sn1"), "{said:?}");
    // Looking, twice, and finding nothing new is no revision.
    site.line("makenetworks");
    let before = site.newest();
    site.line("makenetworks");
    assert_eq!(site.newest(), before);
}
