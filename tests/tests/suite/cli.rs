//! Bad input by the real commands: an exit status, a text that says what, why and what to try, and
//! nothing changed. And where a program finds its folder.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use tests::cluster::Cluster;
use tests::process::{Daemon, Ended, Run};
use tests::{Result, sandbox, wait};

/// Every table but those that count by themselves, as `tabdump` prints them, and what every service
/// node holds.
fn everything(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for table in cluster.ok("tabdump")?.lines().filter(|table| *table != "auditlog") {
        all.insert(table.to_owned(), cluster.ok(&format!("tabdump {table}"))?);
    }
    // A service node that is away makes it fail, which is as it was before.
    all.insert("slices".to_owned(), cluster.command("lsslice")?.out);
    Ok(all)
}

/// Types each line; each must end with its status and say its words, and nothing may change.
fn all_refused(cluster: &Cluster, lines: &[(&str, i32, &[&str])]) -> Result<()> {
    let before = everything(cluster)?;
    let mut wrong = String::new();
    for (line, status, words) in lines {
        let ended = cluster.shell(&cluster.mn, line)?;
        let said = format!("{}{}", ended.out, ended.err);
        if ended.status != *status || !words.iter().all(|word| said.contains(word)) {
            wrong.push_str(&format!(
                "{line}\n  wanted {status} and {words:?}\n  got {}: {said}\n",
                ended.status
            ));
        }
    }
    let after = everything(cluster)?;
    for (table, dump) in &before {
        if after.get(table) != Some(dump) {
            wrong.push_str(&format!("{table} has changed: {:?}\n", after.get(table)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

#[test]
fn what_is_unknown_or_malformed_is_refused_and_changes_nothing() {
    sandbox::test("cli::what_is_unknown_or_malformed_is_refused_and_changes_nothing", || {
        let mut cluster = Cluster::lay(3, 2)?;
        cluster.start_all()?;
        all_refused(
            &cluster,
            &[
                // Nodes that there are not, with the names there are.
                ("snmove n004 -d sn2", 1, &["n004", "try"]),
                ("snmove compte -d sn2", 1, &["compte", "try", "compute"]),
                ("nodeset n004 boot", 1, &["n004", "try"]),
                ("updatenode n001,n004 -P x", 1, &["n004", "try"]),
                ("nodels n004", 1, &["n004", "try"]),
                ("lsdef n004", 1, &["n004"]),
                ("rmdef n004", 1, &["n004"]),
                ("chdef n004 ip=10.77.1.9", 1, &["n004", "try"]),
                // Noderanges that cannot be read.
                ("snmove 'n[001' -d sn2", 1, &["n[001", "bracket", "try"]),
                ("snmove 'n001,(n002' -d sn2", 1, &["parenthes", "try"]),
                ("nodeset '/n(' boot", 1, &["parenthes", "regular expressions too", "try"]),
                ("nodeset '/n[' boot", 1, &["/n[", "regular expression", "try"]),
                ("nodels 'n[1-99999999]'", 1, &["n[1-99999999]", "250000"]),
                ("snmove n003-n001 -d sn2", 1, &["means no nodes", "counts down", "try"]),
                // Service nodes that there are not.
                ("snmove n001 -d sn9", 1, &["sn9 is not a service node", "sn1, sn2", "try"]),
                ("snmove -s sn9 -d sn2", 1, &["sn9 is not a service node", "try"]),
                ("snmove n001 -d n002", 1, &["n002 is not a service node", "try"]),
                ("snmove -s sn1 -d sn1", 1, &["same service node", "try"]),
                (
                    "chdef -t group compute servicenode=sn9 --dry-run",
                    0,
                    &["sn9 is not a service node", "try"],
                ),
                ("mn token create sn9", 1, &["sn9", "--define"]),
                ("lsslice sn9", 1, &["sn9", "try"]),
                // Attributes and values.
                ("chdef n001 servicnode=sn2", 1, &["servicnode", "try", "servicenode"]),
                ("chdef n001 ip=10.77.1.300", 1, &["10.77.1.300", "try"]),
                ("chdef n001 ip=10.77.1.2", 1, &["n002", "try"]),
                ("chdef n001 mac=52:54:00:77:00", 1, &["52:54:00:77:00", "try"]),
                ("chdef n001 mac=52:54:00:77:00:02", 1, &["n002", "try"]),
                ("chdef -t network 10_77_0_0-255_255_0_0 mask=255.0.255.0", 1, &["255.0.255.0"]),
                ("nodels n001 noderes.servicenod", 1, &["noderes.servicenod", "try", "servicenode"]),
                ("tabdump noderess", 1, &["noderess", "try", "noderes"]),
                ("lsdef -t nodes", 1, &["nodes", "try", "node"]),
                ("nodeset n001 osimage=dem", 1, &["dem", "try", "demo"]),
                ("nodeset n001 bot", 1, &["bot", "try", "boot"]),
                ("updatenode n001 -P nope", 1, &["nope", "try"]),
                ("updatenode n001 -P ../../authority", 1, &["../../authority", "try"]),
                // Wrong usage: xCAT's commands say 1, ours 2.
                ("snmove n001 -d sn2 -i -P all", 1, &["-P and -i flags", "same time"]),
                ("snmove", 1, &["Usage: snmove"]),
                ("chdef n001 ip", 1, &["Usage: chdef"]),
                ("nodeset n001", 1, &["Invalid argument: ''", "Usage: nodeset"]),
                ("mn frobnicate", 2, &["frobnicate"]),
                ("mn token create", 2, &["NAME"]),
            ],
        )
    });
}

#[test]
fn a_move_that_cannot_be_is_refused_whole() {
    sandbox::test("cli::a_move_that_cannot_be_is_refused_whole", || {
        let mut cluster = Cluster::lay(3, 2)?;
        cluster.start_all()?;
        cluster.ok("chdef n003 servicenode=sn1")?;
        cluster.mn_program(&["token", "create", "sn3", "--define"])?.ok()?;
        cluster.ok("mkdef -t network far net=10.99.0.0 mask=255.255.0.0 gateway=10.99.0.1")?;
        cluster.ok("mkdef x001 groups=far ip=10.99.0.5 mac=52:54:00:99:00:01 servicenode=sn1,sn2 xcatmaster=10.99.0.1")?;
        all_refused(
            &cluster,
            &[
                // T5 and T6: without -d, each node needs a second service node.
                ("snmove n003", 1, &["n003", "no backup", "try"]),
                ("snmove compute", 1, &["n003", "no backup", "try"]),
                // The target has no address where the nodes are.
                (
                    "snmove x001 -d sn2",
                    1,
                    &["x001", "stays on sn1", "sn2 has no address on network far", "try"],
                ),
                ("snmove n001,x001 -d sn2", 1, &["x001", "try"]),
                // The target is not there at all: T11 without, T12 with -D.
                ("snmove n001 -d sn3", 1, &["sn3", "try"]),
                (
                    "snmove n001 -d sn3 -D 10.77.0.13",
                    1,
                    &["sn3 is not connected", "nothing was changed", "try"],
                ),
                ("snmove compute -d sn3 -D 10.77.0.13 -i", 1, &["sn3 is not connected", "try"]),
            ],
        )?;
        cluster.stop_sn(1, Signal::SIGKILL)?;
        let gone = || cluster.command("lsslice sn2").ok()?.out.contains("down").then_some(());
        wait::until("sn2 to be seen as gone", wait::LONG, gone)?;
        all_refused(
            &cluster,
            &[("snmove n001 -d sn2", 1, &["sn2 is not connected", "nothing was changed", "try"])],
        )
    });
}

#[test]
fn dry_runs_show_and_change_nothing() {
    sandbox::test("cli::dry_runs_show_and_change_nothing", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all()?;
        all_refused(
            &cluster,
            &[
                ("chdef compute netboot=grub2 --dry-run", 0, &["n001", "netboot", "grub2"]),
                ("mkdef n009 groups=all --dry-run", 0, &["n009"]),
                ("rmdef n001 --dry-run", 0, &["n001"]),
                ("nodeset compute boot --dry-run", 0, &["n001"]),
                ("snmove -s sn1 -d sn2 --dry-run", 0, &["n001", "sn2"]),
            ],
        )
    });
}

/// Types a line on a host; it must end with 1 and say all of these.
fn refused(cluster: &Cluster, host: &tests::net::Host, line: &str, words: &[&str]) -> Result<()> {
    let Ended { status, out, err, .. } = cluster.shell(host, line)?;
    assert_eq!((status, out.as_str()), (1, ""), "{line}: {err}");
    for word in words {
        assert!(err.contains(word), "{line} does not say {word:?}: {err}");
    }
    Ok(())
}

#[test]
fn daemons_say_what_is_missing() {
    sandbox::test("cli::daemons_say_what_is_missing", || {
        let mut cluster = Cluster::lay(1, 2)?;
        let (mn, sn1) = (cluster.mn.clone(), cluster.service_nodes[0].host.clone());
        refused(&cluster, &mn, "mn serve", &["is no management node", "try      mn init"])?;
        refused(&cluster, &mn, "mn lsdef", &["cannot reach the management node", "try", "mn serve"])?;
        refused(&cluster, &sn1, "sn serve", &["not the folder of a service node", "try", "sn join TOKEN"])?;
        let n001 = cluster.nodes[0].host.clone();
        refused(&cluster, &n001, "node-agent serve", &["no token", "try", "node-agent join TOKEN"])?;
        cluster.start_mn()?;
        refused(&cluster, &mn, "mn init", &["is a management node already", "try", "mn serve --dir"])?;
        refused(&cluster, &mn, "mn serve", &["is in use by process", "--dir"])?;
        // Another folder, and the same port.
        cluster.shell(&mn, "mn init --dir other --name other")?.ok()?;
        refused(&cluster, &mn, "mn serve --dir other", &["cannot listen on", "try", "--listen"])?;
        // A configuration with mistakes: all of them at once.
        cluster.shell(&mn, "printf 'listen = \"here\"\\nwait_seconds = 9999\\n' > other/mn.toml")?.ok()?;
        refused(&cluster, &mn, "mn serve --dir other", &["listen", "here", "wait_seconds"])?;
        Ok(())
    });
}

#[test]
fn tokens_that_are_damaged_used_or_foreign_are_refused() {
    sandbox::test("cli::tokens_that_are_damaged_used_or_foreign_are_refused", || {
        let mut cluster = Cluster::lay(1, 2)?;
        let (mn, sn2) = (cluster.mn.clone(), cluster.service_nodes[1].host.clone());
        // A token of a management node that had this address before.
        cluster.shell(&mn, "mn init --dir before --name mn")?.ok()?;
        let serve = Run::new(cluster.programs().path("mn")).args(["serve", "--dir", "before"]);
        let mut before = serve
            .under(Run::new("env").args(["-C", "/run/drover"]))
            .spawn(&mn, Path::new("/run/drover/before.log"))?;
        before.await_words("management node ready")?;
        cluster.shell(&mn, "mn --dir before token create sn2 --define > foreign")?.ok()?;
        before.end(Signal::SIGTERM)?;
        cluster.start_mn()?;
        cluster.join(0)?;
        let refused = |line: &str, words: &[&str]| refused(&cluster, &sn2, line, words);
        refused("sn join rubbish", &["not a join token", "drover1:"])?;
        refused("sn join $(cat foreign)", &["does not belong to the authority of this token", "try"])?;
        cluster.shell(&mn, "mn token create sn2 --define > token")?.ok()?;
        refused("sn join $(cut -c -60 token)", &["not a join token", "copy it whole"])?;
        refused("sn join $(sed 's/....$/0000/' token)", &["refused the token", "try"])?;
        refused("sn join $(sed 's/drover1:sn:/drover1:node:/' token)", &["not for a service node", "try"])?;
        refused("sn join $(sed 's/:sn2:/:sn1:/' token)", &["refused the token", "try"])?;
        // None of these was in the way of the real one, which is good for one.
        cluster.shell(&sn2, "sn join $(cat token)")?.ok()?;
        refused("sn join $(cat token)", &["already that of service node sn2", "--replace"])?;
        refused("sn join --dir again $(cat token)", &["used already", "try"])?;
        assert!(!cluster.work.join("again/identity").exists());
        // The management node has gone: that passes, and is said to.
        cluster.shell(&mn, "mn token create sn2 > token")?.ok()?;
        cluster.stop_mn(Signal::SIGTERM)?;
        let gone = cluster.shell(&sn2, "sn join --replace $(cat token)")?;
        assert!(
            gone.status == 1 && gone.err.contains("did not answer") && gone.err.contains("try"),
            "{gone:?}"
        );
        Ok(())
    });
}

/// A program with nothing that only root may do.
fn without_rights(run: Run) -> Run {
    run.under(Run::new("setpriv").args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]))
}

#[test]
fn every_program_finds_its_folder_by_flag_or_environment() {
    sandbox::test("cli::every_program_finds_its_folder_by_flag_or_environment", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let (mn, sn1) = (&cluster.mn, &cluster.service_nodes[0].host);
        let want = cluster.ok("lsdef n001")?;
        for line in [
            "DROVER_DIR=mn lsdef n001",
            "unset DROVER_DIR; lsdef n001 --dir mn",
            "unset DROVER_DIR; lsdef --dir=mn n001",
            "DROVER_DIR=/nowhere lsdef --dir mn n001",
            "unset DROVER_DIR; mn --dir mn lsdef n001",
            "unset DROVER_DIR; mn lsdef n001 --dir mn",
            "DROVER_DIR=mn mn lsdef n001",
        ] {
            assert_eq!(cluster.shell(mn, line)?.ok()?, want, "{line}");
        }
        for line in [
            "mn --dir mn token create sn9 --define",
            "mn token create --dir mn sn9",
            "mn token --dir mn create sn9",
        ] {
            let said = cluster.shell(mn, &format!("unset DROVER_DIR; {line}"))?.ok()?;
            assert!(said.starts_with("drover1:sn:sn9:"), "{line}: {said}");
        }
        // For a daemon, that the folder is in use shows that it was found.
        for (host, dir, program) in [(mn, "mn", "mn serve"), (sn1, "sn1", "sn serve")] {
            for line in
                [format!("DROVER_DIR={dir} {program}"), format!("DROVER_DIR=/nowhere {program} --dir {dir}")]
            {
                refused(&cluster, host, &line, &["is in use by process"])?;
            }
        }
        for line in ["DROVER_DIR=agent node-agent serve", "DROVER_DIR=/proc/x node-agent serve --dir agent"] {
            refused(&cluster, sn1, line, &["agent", "holds no identity"])?;
        }
        Ok(())
    });
}

/// A management node and a service node on loopback, without any rights.
struct Small {
    name: &'static str,
    network: u8,
    daemons: Vec<Daemon>,
}

impl Small {
    fn start(cluster: &Cluster, name: &'static str, network: u8) -> Result<Self> {
        let dir = cluster.work.join(name);
        let daemon = |program: &str, words: String| -> Result<Daemon> {
            let run = Run::new(cluster.programs().path(program))
                .arg("serve")
                .args(words.split(' ').map(str::to_owned));
            let log = cluster.work.join(format!("{name}-{program}.log"));
            let mut daemon =
                without_rights(run.env("DROVER_DIR", dir.join(program))).spawn(&cluster.mn, &log)?;
            daemon.await_words(" ready")?;
            Ok(daemon)
        };
        let mut small = Self { name, network, daemons: Vec::new() };
        let mn = format!("127.0.{network}.1");
        small.typed(cluster, &format!("mn init --name {name}mn --domain {name}.test --address {mn}"))?;
        small.daemons.push(daemon("mn", format!("--listen {mn}:7700"))?);
        small.typed(cluster, &format!("mn token create sn1 --define --address {mn}:7700 > {name}.token"))?;
        small.typed(cluster, &format!("DROVER_DIR={name}/sn sn join $(cat {name}.token)"))?;
        let ports = "--dhcp-port 6767 --dhcp-client-port 6868 --tftp-port 6969 --http-port 8080 --dns-port 5353 \
                     --ntp-port 12300 --syslog-port 5514 --agent-port 7701 --nfs none";
        small.daemons.push(daemon("sn", format!("--bind 127.0.{network}.2 {ports}"))?);
        small.typed(cluster, &format!("mkdef -t network lab net=127.0.{network}.0 mask=255.255.255.0"))?;
        let node = format!(
            "ip=127.0.{network}.9 mac=52:54:00:00:00:01 servicenode=sn1 xcatmaster=127.0.{network}.2"
        );
        small.typed(cluster, &format!("mkdef n001 groups=all {node}"))?;
        Ok(small)
    }

    fn typed(&self, cluster: &Cluster, line: &str) -> Result<String> {
        cluster.shell(&cluster.mn, &format!("export DROVER_DIR={}/mn; {line}", self.name))?.ok()
    }

    /// Its node's address, as its service node gives it.
    fn address(&self, cluster: &Cluster) -> Result<String> {
        let at = format!("@127.0.{}.2", self.network);
        let dig = Run::new("dig").args([at.as_str(), "-p", "5353", "+short", "+time=2"]);
        dig.arg(format!("n001.{}.test", self.name)).on(&cluster.mn)?.ok()
    }
}

#[test]
fn two_clusters_live_side_by_side_without_any_rights() {
    sandbox::test("cli::two_clusters_live_side_by_side_without_any_rights", || {
        let cluster = Cluster::lay(0, 0)?;
        cluster.mn_program(&["install-applets", "--all", &cluster.applets().to_string_lossy()])?.ok()?;
        let small = [Small::start(&cluster, "red", 1)?, Small::start(&cluster, "blue", 2)?];
        for one in &small {
            let want = format!("127.0.{}.9\n", one.network);
            let right = || (one.address(&cluster).ok()? == want).then_some(());
            wait::until(format!("{}'s name", one.name), wait::LONG, right)?;
            assert!(one.typed(&cluster, "lsslice")?.contains("current"));
        }
        // What is said to one is unknown to the other.
        small[0].typed(&cluster, "mkdef n002 groups=all")?;
        assert!(small[1].typed(&cluster, "lsdef n002").is_err());
        assert!(small.iter().all(|one| one.daemons.len() == 2));
        Ok(())
    });
}

#[test]
fn an_unprivileged_user_may_command_nothing() {
    sandbox::test_as_root("cli::an_unprivileged_user_may_command_nothing", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let nobody = |line: &str| {
            cluster.shell(&cluster.mn, &format!("setpriv --reuid 65534 --regid 65534 --clear-groups {line}"))
        };
        let before = everything(&cluster)?;
        for line in ["lsdef n001", "rmdef n001", "mn token create sn1", "snmove n001 -d sn1"] {
            let ended = nobody(line)?;
            assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{ended:?}");
            assert!(
                ended.err.starts_with("Error: Permission denied for request\n") && ended.err.contains("try"),
                "{ended:?}"
            );
        }
        assert_eq!(everything(&cluster)?, before);
        // A folder that an administrator has closed lets nobody as far as that.
        cluster.shell(&cluster.mn, "chmod 700 mn")?.ok()?;
        let ended = nobody("lsdef n001")?;
        assert!(ended.status == 1 && ended.err.contains("cannot reach"), "{ended:?}");
        Ok(())
    });
}
