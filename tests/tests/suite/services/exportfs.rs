//! The kernel's NFS server: what the real `exportfs` makes of what a service node tells it.
//!
//! The server itself is not run: it is a part of the machine's kernel, and serves all of it. An empty
//! file stands where it would list its exports (`/proc/fs/nfsd/exports`), by which a service node
//! sees that there is one. `exportfs` reads what it is told, refuses what `mountd` would refuse, and
//! keeps it in its table (`etab`), of which the server gets an export when a client first asks; that
//! table is read here. Each service node has a table of its own, in a mount namespace.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;
use tests::cluster::Cluster;
use tests::process::Run;
use tests::{Result, sandbox, wait};

/// An export of `exportfs`: folder, client, and whether clients may write.
type Export = (String, String, bool);

/// Starts a service node anew as on a host of its own with a kernel's server; an administrator
/// exports a folder of his there.
fn serve(cluster: &mut Cluster, number: usize) -> Result<()> {
    let name = cluster.service_nodes[number].name.clone();
    let [table, own] = ["table", "own"].map(|what| cluster.work.join(format!("{name}.{what}")));
    let exports = cluster.work.join(format!("{name}.exports"));
    fs::create_dir_all(&table)?;
    fs::create_dir_all(&own)?;
    fs::write(&exports, format!("{} 192.0.2.0/24(ro,no_subtree_check)\n", own.display()))?;
    let script = "mount --bind \"$1\" /var/lib/nfs; mount --bind \"$2\" /etc/exports
        mount -t tmpfs tmpfs /proc/fs; mkdir /proc/fs/nfsd; : > /proc/fs/nfsd/exports
        touch /var/lib/nfs/etab; exportfs -a; shift 2; exec \"$@\"";
    cluster.serve_sn_under(number, |run| {
        let outer =
            Run::new("unshare").args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]);
        run.under(outer.arg(&table).arg(&exports))
    })
}

/// What the table of a service node has, as `exportfs -v` prints it.
fn listed(cluster: &Cluster, number: usize) -> Result<Vec<(String, String, String)>> {
    let sn = &cluster.service_nodes[number];
    let pid = sn.pid().ok_or("it does not run")?.to_string();
    let text = Run::new("nsenter").args(["-t", &pid, "-m", "exportfs", "-v"]).on(&sn.host)?.ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let one = |pair: &[&str]| {
        let (client, options) = pair.get(1)?.strip_suffix(')')?.split_once('(')?;
        Some((pair[0].to_owned(), client.to_owned(), options.to_owned()))
    };
    words.chunks(2).map(|pair| one(pair).ok_or_else(|| format!("an odd line: {text}").into())).collect()
}

/// The exports of ours among them, and that of the administrator is there.
fn exported(cluster: &Cluster, number: usize) -> Result<BTreeSet<Export>> {
    let sn = &cluster.service_nodes[number];
    let (tree, own) = (sn.dir.join("tree"), cluster.work.join(format!("{}.own", sn.name)));
    let mut found = BTreeSet::new();
    let mut is_kept = false;
    for (folder, client, options) in listed(cluster, number)? {
        let has = |option: &str| options.split(',').any(|word| word == option);
        if folder == own.display().to_string() {
            is_kept = client == "192.0.2.0/24" && has("root_squash");
            continue;
        }
        assert!(folder.starts_with(&tree.display().to_string()), "{folder}");
        // A node's root is root in its trees, and a handle survives a restart.
        assert!(has("no_root_squash") && options.contains("fsid=") && has("sec=sys"), "{options}");
        assert_ne!(has("ro"), has("rw"), "{options}");
        found.insert((folder, client, has("rw")));
    }
    assert!(is_kept, "what the administrator exports is left alone");
    Ok(found)
}

/// What the slice exports: its blocks in the file for NFS-Ganesha, which is written from the same
/// plan and read by the real server in the tests of `nfs`.
fn planned(cluster: &Cluster, number: usize) -> Result<BTreeSet<Export>> {
    let text = fs::read_to_string(cluster.service_nodes[number].dir.join("nfs/exports.conf"))?;
    let between =
        |text: &str, start: &str, end: &str| Some(text.split_once(start)?.1.split_once(end)?.0.to_owned());
    let mut found = BTreeSet::new();
    for block in text.split("EXPORT {").skip(1) {
        let folder = between(block, "Path = \"", "\";").ok_or("a block without a path")?;
        let Some(clients) = between(block, "Clients = ", ";") else { continue };
        let access = between(block, &format!("{clients}; Access_Type = "), ";").ok_or("no access")?;
        found.extend(clients.split(", ").map(|client| (folder.clone(), client.to_owned(), access == "RW")));
    }
    Ok(found)
}

/// Waits until the table has what the slice exports, of which `is_so` holds.
fn await_exports(
    cluster: &Cluster,
    number: usize,
    what: &str,
    is_so: impl Fn(&BTreeSet<Export>) -> bool,
) -> Result<()> {
    let mut last = String::new();
    wait::until(format!("{what} at {}", cluster.service_nodes[number].name), wait::LONG, || {
        let (planned, exported) = (planned(cluster, number).ok()?, exported(cluster, number).ok()?);
        last = format!("planned {planned:?}, exported {exported:?}");
        (planned == exported && is_so(&exported)).then_some(())
    })
    .map_err(|error| format!("{error}; at last {last}").into())
}

fn has(exports: &BTreeSet<Export>, path: &str, client: &str) -> bool {
    exports.iter().any(|(folder, to, writable)| folder.ends_with(path) && to == client && !writable)
}

#[test]
fn the_table_of_exportfs_is_the_slice_and_follows_it() {
    sandbox::test("services::exportfs::the_table_of_exportfs_is_the_slice_and_follows_it", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        cluster.put("install/custom/hello", b"hello, node\n")?;
        for number in [0, 1] {
            cluster.stop_sn(number, Signal::SIGKILL)?;
            serve(&mut cluster, number)?;
        }
        let install = "/tree/install";
        await_exports(&cluster, 0, "the exports", |seen| has(seen, install, "10.77.0.0/16"))?;
        // Both of the pool may be asked.
        await_exports(&cluster, 1, "the exports", |_| true)?;
        // One more network of nodes is one more client.
        let ip = |line: &str| {
            Run::new("ip").args(line.split(' ')).on(&cluster.service_nodes[0].host)?.ok().map(drop)
        };
        ip("address add 10.88.0.1/20 dev eth0")?;
        cluster.ok("mkdef -t network far net=10.88.0.0 mask=255.255.240.0")?;
        let define = || {
            cluster
                .ok("mkdef g001 groups=all ip=10.88.5.5 mac=52:54:00:88:00:01 servicenode=sn1 netboot=xnba")
                .ok()
        };
        wait::until("sn1 to report its network", wait::LONG, define)?;
        await_exports(&cluster, 0, "another client", |seen| has(seen, install, "10.88.0.0/20"))?;
        cluster.ok("rmdef g001")?;
        await_exports(&cluster, 0, "no other client", |seen| !has(seen, install, "10.88.0.0/20"))?;
        cluster.ok("chdef sn1 setupnfs=0")?;
        await_exports(&cluster, 0, "nothing", BTreeSet::is_empty)?;
        cluster.ok("chdef sn1 setupnfs=1")?;
        await_exports(&cluster, 0, "the exports again", |seen| has(seen, install, "10.77.0.0/16"))?;
        // A move takes them along: sn1 has no node left.
        cluster.ok("chdef n001 servicenode=sn1")?;
        await_exports(&cluster, 1, "nothing", BTreeSet::is_empty)?;
        cluster.ok("snmove n001 -d sn2")?;
        cluster.ok("chdef n001 servicenode=sn2")?;
        await_exports(&cluster, 1, "the exports", |seen| has(seen, install, "10.77.0.0/16"))?;
        await_exports(&cluster, 0, "nothing", BTreeSet::is_empty)?;
        // Killed, and on a host that has restarted, so that its table is empty.
        cluster.stop_sn(1, Signal::SIGKILL)?;
        fs::write(cluster.work.join("sn2.table/etab"), "")?;
        serve(&mut cluster, 1)?;
        await_exports(&cluster, 1, "the exports", |seen| has(seen, install, "10.77.0.0/16"))
    });
}
