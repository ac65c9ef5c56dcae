//! Secrets are told to those alone who may use them, and are good once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::client::transfer;
use tests::cluster::{Cluster, Node};
use tests::process::Run;
use tests::{Result, sandbox};

use super::thief;

#[test]
fn a_boot_script_is_for_its_own_node() {
    sandbox::test("security::secrets::a_boot_script_is_for_its_own_node", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all()?;
        let sn1 = cluster.service_nodes[0].ip;
        for node in &cluster.nodes {
            node.boot()?;
        }
        let [n001, n002] = [&cluster.nodes[0], &cluster.nodes[1]];
        let token = n001.script(sn1)?.token.ok_or("no token for the node itself")?;
        let dir = format!("http://{sn1}/tftpboot/xcat/xnba/nodes");
        for file in ["n001", "n001.uefi", "n001.pxelinux"] {
            let answer = transfer::http(&n002.host, &format!("{dir}/{file}"), &[])?;
            assert_ne!(answer.code, 200, "{file}: {}", answer.body);
        }
        let stranger = transfer::http(&thief(&cluster)?, &format!("{dir}/n001"), &[])?;
        assert!(!stranger.body.contains("drover.token"), "{}", stranger.body);
        let fetched = n002.folder().join("fetched");
        if transfer::tftp(&n002.host, sn1, "xcat/xnba/nodes/n001", &fetched).is_ok() {
            let text = fs::read_to_string(&fetched)?;
            assert!(!text.contains("drover.token"), "{text}");
        }
        // And who has it all the same cannot use it from n002.
        let run = Run::new(cluster.programs().path("node-agent")).args(["join", &token]);
        let ended = run.env("DROVER_DIR", cluster.work.join("thief")).on(&n002.host)?;
        assert_eq!(ended.status, 1, "{ended:?}");
        assert!(ended.err.contains("n001") && ended.err.contains("try"), "{}", ended.err);
        assert!(!cluster.work.join("thief/identity").exists());
        Ok(())
    });
}

/// All files below a folder.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o777)
}

#[test]
fn secrets_are_for_their_owners_alone() {
    sandbox::test("security::secrets::secrets_are_for_their_owners_alone", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let sn_token = cluster.mn_program(&["token", "create", "sn9", "--define"])?.ok()?;
        let agent_token = cluster.nodes[0].script(cluster.service_nodes[0].ip)?.token.ok_or("no token")?;
        let [sn, agent] = [cluster.service_nodes[0].dir.clone(), cluster.nodes[0].folder().join("agent")];
        // The management node's folder is passed through on the way to the socket; nothing else in it
        // is for others.
        assert_eq!(mode(&cluster.mn_dir())?, 0o711);
        for dir in [cluster.mn_dir().join("store"), cluster.mn_dir().join("log"), sn.clone(), agent.clone()] {
            assert_eq!(mode(&dir)?, 0o700, "{}", dir.display());
        }
        for file in [cluster.mn_dir().join("authority"), sn.join("identity"), agent.join("identity")] {
            assert_eq!(mode(&file)?, 0o600, "{}", file.display());
        }
        assert_eq!(mode(&cluster.mn_dir().join("mn.sock"))?, 0o666);
        // Nobody is told a secret who cannot use it: no log, no table, no definition.
        let mut told = Vec::new();
        for command in
            ["tabdump jointoken", "lsdef n001 -l", "lsdef -a -l", "lsdef n001 --json", "lsslice --json"]
        {
            // sn9 has not joined, so `lsslice` says that not all is well.
            told.push((command.to_owned(), cluster.command(command)?.out));
        }
        let logs =
            files(&cluster.work)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "log"));
        for log in logs {
            told.push((log.display().to_string(), fs::read_to_string(log)?));
        }
        assert!(told.iter().any(|(name, _)| name.ends_with("mn.log")));
        for token in [sn_token.trim(), &agent_token] {
            let secret = token.rsplit(':').next().ok_or("no secret")?;
            for (name, text) in &told {
                assert!(!text.contains(secret), "{name} tells a secret");
            }
        }
        Ok(())
    });
}

#[test]
fn a_used_token_is_good_for_nobody() {
    sandbox::test("security::secrets::a_used_token_is_good_for_nobody", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let node: &Node = &cluster.nodes[0];
        node.boot()?;
        let token = node.script(cluster.service_nodes[0].ip)?.token.ok_or("no token")?;
        let join = |dir: &str| {
            let run = Run::new(cluster.programs().path("node-agent")).args(["join", &token]);
            run.env("DROVER_DIR", cluster.work.join(dir)).limit(Duration::from_secs(40)).on(&node.host)
        };
        join("first")?.ok()?;
        let ended = join("second")?;
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("used already") && ended.err.contains("try"), "{}", ended.err);
        Ok(())
    });
}
