//! NFS: what NFS-Ganesha exports by the configuration that a service node writes.

use tests::client::export;
use tests::cluster::Cluster;
use tests::net::Host;
use tests::process::Daemon;
use tests::{Result, sandbox, server, wait};

use super::{SN1, SN2, booted_rack};

/// NFS-Ganesha at a service node, told where its clients find it.
fn ganesha(cluster: &Cluster, number: usize) -> Result<Daemon> {
    let sn = &cluster.service_nodes[number];
    server::ganesha(&sn.host, &sn.dir.join("nfs"))
}

/// Waits until a file of the export reads as `text`.
fn await_text(host: &Host, server: std::net::Ipv4Addr, path: &str, text: &str) -> Result<()> {
    let mut last = String::new();
    wait::until(format!("{path} from {server}"), wait::LONG, || match export::read(host, server, path) {
        Ok(found) if found == text => Some(()),
        other => {
            last = format!("{other:?}");
            None
        }
    })
    .map_err(|error| format!("{error}; at last {last}").into())
}

/// Waits until a path cannot be read, nor its folder listed.
fn await_absence(host: &Host, server: std::net::Ipv4Addr, path: &str) -> Result<()> {
    wait::until(format!("{path} to be gone"), wait::LONG, || export::read(host, server, path).err())?;
    Ok(())
}

#[test]
fn an_export_shows_the_files_of_the_slice_and_follows_them() {
    sandbox::test_as_root("services::nfs::an_export_shows_the_files_of_the_slice_and_follows_them", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        let file = "install/custom/hello";
        cluster.put(file, b"hello, node\n")?;
        let _server = ganesha(&cluster, 0)?;
        await_text(host, SN1, "/install/custom/hello", "hello, node\n")?;
        assert_eq!(export::list(host, SN1, "/install")?, ["custom"]);
        assert_eq!(export::list(host, SN1, "/install/custom")?, ["hello"]);
        cluster.put("install/postscripts/new", b"#!/bin/sh\n")?;
        cluster.put(file, b"another text\n")?;
        await_text(host, SN1, "/install/postscripts/new", "#!/bin/sh\n")?;
        await_text(host, SN1, "/install/custom/hello", "another text\n")?;
        std::fs::remove_file(cluster.mn_dir().join("tree").join(file))?;
        await_absence(host, SN1, "/install/custom/hello")
    });
}

#[test]
fn an_export_is_for_the_networks_of_the_nodes_and_read_only() {
    sandbox::test_as_root("services::nfs::an_export_is_for_the_networks_of_the_nodes_and_read_only", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        cluster.put("install/custom/hello", b"hello, node\n")?;
        let _server = ganesha(&cluster, 0)?;
        await_text(host, SN1, "/install/custom/hello", "hello, node\n")?;
        let mine = cluster.work.join("mine");
        std::fs::write(&mine, "mine")?;
        assert!(export::write(host, SN1, &mine, "/install/custom/mine").is_err());
        assert!(export::list(host, SN1, "/install/custom")?.iter().all(|name| name != "mine"));
        let foreigner = cluster.foreigner()?;
        assert!(export::list(&foreigner.host, SN1, "/install").is_err());
        Ok(())
    });
}

#[test]
fn an_export_goes_with_its_switch_and_with_the_nodes() {
    sandbox::test_as_root("services::nfs::an_export_goes_with_its_switch_and_with_the_nodes", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        cluster.nodes[0].boot()?;
        let host = &cluster.nodes[0].host;
        cluster.put("install/custom/hello", b"hello, node\n")?;
        let _servers = [ganesha(&cluster, 0)?, ganesha(&cluster, 1)?];
        let hello = "/install/custom/hello";
        await_text(host, SN1, hello, "hello, node\n")?;
        cluster.ok("chdef sn1 setupnfs=0")?;
        await_absence(host, SN1, hello)?;
        cluster.ok("chdef sn1 setupnfs=1")?;
        await_text(host, SN1, hello, "hello, node\n")?;
        // With its last node a service node has no network left whose nodes may read.
        cluster.ok("chdef n001 servicenode=sn2")?;
        await_absence(host, SN1, hello)?;
        await_text(host, SN2, hello, "hello, node\n")?;
        Ok(())
    });
}
