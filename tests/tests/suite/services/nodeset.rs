//! `nodeset`: the next boot is another at once, and no file is written for a node.

use std::fs;
use std::path::Path;

use tests::Result;
use tests::client::dhcp::Firmware;
use tests::client::transfer;
use tests::cluster::Node;
use tests::sandbox;

use super::{SN1, booted_rack, offered, offered_nothing, rack};

/// The first lines of a node's boot script, which say what it boots.
fn boots(node: &Node) -> Result<String> {
    Ok(node.script(SN1)?.text.lines().skip(1).take(2).collect::<Vec<_>>().join(" "))
}

#[test]
fn the_next_boot_is_another_when_the_command_returns() {
    sandbox::test("services::nodeset::the_next_boot_is_another_when_the_command_returns", || {
        let cluster = booted_rack(2)?;
        let (node, other) = (&cluster.nodes[0], &cluster.nodes[1]);
        let kernel = format!("kernel --name kernel http://{SN1}/tftpboot/xcat/osimage/demo/vmlinuz");
        let image = format!("#netboot debian12-x86_64-compute {kernel}");
        assert!(boots(node)?.starts_with(&image), "{}", boots(node)?);
        assert_eq!(cluster.ok("nodeset n001 boot")?, "n001: boot\n");
        assert!(boots(node)?.starts_with("#boot sanboot"), "{}", boots(node)?);
        assert!(boots(other)?.starts_with(&image), "the other node's boot stays");
        assert_eq!(
            cluster.ok("nodeset compute stat")?,
            "n001: boot\nn002: netboot debian12-x86_64-compute\n"
        );
        cluster.ok("nodeset n001 osimage=demo")?;
        assert!(boots(node)?.starts_with(&image));
        Ok(())
    });
}

#[test]
fn the_rescue_system_is_booted_once_it_is_there() {
    sandbox::test("services::nodeset::the_rescue_system_is_booted_once_it_is_there", || {
        let cluster = booted_rack(1)?;
        let refused = cluster.command("nodeset n001 shell")?;
        assert!(refused.status == 1 && refused.err.contains("genesis.kernel"), "{refused:?}");
        cluster.put("tftpboot/xcat/genesis.kernel.x86_64", b"a kernel")?;
        cluster.ok("nodeset n001 shell")?;
        let script = cluster.nodes[0].script(SN1)?.text;
        assert!(script.starts_with("#!ipxe\n#shell\n") && script.contains("destiny=shell"), "{script}");
        Ok(())
    });
}

#[test]
fn a_node_that_is_offline_finds_nothing_to_boot() {
    sandbox::test("services::nodeset::a_node_that_is_offline_finds_nothing_to_boot", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let firmware = Firmware { class: Some("PXEClient".to_owned()), ..Firmware::default() };
        offered(&node.host, node.mac, &firmware)?;
        cluster.ok("nodeset n001 offline")?;
        offered_nothing(&node.host, node.mac, &firmware)?;
        assert!(node.script(SN1).is_err_and(|error| error.to_string().ends_with("HTTP 404")));
        assert_eq!(cluster.ok("nodeset n001 stat")?, "n001: offline\n");
        // Its system, started from its disk by hand, has its address all the same.
        assert_eq!(node.boot()?.ip(), Some(node.ip));
        Ok(())
    });
}

#[test]
fn every_loader_reads_its_own_kind_of_file() {
    sandbox::test("services::nodeset::every_loader_reads_its_own_kind_of_file", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let mac = node.mac.to_string().replace(':', "-");
        let paths = [
            "xcat/xnba/nodes/n001".to_owned(),
            "xcat/xnba/nodes/n001.uefi".to_owned(),
            format!("pxelinux.cfg/01-{mac}"),
            "pxelinux.cfg/0A4D0101".to_owned(),
            format!("boot/grub2/grub.cfg-01-{mac}"),
            "petitboot/n001".to_owned(),
        ];
        let to = node.root.with_file_name("file");
        for (command, state) in
            [("nodeset n001 boot", "boot"), ("nodeset n001 osimage=demo", "netboot debian12-x86_64-compute")]
        {
            cluster.ok(command)?;
            for path in &paths {
                transfer::tftp(&node.host, SN1, path, &to)?;
                let text = fs::read_to_string(&to)?;
                let first = text.lines().find(|line| !line.starts_with("#!"));
                assert_eq!(first.map(|line| line.trim_start_matches('#')), Some(state), "{path}");
                let by_http = transfer::http(&node.host, &format!("http://{SN1}/tftpboot/{path}"), &[])?;
                assert_eq!(by_http.body.lines().next(), text.lines().next(), "{path}");
            }
        }
        Ok(())
    });
}

#[test]
fn no_file_is_written_for_a_node() {
    sandbox::test("services::nodeset::no_file_is_written_for_a_node", || {
        let cluster = rack(3)?;
        for node in &cluster.nodes {
            node.boot()?;
            node.script(SN1)?;
        }
        cluster.ok("nodeset n001 boot")?;
        cluster.ok("nodeset n002 offline")?;
        for folder in [cluster.mn_dir(), cluster.service_nodes[0].dir.clone()] {
            let mut paths = Vec::new();
            walk(&folder, &mut paths)?;
            let named: Vec<&String> =
                paths.iter().filter(|path| path.contains("n00") || path.contains("52-54")).collect();
            assert!(!paths.is_empty() && named.is_empty(), "{named:?}");
        }
        Ok(())
    });
}

fn walk(folder: &Path, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        paths.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        if path.is_dir() {
            walk(&path, paths)?;
        }
    }
    Ok(())
}
