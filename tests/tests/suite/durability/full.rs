//! Full disks: what is acknowledged is there, what is not says so, and all heals with the space.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::MacAddr;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use tests::client::dhcp::{self, Firmware};
use tests::cluster::Cluster;
use tests::process::Ended;
use tests::{Result, sandbox, wait};

/// A folder on a disk of its own.
fn disk(folder: &Path, size: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let options = format!("size={size},mode=700");
    Ok(mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))?)
}

/// A file that takes all the space there is, but so much. A daemon that writes meanwhile (its audit
/// log, some moments after its answer) has its share of the space, or none.
fn fill(folder: &Path, left: u64) -> Result<PathBuf> {
    let path = folder.join("something-else");
    let mut file = fs::File::create(&path)?;
    let block = vec![0; 4096];
    loop {
        let disk = statvfs(folder)?;
        if disk.blocks_available() * disk.fragment_size() < left + 4096 {
            return Ok(path);
        }
        match file.write_all(&block) {
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(path),
            written => written?,
        }
    }
}

/// Counts in a node's comment until a command is refused; gives how far it came, and the refusal.
fn count(cluster: &Cluster) -> Result<(usize, Ended)> {
    for number in 1..5000 {
        let ended = cluster.command(&format!("chdef c1 usercomment={number}"))?;
        if ended.status != 0 {
            return Ok((number - 1, ended));
        }
    }
    Err("the disk does not become full".into())
}

/// Waits until the node's hardware address gets an answer of the service node, which on a busy
/// machine takes a moment.
fn await_answer(cluster: &Cluster, mac: MacAddr) -> Result<()> {
    let (host, sn) = (&cluster.nodes[0].host, cluster.service_nodes[0].ip);
    let answered = || {
        let offers = dhcp::offers(host, mac, &Firmware::default(), Duration::from_millis(500)).ok()?;
        offers.iter().any(|offer| offer.server == sn).then_some(())
    };
    wait::until(format!("an answer for {mac}"), wait::LONG, answered)
}

#[test]
fn a_full_disk_of_the_management_node_refuses_changes_and_nothing_else() {
    sandbox::test(
        "durability::full::a_full_disk_of_the_management_node_refuses_changes_and_nothing_else",
        || {
            let mut cluster = Cluster::lay(1, 1)?;
            disk(&cluster.mn_dir(), "64m")?;
            cluster.start_all()?;
            cluster.ok("mkdef c[1-9] groups=g usercomment=0")?;
            let nearly = fill(&cluster.mn_dir(), (16 << 20) + (200 << 10))?;
            let (acknowledged, refused) = count(&cluster)?;
            assert!(
                acknowledged > 0 && refused.err.contains("disk is full"),
                "{acknowledged} {}",
                refused.err
            );
            assert!(refused.err.contains("free some space"), "it says what to do: {}", refused.err);
            let mn_log = fs::read_to_string(cluster.work.join("mn.log"))?;
            assert!(mn_log.contains("free some space"), "so does the daemon: {mn_log}");
            // Everything else goes on, even when nothing at all is left.
            fs::remove_file(nearly)?;
            let full = fill(&cluster.mn_dir(), 0)?;
            let comments = cluster.ok("nodels c1 nodelist.comments")?;
            assert_eq!(comments.trim(), format!("c1: {acknowledged}"));
            cluster.ok("lsslice sn1")?;
            // The service node serves.
            await_answer(&cluster, cluster.nodes[0].mac)?;
            cluster.stop_mn(Signal::SIGKILL)?;
            cluster.serve_mn()?;
            fs::remove_file(full)?;
            cluster.ok("chdef c2 usercomment=later")?;
            let comments = cluster.ok("nodels c1,c2 nodelist.comments")?;
            assert_eq!(comments, format!("c1: {acknowledged}\nc2: later\n"));
            Ok(())
        },
    );
}

#[test]
fn a_management_node_that_cannot_start_on_a_full_disk_says_so_and_starts_later() {
    sandbox::test(
        "durability::full::a_management_node_that_cannot_start_on_a_full_disk_says_so_and_starts_later",
        || {
            let mut cluster = Cluster::lay(0, 0)?;
            disk(&cluster.mn_dir(), "64m")?;
            cluster.start_mn()?;
            cluster.ok("mkdef c[1-900] groups=g usercomment=0")?;
            let full = fill(&cluster.mn_dir(), 0)?;
            // What is kept back for such a start is there once.
            fs::remove_file(cluster.mn_dir().join("store.ballast"))?;
            let full = [full, fill(&cluster.mn_dir().join("log"), 0)?];
            cluster.stop_mn(Signal::SIGKILL)?;
            let said =
                cluster.serve_mn().map_or_else(|error| error.to_string(), |()| "it started".to_owned());
            assert!(said.contains("free some space"), "{said}");
            fs::rename(cluster.work.join("mn.log"), cluster.work.join("mn.log.old"))?;
            full.iter().try_for_each(fs::remove_file)?;
            cluster.serve_mn()?;
            assert_eq!(cluster.ok("nodels g")?.lines().count(), 900);
            Ok(())
        },
    );
}

#[test]
fn a_full_disk_of_a_service_node_delays_its_slice_and_nothing_else() {
    sandbox::test(
        "durability::full::a_full_disk_of_a_service_node_delays_its_slice_and_nothing_else",
        || {
            let mut cluster = Cluster::lay(1, 1)?;
            disk(&cluster.service_nodes[0].dir, "64m")?;
            cluster.start_all()?;
            let full = fill(&cluster.service_nodes[0].dir, 0)?;
            let said = cluster.command("chdef n001 mac=52:54:00:00:00:99")?;
            assert!(said.err.contains("disk is full"), "{}", said.err);
            assert_eq!(cluster.command("lsslice sn1")?.status, 1, "it is behind");
            // It serves what it has.
            await_answer(&cluster, cluster.nodes[0].mac)?;
            cluster.stop_sn(0, Signal::SIGKILL)?;
            cluster.serve_sn(0)?;
            cluster.await_ports()?;
            // Across its own restart too.
            await_answer(&cluster, cluster.nodes[0].mac)?;
            fs::remove_file(full)?;
            wait::until("the slice to be current", wait::LONG, || cluster.ok("lsslice sn1").ok())?;
            await_answer(&cluster, "52:54:00:00:00:99".parse()?)
        },
    );
}
