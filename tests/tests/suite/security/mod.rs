//! A hostile machine on the wire, and a thief with a member's key: what they get is a refusal, and
//! everyone else is served on.

mod members;
mod noise;
mod secrets;
mod slices;

use std::fs;
use std::net::Ipv4Addr;

use tests::attack;
use tests::client::lookup;
use tests::client::transfer::{self, Transport};
use tests::cluster::{Cluster, DOMAIN};
use tests::net::Host;
use tests::process::Run;
use tests::{Result, wait};

/// How much more memory a daemon may have after an attack than before: buffers that it keeps.
const MEMORY: u64 = 96 << 20;

/// A machine on the rack's wire that belongs to nobody.
fn thief(cluster: &Cluster) -> Result<Host> {
    Ok(cluster.guest("thief", None, Some(Ipv4Addr::new(10, 77, 9, 9)))?.host)
}

/// What a running daemon is: to be the same after an attack.
#[derive(Debug)]
struct Daemons {
    mn: u32,
    sn: u32,
    memory: [u64; 2],
}

impl Daemons {
    fn of(cluster: &Cluster) -> Result<Self> {
        let mn = cluster.mn_pid().ok_or("mn does not run")?;
        let sn = cluster.service_nodes[0].pid().ok_or("sn1 does not run")?;
        Ok(Self { mn, sn, memory: [attack::resident(mn)?, attack::resident(sn)?] })
    }

    /// The same processes, with no more memory than they may have, and no panic in their logs.
    fn are_unharmed(&self, cluster: &mut Cluster) -> Result<()> {
        let now = Self::of(cluster)?;
        assert_eq!((self.mn, self.sn), (now.mn, now.sn));
        assert!(cluster.service_nodes[0].is_up(), "sn1 has ended");
        for (before, after) in self.memory.iter().zip(now.memory) {
            assert!(after < before + MEMORY, "from {before} to {after} bytes of memory");
        }
        for log in ["mn.log", "sn1.log"] {
            let said = fs::read_to_string(cluster.work.join(log))?;
            assert!(!said.contains("panicked"), "{log}: {said}");
            assert!(said.len() < 200_000, "strangers filled {log} with {} bytes", said.len());
        }
        Ok(())
    }
}

/// Every service of sn1 answers its real client, the agents obey, and the management node commands.
fn all_is_well(cluster: &Cluster, word: &str) -> Result<()> {
    let (node, sn) = (&cluster.nodes[0], &cluster.service_nodes[0]);
    assert_eq!(node.boot()?.server(), Some(sn.ip));
    assert!(node.script(sn.ip)?.kernel.is_some());
    let file = node.folder().join("fetched");
    transfer::tftp(&node.host, sn.ip, "xcat/osimage/demo/initrd.img", &file)?;
    assert_eq!(fs::read(&file)?, b"an initial RAM disk");
    let name = format!("{}.{DOMAIN}", node.name);
    for words in [&[][..], &["+tcp"]] {
        let dig = Run::new("dig").arg(format!("@{}", sn.ip)).args(["+short", "+time=2"]).args(words.to_vec());
        assert_eq!(dig.arg(&name).on(&node.host)?.ok()?.trim(), node.ip.to_string());
    }
    assert!(lookup::clock(&node.host, sn.ip)?.abs() < 1.0);
    for (way, what) in [(Transport::Udp, "udp"), (Transport::Tcp, "tcp")] {
        let line = format!("{word} {what}");
        transfer::log(&node.host, sn.ip, way, &line)?;
        let logs = [sn.log_of(&node.name), cluster.mn_dir().join("log").join(format!("{}.log", node.name))];
        for log in logs {
            let has = || fs::read_to_string(&log).ok()?.contains(&line).then_some(());
            wait::until(format!("{line:?} in {}", log.display()), wait::LONG, has)?;
        }
    }
    cluster.put("install/postscripts/hello", format!("#!/bin/sh\necho {word}\n").as_bytes())?;
    let said = cluster.ok("updatenode n001 -P hello")?;
    assert!(said.contains(word), "{said}");
    Ok(())
}
